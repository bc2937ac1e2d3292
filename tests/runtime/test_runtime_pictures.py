"""Classifiers of pictures and films: the runtime predicts what seqloom does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, imported_alone, same, three

import seqloom_runtime
from seqloom import FilmClassifier, PictureClassifier
from seqloom.tasks.networks import names_for
from seqloom.tasks.predictor import runs_without_torch
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.forward import image_layers
from seqloom_runtime.model_folder import read_model, write_model

BRIEF: dict[str, Any] = {"epochs": 1, "batch_size": 4, "validation_fraction": 0.0, "units": 5}


def pictures(count: int, size: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random ones, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size)).astype(np.uint8)


def fitted(model: str, size: tuple[int, ...] = (12, 13, 3), **options: Any) -> Any:
    """A small one."""
    made = PictureClassifier(model=model, width_multiplier=0.04, **BRIEF, **options)
    return made.fit(pictures(4, size), ["cat", "dog"] * 2)


DEEPER = ("resnet-101", "resnet-152")  # of the same blocks as resnet-50


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(name, marks=[pytest.mark.deep] if name in DEEPER else [])
        for name in (*names_for("pictures"), "majority")
    ],
)
def test_pictures(tmp_path: Path, model: str) -> None:
    size = {"alexnet": (18, 17, 1), "lenet": (12, 13, 3)}.get(model, (32, 32))
    size = (5, 6, 2) if model in ("rnn", "gru", "lstm", "tcn", "conv", "conv-gru") else size
    estimator, x = fitted(model, size), pictures(3, size, seed=1)
    if hasattr(estimator.model_, "spec") and not runs_without_torch(estimator.model_.spec.body.kind):
        return
    agree(estimator, tmp_path / "m", lambda m: m.predict_proba(x), lambda m: m.predict(list(x)))


@pytest.mark.parametrize("read", ["rows", "pixels"])
def test_a_network_of_sequences_reads_rows_or_pixels(tmp_path: Path, read: str) -> None:
    x = pictures(3, (5, 6), seed=1).astype(np.float32)
    agree(fitted("lstm", (5, 6), read=read, scaling="none"), tmp_path / "m", lambda m: m.predict_proba(x))


@pytest.mark.parametrize("model", [*names_for("films"), "majority"])
def test_films(tmp_path: Path, model: str) -> None:
    films = [pictures(length, (8, 9), seed=length) for length in (3, 5, 4, 6)]
    estimator = FilmClassifier(model=model, **BRIEF).fit(films, ["up", "down"] * 2)
    agree(estimator, tmp_path / "m", lambda m: m.predict_proba(films), lambda m: m.predict(np.stack([films[1]])))
    with pytest.raises(DataError, match="frames of 8 by 9"):
        seqloom_runtime.load(tmp_path / "m").predict(np.zeros((1, 3, 8, 8)))


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    _, _, model = three(fitted("lenet"), tmp_path / "m")
    with pytest.raises(DataError, match="12 by 13"):
        model.predict(np.zeros((2, 13, 12, 3)))
    with pytest.raises(DataError, match="channels"):
        model.predict(np.zeros((2, 12, 13)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"picture": [13, 12]}, "doesn't read pictures of 13 by 12"),
        ({"picture": [12, 12]}, "height and width"),
        ({"channels": ["a", "b"]}, "finite means"),
    ],
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    fitted("lenet").save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, arrays)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, x = fitted("lenet"), pictures(3, (12, 13, 3))
    before = estimator.predict_proba(x)
    estimator.save(tmp_path / "m")
    monkeypatch.setattr(image_layers.AveragePool2d, "__call__", lambda self, x: image_layers.MaxPool2d(2, 2)(x))
    with pytest.raises(AssertionError):
        same(before, seqloom_runtime.load(tmp_path / "m").predict_proba(x))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted("lenet").save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict(np.zeros((2, 12, 13, 3), np.uint8))") == []
