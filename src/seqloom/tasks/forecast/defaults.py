"""Sensible lengths where the user gave none, from the frequency of the data alone."""

from __future__ import annotations

from dataclasses import dataclass

from seqloom_runtime.data import Frequency
from seqloom_runtime.data.frequency import DAY
from seqloom_runtime.data.seasons import usual_season

__all__ = ["Lengths", "lengths_for"]


@dataclass(frozen=True)
class Lengths:
    """Lookback and horizon in rows, and the season in rows (None where the rows have no times)."""

    lookback: int
    horizon: int
    season: float | None


def lengths_for(frequency: Frequency) -> Lengths:
    """A year ahead from two for months, quarters and weeks; a week from four for days; a day from seven below that.

    >>> from seqloom.data import Frequency
    >>> lengths_for(Frequency(kind="month", n=1))
    Lengths(lookback=24, horizon=12, season=12.0)
    """
    kind, n = frequency.kind, frequency.n
    season = usual_season(frequency)
    if kind == "month":
        year = max(1, round(12 / n))
        return Lengths(max(2 * year, 4), year, season)
    if kind == "business":
        return Lengths(20, 5, season)
    if kind == "step" or season is None:
        return Lengths(24, 1, None)
    step = n * DAY if kind == "day" else n
    if step >= 5 * DAY:
        return Lengths(round(2 * season), round(season), season)
    seasons = 4 if step >= DAY else 7  # a Monday is like the last one rather than like the Sunday before
    return Lengths(max(2, round(seasons * season)), max(1, round(season)), season)
