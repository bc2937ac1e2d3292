"""What the charts of forecasts share: the axis of time, and which of many series they offer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .chart import Axis
from .saved import SERIES_DRAWN, SavedRun
from .wording import whole

__all__ = ["ids_note", "shown_ids", "time_axis"]

_MOST_MARKS = 12
"""Rows up to which each has its own mark on the axis: between so few the drawing would put days or weeks."""


def shown_ids(run: SavedRun) -> list[str]:
    """The first few series, in the order of the file: those that the charts offer."""
    return list(dict.fromkeys(run.predictions.id.tolist()))[:SERIES_DRAWN]


def ids_note(run: SavedRun, ids: Sequence[str]) -> tuple[str, ...]:
    """A sentence where there are more series than the charts offer."""
    total, counted = len(set(run.predictions.id.tolist())), run.data.get("series")
    if isinstance(counted, int) and not len(run.predictions.target):
        total = max(total, counted)  # of many series predictions.csv may have some
    return (f"The charts offer the first {len(ids)} of {whole(total)} series.",) if total > len(ids) else ()


def time_axis(run: SavedRun, drawn: Sequence[float] = ()) -> Axis:
    """The axis of time, or of row numbers where the data has no time; few times that are `drawn` are its marks."""
    if not run.predictions.timed:
        return Axis("step", "number")
    said = ["UTC"] if run.predictions.zoned else []
    ends = np.r_[run.predictions.time, run.forecast.time].astype("int64")
    # Axis marks have no year: within two years the title names it, beyond that the axis shows it.
    if len(ends) and ends.max() - ends.min() < 2 * 366 * 86_400_000:
        first, last = (str(np.datetime64(int(ms), "ms"))[:4] for ms in (ends.min(), ends.max()))
        said.append(first if first == last else f"{first}–{last}")
    marks = sorted(set(drawn))
    values = tuple(marks) if len(marks) <= _MOST_MARKS else ()
    return Axis(f"time ({', '.join(said)})" if said else "time", "time", values)
