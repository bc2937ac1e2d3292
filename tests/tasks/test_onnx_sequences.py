"""Classifiers, regressors, frame models, pictures and films written as ONNX: ONNX Runtime gives what `predict` does."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx_cases import exported, redraw, twin_of, within

import seqloom
from seqloom.errors import SettingError
from seqloom.tasks.sequences.models import run_network

BRIEF: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 4, "validation_fraction": 0.0}


def widened(model: Any) -> Any:
    """The same model, whose network computes in float64."""
    found, own = copy.copy(model), model.model_
    twin = twin_of(own.network)
    found.model_ = SimpleNamespace(outputs=lambda sequences: run_network(twin, sequences, own.scale, own.spec))
    return found


def redrawn(model: Any, seed: int, spread: float = 0.4) -> None:
    """Random weights in place of those that were fitted."""
    redraw(model.model_.network, seed, spread)


def answers(model: Any, data: Any) -> Any:
    """What the file gives: probabilities, or values."""
    proba = hasattr(model.coding_, "probabilities")
    return model.predict_proba(data) if proba else model.predict(data)


def padded(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows side by side, what stands behind their ends NaN, and their lengths."""
    lengths = np.array([len(row) for row in rows])
    x = np.full((len(rows), lengths.max(), *rows[0].shape[1:]), np.nan, np.float32)
    for row, wide in zip(rows, x):
        wide[: len(row)] = row
    return x, lengths


def unequal(rng: np.random.Generator, channels: int = 2) -> list[np.ndarray]:
    return [rng.normal(3, 2, (n, channels)).astype(np.float32) for n in (7, 1, 4, 9, 6, 3)]


