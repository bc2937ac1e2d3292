"""What is no table yet: a list of numbers or rows, and a Series of pandas or polars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["as_table"]


def as_table(data: Any, time: str | None = None) -> tuple[Any, str | None]:
    """A list as an array, a Series as a frame with its index of times as a column; anything else as it is.

    Beside it the column of times, `time` where the Series has none.

    >>> as_table([1, 2])[0].dtype
    dtype('float64')
    """
    if isinstance(data, (list, tuple)):
        return _array(data), time
    if type(data).__name__ == "Series" and type(data).__module__.split(".")[0] in ("pandas", "polars"):
        return _frame(data, time)
    return data, time


def _array(data: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"data: expected numbers, rows of as many numbers each, or a frame, got a {type(data).__name__} that holds "
            "others."
        ) from None


def _frame(series: Any, time: str | None) -> tuple[Any, str | None]:
    """A Series as a frame; of pandas with its times, where it has such an index."""
    name = series.name if isinstance(series.name, str) and series.name else "column_0"
    index = getattr(series, "index", None)
    if index is None or type(index).__name__ not in ("DatetimeIndex", "PeriodIndex"):
        return series.rename(name).to_frame(), time
    at = index.name if isinstance(index.name, str) and index.name and index.name != name else "time"
    index = index.to_timestamp() if hasattr(index, "to_timestamp") and hasattr(index, "asfreq") else index
    frame = series.rename(name).to_frame()
    frame.insert(0, at, index)
    return frame.reset_index(drop=True), at
