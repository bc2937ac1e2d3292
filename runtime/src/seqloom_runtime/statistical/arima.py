"""ARIMA as it is applied: forecasts of a fitted model from all rows since the first fitted one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arma import Factor, forecast_paths
from .counted import Counted
from .target_history import TargetHistory, check_origins

__all__ = ["AppliedArima", "ArimaFit", "Order", "differences_of"]


@dataclass(frozen=True, order=True)
class Order:
    """(p, q)(P, Q) and whether the differenced rows have a mean."""

    p: int
    q: int
    P: int
    Q: int
    constant: bool

    @property
    def size(self) -> int:
        """Coefficients, the mean, and the variance."""
        return self.p + self.q + self.P + self.Q + int(self.constant) + 1

    def __str__(self) -> str:
        return f"({self.p},{self.q})({self.P},{self.Q}){' with a mean' if self.constant else ''}"


@dataclass(frozen=True, eq=False)
class ArimaFit:
    """A fitted model: differences(B) y − mean is the ARMA model a, b; `rows` were fitted on, `work` rows evaluated."""

    order: Order
    d: int
    D: int
    season: int | None
    a: np.ndarray
    b: np.ndarray
    mean: float
    variance: float
    aicc: float
    rows: int
    work: int
    stopped: bool

    @property
    def differences(self) -> np.ndarray:
        """(1 − B)^d (1 − B^m)^D as coefficients."""
        return differences_of(self.d, self.D, self.season)

    @property
    def count(self) -> int:
        """Fitted numbers."""
        return self.order.size

    @property
    def name(self) -> str:
        """The model as textbooks write it."""
        o = self.order
        seasonal = f"({o.P},{self.D},{o.Q})[{self.season}]" if self.season and (o.P or self.D or o.Q) else ""
        what = " with a mean" if not self.d + self.D else " with drift"
        return f"ARIMA({o.p},{self.d},{o.q}){seasonal}{what if o.constant else ''}"


class AppliedArima(Counted):
    """ARIMA of the orders and coefficients that were fitted."""

    name = "arima"
    longest_season = 24

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins in a fitted series' stretch, with as many rows since its first fitted one as the model reads."""
        good = super().usable(history, origins, steps)
        origins = check_origins(history, origins)
        series = history.series_of_row[origins]
        for number, run in self._runs.items():
            fitted: ArimaFit = run.fitted
            good &= (series != number) | (origins - run.first >= _reach(fitted))
        return good

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


def differences_of(d: int, D: int, season: int | None) -> np.ndarray:
    """(1 − B)^d (1 − B^m)^D as coefficients."""
    found = np.ones(1)
    for lag in [1] * d + [season or 1] * D:
        one = np.zeros(lag + 1)
        one[0], one[-1] = 1.0, -1.0
        found = np.convolve(found, one)
    return found
