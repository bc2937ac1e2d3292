"""Sensible lengths where the user gave none, from the frequency of the data alone."""

from __future__ import annotations

from dataclasses import dataclass

from ...data import Frequency

__all__ = ["Lengths", "lengths_for"]

_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Lengths:
    """Lookback and horizon in rows, and the season in rows (None where the rows have no times)."""

    lookback: int
    horizon: int
    season: float | None


def lengths_for(frequency: Frequency) -> Lengths:
    """A year ahead from two for months, quarters and weeks; a week from four for days; a day from five below that.

    >>> from seqloom.data import Frequency
    >>> lengths_for(Frequency(kind="month", n=1))
    Lengths(lookback=24, horizon=12, season=12.0)
    """
    kind, n = frequency.kind, frequency.n
    if kind == "month":
        year = max(1, round(12 / n))
        return Lengths(max(2 * year, 4), year, 12 / n if n < 12 else None)
    if kind == "business":
        return Lengths(20, 5, 5.0)
    if kind == "step":
        return Lengths(24, 1, None)
    step = n * _DAY if kind == "day" else n
    if step >= 5 * _DAY:
        year = 365.25 * _DAY / step
        return Lengths(round(2 * year), round(year), year)
    if step >= _DAY:
        week = 7 * _DAY / step
        return Lengths(max(2, round(4 * week)), max(1, round(week)), week)
    day = _DAY / step
    return Lengths(max(2, round(5 * day)), max(1, round(day)), day)
