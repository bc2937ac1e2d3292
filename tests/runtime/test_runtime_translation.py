"""Sequence to sequence: the runtime writes what seqloom does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime_cases import agree, changed, imported_alone, three

import seqloom_runtime
from seqloom import Seq2Seq
from seqloom.tasks.translation.learning import write
from seqloom.tasks.translation.network import NETWORKS
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.extras import installed

SOURCES = ["7 apr 1999", "12 may 2001", "1 jan 1987", "30 oct 1999", "2 feb 2001", "9 may 1987"] * 5
TARGETS = ["1999-04-07", "2001-05-12", "1987-01-01", "1999-10-30", "2001-02-02", "1987-05-09"] * 5
ASKED = ["7 may 1987", "30 jan 2001", "12", "2 zzz 1999", "1 oct 2001 or 9 apr 1999"]
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 8, "units": 6, "embedding_size": 5}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"model": "gru", "level": "word", "max_words": 9, "layers": 2, "beams": 3},
    {"model": "lstm", "attention": "multiplicative", "bidirectional": False, "beams": 1},
    {"model": "rnn", "attention": "none", "length_penalty": 0.0},
    {"model": "gru", "encoder": "convolutional", "levels": 2, "kernel_size": 3},
)


def fitted(**parameters: Any) -> Seq2Seq:
    """A model whose weights are drawn wide, so that texts differ."""
    found = Seq2Seq(**{**QUICK, "level": "char", **parameters}).fit(SOURCES, TARGETS)
    if isinstance(found.model_, torch.nn.Module):
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for weight in found.model_.parameters():
                weight.normal_(0, 0.6, generator=generator)
            parts: dict[str, Any] = dict(found.model_.named_children())
            for name in ("source", "target"):
                parts[name].weight[0] = 0  # as padding is
    return found


def asks(attends: bool) -> list[Callable[[Any], Any]]:
    found: list[Callable[[Any], Any]] = [lambda model: model.predict(ASKED)]
    if attends:
        found += [lambda model: model.attend(ASKED[0])[:2], lambda model: np.array(model.attend(ASKED[4])[2])]
    return found


@pytest.mark.parametrize("parameters", [*({"model": name} for name in ("memory", *NETWORKS)), *OPTIONS], ids=str)
def test_the_runtime_writes_the_same(tmp_path: Path, parameters: dict[str, Any]) -> None:
    model = fitted(**parameters)
    attends = model.model != "memory" and model.attention != "none"
    agree(model, tmp_path / "m", *asks(attends))
    if model.model == "memory":
        return
    loaded = seqloom_runtime.load(tmp_path / "m")
    ids = [model.source_.ids(text) for text in ASKED]
    of_torch = write(
        model.model_,
        ids,
        model.longest_,
        beams=int(model.beams),
        strength=float(model.length_penalty),
        unknown=model.target_.unknown,
    )
    for place, (text, found) in enumerate(loaded.written(ASKED)):
        assert found.ids == of_torch[place].ids
        assert found.score == pytest.approx(of_torch[place].score, rel=1e-4, abs=1e-5)
        alone, one = loaded.written([ASKED[place]])[0]
        assert (alone, one.ids, one.score) == (text, found.ids, found.score)
        if attends:
            count = len(ids[place])
            expected: Any = of_torch[place].attention
            np.testing.assert_allclose(found.attention, expected, atol=1e-5)
            assert found.attention[:, :count].tobytes() == one.attention[:, :count].tobytes()
    before = [found.score for _, found in loaded.written(ASKED)]
    with torch.no_grad():  # a weight that went wrong is seen
        model.model_.bridge.weight.mul_(-1.5)
    assert [found.score for _, found in three(model, tmp_path / "m")[2].written(ASKED)] != before


@pytest.mark.skipif(not installed("tokenizers"), reason="subwords are made by the tokenizers package: extra text")
def test_subwords(tmp_path: Path) -> None:
    agree(fitted(model="gru", level="subword"), tmp_path / "m", *asks(attends=True))


def test_what_it_can_not_do_is_said(tmp_path: Path) -> None:
    model = three(fitted(model="gru", attention="none", max_length=20), tmp_path / "m")[2]
    with pytest.raises(SettingError, match="attention"):
        model.attend(ASKED[0])
    for odd in ("a text", ["a", ""], ["a", 3], ["7 apr 1999" * 9]):
        with pytest.raises(DataError, match="expected"):
            model.predict(odd)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    fitted(model="lstm").save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", f"model.predict({ASKED!r})") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h.update(longest=0), "longest"),
        (lambda h, a: h.update(longest=10**9), "longer"),
        (lambda h, a: h["parameters"].update(length_penalty=1e18), "length_penalty"),
        (lambda h, a: h["network"].update(layers=10**15), "layers"),
        (lambda h, a: h["network"].update(sources=10**9), "differs"),
        (lambda h, a: h["network"].update(encoder="other"), "encoder"),
        (lambda h, a: h["network"].update(attention="other"), "attention"),
        (lambda h, a: h["parameters"].update(beams=10**9), "beams"),
        (lambda h, a: h["target"].update(level="word"), "target"),
        (lambda h, a: a["network.bridge.bias"].fill(np.nan), "NaN"),
        (lambda h, a: a.update({"network.more": np.zeros(1, np.float32)}), "more"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted(model="gru").save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")
