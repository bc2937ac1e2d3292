"""What is known of a target, row by row: measured, carried on, and the history that baselines read."""

from __future__ import annotations

import numpy as np

from ..data import Panel, day_slots
from ..data.filling import carried_ends
from ..errors import DataError
from ..statistical.target_history import TargetHistory

__all__ = ["history_of", "last_measured", "measured_or_carried", "observed", "observed_part"]


def history_of(
    panel: Panel,
    target: str,
    train_rows: np.ndarray,
    series: np.ndarray | None = None,
    column: np.ndarray | None = None,
) -> TargetHistory:
    """What a baseline may know: the target by row, where each gap-free stretch begins, and the slot of the day.

    `series` (R,) numbers each row's series, by default by its position in the panel. `column` (R,) is the target where
    it is at hand, so that very many rows need not be copied.
    """
    values = measured_or_carried(panel, target) if column is None or panel.fill == "interpolate" else column
    breaks = np.ones(len(values), dtype=bool)
    breaks[1:] = np.diff(panel.tick) != 1
    breaks[panel.offsets[:-1][np.diff(panel.offsets) > 0]] = True
    first = np.flatnonzero(breaks)
    start = np.repeat(first, np.diff(first, append=len(values)))
    there = np.isfinite(values)
    if not there.all():
        known = np.maximum.accumulate(np.where(there, np.arange(len(values)), 0))  # carry forward, never backward
        values = values[np.maximum(known, start)]
    series = panel.series_index if series is None else series
    for fresh in (values, start, series):
        fresh.flags.writeable = False
    slots_per_day = None if panel.time is None else panel.frequency.slots_per_day
    slot = None if slots_per_day is None or panel.time is None else day_slots(panel.time, panel.zone, panel.frequency)
    return TargetHistory(values, start, train_rows, slot, slots_per_day, series)


def measured_or_carried(panel: Panel, target: str) -> np.ndarray:
    """The target (R,) for baselines and anchors: NaN, to be carried forward, where a line leads to a later value.

    A line that ends behind the training rows would tell a baseline that is fitted on them of what came later.
    """
    values = np.array(panel.column(target), dtype=np.float64)
    if panel.fill == "interpolate":
        values[panel.filled[:, panel.columns.index(target)]] = np.nan
    return values


def observed(panel: Panel, target: str) -> np.ndarray:
    """Rows (R,) bool whose target was measured: there, and not carried forward by a repair."""
    return np.isfinite(panel.column(target)) & ~panel.filled[:, panel.columns.index(target)]


def observed_part(panel: Panel, target: str) -> Panel:
    """The rows up to the last measured target of any series; raises DataError where there is none."""
    measured = observed(panel, target)
    if not measured.any():
        raise DataError(f"The target {target!r} holds no measured value.")
    last = panel.tick[measured].max()
    return panel if last == panel.tick.max() else carried_ends(panel.take(panel.tick <= last))


def last_measured(target: np.ndarray, measured: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The target's last measured value by row (R,), the row's own included; NaN before the first of its stretch.

    measured: (R,) bool. start: (R,) the first row of the gap-free stretch that each row lies in.
    """
    if measured.all():
        return target
    last = np.maximum.accumulate(np.where(measured, np.arange(len(target)), -1))
    return np.where(last >= start, target[np.maximum(last, 0)], np.nan)
