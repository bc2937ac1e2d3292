"""What a fit is not told and the table tells: the only column that can be forecast, and the column of its times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqloom_runtime.data import Panel, Table
from seqloom_runtime.data.time_columns import choose_time
from seqloom_runtime.data.unframed import as_table
from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.forecast.frames import frame_kind
from seqloom_runtime.forecast.roles import Inputs

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["only_target", "with_time"]


def with_time(forecaster: Forecaster, data: Any, time: str | None) -> tuple[Any, str | None, list[str]]:
    """The table as one that can be read, the column of its times where it holds one, and what to say of that.

    A list becomes an array, a pandas Series a frame with its index of times as a column.
    """
    data, time = as_table(data, time)
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
