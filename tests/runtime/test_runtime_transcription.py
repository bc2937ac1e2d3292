"""Transcribers: the runtime writes what seqloom does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime_cases import agree, changed, imported_alone, three

import seqloom_runtime
from seqloom import LanguageModel, Transcriber
from seqloom.tasks.predictor import has_form
from seqloom.tasks.transcription.learning import outputs
from seqloom.tasks.transcription.network import NETWORKS
from seqloom_runtime.data.speech import Sound
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.transcription.network import outputs as outputs_here

TEXTS = ["go left", "stop", "left up", "go go up", "up", "stop left"] * 4
QUICK: dict[str, Any] = {
    "epochs": 1,
    "units": 5,
    "channels": (4, 4),
    "kernel_size": 3,
    "batch_size": 8,
    "level": "char",
}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"model": "conv-gru", "level": "word", "beams": 1, "channels": (4, 4, 3)},
    {"model": "lstm", "peephole": True, "layers": 2, "bidirectional": False, "token_bonus": 0.5},
)


def frames(count: int = 24, seed: int = 0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(int(draw.integers(30, 60)), 4)).astype(np.float32) for _ in range(count)]


ASKED = [*frames(6, seed=9), frames(1, seed=3)[0][:17]]


def fitted(**parameters: Any) -> Transcriber:
    """A model whose weights are drawn wide, so that texts differ."""
    found = Transcriber(**{**QUICK, **parameters}).fit(frames(), TEXTS)
    if isinstance(found.model_, torch.nn.Module):
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for weight in found.model_.parameters():
                weight.normal_(0, 0.7, generator=generator)
    return found


def asks(network: bool) -> list[Callable[[Any], Any]]:
    found: list[Callable[[Any], Any]] = [lambda model: model.predict(ASKED)]
    return [*found, lambda model: model.align(ASKED[1])] if network else found


@pytest.mark.parametrize("parameters", [*({"model": name} for name in ("nearest", *NETWORKS)), *OPTIONS], ids=str)
def test_the_runtime_writes_the_same(tmp_path: Path, parameters: dict[str, Any]) -> None:
    model = fitted(**parameters)
    assert model.model == "nearest" or has_form("transcription", model.model)
    agree(model, tmp_path / "m", *asks(model.model != "nearest"))
    if model.model == "nearest":
        return
    loaded = seqloom_runtime.load(tmp_path / "m")
    read = loaded.frames(ASKED)
    found = outputs_here(loaded.predicts, read)
    for place, (ours, theirs) in enumerate(zip(found, outputs(model.model_, read))):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
        assert ours.tobytes() == outputs_here(loaded.predicts, read[place : place + 1])[0].tobytes()
    with torch.no_grad():  # a weight that went wrong is seen
        model.model_.output.bias[0] += 1e3
    assert three(model, tmp_path / "m")[2].predict(ASKED) == [""] * len(ASKED)


@pytest.mark.parametrize("kind", ["gru", "bigram"])
def test_its_language_model_comes_with_it(tmp_path: Path, kind: str) -> None:
    text = "\n".join(TEXTS) * 3
    brief: dict[str, Any] = {"units": 5, "layers": 1, "epochs": 1, "window": 8, "batch_size": 4}
    LanguageModel(model=kind, level="char", **(brief if kind == "gru" else {})).fit(text).save(tmp_path / "lm")
    model = fitted(model="gru", beams=3, language_model=str(tmp_path / "lm"), language_weight=2.0)
    agree(model, tmp_path / "m", *asks(network=True))
    (without := fitted(model="gru", beams=3)).save(tmp_path / "n")
    assert seqloom_runtime.load(tmp_path / "m").predict(ASKED) != without.predict(ASKED)


def test_sounds(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="sounds are resampled and framed by SciPy")
    draw = np.random.default_rng(1)
    sounds = [Sound(draw.normal(0, 0.1, 8000).astype(np.float32), 8000) for _ in range(12)]
    model = Transcriber(**{**QUICK, "model": "gru", "mels": 8}).fit(sounds, TEXTS[:12])
    agree(model, tmp_path / "m", lambda one: one.predict(sounds[:3]), lambda one: one.align(sounds[0]))


def test_what_it_can_not_do_is_said(tmp_path: Path) -> None:
    model = three(fitted(model="nearest"), tmp_path / "m")[2]
    with pytest.raises(SettingError, match="aligns nothing"):
        model.align(ASKED[0])
    for odd in ("a", [np.zeros((3, 9))], [np.full((3, 4), np.nan)], [Sound(np.zeros(9000, np.float32), 8000)]):
        with pytest.raises(DataError, match="expected"):
            model.predict(odd)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    fitted(model="conv-gru").save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict([np.ones((40, 4))])") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h.update(rate=7), "rate"),
        (lambda h, a: h.update(beams=0), "beams"),
        (lambda h, a: h["network"].update(layers=10**15), "layers"),
        (lambda h, a: h["network"].update(symbols=10**9), "differs"),
        (lambda h, a: h["network"].update(channels=[4, 10**9]), "shape"),
        (lambda h, a: h["parameters"].update(frame_shift=0), "frame_shift"),
        (lambda h, a: a["frames.scale"].fill(0), "scale"),
        (lambda h, a: a["network.output.bias"].fill(np.nan), "NaN"),
        (lambda h, a: a.update({"language.more": np.zeros(1, np.float32)}), "language"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted(model="conv-gru").save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")
