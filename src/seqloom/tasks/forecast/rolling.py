"""A forecaster's prediction intervals over rolling origins: calibrated on validation rows, then told what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from seqloom_runtime.forecast.rolling import (
    MOST_NUMBERS,
    Intervals,
    Marginal,
    Offsets,
    groups_of,
    short_windows,
    without_lacking,
)
from seqloom_runtime.forecast.targets import of_target, radius_of
from seqloom_runtime.statistical.rolling_intervals import RollingIntervals

from .intervals import calibrating_from
from .windowed import ForecastData

__all__ = ["fit_intervals", "offsets_of_part"]

_FEWEST_ROWS = 10  # that a series' own scale is taken from


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
    state = start.state.gone_on(*windows, max(end, start.state.begin))
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
        return data.scored(origins)  # rows known in advance end with the table
    short = short_windows(data.panel, data.spec, data.windows.target, data.windows.inputs)
    both = np.sort(np.concatenate([data.scored(origins), data.scored(short)]), kind="stable")  # two rising runs
    return both[np.diff(both, prepend=-1) != 0]


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
