"""Columns that are arrays or lists by name, as a program holds them that knows no data frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DataError, shown

__all__ = ["cells_of", "floats_of"]


def cells_of(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays or lists (R,) of numbers, texts or datetime64 by name, as the cells of a `Table`.

    Raises DataError for columns of several lengths, or of anything else.

    >>> cells_of({"y": [1, 2]})["y"].tolist()
    [1, 2]
    """
    cells = {}
    for name, values in columns.items():
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "biufMUO":
            raise DataError(
                f"Expected numbers, texts or times (R,) under {shown(name)}, got {array.dtype} of shape {array.shape}."
            )
        cells[str(name)] = array
    lengths = {name: len(array) for name, array in cells.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"Expected columns of one length, got {shown(lengths)}.")
    return cells


def floats_of(column: np.ndarray, what: str) -> np.ndarray:
    """A column (R,) as float64, NaN for None; raises DataError, which begins with `what`, for times and texts."""
    if column.dtype.kind == "M":
        raise DataError(f"{what} holds times, not numbers; leave it out.")
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} holds texts, not numbers; name it in categories, or leave it out.") from None
