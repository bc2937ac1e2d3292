"""AWD-LSTM's parts: AR and TAR by hand, dropout between layers, varied batches, averaged SGD, the recipe as a whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import seqloom
from seqloom.errors import FormatError, SettingError
from seqloom.nn import Stateful
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.network import LanguageSpec, build_language_network
from seqloom.tasks.language.penalties import FeaturePenalty, WithFeatures
from seqloom.tasks.language_parameters import AWD
from seqloom_runtime.data.text.varied import VariedStreams

TEXT = "the cat sat on the mat\nthe dog ran to the cat\na bird saw it\n" * 15
SMALL: dict[str, Any] = {"units": 12, "embedding_size": 6, "epochs": 3, "batch_size": 4, "window": 8}


@given(st.integers(2, 400), st.integers(1, 5), st.integers(1, 30), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_varied_batches_score_each_token_once_in_order(tokens: int, streams: int, steps: int, seed: int) -> None:
    ids = np.arange(tokens)
    streams = min(streams, tokens - 1)
    batches = VariedStreams(ids, streams, steps, seed=seed)
    for _ in range(2):
        found = [next(batches) for _ in range(len(batches))]
        assert [batch.fresh for batch in found] == [True] + [False] * (len(found) - 1)
        assert all(batch.inputs.shape[1] >= 1 for batch in found)
        targets = np.concatenate([batch.targets for batch in found], 1)
        assert sorted(targets[targets >= 0].tolist()) == ids[1:].tolist()
        for row in targets:
            assert (np.diff(row[row >= 0]) == 1).all()
        for batch in found:
            assert batch.learning_rate_factor == batch.inputs.shape[1] / steps


def test_varied_lengths_are_spread_and_restored() -> None:
    batches = VariedStreams(np.arange(70 * 400 + 1), 1, 70, seed=3)
    first = [next(batches).inputs.shape[1] for _ in range(len(batches))]
    assert np.mean(first) == pytest.approx(70, abs=0.5)
    short = [length for length in first if length < 52]
    assert 5 <= len(short) <= 40  # 5 % of 400
    assert np.std([length for length in first if length >= 52]) == pytest.approx(5, abs=1.5)
    state = batches.state()
    second = [next(batches).inputs.tolist() for _ in range(5)]
    again = VariedStreams(np.arange(70 * 400 + 1), 1, 70, seed=3)
    again.restore(state)
    assert [next(again).inputs.tolist() for _ in range(5)] == second
    assert [len(row[0]) for row in second] != first[:5]
    with pytest.raises(FormatError, match="seed"):
        VariedStreams(np.arange(70 * 400 + 1), 1, 70, seed=4).restore(state)


def test_penalties_are_their_formulas() -> None:
    """α mean(h̃²) + β mean((h_t − h_{t−1})²), h̃ after and h before the output dropout; in float64 by hand."""
    network = build_language_network(LanguageSpec("lstm", 9, 5, 5, output_dropout=0.5), 3).train()
    module = Stateful(WithFeatures(network), 2)
    dropped = module(torch.arange(8).reshape(2, 4), fresh=True)
    inner = module.module
    assert isinstance(inner, WithFeatures)
    assert inner.last is not None
    raw = inner.last[1]
    assert (dropped == 0).any()
    assert not (raw == 0).any()
    h, low = dropped.detach().double().numpy(), raw.detach().double().numpy()
    wanted = 2 * (h**2).mean() + 3 * ((low[:, 1:] - low[:, :-1]) ** 2).mean()
    assert FeaturePenalty(2, 3)(module).item() == pytest.approx(wanted, rel=1e-5)
    assert inner.last is None
    module(torch.zeros(2, 1, dtype=torch.int64))
    assert math.isfinite(FeaturePenalty(2, 3)(module).item())  # a single step has no neighbour


def test_dropout_between_layers_is_one_mask_for_a_row() -> None:
    spec = LanguageSpec("gru", 9, 40, 40, layers=2, hidden_dropout=0.5)
    network = build_language_network(spec, 3).train()
    seen: list[torch.Tensor] = []
    second = network.body.layers[1]
    original = second.recurrent._draw
    second.recurrent._draw = lambda *a: seen.append(original(*a)) or seen[-1]
    network(torch.arange(8).reshape(2, 4))
    (mask,) = seen
    assert mask.shape == (2, 40)
    assert 0.2 < float((mask == 0).float().mean()) < 0.8
    assert network.body.layers[0].recurrent.options.input_dropout == 0
    assert torch.equal(network.eval()(torch.ones(1, 3, dtype=torch.int64))[0], network(torch.ones(1, 3).long())[0])


def test_the_recipe_is_the_published_one_and_a_run_resumes(tmp_path: Path) -> None:
    assert LanguageModel.from_recipe("awd").get_params().items() >= dict(AWD).items()
    with pytest.raises(SettingError, match=r"^recipe: expected one of awd, got 'abc'"):
        LanguageModel.from_recipe("abc")

    def make() -> LanguageModel:
        # Averaging from the second epoch on: with patience 0 the first rise begins it, which a rate of 30 brings about.
        return LanguageModel.from_recipe("awd", **{**SMALL, "epochs": 5, "averaging_patience": 0})

    class Stop(Exception):
        pass

    said: list[str] = []

    def stop(event: object) -> None:
        if type(event).__name__ == "EpochDone" and event.row.epoch == 4:  # type: ignore[attr-defined]
            raise Stop

    def listen(event: object) -> None:
        if type(event).__name__ == "Notice":
            said.append(event.text)  # type: ignore[attr-defined]

    whole = make().fit(TEXT, valid=TEXT, on_event=listen)
    assert any("averaged" in text for text in said), whole.history_
    with pytest.raises(Stop):
        make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", on_event=stop)
    resumed = make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", resume=True)
    assert whole.history_ == resumed.history_
    for a, b in zip(whole.model_.parameters(), resumed.model_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert whole.history_ is not None
    assert all((row.penalty or 0) > 0 for row in whole.history_.epochs)
    resumed.save(tmp_path / "model")
    saved = json.loads((tmp_path / "model" / "model.json").read_text())["parameters"]
    assert (saved["hidden_dropout"], saved["vary_window"]) == (0.25, True)
    assert "averaging_patience" in saved
    assert seqloom.load(tmp_path / "model").score("the cat\n") == whole.score("the cat\n")


def test_parts_are_refused_where_they_have_no_place() -> None:
    for parameters, message in (
        ({"model": "tcn", "hidden_dropout": 0.2}, r"^hidden_dropout: a tcn"),
        ({"vary_window": True, "scored": 4}, r"^vary_window: overlapping windows"),
        ({"optimizer": "nt-asgd", "average_weights": 0.9}, r"^average_weights: nt-asgd averages"),
    ):
        with pytest.raises(SettingError, match=message):
            LanguageModel(**{**SMALL, "embedding_size": None, **parameters}).fit(TEXT)
