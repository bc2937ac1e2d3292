"""AutoARIMA as a baseline: the model is chosen and fitted on training rows, and goes on by its state from there."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.statistical.arima import AppliedArima, ArimaFit, Order

from .arima_search import MOST_ROWS, fit_arima
from .fitting import Fitting

__all__ = ["Arima"]

_AWAY = 2.0
"""Ranges of the training rows by which two seasons of forecasts may leave them; another model is taken else."""


class Arima(Fitting, AppliedArima):
    """ARIMA with its orders found by AICc (Hyndman & Khandakar 2008), fitted by exact maximum likelihood.

    (1 − B)^d (1 − B^m)^D y_t − c = w_t, a(B) w_t = b(B) e_t; d by the KPSS test, D by the strength of the season, c
    where at most one difference is taken. Forecasts are the best linear ones of all rows since the first fitted one.
    season: rows in a season, rounded to a whole number; above 24 rows a model without a season is fitted, and said.
    Of a long run the last 2,000 rows are fitted on.
    """

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: about 1,600 likelihoods of a seasonal series, 900 of another, of rows · (season + 5) steps."""
        used, m = min(rows, MOST_ROWS), 0.0 if season is None or season > Arima.longest_season else float(season)
        return (1600 if m > 1 else 900) * (3e-4 + 1.7e-8 * used * (m + 5.0))

    def _fit_run(self, values: np.ndarray) -> ArimaFit:
        ahead = 2 * (self.season or 12)
        low, high = values.min(), values.max()
        away = _AWAY * (high - low)
        found = fit_arima(values, self.season)
        for fit in found:
            path = self._apply(fit, values, np.array([len(values) - 1]), np.arange(1, ahead + 1))
            if np.isfinite(path).all() and path.min() >= low - away and path.max() <= high + away:
                return fit
        one, last = np.ones(1), found[0]
        level = Order(0, 0, 0, 0, False)
        # Every model found ran away: the last value remains, which is the ARIMA(0,1,0).
        return ArimaFit(level, 1, 0, None, one, one, 0.0, 0.0, np.inf, last.rows, last.work, last.stopped)

    def _count(self, fitted: ArimaFit) -> int:
        return fitted.count
