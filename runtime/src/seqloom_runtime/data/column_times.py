"""A column of whatever kind as moments: times of a frame, numbers that stand for times, or texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cells import instants_in, is_missing, kind_of, numbers_in
from .times import FORMS, Moments, digits_as_times, parse_texts, within_years

__all__ = ["moments_in"]


def moments_in(column: Any, form: str | None) -> Moments:
    """A column (R,), a narwhals Series or a NumPy array, as moments with the positions of the cells that are no times;
    `form` as `time_format`."""
    if isinstance(column, np.ndarray):
        return _array_moments(column, form)
    kind = kind_of(column)
    if kind == "time":
        times, zoned = instants_in(column)
        return within_years(times, "instants" if zoned else "wall")
    if kind == "number":
        numbers = column.to_numpy()
        # Numbers that NumPy holds as objects (decimals) have no digits to read times from before they are floats.
        return _array_moments(numbers if numbers.dtype.kind in "iuf" else numbers_in(column), form)
    rows = len(column)
    if kind != "text":
        return Moments(np.zeros(rows, np.int64), "wall", np.arange(rows), f"is not a time: expected {FORMS}")
    native = column.to_native()
    # The columns of a file: polars parses them whole, without a Python object for each cell.
    if type(native).__module__.startswith("polars") and type(native.dtype).__name__ == "String":
        return parse_texts(native, form)
    return parse_texts([None if is_missing(cell) else str(cell) for cell in column.to_list()], form)


def _array_moments(column: np.ndarray, form: str | None) -> Moments:
    if column.dtype.kind == "M":
        return within_years(column, "wall")
    if column.dtype.kind in "iuf":
        return digits_as_times(column, form)
    return parse_texts([None if is_missing(cell) else str(cell) for cell in column.tolist()], form)
