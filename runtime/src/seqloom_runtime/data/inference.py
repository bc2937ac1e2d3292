"""Working out the frequency of times: the commonest step, and whether it is a calendar step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from .calendar_days import is_weekday, month_of, month_start
from .durations import MICROSECONDS
from .repair import in_order
from .zones import instants_to_wall, wall_to_instants

if TYPE_CHECKING:
    from .frequency import Frequency

__all__ = ["infer_frequency"]

DAY = MICROSECONDS["d"]

# A few odd rows must not hide the calendar: those that don't fit are then refused by name.
_SHARE = 0.9


def infer_frequency(
    grid: type[Frequency], micros: np.ndarray, zone: str | None, series: np.ndarray | None = None
) -> Frequency:
    """The frequency of times (N,) int64 µs (instants where `zone` is set), made by `grid`; see `Frequency.infer`."""
    series = np.zeros(len(micros), dtype=np.int64) if series is None else series
    if not in_order(micros, series):
        order = np.lexsort((micros, series))
        micros, series = micros[order], series[order]
    wall = instants_to_wall(micros, zone)
    new = np.ones(len(micros), dtype=bool)
    new[1:] = (micros[1:] != micros[:-1]) | (series[1:] != series[:-1])
    if not new.all():
        micros, series, wall = micros[new], series[new], wall[new]
    if not (np.diff(series) == 0).any():
        raise DataError(
            "At least two different times are needed to work out how far apart the rows lie; give more rows or the "
            "frequency."
        )
    clock = _commonest(wall % DAY)
    # Not wall % DAY == clock: where a zone's clock skips that time of day, the row lies just after it.
    daily = wall_to_instants(wall // DAY * DAY + clock, zone) == micros
    frequency = None
    if daily.mean() >= _SHARE:
        frequency = _calendar(grid, wall[daily] // DAY, series[daily], int(clock), zone)
    if frequency is None:
        step = _commonest(_steps(micros, series))
        phase = _commonest(micros % step)
        frequency = grid("fixed", int(step), int(micros[micros % step == phase].min()), zone=zone)
    fits = frequency.locate(micros.view("M8[us]"))[1]
    ticks = frequency.locate(micros[fits].view("M8[us]"))[0]
    common = np.count_nonzero(_steps(ticks, series[fits]) == 1) / np.count_nonzero(np.diff(series) == 0)
    if fits.mean() < 0.5 or (not fits.all() and common < 0.5):
        raise DataError(
            f"The times follow no regular step: the commonest one is {frequency.label}, and "
            f"{np.count_nonzero(~fits)} of {len(fits)} times don't fit it; say resample='1h' or another step to put "
            "the rows of each regular step together, or time='none' to count rows."
        )
    return frequency


def _calendar(
    grid: type[Frequency], days: np.ndarray, series: np.ndarray, clock: int, zone: str | None
) -> Frequency | None:
    steps = _steps(days, series)
    if not len(steps):
        return None
    step = int(_commonest(steps))
    if step >= 28:
        monthly = _monthly(grid, days, series, clock, zone)
        if monthly is not None:
            return monthly
    start = int(days.min())
    friday = (days[:-1] + 3) % 7 == 4
    weekend = friday & (np.diff(days) == 3) & (np.diff(series) == 0)
    if step == 1 and weekend.any() and is_weekday(days).all():
        return grid("business", 1, start * DAY + clock, zone=zone)
    phase = _commonest(days % step)
    return grid("day", step, int(days[days % step == phase].min()) * DAY + clock, zone=zone)


def _monthly(
    grid: type[Frequency], days: np.ndarray, series: np.ndarray, clock: int, zone: str | None
) -> Frequency | None:
    months = month_of(days)
    first = month_start(months)
    day, length = days - first + 1, month_start(months + 1) - first
    for candidate in (31, int(day.max()), int(_commonest(day))):
        fits = day == np.minimum(candidate, length)
        if fits.mean() < _SHARE:
            continue
        steps = _steps(months[fits], series[fits])
        if not len(steps):
            return None
        step = int(_commonest(steps))
        phase = _commonest(months[fits] % step)
        start = days[fits][months[fits] % step == phase].min()
        return grid("month", step, int(start) * DAY + clock, candidate, zone)
    return None


def _steps(values: np.ndarray, series: np.ndarray) -> np.ndarray:
    steps = np.diff(values)[np.diff(series) == 0]
    return steps[steps > 0]


def _commonest(values: np.ndarray) -> np.int64:
    if len(values) and (values == values[0]).all():  # as of regular times: nothing to sort
        return values[0]
    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()]
