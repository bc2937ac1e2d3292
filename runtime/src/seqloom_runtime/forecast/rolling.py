"""A forecaster's prediction intervals over rolling origins: calibrated on validation rows, then told what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Panel, Windows, WindowSpec
from ..data.wide import Wide
from ..statistical.rolling_intervals import RollingIntervals
from .families import ends_of, scores_of
from .known_rows import observed
from .targets import radius_of

__all__ = [
    "MOST_NUMBERS",
    "Intervals",
    "Marginal",
    "Offsets",
    "errors_of",
    "groups_of",
    "offsets_of_knots",
    "short_windows",
    "without_lacking",
]

MOST_NUMBERS = 400_000
"""Errors that a model keeps."""
Offsets = dict[str, tuple[np.ndarray, np.ndarray]]
_OWN_GROUPS = 16  # targets, each of whose errors are quantiles of their own

Forecast = Callable[[np.ndarray], np.ndarray]
_CHUNK = 512  # windows whose distributions are held at once


@dataclass(frozen=True, eq=False)
class Marginal:
    """What intervals are made of: `forecast` maps origins (N,) to (N, K), and `knots`, of a network that forecasts a
    distribution, to its quantiles (N, K, J) at `LEVELS`, in the target's unit.

    An error is then the actual value's normal score under the distribution, 0 at its median, and an interval's ends are
    the values at two such scores (Chernozhukov et al. 2021, Distributional conformal prediction).
    """

    forecast: Forecast
    knots: Forecast | None = None

    def errors(
        self, panel: Panel, target: str, origins: np.ndarray, steps: np.ndarray, forecasts: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Series (N,), tick (N,) and errors (N, K) of windows, NaN where a step has no truth or no forecast."""
        if self.knots is None:
            found = self.forecast(origins) if forecasts is None else forecasts
            return errors_of(panel, target, origins, steps, found)
        series, tick, truth = errors_of(panel, target, origins, steps, np.zeros((len(origins), len(steps))))
        for at in range(0, len(origins), _CHUNK):
            here = slice(at, at + _CHUNK)
            truth[here] = scores_of(self.knots(origins[here]), truth[here])
        return series, tick, truth

    def offsets(self, origins: np.ndarray, forecasts: np.ndarray, found: Offsets) -> Offsets:
        """Low and high (N, K) of each level as what is added to the forecasts, from those in units of the errors."""
        if self.knots is None:
            return found
        made = {level: (np.empty_like(low), np.empty_like(low)) for level, (low, _) in found.items()}
        for at in range(0, len(origins), _CHUNK):
            here = slice(at, at + _CHUNK)
            each = offsets_of_knots(self.knots(origins[here]), forecasts[here], _part_of(found, here))
            for level, (low, high) in each.items():
                made[level][0][here], made[level][1][here] = low, high
        return made


def offsets_of_knots(knots: np.ndarray, forecasts: np.ndarray, scores: Offsets) -> Offsets:
    """Low and high (…) of each level as what is added to the forecasts (…), from normal scores; knots (…, J)."""
    found = {}
    for level, (low, high) in scores.items():
        ends = [ends_of(knots, side) - forecasts for side in (low, high)]
        found[level] = (np.minimum(ends[0], 0.0), np.maximum(ends[1], 0.0))
    return found


def _part_of(offsets: Offsets, rows: slice) -> Offsets:
    return {level: (low[rows], high[rows]) for level, (low, high) in offsets.items()}


@dataclass(frozen=True, eq=False)
class Intervals:
    """Rolling intervals whose series have names, and whose levels the names of files: "80"."""

    names: tuple[str, ...]
    ids: tuple[str, ...]
    state: RollingIntervals

    def by_name(self, low: np.ndarray, high: np.ndarray) -> Offsets:
        """low and high (N, L, K) by the names of the levels, which stand in any order."""
        rank = np.argsort(np.argsort([float(name) for name in self.names]))
        return {name: (low[:, at], high[:, at]) for name, at in zip(self.names, rank)}

    def places(self, ids: tuple[str, ...]) -> np.ndarray:
        """The number of each series, -1 of one that the fit had not."""
        known = {name: place for place, name in enumerate(self.ids)}
        return np.array([known.get(name, -1) for name in ids], dtype=np.int64)


def without_lacking(offsets: Offsets, radii: Mapping[str, np.ndarray], at: np.ndarray) -> Offsets:
    """NaN for windows of targets (N,) that had too few errors for a level which others have."""
    found = {}
    for level, sides in offsets.items():
        lacks = np.isnan(radius_of(radii[level], at))
        found[level] = (np.where(lacks, np.nan, sides[0]), np.where(lacks, np.nan, sides[1]))
    return found


def short_windows(panel: Panel, spec: WindowSpec, target: str, inputs: Sequence[str]) -> np.ndarray:
    """The origins (N,) with at least the first step of a path inside their series."""
    first = WindowSpec(spec.lookback, spec.every, spec.every)
    return Windows(panel, first, target=target, inputs=inputs).origins


def errors_of(
    panel: Panel, target: str, origins: np.ndarray, steps: np.ndarray, forecasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series (N,), tick (N,) and errors (N, K) of windows, NaN where a step has no truth or no forecast."""
    rows, measured = origins[:, None] + steps, observed(panel, target)
    inside = np.minimum(rows, len(measured) - 1)
    series = panel.series_of(origins)
    there = (rows == inside) & measured[inside] & (rows < panel.offsets[series + 1][:, None])
    there &= panel.tick[inside] - panel.tick[origins][:, None] == steps
    truth = np.where(there, panel.column(target)[inside], np.nan)
    return series, panel.tick[origins], truth - forecasts


def groups_of(ids: tuple[str, ...], wide: Wide | None) -> np.ndarray:
    """(S,): the number of each series' target, whose errors are quantiles of their own; all 0 of one or very many."""
    if wide is None or len(wide.targets) > _OWN_GROUPS:
        return np.zeros(len(ids), np.int64)
    return np.array([wide.place(name) for name in ids], dtype=np.int64)
