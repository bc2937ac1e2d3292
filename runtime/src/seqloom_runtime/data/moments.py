"""Moments: a column of times as numbers, with what was decided on the way; and the days of a calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["DAY_MICROS", "SECOND", "Moments", "days_of", "within_years"]

SECOND = 1_000_000
DAY_MICROS = 86_400 * SECOND
_OUTSIDE = "lies outside the years 1 to 9999; correct it, or leave the column out to count rows"


@dataclass(frozen=True, eq=False)
class Moments:
    """Parsed times: `values` (N,) int64 are µs since 1970-01-01 on the wall clock ("wall") or of UTC ("instants"), or
    whole numbers that count rows ("counts"). `bad` are the positions that could not be read, with `reason`; `cell` says
    what the first holds where that can't be asked of the column, as a time that Python has no type for.

    `decisions` are (kind, sentence) of what could have been read otherwise, without the column's name. `question`,
    where it is not empty, asks what no cell decides; the values are then those of the first reading. `form` is the
    `time_format` that reads other rows of the same column alike, "" where none is needed."""

    values: np.ndarray
    kind: str
    bad: np.ndarray
    reason: str = ""
    cell: str | None = None
    decisions: tuple[tuple[str, str], ...] = ()
    question: str = ""
    form: str = ""


def within_years(times: np.ndarray, kind: str, reason: str = "is not a time") -> Moments:
    """Moments of `times` (N,) datetime64 of any unit; bad are those that are missing or outside the years 1 to 9999.

    >>> within_years(np.array(["2020-01-31", "11111-01-01"], dtype="M8[D]"), "wall").bad
    array([1])
    """
    missing = np.isnat(times)
    if np.datetime_data(times.dtype)[0] not in ("ns", "ps", "fs", "as"):  # these end before the year 2263
        low, end = (np.datetime64(day).astype(times.dtype) for day in ("0001-01-01", "10000-01-01"))
        outside = np.flatnonzero((times < low) | (times >= end))
        if len(outside):
            return Moments(np.zeros(len(times), np.int64), kind, outside, _OUTSIDE, str(times[outside[0]]))
    micros = np.ascontiguousarray(times.astype("M8[us]")).view(np.int64)
    return Moments(micros, kind, np.flatnonzero(missing), reason)


def days_of(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days (N,) int64 since 1970-01-01 of dates, and (N,) bool: whether each exists, in the years from 1."""
    inside = (month >= 1) & (month <= 12) & (year >= 1) & (year <= 9999)
    months = year.astype(np.int64) * 12 + month - 1
    if not inside.all():
        months = np.where(inside, months, 1970 * 12)
    if not len(months):
        return months, inside
    low = int(months.min())
    # One look-up in a table of the months between: NumPy's own conversion takes ten times as long.
    first = np.arange(low - 1970 * 12, int(months.max()) + 2 - 1970 * 12).astype("M8[M]").astype("M8[D]")
    starts = first.astype(np.int64)
    place = months - low
    return starts[place] + day - 1, inside & (day >= 1) & (day <= np.diff(starts)[place])
