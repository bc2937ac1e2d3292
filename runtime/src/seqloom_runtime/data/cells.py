"""What the cells of a column are: numbers, times, texts, or something that a table can't use; and how they are taken.

A column is a narwhals Series, of whichever frame it came from.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import DataError, shown

__all__ = ["instants_in", "is_missing", "kind_of", "numbers_in", "refuse_index_of_times"]


def kind_of(column: Any) -> str:
    """One of "number", "truth", "time" and "text", or for what is none of these, what its cells are: "lists", "bytes".

    Columns of objects and of kinds that narwhals doesn't know count as text: their cells are read as they are written.
    """
    try:
        kind = _kind_of_type(type(column.dtype))
    except ValueError:  # decimals of more digits than narwhals knows
        kind = "unknown"
    if kind != "unknown":
        return kind
    native = column.to_native()
    name = str(getattr(native, "type", getattr(native, "dtype", ""))).lower()
    return "bytes" if "binary" in name else "lists" if name.startswith("map") else "text"


@lru_cache  # narwhals takes 20 µs to compare types, a table may have 20,000 columns
def _kind_of_type(dtype: Any) -> str:
    import narwhals as nw

    if dtype.is_numeric():
        return "number"
    kinds = {
        nw.Unknown: "unknown",
        nw.Boolean: "truth",
        nw.Datetime: "time",
        nw.Date: "time",
        nw.Duration: "durations",
        nw.Time: "times of day",
        nw.Binary: "bytes",
        nw.Struct: "records",
        nw.List: "lists",
        nw.Array: "lists",
    }
    return next((noun for kind, noun in kinds.items() if issubclass(dtype, kind)), "text")


def numbers_in(column: Any) -> np.ndarray:
    """The cells of a column of numbers or truth values as (R,) float64, NaN where missing."""
    import narwhals as nw

    try:
        return np.array(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
    except (ValueError, TypeError, ArithmeticError):  # pyarrow refuses whole numbers that float64 has to round
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in column.to_list()], dtype=np.float64)


def instants_in(column: Any) -> tuple[np.ndarray, bool]:
    """The cells of a column of dates or times as (R,) datetime64 of its own unit, NaT where missing; and whether they
    are instants, in UTC, of a column that knows its time zone."""
    zoned = isinstance(getattr(column.dtype, "time_zone", None), str)
    if zoned:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    times = column.to_numpy()
    if times.dtype.kind != "M":  # what pandas keeps as objects
        times = np.array([None if is_missing(cell) else cell for cell in times], dtype="M8[us]")
    return times, zoned


def is_missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, or the NA of pandas."""
    if isinstance(cell, str):
        return False
    if cell is None:
        return True
    if isinstance(cell, (float, np.number, np.datetime64, np.timedelta64)):
        return bool(cell != cell)
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return type(cell).__name__ in ("NAType", "NaTType")


def refuse_index_of_times(frame: Any) -> None:
    """Raise DataError for a pandas frame whose index holds times or several levels, which no column's name asks for.

    Its rows would be counted, one series after the other, and the forecast would have no dates.
    """
    index: Any = getattr(frame, "index", None)
    kind = type(index).__name__ if type(frame).__name__ != "Series" else ""  # which is to become a frame
    if kind == "MultiIndex":
        levels = ", ".join(map(shown, index.names))
        raise DataError(
            f"the frame: expected the time and the id in columns, got an index of several levels ({levels}); give "
            "df.reset_index() and name its columns with time= and id=."
        )
    if kind in ("DatetimeIndex", "PeriodIndex"):
        name = index.name or "time"
        way = f"time={name!r}" if index.name else "df.rename_axis('time') and time='time'"
        raise DataError(
            f"the frame: its index holds times, but no time is named; say {way}, or give df.reset_index(drop=True) to "
            "count the rows."
        )
