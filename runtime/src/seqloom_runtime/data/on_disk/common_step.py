"""The step between the rows of a table on disk, found over the times of all its series, as of a table in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, shown
from ..frequency import Frequency
from ..holidays import trading_days
from ..inference import distinct_times, infer_of_parts
from ..resampling import step_grid
from ..row_times import Grid, Rows, timed, times_of
from ..snapping import near_frequency, snap
from ..table import Table
from .reading_how import HowRead
from .spill import PieceTable
from .written import written_to

__all__ = ["BYTES", "CommonStep", "common_step"]

BYTES = 9  # on disk for each row: its time, and whether a series begins with it


@dataclass(frozen=True)
class CommonStep:
    """The grid of all rows, None where they are counted; notes: what is told of it."""

    frequency: Frequency | None = None
    notes: tuple[Any, ...] = ()


@dataclass(eq=False)
class _Times:
    """The times of groups of series in a file, read one group after the other whenever they are gone over."""

    path: Path
    zone: str | None
    source: str = ""
    column: str = ""
    lengths: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with open(self.path, "rb") as file:
            for length in self.lengths:
                micros = np.fromfile(file, dtype=np.int64, count=length)
                yield micros, np.cumsum(np.fromfile(file, dtype=np.uint8, count=length), dtype=np.int64)


def common_step(groups: Iterable[PieceTable], how: HowRead, path: Path) -> CommonStep:
    """The grid that all groups lie on; their times are kept in the file `path` meanwhile, so that a group at a time is
    in memory.

    Raises DataError where a time can't be read, and where there is no step that most of the rows lie apart.
    """
    try:
        times = _written(groups, how, path)
        if times is None:
            return CommonStep()
        frequency = _found(times, how)
        if how.holidays is None or how.resample is not None or frequency.kind != "business":
            return CommonStep(frequency)
        return _traded(frequency, times, how.holidays)
    finally:
        path.unlink(missing_ok=True)


def _written(groups: Iterable[PieceTable], how: HowRead, path: Path) -> _Times | None:
    """The times of each group in the file; None where the rows are counted."""
    times, form, known = _Times(path, how.zone), how.time_format, None
    with open(path, "xb", buffering=0) as file:
        for group in groups:
            table, time, moments = timed(group, how.time, Grid(times.zone, known, form, None, "mean"))
            if time is None or moments is None or moments.kind == "counts":
                return None
            times.source, times.column = table.source, time
            codes = np.zeros(table.rows, dtype=np.int64) if group.codes is None else group.codes
            rows = Rows(table, (), np.empty((table.rows, 0)), codes, group.known_names, [], [])
            micros, times.zone = times_of(rows, time, moments, times.zone)
            micros, series = distinct_times(micros, codes)
            written_to(file, np.ascontiguousarray(micros).data.cast("B"))
            begins = np.diff(series, prepend=series[0] - 1) != 0
            written_to(file, begins.astype(np.uint8).data)
            times.lengths.append(len(micros))
            # As the panel's own reading goes on: in the form of the first group, or in another that is clear.
            form, known = moments.form or form, Frequency("fixed")
    return times


def _found(times: _Times, how: HowRead) -> Frequency:
    if how.resample is not None:
        first = min(int(micros.min()) for micros, _ in times)
        return step_grid(how.resample, np.array([first]), times.zone)
    try:
        frequency = infer_of_parts(Frequency, times, times.zone)
    except DataError as error:
        if (near := _near(times)) is None:
            raise DataError(f"{times.source}, column {shown(times.column)}: {error}") from None
        return near
    # Rows off the grid are refused where they are read, by their place.
    return frequency if _all_near(frequency, times) else _near(times) or frequency


def _near(times: _Times) -> Frequency | None:
    """The grid near which the times of all groups lie, as the first group finds it that can."""
    for micros, series in times:
        found = near_frequency(micros, times.zone, series)
        if found is not None and _all_near(found.frequency, times):
            return found.frequency
    return None


def _all_near(frequency: Frequency, times: _Times) -> bool:
    for micros, _ in times:
        if not frequency.locate(micros.view("M8[us]"))[1].all() and not snap(frequency, micros).fits.all():
            return False
    return True


def _traded(frequency: Frequency, times: _Times, holidays: str) -> CommonStep:
    """A grid of business days without the holidays on which no series has a row."""
    days = np.empty(0, dtype=np.int64)
    for micros, _ in times:
        days = np.union1d(days, snap(frequency, micros).tick)
    frequency, text = trading_days(frequency, frequency.times(days), holidays)
    if text is None:
        return CommonStep(frequency)
    told = Table({}, "", 0)
    told.decide("trading-days", text, times.column, "holidays")
    return CommonStep(frequency, tuple(told.decisions))
