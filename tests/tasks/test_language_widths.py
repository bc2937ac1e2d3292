"""Tied language models whose embedding is of another size than their units: published counts, torch.nn, folders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom.errors import SettingError
from seqloom.nn import Stateful
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.network import LanguageSpec, build_language_network
from seqloom.tasks.memory import count_weights

TEXT = "the cat sat on the mat\nthe dog ran to the cat\na bird saw it\n" * 20
QUICK: dict[str, Any] = {"units": 12, "embedding_size": 5, "layers": 2, "epochs": 2, "batch_size": 4, "window": 8}


@pytest.mark.parametrize(
    ("spec", "published"),
    [
        # arXiv 1803.01271, Table 1 and its programs: characters of PTB, text8, WikiText-103.
        (LanguageSpec("tcn", 50, 100, 450, 3, 3), 2.22e6),
        (LanguageSpec("tcn", 27, 100, 520, 5, 2), 4.13e6),
        (LanguageSpec("tcn", 267_735, 400, 1000, 5, 3), 132e6),
        # arXiv 1708.02182: AWD-LSTM on PTB, whose LSTM has torch's second bias too.
        (LanguageSpec("lstm", 10_000, 400, 1150, 3), 24.2e6),
    ],
)
def test_published_sizes(spec: LanguageSpec, published: float) -> None:
    assert count_weights(lambda: build_language_network(spec, 0)) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_layers_equal_torch_layer_by_layer(name: str) -> None:
    """Features of three layers of 7, 7 and 4 units against torch.nn in float64 with the same weights."""
    network = build_language_network(LanguageSpec(name, 9, 4, 7, 3), 3).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (2, 11)))
    x = network.embedding.weight.double()[ids]
    assert [layer.output_size for layer in network.body.layers] == [7, 7, 4]
    for layer in network.body.layers:
        x, _ = seqloom.nn.to_torch(layer.recurrent).double()(x)
    with torch.no_grad():
        found, _ = network(ids)
        torch.testing.assert_close(found.double(), x, rtol=1e-5, atol=1e-6)
        wanted = x @ network.embedding.weight.double().T + network.bias.double()
        torch.testing.assert_close(network.logits(found).double(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["gru", "lstm", "tcn"])
def test_state_is_carried_and_streamed(name: str) -> None:
    network = build_language_network(LanguageSpec(name, 9, 4, 7, 3), 3).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (2, 11)))
    whole, _ = network(ids)
    carried = Stateful(network, 2)
    pieces = torch.cat([carried(ids[:, :5], fresh=True), carried(ids[:, 5:])], 1)
    torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)
    stream = network.body.stream(1)
    steps = np.stack([stream.step(network.embedding.weight.detach().numpy()[i]).copy() for i in ids[0].tolist()])
    np.testing.assert_allclose(steps, whole[0].detach().numpy(), rtol=1e-4, atol=1e-5)


def test_dropouts_act_in_training_alone() -> None:
    for share in ("input_dropout", "recurrent_dropout", "between_dropout", "weight_dropout"):
        options: dict[str, Any] = {share: 0.5}
        network = build_language_network(LanguageSpec("lstm", 9, 4, 7, 3, **options), 3)
        ids = torch.arange(8).reshape(2, 4)
        assert not torch.equal(network.train()(ids)[0], network(ids)[0]), share
        assert torch.equal(network.eval()(ids)[0], network(ids)[0]), share


@pytest.mark.parametrize("name", ["gru", "lstm", "tcn"])
def test_fit_resume_save_and_generate(name: str, tmp_path: Any) -> None:
    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        if type(event).__name__ == "EpochDone":
            raise Stop

    def make() -> LanguageModel:
        return LanguageModel(model=name, **QUICK, between_dropout=0.2)

    whole = make().fit(TEXT, valid=TEXT)
    with pytest.raises(Stop):
        make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", on_event=stop)
    resumed = make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", resume=True)
    assert whole.history_ == resumed.history_
    resumed.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert loaded.score("the cat ran\n") == whole.score("the cat ran\n")
    assert loaded.generate("the", 6, seed=3) == whole.generate("the", 6, seed=3)
    (note,) = whole.notes_
    assert "the last l" in note
    assert "tied=False" in note


def test_one_layer_can_have_one_width_alone() -> None:
    with pytest.raises(SettingError, match=r"^tied: the last layer has embedding_size \(5\) units.*two layers"):
        LanguageModel(**{**QUICK, "layers": 1}).fit(TEXT)
