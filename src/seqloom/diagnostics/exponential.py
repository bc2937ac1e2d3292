"""Exponential smoothing models of statsmodels: choosing one, and its states after every row of a longer series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FEWEST_ROWS", "ETSFit", "ets_forecasts", "ets_states", "fit_ets", "initial_states"]

FEWEST_ROWS = 10
"""statsmodels' heuristic for initial states regresses on ten rows."""
# Rows at once: a season of 1,000 states in float64 takes 160 MB for them.
_CHUNK = 20_000


@dataclass(frozen=True)
class ETSFit:
    """A chosen exponential smoothing model: its kind, parameters in statsmodels' order, and initial states.

    damping: phi, 1 where the trend is not damped.
    """

    trend: bool
    seasonal: str | None
    params: np.ndarray
    damping: float
    level: float
    slope: float | None
    season: np.ndarray | None
    error: str = "add"
    damped: bool = True

    @property
    def name(self) -> str:
        """ETS(error, trend, season), each additive, multiplicative or none, d for a damped trend."""
        letter = {None: "N", "add": "A", "mul": "M"}
        trend = "N" if not self.trend else "Ad" if self.damped else "A"
        return f"ETS({letter[self.error]},{trend},{letter[self.seasonal]})"

    @property
    def count(self) -> int:
        """Smoothing parameters and initial states."""
        return len(self.params) + 1 + int(self.trend) + (0 if self.season is None else len(self.season))


def initial_states(values: np.ndarray, trend: bool) -> tuple[float, float | None]:
    """Level and slope before the first row: the line through the first ten rows (Hyndman et al. 2008, section 2.6)."""
    slope, level = np.polyfit(np.arange(1, FEWEST_ROWS + 1), values[:FEWEST_ROWS], 1)
    return float(level), float(slope) if trend else None


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


def ets_states(fitted: ETSFit, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Level, slope and season (R,) after every row; in chunks, because statsmodels stores all states of every row.

    Rows that came after the fit may be 0 or less under a multiplicative model too: the states are smoothed alike
    whatever the errors are (Hyndman et al. 2008, chapter 4), and one such row must not cost all other rows theirs.
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    level, slope, season = fitted.level, fitted.slope, fitted.season
    size = _CHUNK
    parts: list[np.ndarray] = []
    for first in range(0, len(values), size):
        rows = np.ascontiguousarray(values[first : first + size], dtype=np.float64)
        multiplicative = fitted.error == "mul" or fitted.seasonal == "mul"
        model = ETSModel(
            np.where(rows > 0, rows, 1.0) if multiplicative else rows,  # which refuses a row that is not above 0
            error=fitted.error,
            trend="add" if fitted.trend else None,
            damped_trend=fitted.trend and fitted.damped,
            seasonal=fitted.seasonal,
            seasonal_periods=None if season is None else len(season),
            initialization_method="known",
            initial_level=level,
            initial_trend=slope,
            initial_seasonal=season,
        )
        model.endog = rows
        states = np.asarray(model.smooth(fitted.params, return_raw=True)[1], dtype=np.float64).reshape(
            len(model.endog), -1
        )
        parts.append(states)
        # The last states of a chunk are the first of the next: smoothing has no other memory.
        level = float(states[-1, 0])
        slope = float(states[-1, 1]) if fitted.trend else None
        if season is not None:
            # A chunk may be shorter than a season, whose older states then come from the chunk before.
            season = np.concatenate([season, states[:, -1]])[-len(season) :]
    states = np.concatenate(parts)
    return states[:, 0], states[:, 1] if fitted.trend else None, None if season is None else states[:, -1]


def ets_forecasts(fitted: ETSFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Forecasts (N, K) of `steps` (K,) after the rows `at` (N,) of `values`, which begin at the model's first row."""
    level, slope, season = ets_states(fitted, values)
    result = np.repeat(level[at, None], len(steps), axis=1)
    if slope is not None:
        # phi + phi² + … + phi^h: what h steps of a damped trend add up to.
        damped = np.cumsum(fitted.damping ** np.arange(1, int(steps.max()) + 1))
        result += slope[at, None] * damped[steps - 1]
    if season is not None and fitted.season is not None:
        # Which row of the last full season belongs to each step; −(−a // b) rounds up.
        rows = len(fitted.season)
        back = rows * -(-steps // rows) - steps
        factor = season[at[:, None] - back]
        result = result * factor if fitted.seasonal == "mul" else result + factor
    return result