def compare(model: Any, rows: list[np.ndarray], folder: Path, seed: int, opset: int = 17) -> Any:
    """The file beside the model and its twin, on rows of unequal length."""
    redrawn(model, seed)
    file = exported(model, folder, opset=opset)
    x, lengths = padded(rows)
    feed = {"x": x, "lengths": lengths} if "lengths" in file.record["inputs"] else {"x": x}
    (got,) = file(**feed).values()
    for n, (ours, twin) in enumerate(zip(answers(model, rows), answers(widened(model), rows))):
        part = got[n, : len(ours)] if model._every_step else got[n]
        within(part.reshape(np.shape(ours)), np.asarray(ours), np.asarray(twin))
    return file


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        ({"model": "gru", "units": (5, 3), "activation": ("relu", "tanh"), "pooling": "mean"}, 17),
        ({"model": "lstm", "bidirectional": True, "layers": 2, "peephole": True, "pooling": "last"}, 18),
        ({"model": "rnn", "reverse": True, "layer_norm": True}, 20),
        ({"model": "lstm", "bidirectional": True, "zoneout": 0.2, "pooling": "attention"}, 21),
        ({"model": "tcn", "pooling": "max", "levels": 2}, 22),
        ({"model": "tcn", "pooling": "last", "channels": (4, 5)}, 23),
        ({"model": "conv", "pool_size": 2, "levels": 3, "pooling": "last"}, 17),
        ({"model": "conv-gru", "pool_size": 3, "levels": 2, "bidirectional": True}, 18),
        ({"model": "conv-gru", "pool_size": 2, "levels": 2, "pooling": "attention", "activation": "elu"}, 19),
    ],
)
def test_classifiers(options: dict[str, Any], opset: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = unequal(rng)
    model = seqloom.SequenceClassifier(**{"units": 4, **BRIEF, **options}).fit(rows, list("abcabc"))
    file = compare(model, rows, tmp_path, 1, opset)
    assert file.record["classes"] == ["a", "b", "c"]
    assert file.record["channels"] == ["channel_0", "channel_1"]


def test_regressors_and_rows_of_one_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(2, 3, (6, 5, 2)).astype(np.float32)
    model = seqloom.SequenceRegressor(model="gru", units=4, **BRIEF).fit(x, rng.normal(100, 9, (6, 2)))
    file = compare(model, list(x), tmp_path, 2)
    assert "lengths" not in file.record["inputs"]
    assert file(x=x[:, :3])["values"].shape == (6, 2)  # any number of steps


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("value", {"model": "lstm", "bidirectional": True}),
        ("label", {"model": "tcn", "levels": 2}),
        ("binary", {"model": "gru", "layers": 2}),
    ],
)
def test_a_model_of_every_step(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = unequal(rng)
    targets = {
        "value": [rng.normal(50, 4, len(row)) for row in rows],
        "label": [rng.integers(0, 3, len(row)) for row in rows],
        "binary": [rng.integers(0, 2, (len(row), 2)) for row in rows],
    }
    model = seqloom.FrameModel(kind=kind, units=4, **BRIEF, **options).fit(rows, targets[kind])
    compare(model, rows, tmp_path, 3)


def test_pieces_with_a_state_are_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(2, 3, (3, 9, 2)).astype(np.float32)
    steps = [("value", "lstm", {"layers": 2}), ("value", "tcn", {"levels": 2}), ("value", "gru", {"units": (4, 3)})]
    for kind, name, options in steps:
        model = seqloom.FrameModel(kind=kind, model=name, **{"units": 4, **BRIEF, **options}).fit(x, x[:, :, 0])
        redrawn(model, 4)
        file = exported(model, tmp_path, stateful=True)
        state, parts = file.state(3), []
        for start, stop in ((0, 4), (4, 5), (5, 9)):
            got = file(x=x[:, start:stop], **state)
            parts.append(got["values"])
            state = file.after(got)
        np.testing.assert_allclose(np.concatenate(parts, axis=1)[:, :, 0], model.predict(x), rtol=2e-6, atol=2e-6)
    model = seqloom.SequenceClassifier(model="gru", units=4, **BRIEF).fit(x, list("aba"))
    file = exported(model, tmp_path, stateful=True)
    first = file(x=x[:, :4], **file.state(3))
    last = file(x=x[:, 4:], **file.after(first))
    np.testing.assert_allclose(last["probabilities"], model.predict_proba(x), atol=1e-6)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((12, 12, 1), {"model": "lenet", "activation": "relu"}),
        ((32, 32, 3), {"model": "alexnet", "width_multiplier": 0.05}),
        ((32, 32, 1), {"model": "vgg-11", "width_multiplier": 0.05}),
        ((32, 32, 3), {"model": "googlenet", "width_multiplier": 0.05}),
        ((16, 16, 3), {"model": "resnet-18", "width_multiplier": 0.05}),
        ((16, 16, 1), {"model": "resnet-50", "width_multiplier": 0.05}),
        ((8, 6, 1), {"model": "gru", "units": 4}),
        ((4, 4, 3), {"model": "lstm", "units": 4, "read": "pixels"}),
    ],
)
def test_pictures(size: tuple[int, ...], options: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    pictures = rng.integers(0, 256, (6, *size), dtype=np.uint8)
    model = seqloom.PictureClassifier(**BRIEF, **options).fit(pictures, list("ababab"))
    redrawn(model, 5, 0.2)
    file = exported(model, tmp_path, opset=18)
    got = file(x=pictures[:4].astype(np.float32))["probabilities"]
    within(got, model.predict_proba(pictures[:4]), widened(model).predict_proba(pictures[:4]))


def test_films(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    films = [rng.integers(0, 256, (n, 8, 6), dtype=np.uint8) for n in (3, 5, 1, 4)]
    model = seqloom.FilmClassifier(units=4, pooling="mean", **BRIEF).fit(films, list("abab"))
    redrawn(model, 6, 0.2)
    file = exported(model, tmp_path)
    x, lengths = padded([film[:, :, :, None].astype(np.float32) for film in films])
    got = file(x=x, lengths=lengths)["probabilities"]
    within(got, model.predict_proba(films), widened(model).predict_proba(films))


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    x = np.random.default_rng(9).normal(size=(6, 5, 2)).astype(np.float32)
    fit: Any = lambda **options: seqloom.SequenceClassifier(**{**BRIEF, **options}).fit(x, list("ababab"))  # noqa: E731
    told = {
        "the baseline has no network": (fit(model="majority"), {}),
        "it looks ahead": (fit(bidirectional=True), {"stateful": True}),
        "the pooling 'mean' reads whole sequences": (fit(pooling="mean"), {"stateful": True}),
        "opset must be a whole number from 17": (fit(), {"opset": 3}),
    }
    for sentence, (model, options) in told.items():
        with pytest.raises(SettingError, match=sentence):
            model.to_onnx(tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())
