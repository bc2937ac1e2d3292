"""Exponential smoothing as it is applied: the states of a fitted model after every row, and its forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .counted import Counted
from .fitted_runs import FEWEST_ROWS, FittedRuns

__all__ = ["AppliedAutoETS", "AppliedETS", "ETSFit", "ets_forecasts", "ets_states", "initial_states"]


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


def ets_states(fitted: ETSFit, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Level, slope and season (R,) after every row, by the recursions of Hyndman et al. (2008), chapter 4.

    The states are smoothed alike whatever the errors are, so that rows of 0 or less have them too under a
    multiplicative model. A loop over Python's numbers, which is faster than one over NumPy's.
    """
    rows = values.tolist()
    smoothing = fitted.params.tolist()
    alpha, share = smoothing[0], smoothing[1] / smoothing[0] if fitted.trend and smoothing[0] else 0.0
    phi = fitted.damping if fitted.trend else 0.0
    level, slope = fitted.level, fitted.slope or 0.0
    levels, slopes = np.empty(len(rows)), np.empty(len(rows))
    multiplied, ring = fitted.seasonal == "mul", None if fitted.season is None else fitted.season.tolist()
    gamma = smoothing[1 + int(fitted.trend)] / (1 - alpha) if ring and alpha < 1 else 0.0
    seasons = None if ring is None else np.empty(len(rows))
    for at, value in enumerate(rows):
        usual = level + phi * slope
        flat = value
        if ring is not None:
            back = ring[at % len(ring)]
            flat = _over(value, back) if multiplied else value - back
        before, level = level, alpha * flat + (1 - alpha) * usual
        slope = share * (level - before) + (1 - share) * phi * slope
        levels[at], slopes[at] = level, slope
        if ring is not None and seasons is not None:
            rest = _over(value, level) if multiplied else value - level
            seasons[at] = ring[at % len(ring)] = gamma * rest + (1 - gamma) * ring[at % len(ring)]
    return levels, slopes if fitted.trend else None, seasons


def _over(value: float, by: float) -> float:
    """A quotient as NumPy has it: Python refuses to divide by 0."""
    return value / by if by else float(np.divide(value, by))


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


class AppliedETS(FittedRuns):
    """Exponential smoothing of whatever kind the fit chose."""

    name = "ets"

    def _apply(self, fitted: ETSFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return ets_forecasts(fitted, values, at, steps)

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count


class AppliedAutoETS(Counted):
    """ETS with everything as it was chosen."""

    name = "auto-ets"
    longest_season = 60

    def _apply(self, fitted: ETSFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return ets_forecasts(fitted, values, at, steps)

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count

    def _chosen(self) -> tuple[str, ...]:
        return self._named(run.fitted.name for run in self._runs.values())
