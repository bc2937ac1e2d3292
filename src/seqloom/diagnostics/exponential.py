"""Exponential smoothing models of statsmodels: fitting several kinds, and choosing one."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.statistical.exponential import ETSFit

__all__ = ["fit_ets"]


def fit_ets(values: np.ndarray, kinds: list[tuple[bool, str | None]], season: int | None) -> ETSFit:
    """Fit every kind (damped trend, seasonal) on `values` and keep the one with the smallest AIC."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    best, best_aic = None, np.inf
    for trend, seasonal in kinds:
        model = ETSModel(
            values,
            trend="add" if trend else None,
            damped_trend=trend,
            seasonal=seasonal,
            seasonal_periods=season if seasonal else None,
            initialization_method="heuristic",
        )
        result: Any = model.fit(disp=False)
        # On ties the first kind stays, and kinds are listed from simple to rich.
        if np.isfinite(result.aic) and result.aic < best_aic:
            best_aic = result.aic
            best = ETSFit(
                trend=trend,
                seasonal=seasonal,
                params=np.asarray(result.params, dtype=np.float64),
                damping=float(result.damping_trend) if trend else 1.0,
                level=float(result.initial_level),
                slope=float(result.initial_trend) if trend else None,
                season=np.asarray(result.initial_seasonal, dtype=np.float64) if seasonal else None,
            )
    if best is None:
        raise ValueError("no model has a finite likelihood")
    return best
