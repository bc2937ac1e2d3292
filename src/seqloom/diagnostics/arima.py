"""AutoARIMA as a baseline: the model is chosen and fitted on training rows, and goes on by its state from there."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.statistical.target_history import TargetHistory, check_origins

from .arima_search import MOST_ROWS, ArimaFit, Order, fit_arima
from .arma import Factor, forecast_paths
from .counted import Counted

__all__ = ["Arima"]

_AWAY = 2.0
"""Ranges of the training rows by which two seasons of forecasts may leave them; another model is taken else."""


class Arima(Counted):
    """ARIMA with its orders found by AICc (Hyndman & Khandakar 2008), fitted by exact maximum likelihood.

    (1 − B)^d (1 − B^m)^D y_t − c = w_t, a(B) w_t = b(B) e_t; d by the KPSS test, D by the strength of the season, c
    where at most one difference is taken. Forecasts are the best linear ones of all rows since the first fitted one.
    season: rows in a season, rounded to a whole number; above 24 rows a model without a season is fitted, and said.
    Of a long run the last 2,000 rows are fitted on.
    """

    name = "arima"
    longest_season = 24

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: about 1,600 likelihoods of a seasonal series, 900 of another, of rows · (season + 5) steps."""
        used, m = min(rows, MOST_ROWS), 0.0 if season is None or season > Arima.longest_season else float(season)
        return (1600 if m > 1 else 900) * (3e-4 + 1.7e-8 * used * (m + 5.0))

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins in a fitted series' stretch, with as many rows since its first fitted one as the model reads."""
        good = super().usable(history, origins, steps)
        origins = check_origins(history, origins)
        series = history.series_of_row[origins]
        for number, run in self._runs.items():
            fitted: ArimaFit = run.fitted
            good &= (series != number) | (origins - run.first >= _reach(fitted))
        return good

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

    def _apply(self, fitted: ArimaFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        model = Factor(fitted.a, fitted.b, np.empty((0, 0)))
        return forecast_paths(model, fitted.differences, fitted.mean, values, at, int(steps.max()))[:, steps - 1]

    def _count(self, fitted: ArimaFit) -> int:
        return fitted.count

    def _chosen(self) -> tuple[str, ...]:
        stopped = any(run.fitted.stopped for run in self._runs.values())
        ending = "; the search ended at its limit of work" if stopped else ""
        return self._named((run.fitted.name for run in self._runs.values()), ending)


def _reach(fitted: ArimaFit) -> int:
    """Rows before an origin that the first forecast needs."""
    return len(fitted.differences) - 1 + max(len(fitted.a), len(fitted.b)) - 1
