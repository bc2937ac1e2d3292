"""What a fit is not told and the table tells: the only column that can be forecast, and the column of its times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel, Table
from seqloom_runtime.data.time_columns import choose_time
from seqloom_runtime.errors import DataError, SettingError, shown
from seqloom_runtime.forecast.frames import frame_kind
from seqloom_runtime.forecast.roles import Inputs

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["only_target", "with_time"]


def with_time(forecaster: Forecaster, data: Any, time: str | None) -> tuple[Any, str | None, list[str]]:
    """The table as one that can be read, the column of its times where it holds one, and what to say of that.

    A list becomes an array, a pandas Series a frame with its index of times as a column.
    """
    if isinstance(data, (list, tuple)):
        data = _array(data)
    if type(data).__name__ == "Series" and frame_kind(data) in ("pandas", "polars"):
        data, time = _frame(data, time)
    if time is not None or frame_kind(data) == "numpy":
        return data, time, []
    found = choose_time(Table.from_frame(data), None, forecaster.time_format).time
    if not isinstance(found, str):
        return data, None, []
    return data, found, [f"time was not given: {shown(found)} holds the times."]


def only_target(panel: Panel, inputs: Inputs, future: Sequence[str]) -> tuple[str, str]:
    """The column to forecast where none is named, and what to say of that; raises SettingError where several may be."""
    named = inputs if isinstance(inputs, (list, tuple)) else ()
    numbers = [name for name in panel.columns if name not in panel.words and name not in panel.static]
    left = [name for name in numbers if name not in named and name not in future]
    if len(left) == 1:
        others = " besides those of inputs and future" if len(numbers) > 1 else ""
        return left[0], f"target was not given: {shown(left[0])}, the only column of numbers{others}."
    listed = ", ".join(map(shown, (numbers or panel.columns)[:12]))
    example = (left or numbers or list(panel.columns))[0]
    raise SettingError(
        f"target: which column is to be forecast? The table has {listed}; name one, as target={example!r}, several in "
        "a list, or all: target='*'."
    )


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
