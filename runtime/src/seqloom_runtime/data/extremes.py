"""Numbers of a table that no sum of squares can hold, refused where they are read and their line is still known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from .table import Table

__all__ = ["LARGEST", "refuse_extremes"]

LARGEST = 1e150
"""Deviations, errors and scales are squared and added up: of numbers up to here, millions of squares are numbers."""


def refuse_extremes(table: Table, names: Sequence[str], values: np.ndarray, marks: Sequence[float] = ()) -> None:
    """Raise DataError, naming the first cell, where values (R, F) hold infinities or numbers beyond `LARGEST`.

    marks: numbers that stand for a missing value, of any size.
    """
    # The two ends first: they need no memory, and NaN passes them by.
    low, high = (end.reduce(values, axis=None, initial=0.0) for end in (np.fmin, np.fmax))
    if low >= -LARGEST and high <= LARGEST:
        return
    infinite = np.isinf(values)
    bad = np.argwhere(infinite if infinite.any() else (np.abs(values) > LARGEST) & ~np.isin(values, marks))
    if not len(bad):
        return
    row, column = (int(i) for i in bad[0])
    value, more = values[row, column], f" ({len(bad):,} such cells in all)" if len(bad) > 1 else ""
    where = table.where(row, names[column])
    if np.isinf(value):
        raise DataError(
            f"{where}: expected a finite number, got {value}{more}; put the right number there, or leave the cell "
            "empty to mark it missing."
        )
    raise DataError(
        f"{where}: expected numbers between -{LARGEST:g} and {LARGEST:g}, whose squares double precision holds, got "
        f"{value:g}{more}; divide the column by a constant, or leave the cell empty where the value is missing."
    )
