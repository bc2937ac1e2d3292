"""Working out the frequency of times: the commonest step, and whether it is a calendar step.

What decides is counted over parts of whole series, so that times need not be in memory together; times that are there
are one part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .calendar_days import is_weekday, month_of, month_start
from .durations import MICROSECONDS
from .repair import in_order
from .zones import instants_to_wall, wall_to_instants

if TYPE_CHECKING:
    from .frequency import Frequency

__all__ = ["Parts", "distinct_times", "infer_frequency", "infer_of_parts"]

DAY = MICROSECONDS["d"]

# A few odd rows must not hide the calendar: those that don't fit are then refused by name.
_SHARE = 0.9
_MOST_KINDS = 5_000_000  # different steps, say, that are counted: so many are no regular grid, and take memory

Parts = Iterable[tuple[np.ndarray, ...]]
"""Arrays (N,) for parts of the rows, the last their series; gone over several times. No series is in two of them."""


@dataclass(frozen=True)
class _Made:
    """Parts made of others whenever they are gone over."""

    parts: Parts
    make: Callable[..., tuple[np.ndarray, ...]]

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        return (self.make(*part) for part in self.parts)


def _made(parts: Parts, make: Callable[..., tuple[np.ndarray, ...]]) -> Parts:
    """Parts made of others: at once where they are in memory anyway."""
    return [make(*part) for part in parts] if isinstance(parts, list) else _Made(parts, make)


def distinct_times(micros: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) and their series in order of series and time, without those that a series has twice."""
    if not in_order(micros, series):
        order = np.lexsort((micros, series))
        micros, series = micros[order], series[order]
    new = np.ones(len(micros), dtype=bool)
    new[1:] = (micros[1:] != micros[:-1]) | (series[1:] != series[:-1])
    return (micros, series) if new.all() else (micros[new], series[new])


def infer_frequency(
    grid: type[Frequency], micros: np.ndarray, zone: str | None, series: np.ndarray | None = None
) -> Frequency:
    """The frequency of times (N,) int64 µs (instants where `zone` is set), made by `grid`; see `Frequency.infer`."""
    series = np.zeros(len(micros), dtype=np.int64) if series is None else series
    return infer_of_parts(grid, [distinct_times(micros, series)], zone)


