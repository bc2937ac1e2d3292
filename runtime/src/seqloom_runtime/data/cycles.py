"""Whether a calendar cycle really repeats in a series: its wave must come back, period after period."""

from __future__ import annotations

import numpy as np

from .calendar import calendar_features, cycle_numbers
from .equal_lengths import equal_lengths
from .panel import Panel

__all__ = ["chance_of_cycle", "repeating_cycles"]

LARGEST_CHANCE = 0.001
"""A cycle counts as real where chance alone would show its wave this rarely."""
FEWEST = 5
"""Periods below which nothing can be tested; such a cycle is believed."""


def repeating_cycles(panel: Panel, column: str, rows: np.ndarray, cycles: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `cycles` that repeat in `column` over the rows where `rows` (R,) is True, or that are too few to test.

    Half a year of weather covers a week 26 times and still holds no weekly pattern: fed to a network, the time of week
    is noise that it learns by heart. See `chance_of_cycle` for the test.
    """
    chances = {cycle: chance_of_cycle(panel, column, rows, cycle) for cycle in cycles}
    return tuple(cycle for cycle, chance in chances.items() if chance is None or chance <= LARGEST_CHANCE)


def chance_of_cycle(panel: Panel, column: str, rows: np.ndarray, cycle: str) -> float | None:
    """How likely periods without a common wave would show one as strong as these: a p-value, None for too few.

    The moving mean over one period is taken away, so that slow changes don't count. Each period k (a day, week or year
    of one series) then gives the two numbers v_k = (mean of y·sine, mean of y·cosine). Where no wave is common to the K
    periods, T² = K m'S⁻¹m of their mean m and covariance S follows Hotelling's distribution (Hotelling 1931): with
    F = T²(K-2) / (2(K-1)), the chance is (1 + 2F/(K-2))^(-(K-2)/2). What lasts within a period makes no false alarm,
    because periods are compared as wholes.
    """
    if panel.time is None:
        return None
    waves = calendar_features(panel.time, panel.zone, panel.frequency, (cycle,))[0].astype(np.float64)
    number = cycle_numbers(panel.time, panel.zone, cycle)
    values = panel.column(column)
    kept = np.flatnonzero(rows & np.isfinite(values))
    points = _period_waves(values[kept], waves[kept], number[kept], panel.series_of(kept))
    count = len(points)
    if count < FEWEST:
        return None
    mean = points.mean(axis=0)
    strength = count * float(mean @ np.linalg.pinv(np.cov(points.T)) @ mean) * (count - 2) / (2 * (count - 1))
    return float((1 + 2 * strength / (count - 2)) ** (-(count - 2) / 2))


def _period_waves(values: np.ndarray, waves: np.ndarray, number: np.ndarray, series: np.ndarray) -> np.ndarray:
    """v_k (K, 2) of the periods of all series, in order, that hold at least three quarters of the rows of the fullest
    of their series: values and numbers of their periods (N,), waves (N, 2), the rows of a series one behind the other.
    """
    if not len(values):
        return np.empty((0, 2))
    key = (series - series[0]) * (int(number.max()) - int(number.min()) + 1) + (number - number.min())
    if (key[1:] >= key[:-1]).all():
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        counts = np.diff(first, append=len(key))
        period, owner = np.repeat(np.arange(len(first)), counts), series[first]
    else:  # a clock that is set back over midnight has a day twice
        _, first, period, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        owner = series[first]
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    several = np.diff(starts, append=len(owner))
    width = np.maximum.reduceat(counts, starts)
    lengths = np.diff(np.flatnonzero(np.append(True, series[1:] != series[:-1])), append=len(series))
    detail = values - _moving_means(values, lengths, width)
    sums = np.stack([np.bincount(period, weights=detail * wave) for wave in waves.T], axis=1)
    whole = counts >= 0.75 * np.repeat(width, several)
    whole[starts] = whole[starts + several - 1] = False  # the moving mean is one-sided at the ends
    return sums[whole] / counts[whole, None]


def _moving_means(values: np.ndarray, lengths: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The centred mean (N,) over `width` (S,) rows of each series, whose `lengths` (S,) rows lie one behind the other;
    over fewer near its ends."""
    found = np.empty(len(values))
    for alike, at in equal_lengths(lengths):
        own = values[at]
        total = np.zeros((len(alike), at.shape[1] + 1))
        np.cumsum(own - own[:, :1], axis=1, out=total[:, 1:])
        position, half = np.arange(at.shape[1]), width[alike][:, None]
        low = np.maximum(position - half // 2, 0)
        high = np.minimum(position + (half + 1) // 2, at.shape[1])
        difference = np.take_along_axis(total, high, axis=1) - np.take_along_axis(total, low, axis=1)
        found[at] = difference / (high - low) + own[:, :1]
    return found
