"""Which order the numbers of dates stand in, where a date fits several, and which century two-digit years are of.

A number above 12 in any cell decides the order, or else the order in which the rows lie on a regular grid, where only
one does; otherwise the column is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError

__all__ = ["WORDS", "centuries", "in_steps", "settled_by_steps"]

WORDS = {"dmy": "day first", "mdy": "month first", "ymd": "year first", "ydm": "year first and then the day"}
_LOOKED_AT = 20_000  # times, from which the step is seen well enough
_FEWEST = 4  # times that can show a step: two differences may agree by chance
_FIRST, _LAST = 1930, 2069


def settled_by_steps(readings: Sequence[np.ndarray]) -> int | None:
    """The one of several readings, each (N,) int64 µs, in which the times lie on a regular grid; None where it is none
    or more than one.

    >>> days = np.arange(9) * 86_400_000_000
    >>> settled_by_steps([days * days[1], days])
    1
    """
    covered = [_coverage(values) for values in readings]
    best = int(np.argmax(covered))
    rest = max([share for place, share in enumerate(covered) if place != best], default=0.0)
    # A month of days and a year of first days of months both lie without a gap: what fits half as well may be meant.
    return best if covered[best] >= 0.6 and rest < covered[best] / 2 else None


def in_steps(values: np.ndarray) -> bool:
    """Whether times (N,) int64 µs lie on a regular grid, most steps one apart; true where they are too few to tell."""
    return len(np.unique(values)) < _FEWEST or _coverage(values) > 0


def _coverage(values: np.ndarray) -> float:
    """The share of the steps from the first to the last time that hold one, 0 where the times have no regular step."""
    from .frequency import Frequency

    times = np.unique(values)[:_LOOKED_AT]
    if len(times) < _FEWEST:
        return 0.0
    try:
        frequency = Frequency.infer(times.view("M8[us]"))
    except DataError:
        return 0.0
    ticks, fits = frequency.locate(times.view("M8[us]"))
    if not fits.all():
        return 0.0
    steps = np.diff(ticks)
    return len(times) / float(ticks[-1] - ticks[0] + 1) if np.mean(steps == 1) >= 0.75 else 0.0


def centuries(years: np.ndarray) -> np.ndarray:
    """Four-digit years (N,) of two-digit ones (N,) that lie in one run of at most a hundred years.

    The run starts after the widest stretch of years that nothing lies in, and between 1930 and 2029, unless it would
    then end after 2069: "49" is 1949, as spreadsheets have it, and 98, 99, 00, 01 go from 1998 to 2001.

    >>> centuries(np.array([98, 99, 0, 1])).tolist(), centuries(np.array([49])).tolist()
    ([1998, 1999, 2000, 2001], [1949])
    """
    found = np.unique(years)
    if not len(found):
        return years
    gaps = np.diff(np.append(found, found[0] + 100))
    after = found[(np.flatnonzero(gaps == gaps.max()) + 1) % len(found)]
    start = int(after[((after - _FIRST) % 100).argmin()])
    first = 1900 + start if start >= _FIRST - 1900 else 2000 + start
    span = 100 - int(gaps.max())
    if first + span > _LAST:
        first -= 100
    return first + (years - start) % 100