def infer_of_parts(grid: type[Frequency], parts: Parts, zone: str | None) -> Frequency:
    """The frequency of `distinct_times` in parts: the same as of all of them together."""
    if not any((np.diff(series) == 0).any() for _, series in parts):
        raise DataError(
            "At least two different times are needed to work out how far apart the rows lie; give more rows or the "
            "frequency."
        )
    clock = _commonest(instants_to_wall(micros, zone) % DAY for micros, _ in parts)

    def daily(micros: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Not wall % DAY == clock: where a zone's clock skips that time of day, the row lies just after it.
        days = instants_to_wall(micros, zone) // DAY
        at_clock = wall_to_instants(days * DAY + clock, zone) == micros
        return (days, series) if at_clock.all() else (days[at_clock], series[at_clock])  # no copies of regular times

    days, rows = _made(parts, daily), _count(parts)
    frequency = _calendar(grid, days, int(clock), zone) if _count(days) / rows >= _SHARE else None
    if frequency is None:
        step = _commonest(_steps(*part) for part in parts)
        phase = _commonest(micros % step for micros, _ in parts)
        frequency = grid("fixed", int(step), _lowest(micros[micros % step == phase] for micros, _ in parts), zone=zone)
    _check(frequency, parts, rows)
    return frequency


def _check(frequency: Frequency, parts: Parts, rows: int) -> None:
    """Raise DataError where the times are too far from being regular."""
    fit = common = pairs = 0
    for micros, series in parts:
        ticks, fits = frequency.locate(micros.view("M8[us]"))
        fit += int(np.count_nonzero(fits))
        common += int(np.count_nonzero(_steps(ticks[fits], series[fits]) == 1))
        pairs += int(np.count_nonzero(np.diff(series) == 0))
    if fit / rows < 0.5 or (fit < rows and common / pairs < 0.5):
        raise DataError(
            f"The times follow no regular step: the commonest one is {frequency.label}, and {rows - fit} of {rows} "
            "times don't fit it; say resample='1h' or another step to put the rows of each regular step together, or "
            "time='none' to count rows."
        )


def _calendar(grid: type[Frequency], parts: Parts, clock: int, zone: str | None) -> Frequency | None:
    step = _commonest(_steps(*part) for part in parts)
    if step is None:
        return None
    if step >= 28:
        monthly = _monthly(grid, parts, clock, zone)
        if monthly is not None:
            return monthly
    if step == 1 and any(_over_weekend(*part) for part in parts) and all(is_weekday(days).all() for days, _ in parts):
        return grid("business", 1, _lowest(days for days, _ in parts) * DAY + clock, zone=zone)
    phase = _commonest(days % step for days, _ in parts)
    start = _lowest(days[days % step == phase] for days, _ in parts)
    return grid("day", int(step), start * DAY + clock, zone=zone)


def _over_weekend(days: np.ndarray, series: np.ndarray) -> bool:
    """Whether some series goes from a Friday to the Monday after it."""
    friday = (days[:-1] + 3) % 7 == 4
    return bool((friday & (np.diff(days) == 3) & (np.diff(series) == 0)).any())


def _monthly(grid: type[Frequency], parts: Parts, clock: int, zone: str | None) -> Frequency | None:
    def dated(days: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, ...]:
        months = month_of(days)
        first = month_start(months)
        return days, months, days - first + 1, month_start(months + 1) - first, series

    dates = _made(parts, dated)
    rows = _count(dates)
    last = max(int(day.max()) for _, _, day, _, _ in dates if len(day))
    for candidate in (31, last, int(_commonest(day for _, _, day, _, _ in dates))):

        def fitting(days: Any, months: Any, day: Any, length: Any, series: Any, on: int = candidate) -> Any:
            fits = day == np.minimum(on, length)
            return days[fits], months[fits], series[fits]

        held = _made(dates, fitting)
        if _count(held) / rows < _SHARE:
            continue
        step = _commonest(_steps(months, series) for _, months, series in held)
        if step is None:
            return None
        phase = _commonest(months % step for _, months, _ in held)
        start = _lowest(days[months % step == phase] for days, months, _ in held)
        return grid("month", int(step), start * DAY + clock, candidate, zone)
    return None


def _count(parts: Parts) -> int:
    return sum(len(part[-1]) for part in parts)


def _lowest(parts: Iterable[np.ndarray]) -> int:
    return min(int(values.min()) for values in parts if len(values))


def _steps(values: np.ndarray, series: np.ndarray) -> np.ndarray:
    steps = np.diff(values)[np.diff(series) == 0]
    return steps[steps > 0]


def _commonest(parts: Iterable[np.ndarray]) -> Any:
    """The value that comes most often, the lowest of several such; None where there is none."""
    found, counts = np.empty((2, 0), dtype=np.int64)
    for values in parts:
        if not len(values):
            continue
        if (values == values[0]).all():  # as of regular times: nothing to sort
            own, times = values[:1], np.array([len(values)])
        else:
            own, times = np.unique(values, return_counts=True)
        if not len(found):
            found, counts = own, times
            continue
        both, places = np.unique(np.concatenate([found, own]), return_inverse=True)
        if len(both) > _MOST_KINDS:
            raise DataError("The times follow no regular step: hardly any two steps between rows are as long.")
        sums = np.zeros(len(both), dtype=np.int64)
        np.add.at(sums, places.reshape(-1), np.concatenate([counts, times]))
        found, counts = both, sums
    return found[counts.argmax()] if len(found) else None
