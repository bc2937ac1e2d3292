"""The scores, of NumPy arrays alone: written anew here, so that the library's own are not the ones that judge it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

__all__ = ["coverage", "geometric_mean", "mae", "mase", "mse", "smape"]


def mae(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Mean absolute error over the steps that were measured."""
    return float(np.nanmean(np.abs(_differences(truth, forecast))))


def mse(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Mean squared error over the steps that were measured."""
    return float(np.nanmean(np.square(_differences(truth, forecast))))


def smape(truth: np.ndarray, forecast: np.ndarray) -> float:
    """M4's sMAPE in percent: the mean of 200 |y − f| / (|y| + |f|).

    >>> smape(np.array([1.0, 3.0]), np.array([3.0, 3.0]))
    50.0
    """
    return float(np.nanmean(200 * np.abs(_differences(truth, forecast)) / (np.abs(truth) + np.abs(forecast))))


def mase(truth: np.ndarray, forecast: np.ndarray, history: np.ndarray, season: int = 1) -> float:
    """MAE over that of the seasonal naive forecast within the history: mean |y_t − y_{t−m}|."""
    scale = float(np.nanmean(np.abs(history[season:] - history[:-season])))
    return mae(truth, forecast) / scale


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the measured values that lie between low and high, in percent."""
    known = np.isfinite(truth)
    return float(100 * np.mean((low[known] <= truth[known]) & (truth[known] <= high[known])))


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean of positive numbers; raises ValueError where there is none.

    >>> round(geometric_mean([1.0, 4.0]), 6)
    2.0
    """
    logs = [math.log(value) for value in values]
    if not logs:
        raise ValueError("expected at least one number")
    return math.exp(sum(logs) / len(logs))


def _differences(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Truth less forecast; raises ValueError where a measured step was not forecast, or shapes differ."""
    if truth.shape != forecast.shape:
        raise ValueError(f"forecast: expected shape {truth.shape}, got {forecast.shape}.")
    if not np.isfinite(forecast[np.isfinite(truth)]).all():
        raise ValueError("forecast: expected a number for every step that was measured.")
    return truth - forecast
