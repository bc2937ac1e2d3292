"""`CRF`: the most likely tags of a sequence, by the arrays of `seqloom.nn.CRF`."""

from __future__ import annotations

import numpy as np

from .arrays import Arrays

__all__ = ["CRF"]


class CRF:
    """Transitions (K, K), and what a sequence's first and last tag count, (K,) each.

    >>> zeros = {"transitions": np.zeros((2, 2), np.float32)}
    >>> zeros |= {name: np.zeros(2, np.float32) for name in ("start", "end")}
    >>> CRF(Arrays(zeros), 2).decode(np.array([[[2.0, 0.0], [0.0, 1.0]]], np.float32), np.ones((1, 2), bool)).tolist()
    [[0, 1]]
    """

    def __init__(self, arrays: Arrays, tags: int) -> None:
        """Takes "transitions", "start" and "end"."""
        self.transitions = arrays.take("transitions", tags, tags)
        self.start, self.end = arrays.take("start", tags), arrays.take("end", tags)

    def decode(self, emissions: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Scores (B, T, K), mask (B, T) bool, true from each row's first step on, → tags (B, T); 0 behind the end."""
        rows, steps, tags = emissions.shape
        best = self.start + emissions[:, 0]
        back = np.empty((max(steps - 1, 0), rows, tags), dtype=np.int64)
        for step in range(1, steps):
            scores = best[:, :, None] + self.transitions
            keep = mask[:, step, None]
            # Behind the end each tag points to itself, so that the way back reaches the last real step unchanged.
            back[step - 1] = np.where(keep, scores.argmax(axis=1), np.arange(tags))
            best = np.where(keep, scores.max(axis=1) + emissions[:, step], best)
        tag = (best + self.end).argmax(axis=1)
        path = np.empty((rows, steps), dtype=np.int64)
        path[:, steps - 1] = tag
        for step in range(steps - 2, -1, -1):
            tag = back[step, np.arange(rows), tag]
            path[:, step] = tag
        return np.where(mask, path, 0)
