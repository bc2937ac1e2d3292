"""Word vectors: the runtime answers as seqloom does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, changed, imported_alone

import seqloom_runtime
from seqloom import WordEmbedder
from seqloom.tasks.embedding.model import MODELS
from seqloom_runtime.errors import DataError, FormatError

TEXT = "the cat sat on the mat\nthe dog sat on the rug\nthe cat saw a dog\n" * 8


def fitted(model: str = "random") -> WordEmbedder:
    return WordEmbedder(model=model, embedding_size=6, min_count=1, epochs=1, window=2).fit(TEXT)


@pytest.mark.parametrize("model", MODELS)
def test_the_runtime_answers_the_same(tmp_path: Path, model: str) -> None:
    asks: list[Any] = [lambda m: m.nearest("cat", 4), lambda m: m.analogy("the", "cat", "a"), lambda m: m.counts_]
    agree(fitted(model), tmp_path / "m", *asks, lambda m: m.nearest(np.ones(6, np.float32), 2))
    with pytest.raises(DataError, match="zebra"):
        seqloom_runtime.load(tmp_path / "m").nearest("zebra")


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.nearest('cat')") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h["counts"].append(3), "counts"),
        (lambda h, a: h["vocabulary"].__setitem__(0, 3), "vocabulary"),
        (lambda h, a: a["vectors"].fill(np.nan), "finite"),
        (lambda h, a: a.update({"more": np.zeros(1, np.float32)}), "more"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted().save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")
