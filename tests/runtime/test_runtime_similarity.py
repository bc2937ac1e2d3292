"""Finding similar sequences: the runtime finds what seqloom does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, imported_alone, same, three
from sequence_cases import targets, walks

import seqloom_runtime
from seqloom import SequenceSimilarity
from seqloom.tasks.networks import names_for
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.forward import Linear
from seqloom_runtime.model_folder import read_model, write_model


def fitted(model: str = "gru", **options: Any) -> Any:
    """A small one."""
    x = walks(30)
    made = SequenceSimilarity(model=model, units=5, embedding_size=4, epochs=1, batch_size=8, **options)
    return made.fit(x, targets("classifier", x))


@pytest.mark.parametrize("model", [*names_for("similarity"), "euclidean"])
def test_the_runtime_finds_the_same(tmp_path: Path, model: str) -> None:
    x, others = walks(6, seed=5), walks(9, seed=6)
    asks = [lambda m: m.embed(x), lambda m: m.similar(x, 3)[1], lambda m: m.similar(x, 2, among=others)[1]]
    agree(fitted(model, layers=2, bidirectional=True), tmp_path / "m", *asks)
    estimator, _, runtime = three(fitted(model, scaling="none"), tmp_path / "n")
    same(estimator.similar(x, 4)[0], runtime.similar(x, 4)[0])


def test_a_training_sequence_is_its_own_nearest(tmp_path: Path) -> None:
    model = three(fitted(validation_fraction=0.0), tmp_path / "m")[2]
    numbers, distances = model.similar(walks(30)[:7], 1)
    assert numbers[:, 0].tolist() == list(range(7))
    assert distances.max() < 1e-6
    for bad in ({"count": 0}, {"count": 99}):
        with pytest.raises(DataError, match="count"):
            model.similar(walks(2), **bad)


@pytest.mark.parametrize(
    ("fields", "arrays", "words"),
    [
        ({"channels": ["a"]}, {}, "finite means"),
        ({"network": {"name": "gru"}}, {}, "network: expected"),
        ({}, {"index": np.zeros((3, 7))}, "'index' with rows of 4"),
        ({}, {"more": np.zeros(3)}, "belongs to nothing"),
    ],
    ids=str,
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], arrays: dict[str, Any], words: str) -> None:
    fitted().save(tmp_path / "m")
    header, found = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, {**found, **arrays})
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, _, model = three(fitted(), tmp_path / "m")
    before = estimator.embed(walks(3))
    monkeypatch.setattr(Linear, "__call__", lambda self, x: self.matrix.of(x))
    with pytest.raises(AssertionError):
        same(before, model.embed(walks(3)))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.similar(np.zeros((3, 5, 2)))") == []
