"""Whether a calendar cycle really repeats in a series: its wave must come back, period after period."""

from __future__ import annotations

import numpy as np

from .calendar import calendar_features, cycle_numbers
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
    found = []
    for start, end in zip(panel.offsets, panel.offsets[1:]):
        here = np.arange(start, end)[rows[start:end]]
        here = here[np.isfinite(values[here])]
        if len(here):
            found.append(_period_waves(values[here], waves[here], number[here]))
    points = np.concatenate(found) if found else np.empty((0, 2))
    count = len(points)
    if count < FEWEST:
        return None
    mean = points.mean(axis=0)
    strength = count * float(mean @ np.linalg.pinv(np.cov(points.T)) @ mean) * (count - 2) / (2 * (count - 1))
    return float((1 + 2 * strength / (count - 2)) ** (-(count - 2) / 2))


def _period_waves(values: np.ndarray, waves: np.ndarray, number: np.ndarray) -> np.ndarray:
    """v_k of one series: (K, 2), of the periods that hold at least three quarters of the rows of the fullest."""
    _, period, counts = np.unique(number, return_inverse=True, return_counts=True)
    width = int(counts.max())
    detail = values - _moving_mean(values, width)
    sums = np.stack([np.bincount(period, weights=detail * wave) for wave in waves.T], axis=1)
    whole = counts >= 0.75 * width
    whole[[0, -1]] = False  # the moving mean is one-sided at the ends
    return sums[whole] / counts[whole, None]


def _moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """The centred mean over `width` rows, over fewer near the ends."""
    total = np.concatenate([[0.0], np.cumsum(values - values[0])])
    position = np.arange(len(values))
    low, high = np.maximum(position - width // 2, 0), np.minimum(position + (width + 1) // 2, len(values))
    return (total[high] - total[low]) / (high - low) + values[0]
