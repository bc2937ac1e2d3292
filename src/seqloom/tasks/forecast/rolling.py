"""A forecaster's prediction intervals over rolling origins: calibrated on validation rows, then told what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqloom_runtime.data import Panel, Windows, WindowSpec
from seqloom_runtime.data.wide import Wide

from ...diagnostics.rolling_intervals import RollingIntervals
from .families import ends_of, scores_of
from .intervals import calibrating_from
from .known_rows import observed
from .targets import of_target, radius_of
from .windowed import ForecastData

__all__ = [
    "MOST_NUMBERS",
    "Intervals",
    "Marginal",
    "Offsets",
    "errors_of",
    "fit_intervals",
    "groups_of",
    "offsets_of_knots",
    "offsets_of_part",
    "short_windows",
    "without_lacking",
]

MOST_NUMBERS = 400_000
"""Errors that a model keeps."""
_FEWEST_ROWS = 10  # that a series' own scale is taken from
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


def fit_intervals(data: ForecastData, marginal: Marginal, levels: Mapping[str, np.ndarray]) -> Intervals | None:
    """Calibrate on the last third of the validation rows and go on through the test rows; None without levels.

    `levels` are the names of those that have enough errors.
    """
    if not levels:
        return None
    start, open_windows = _calibrated(data, marginal, levels)
    later = _origins(data)
    later = later[data.panel.tick[later] >= start.state.begin]
    windows = _joined(open_windows, _errors(data, later, marginal))
    end = int(data.panel.tick[data.measured].max())
    state, _, _ = start.state.rolled(*windows, max(end, start.state.begin))
    return replace(start, state=state.thinned(MOST_NUMBERS))


def offsets_of_part(
    data: ForecastData,
    part: str,
    forecasts: np.ndarray,
    radii: Mapping[str, np.ndarray],
    marginal: Marginal | None = None,
) -> Offsets:
    """What is added to `forecasts` (N, K) of a part: low and high of each level, that (N, K) or (K,) has the shape of.

    With `marginal`, each test window's interval knows all errors up to its origin and
    none after it. Without, and for validation windows, the ends are the radii.
    """
    if part != "test" or marginal is None or not radii:
        at = of_target(data, data.part(part))
        around = {level: radius_of(radius, at) for level, radius in radii.items()}
        return {level: (-radius, radius) for level, radius in around.items()}
    start, open_windows = _calibrated(data, marginal, radii)
    tested = _errors(data, data.test, marginal, forecasts)
    end = int(data.panel.tick[data.test].max(initial=start.state.begin))
    _, low, high = start.state.rolled(*_joined(tested, open_windows), end)
    found = start.by_name(low[: len(data.test)], high[: len(data.test)])
    found = marginal.offsets(data.test, forecasts, found)
    return without_lacking(found, radii, of_target(data, data.test))


def without_lacking(offsets: Offsets, radii: Mapping[str, np.ndarray], at: np.ndarray) -> Offsets:
    """NaN for windows of targets (N,) that had too few errors for a level which others have."""
    found = {}
    for level, sides in offsets.items():
        lacks = np.isnan(radius_of(radii[level], at))
        found[level] = (np.where(lacks, np.nan, sides[0]), np.where(lacks, np.nan, sides[1]))
    return found


def _calibrated(
    data: ForecastData, marginal: Marginal, levels: Mapping[str, np.ndarray]
) -> tuple[Intervals, tuple[np.ndarray, ...]]:
    """The state at the end of the validation rows, and the windows from before it whose targets end behind it."""
    since = calibrating_from(data)
    begin = data.split.valid_end - int(data.spec.steps[0])  # the first origin of the test part
    tick, steps = data.panel.tick, data.spec.steps
    origins = _origins(data)
    origins = origins[(tick[origins] + steps[-1] >= since) & (tick[origins] < begin)]
    windows = _errors(data, origins, marginal)
    series, at, errors = windows
    known = np.where(at[:, None] + steps <= begin, errors, np.nan)
    state = RollingIntervals.make(
        tuple(float(name) / 100 for name in levels),
        steps,
        np.ones(len(data.panel.ids)) if marginal.knots is not None else _scales(data),
        groups_of(data.panel.ids, data.features.roles.wide),
        (series, at, known),
        since=since,
        begin=begin,
    )
    later = at + steps[-1] > begin
    return Intervals(tuple(levels), data.panel.ids, state), tuple(part[later] for part in windows)


def _origins(data: ForecastData) -> np.ndarray:
    """The origins of all windows, and of those that the end of a series cuts off after some of their steps."""
    origins = data.windows.origins
    if data.future is not None or len(data.spec.steps) == 1:
        return origins  # rows known in advance end with the table
    return np.union1d(origins, short_windows(data.panel, data.spec, data.windows.target, data.windows.inputs))


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
    series = panel.series_index
    there = (rows == inside) & measured[inside] & (series[inside] == series[origins][:, None])
    there &= panel.tick[inside] - panel.tick[origins][:, None] == steps
    truth = np.where(there, panel.column(target)[inside], np.nan)
    return series[origins], panel.tick[origins], truth - forecasts


def groups_of(ids: tuple[str, ...], wide: Wide | None) -> np.ndarray:
    """(S,): the number of each series' target, whose errors are quantiles of their own; all 0 of one or very many."""
    if wide is None or len(wide.targets) > _OWN_GROUPS:
        return np.zeros(len(ids), np.int64)
    return np.array([wide.place(name) for name in ids], dtype=np.int64)


def _errors(
    data: ForecastData, origins: np.ndarray, marginal: Marginal, forecasts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return marginal.errors(data.panel, data.features.roles.target, origins, data.spec.steps, forecasts)


def _joined(one: tuple[np.ndarray, ...], two: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    series, tick, errors = (np.concatenate([a, b]) for a, b in zip(one, two))
    return series, tick, errors


def _scales(data: ForecastData) -> np.ndarray:
    """(S,): the mean step of each series' training rows; where they are too few, of all rows before the test part.

    1 of a series alone, whose errors need no common unit.
    """
    series, count = data.panel.series_index, len(data.panel.ids)
    if count == 1:
        return np.ones(1)
    steps = np.abs(np.diff(data.target))
    pairs = (np.diff(series) == 0) & (np.diff(data.panel.tick) == 1) & data.measured[1:] & data.measured[:-1]
    found = np.zeros(count)
    for rows in (data.train_rows, data.panel.tick < data.split.valid_end):
        use = pairs & rows[1:] & rows[:-1]
        number = np.bincount(series[1:][use], minlength=count)
        mean = np.bincount(series[1:][use], steps[use], count) / np.maximum(number, 1)
        found = np.where((found == 0) & (number >= _FEWEST_ROWS), mean, found)
    some = found[found > 0]
    return np.where(found > 0, found, np.median(some) if len(some) else 1.0)
