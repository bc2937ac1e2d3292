"""`AdaptiveSoftmax`: frequent words in a head, rarer ones in clusters, as `seqloom.tasks.language.adaptive`.

V words by frequency, F features. log P(w) = log P(cluster of w) + log P(w | its cluster). Source: Grave et al., arXiv
1609.04309.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .arrays import Arrays
from .linear import Linear

__all__ = ["AdaptiveSoftmax", "log_softmax"]

_DIVISION = 4  # by which each cluster's features are fewer than the one's before


class AdaptiveSoftmax:
    """The head (words below the first cutoff, and one entry for each cluster) and the clusters."""

    def __init__(self, arrays: Arrays, features: int, words: int, cutoffs: Sequence[int]) -> None:
        """Takes "head.weight" …, "tail.0.0.weight" …"""
        self.bounds = [*cutoffs, words]
        self.head = Linear(arrays.at("head."), features, cutoffs[0] + len(cutoffs))
        self.tail = []
        for number, (first, last) in enumerate(pairwise(self.bounds)):
            size = features // _DIVISION ** (number + 1)
            down = Linear(arrays.at(f"tail.{number}.0."), features, size, bias=False)
            self.tail.append((down, Linear(arrays.at(f"tail.{number}.1."), size, last - first, bias=False)))

    def log_probabilities(self, features: np.ndarray) -> np.ndarray:
        """features (…, F) → (…, V): of every word."""
        head, short = log_softmax(self.head(features)), self.bounds[0]
        parts = [head[..., :short]]
        for number, (down, up) in enumerate(self.tail):
            parts.append(log_softmax(up(down(features))) + head[..., short + number, None])
        return np.concatenate(parts, axis=-1)

    def losses(self, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """−ln P (N,) of the words `targets` (N,) after features (N, F); of a cluster only where it is asked for."""
        head, short = log_softmax(self.head(features)), self.bounds[0]
        found = head[np.arange(len(targets)), np.minimum(targets, short - 1)]
        for number, ((down, up), (first, last)) in enumerate(zip(self.tail, pairwise(self.bounds))):
            rows = np.flatnonzero((targets >= first) & (targets < last))
            if len(rows):
                own = log_softmax(up(down(features[rows])))[np.arange(len(rows)), targets[rows] - first]
                found[rows] = own + head[rows, short + number]
        return -found


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """ln of the softmax along the last axis, of float32 or float64; −∞ stays −∞.

    >>> log_softmax(np.zeros((1, 1), dtype=np.float32)).tolist()
    [[0.0]]
    """
    z = logits - logits.max(axis=-1, keepdims=True)
    total = np.exp(z).sum(axis=-1, keepdims=True, dtype=np.float64)
    return z - np.log(total).astype(logits.dtype)
