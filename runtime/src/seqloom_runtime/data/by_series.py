"""Numbers of series that are read by row, such as the mean of a row's series."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BySeries"]


class BySeries:
    """`numbers` (S,) of series whose rows are offsets[s]:offsets[s+1], read as if each row had that of its series.

    As an array it is (R,): of very many rows, only those asked for are ever made.

    >>> numbers = BySeries(np.array([1.5, 7.0]), np.array([0, 2, 3]))
    >>> numbers[np.array([0, 2])], float(numbers[1]), np.asarray(numbers)
    (array([1.5, 7. ]), 1.5, array([1.5, 1.5, 7. ]))
    """

    def __init__(self, numbers: np.ndarray, offsets: np.ndarray) -> None:
        self._numbers, self._offsets = numbers, offsets

    def __len__(self) -> int:
        return int(self._offsets[-1])

    def __getitem__(self, rows: Any) -> Any:
        return self._numbers[np.searchsorted(self._offsets, rows, side="right") - 1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.repeat(self._numbers, np.diff(self._offsets)).astype(dtype or np.float64, copy=False)
