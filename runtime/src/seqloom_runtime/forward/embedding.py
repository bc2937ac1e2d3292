"""`Embedding`: a row of numbers for each word, and such rows one step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from .arrays import Arrays

__all__ = ["Embedding"]


class Embedding:
    """Rows (V words, E numbers) looked up by whole numbers.

    >>> Embedding(Arrays({"weight": np.eye(3, dtype=np.float32)}), 3, 3)(np.array([[2, 0]])).tolist()
    [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """

    def __init__(self, arrays: Arrays, words: int, size: int) -> None:
        """Takes "weight" (V, E)."""
        self.weight = arrays.take("weight", words, size)

    def __call__(self, ids: Any) -> np.ndarray:
        """Look up (…) whole numbers from 0 to V − 1: (…, E). Raises SettingError for others."""
        found = np.asarray(ids)
        if found.dtype.kind not in "iu":
            raise SettingError(f"ids: expected whole numbers, got {found.dtype}.")
        if found.size and (int(found.min()) < 0 or int(found.max()) >= len(self.weight)):
            raise SettingError(
                f"ids: expected 0 to {len(self.weight) - 1}, got {int(found.min())} … {int(found.max())}."
            )
        return self.weight[found]
