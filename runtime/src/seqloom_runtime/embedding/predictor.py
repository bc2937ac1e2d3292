"""Fitted word vectors: a word in, the words nearest to it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.text import WordVectors
from ..errors import FormatError
from ..saved_fields import array_of, field_of, refuse_stray, texts_of
from ..untrained import Predictor

__all__ = ["EmbeddingPredictor", "read"]


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingPredictor(Predictor):
    """What a fitted `seqloom.WordEmbedder` is asked: its vectors, and the occurrences of the words in training."""

    vectors_: WordVectors
    counts_: dict[str, int]

    def nearest(self, word: str | np.ndarray, count: int = 10) -> list[tuple[str, float]]:
        """The words with the highest cosine to a word or a vector, and the cosine."""
        return self.vectors_.nearest(word, count)

    def analogy(self, first: str, second: str, third: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to `third` as `second` is to `first`, with the cosine."""
        return self.vectors_.analogy(first, second, third, count)


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> EmbeddingPredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    refuse_stray(arrays, ["vectors"])
    vectors = array_of(arrays, "vectors", np.float32, 2)
    words, counts = texts_of(header, "vocabulary"), field_of(header, "counts", list)
    if len(counts) != len(words) or any(type(count) is not int or count < 1 for count in counts):
        raise FormatError("model.json: expected a whole number above 0 for each word under 'counts'.")
    if len(vectors) != len(words) or not np.isfinite(vectors).all():
        raise FormatError(f"model.safetensors: expected a finite vector for each of {len(words)} words.")
    return EmbeddingPredictor(WordVectors(words, vectors), dict(zip(words, counts)))
