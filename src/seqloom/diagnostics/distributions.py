"""Scores of forecasts that are distributions: quantiles and intervals, float64 arrays in, floats out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError

from .metrics import coverage, mean_width

__all__ = ["crps", "interval_score", "mean_quantile_loss"]

_ROWS = 4096  # whose losses are made at once, so that what lies between stays in a core's cache


def mean_quantile_loss(actual: Any, quantiles: Any, levels: Sequence[float]) -> float:
    """Mean pinball loss over values and levels: max(q (a - f), (q - 1)(a - f)), of quantiles (M, Q) of actual (M,).

    Raises DataError for unlike shapes or NaN, SettingError unless the levels rise between 0 and 1.

    >>> mean_quantile_loss([10.0], [[8.0, 11.0]], [0.25, 0.75])
    0.375
    """
    return float(_losses(actual, quantiles, levels).mean())


def crps(actual: Any, quantiles: Any, levels: Sequence[float]) -> float:
    """Continuous ranked probability score, twice the integral of the pinball loss over the levels, from a few of them.

    Between two levels the loss is taken as linear, as it is towards 0 at the levels 0 and 1: of quantiles (M, Q) of
    actual (M,). With many levels it is exact; of the median alone it is half the absolute error.

    >>> crps([1.0, 2.0], [[2.0], [4.0]], [0.5])
    0.75
    >>> crps([0.5], [[0.1, 0.5, 0.9]], [0.1, 0.5, 0.9])
    0.04
    """
    losses = _losses(actual, quantiles, levels).mean(axis=0)
    ends = np.array([0.0, *levels, 1.0])
    return float(2 * np.trapezoid(np.array([0.0, *losses, 0.0]), ends))


def interval_score(actual: Any, low: Any, high: Any, level: float) -> float:
    """Winkler's score of central intervals: mean of the width plus 2 / (1 - level) times what lies outside.

    Raises DataError as `coverage` does, SettingError unless 0 < level < 1.

    >>> interval_score([5.0, 12.0], [0.0, 0.0], [10.0, 10.0], 0.8)
    20.0
    """
    if not 0 < level < 1:
        raise SettingError(f"level: expected a fraction between 0 and 1, got {level}.")
    coverage(actual, low, high)  # which refuses what is no interval
    a, lo, hi = (np.asarray(values, dtype=np.float64) for values in (actual, low, high))
    outside = np.maximum(lo - a, 0.0) + np.maximum(a - hi, 0.0)
    return mean_width(low, high) + float(np.mean(outside)) * 2 / (1 - level)


def _losses(actual: Any, quantiles: Any, levels: Sequence[float]) -> np.ndarray:
    a, f = np.asarray(actual, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    q = np.asarray(levels, dtype=np.float64)
    if q.ndim != 1 or not len(q) or (q <= 0).any() or (q >= 1).any() or (np.diff(q) <= 0).any():
        raise SettingError(f"levels: expected rising fractions between 0 and 1, got {list(levels)}.")
    if a.ndim != 1 or not len(a) or f.shape != (len(a), len(q)):
        raise DataError(f"quantiles: expected (M, {len(q)}) with actual (M,), got {f.shape} with {a.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(f).all()):
        raise DataError("quantiles: expected finite numbers, got NaN or infinite ones; leave those rows out.")
    found = np.empty(f.shape)
    for at in range(0, len(a), _ROWS):
        miss = a[at : at + _ROWS, None] - f[at : at + _ROWS]
        np.maximum(q * miss, (q - 1) * miss, out=found[at : at + _ROWS])
    return found
