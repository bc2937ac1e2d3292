"""The Theta method as it is applied, with its line and its season as the fit found or chose them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from .counted import Counted
from .fitted_runs import FittedRuns

__all__ = ["AppliedAutoTheta", "AppliedTheta", "ThetaFit", "ThetaLine", "smoothed"]


@dataclass(frozen=True)
class ThetaLine:
    """alpha, the slope of the trend line, and the seasonal factors (m,), entry 0 for the run's first row."""

    alpha: float
    slope: float
    seasonal: np.ndarray
    multiplicative: bool


@dataclass(frozen=True, eq=False)
class ThetaFit:
    """alpha, the level before the first row, the share of the line (1 − 1/theta), its start and slope, and the season.

    factors: (m,), entry 0 belongs to the first row; of a series without a season one of 1 or 0.
    """

    alpha: float
    level: float
    share: float
    start: float
    slope: float
    factors: np.ndarray
    multiplicative: bool
    optimised: bool

    @property
    def name(self) -> str:
        """The method as the note calls it."""
        season = ""
        if len(self.factors) > 1:
            season = f", {'multiplicative' if self.multiplicative else 'additive'} season"
        theta = "any" if self.share >= 1 else f"{1 / (1 - self.share):.3g}"
        return f"{'optimised' if self.optimised else 'standard'} Theta (theta {theta}{season})"


def smoothed(values: np.ndarray, alpha: float, before: float) -> np.ndarray:
    """l_t = alpha y_t + (1 − alpha) l_{t−1} after every value (R,).

    >>> smoothed(np.array([1.0, 3.0]), 0.5, 1.0).tolist()
    [1.0, 2.0]
    """
    rest = 1.0 - alpha
    levels = accumulate(values.tolist(), lambda level, value: alpha * value + rest * level, initial=before)
    return np.fromiter(levels, np.float64, len(values) + 1)[1:]


class AppliedTheta(FittedRuns):
    """f = l_n + (b / 2) (h - 1 + 1/alpha - (1 - alpha)^n / alpha) on n deseasonalised values, put back into season."""

    name = "theta"

    def _apply(self, fitted: ThetaLine, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        m, alpha = len(fitted.seasonal), fitted.alpha
        factor = fitted.seasonal[np.arange(len(values)) % m]
        flat = values / factor if fitted.multiplicative else values - factor
        level = smoothed(flat, alpha, float(flat[0]))
        rows = (at + 1.0)[:, None]
        # 1/α − (1 − α)^n/α of the formula above, for every origin's own n.
        lag = (1.0 - (1.0 - alpha) ** rows) / alpha if alpha > 0 else 0.0
        result = level[at, None] + 0.5 * fitted.slope * (steps - 1 + lag)
        ahead = fitted.seasonal[(at[:, None] + steps) % m]
        return result * ahead if fitted.multiplicative else result + ahead

    def _count(self, fitted: ThetaLine) -> int:
        return 2 + (len(fitted.seasonal) if self.season else 0)


class AppliedAutoTheta(Counted):
    """Theta with alpha, the first level, theta and the season as they were chosen."""

    name = "auto-theta"
    criterion = "AIC"

    def _apply(self, fitted: ThetaFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        m, alpha = len(fitted.factors), fitted.alpha
        factor = fitted.factors[np.arange(len(values)) % m]
        flat = values / factor if fitted.multiplicative else values - factor
        rows = at + 1.0
        level = smoothed(flat, alpha, fitted.level)[at]
        left = (1.0 - alpha) ** rows
        line = left[:, None] * fitted.start
        line = line + ((steps - 1.0) + ((1.0 - left * (1.0 - alpha)) / alpha)[:, None]) * fitted.slope
        result = level[:, None] + fitted.share * line
        ahead = fitted.factors[(at[:, None] + steps) % m]
        return result * ahead if fitted.multiplicative else result + ahead

    def _count(self, fitted: ThetaFit) -> int:
        return 4 + int(fitted.optimised) + (len(fitted.factors) if len(fitted.factors) > 1 else 0)

    def _chosen(self) -> tuple[str, ...]:
        return self._named(run.fitted.name for run in self._runs.values())
