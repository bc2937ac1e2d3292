"""Exponential smoothing with error, trend and season chosen by AICc, as a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.statistical.exponential import AppliedAutoETS, ETSFit

from .descent import minimised
from .fitting import Fitting

__all__ = ["AutoETS", "fit_auto_ets"]

_ITERATIONS = 60
_MOST_ROWS = 5000
"""The last rows that are fitted on."""


class AutoETS(Fitting, AppliedAutoETS):
    """ETS with everything chosen by AICc on the training rows (Hyndman et al. 2008).

    Errors additive or multiplicative, no trend, a trend or a damped one, no season, an additive or a multiplicative
    one; multiplicative ones where all training values are above 0, and a multiplicative season only with such errors,
    since its variance is unbounded else. Initial states by the heuristic of section 2.6.
    season: rows in a season, rounded to a whole number; above 60 rows a model without a season is fitted, and said.
    """

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: about 100 likelihoods each of 15 models, or 55 each of 6 without a season."""
        m = 0.0 if season is None or season > AutoETS.longest_season else float(season)
        return (1500 if m > 1 else 340) * (4e-5 + 3e-8 * min(rows, _MOST_ROWS))

    def _fit_run(self, values: np.ndarray) -> ETSFit:
        return fit_auto_ets(values, self.season)

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count


def fit_auto_ets(values: np.ndarray, season: int | None) -> ETSFit:
    """The model of `values` with the smallest AICc; its states begin at the first of all rows."""
    positive = bool(values.min() > 0)
    best, lowest = None, np.inf
    for error in ("add", "mul") if positive else ("add",):
        for seasonal in (None, "add", "mul") if season else (None,):
            if seasonal == "mul" and (error == "add" or not positive):
                continue
            for trend, damped in ((False, False), (True, False), (True, True)):
                fit, aicc = _fit(values, error, trend, damped, seasonal, season)
                # On ties the first stays, and they are listed from simple to rich.
                if aicc < lowest:
                    best, lowest = fit, aicc
    if best is None:
        raise ValueError("no model has a finite likelihood")
    return best


def _fit(
    values: np.ndarray, error: str, trend: bool, damped: bool, seasonal: str | None, season: int | None
) -> tuple[ETSFit, float]:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    def model_of(rows: np.ndarray) -> Any:
        return ETSModel(
            rows,
            error=error,
            trend="add" if trend else None,
            damped_trend=damped,
            seasonal=seasonal,
            seasonal_periods=season if seasonal else None,
            initialization_method="heuristic",
        )

    used = values[-_MOST_ROWS:]
    model = model_of(used)
    # The states begin at the first of all rows, wherever the smoothing was fitted.
    first = model if len(used) == len(values) else model_of(values[:_MOST_ROWS])
    size = 1 + int(trend) + int(seasonal is not None) + int(damped)

    def value(x: np.ndarray) -> float:
        found = -float(model.loglike(_smoothing(x, trend, seasonal is not None, damped))) / len(used)
        return found if np.isfinite(found) else 1e6

    # The start of statsmodels: 0.1 of the level, little of the others, the damping near its largest.
    start = np.array([-2.2, *[-3.0] * (size - 1)])
    if damped:
        start[-1] = 2.0
    x, lowest = minimised(value, start, _ITERATIONS)
    # The initial states count, and the variance: a season of 52 rows has as many of them.
    n, k = len(used), size + 2 + int(trend) + (0 if seasonal is None or season is None else season - 1)
    aicc = 2 * n * lowest + 2 * k + (2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf)
    params = _smoothing(x, trend, seasonal is not None, damped)
    fit = ETSFit(
        trend=trend,
        seasonal=seasonal,
        params=params,
        damping=float(params[-1]) if damped else 1.0,
        level=float(first.initial_level),
        slope=float(first.initial_trend) if trend else None,
        season=np.asarray(first.initial_seasonal, dtype=np.float64) if seasonal else None,
        error=error,
        damped=damped,
    )
    return fit, aicc if lowest < 1e6 else np.inf


def _smoothing(x: np.ndarray, trend: bool, seasonal: bool, damped: bool) -> np.ndarray:
    """alpha, beta < alpha, gamma < 1 − alpha and phi from 0.8 to 0.98, as statsmodels bounds them, of unbounded x."""
    part = 1e-4 + (1 - 2e-4) / (1 + np.exp(-x))
    found = [part[0]]
    if trend:
        found.append(part[0] * part[1])
    if seasonal:
        found.append((1 - part[0]) * part[1 + int(trend)])
    if damped:
        found.append(0.8 + 0.18 * part[-1])
    return np.array(found)
