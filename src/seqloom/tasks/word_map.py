"""A map of words: the rows of an embedding on their two first principal components, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["MAPPED", "word_map"]

MAPPED = 300


def word_map(words: Sequence[str], rows: Any) -> dict[str, Any]:
    """The detail `embedding` (docs/files.md) of `words` and their vectors `rows` (N, E), the first 300 of them.

    Vectors are centred; x and y are the coordinates along the two directions of largest variance, signed so that the
    coordinate farthest from 0 is positive, and `explained` their shares of the variance.

    >>> found = word_map(["a", "b", "c"], np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 0.0]]))
    >>> [round(x, 6) for x in found["x"]], found["explained"]
    ([-2.0, 2.0, 0.0], [1.0, 0.0])
    """
    kept = np.asarray(rows, dtype=np.float64)[:MAPPED]
    kept = kept - kept.mean(axis=0)
    u, s, _ = np.linalg.svd(kept, full_matrices=False)
    u, s = np.pad(u, ((0, 0), (0, max(0, 2 - u.shape[1])))), np.pad(s, (0, max(0, 2 - len(s))))
    places = u[:, :2] * s[:2]
    places = places * np.where(places[np.abs(places).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(np.square(s).sum()) or 1.0
    return {
        "words": list(words[: len(kept)]),
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "explained": [float(s[0] ** 2 / total), float(s[1] ** 2 / total)],
    }
