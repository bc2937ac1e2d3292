"""Intervals of forecasts past the end of a table: what came since the fit first updates them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...data import Panel, Split, Windows, WindowSpec
from ...diagnostics.rolling_intervals import RollingIntervals
from ...errors import DataError
from .baseline_paths import baseline_paths
from .bounded import floors_of_series
from .objective import forecast_with
from .rolling import MOST_NUMBERS, Intervals, Offsets, errors_of, short_windows, without_lacking
from .windowed import ForecastData, observed, observed_part

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["intervals_ahead"]

_ENOUGH = 6  # half-lives of new rows; of more the last ones are taken


def intervals_ahead(forecaster: Forecaster, panel: Panel, own: bool) -> tuple[Offsets, list[str]]:
    """Low and high (S, K) of each level for forecasts from the end of the panel, and what to say about them.

    `own` says that the panel holds the rows that the fit saw last. Later rows with known targets first update the
    intervals; of an earlier end only what was known there counts.
    """
    intervals = forecaster.intervals_
    assert intervals is not None
    state, notes = intervals.state, []
    if not own:
        measured = observed(panel, forecaster.features_.roles.target)
        end = int(panel.tick[measured].max()) if measured.any() else state.at
        try:
            state = _brought_to(forecaster, intervals, panel, end)
        except DataError as error:
            notes = [f"The intervals are not updated on the new rows: {error}"]
    low, high = state.offsets(intervals.places(panel.ids))
    unknown = np.flatnonzero(intervals.places(panel.ids) < 0)
    for series in unknown:  # in units of its own rows
        unit = _usual_scale(forecaster, intervals, panel, int(series))
        low[series], high[series] = low[series] * unit, high[series] * unit
    wide = forecaster.features_.roles.wide
    targets = np.array([0 if wide is None else wide.place(name) for name in panel.ids])
    return without_lacking(intervals.by_name(low, high), forecaster.radii_, targets), notes


def _usual_scale(forecaster: Forecaster, intervals: Intervals, panel: Panel, number: int) -> float:
    """The mean step of the rows of a series that the fit had not."""
    series = panel.series(number)
    values = series.column(forecaster.features_.roles.target)
    steps = np.abs(np.diff(values[np.isfinite(values)]))
    return float(steps.mean()) if len(steps) and steps.mean() > 0 else float(np.median(intervals.state.scale))


def _brought_to(forecaster: Forecaster, intervals: Intervals, panel: Panel, end: int) -> RollingIntervals:
    """The state at the tick `end`, from the errors of the panel's windows where it lies behind the state's own."""
    state, spec, target = intervals.state, forecaster.window_spec_, forecaster.features_.roles.target
    if end <= state.at:
        return state.back_at(end)
    panel = observed_part(panel.select(forecaster.columns_read_), target)
    network = hasattr(forecaster, "learned_") or (hasattr(forecaster, "members_") and forecaster.members_.reads_columns)
    inputs = forecaster.features_.roles.inputs if network else (target,)
    if network and forecaster.features_.future_width:
        origins = Windows(panel, spec, target=target, inputs=inputs).origins
    else:
        origins = short_windows(panel, spec, target, inputs)
    places = intervals.places(panel.ids)
    state = replace(state, at=max(state.at, end - _ENOUGH * state.half_life))
    after = state.at - int(state.steps[-1])
    origins = origins[(places[panel.series_index[origins]] >= 0) & (panel.tick[origins] > after)]
    most = max(1, MOST_NUMBERS // len(state.steps))
    if len(origins) > most:
        latest = np.argsort(panel.tick[origins], kind="stable")[-most:]
        origins = origins[np.sort(latest)]
    series, tick, errors = errors_of(panel, target, origins, spec.steps, _forecasts(forecaster, panel, origins))
    return state.rolled(places[series], tick, errors, end)[0]


def _forecasts(forecaster: Forecaster, panel: Panel, origins: np.ndarray) -> np.ndarray:
    """The fitted model's forecasts (N, K) at rows of new data."""
    names = [panel.ids[series] for series in panel.series_index[origins]]
    floor = floors_of_series(forecaster.floors_, forecaster.features_.roles.wide, names)
    return np.maximum(_unbounded(forecaster, panel, origins, names), floor)


def _unbounded(forecaster: Forecaster, panel: Panel, origins: np.ndarray, names: list[str]) -> np.ndarray:
    spec = forecaster.window_spec_
    if hasattr(forecaster, "members_"):
        mixture = forecaster.members_
        members = [member.forecaster for member in mixture.members]
        each = [_forecasts(member, panel.select(member.columns_read_), origins) for member in members]
        return mixture.averaged(np.stack(each), names)[0]
    if hasattr(forecaster, "learned_"):
        return forecast_with(forecaster.learned_.network, _as_data(forecaster, panel), forecaster.anchor_, origins)
    result = np.full((len(origins), len(spec.steps)), np.nan)
    of = panel.series_index[origins]
    for series in np.unique(of):
        own, rows = panel.series(int(series)), origins[of == series] - int(panel.offsets[series])
        result[of == series] = baseline_paths(forecaster, own, rows, spec.steps, panel.ids[series])
    return result


def _as_data(forecaster: Forecaster, panel: Panel) -> ForecastData:
    """New rows as the data of a fit, none of whose windows train or choose."""
    roles, none, early = forecaster.features_.roles, np.empty(0, np.int64), int(panel.tick.min())
    first = WindowSpec(forecaster.window_spec_.lookback, forecaster.window_spec_.every, forecaster.window_spec_.every)
    windows = Windows(panel, first, target=roles.target, inputs=roles.inputs)
    windows.spec = forecaster.window_spec_
    split, rows = Split(early - 1, early), np.zeros(len(panel.tick), bool)
    return ForecastData(
        panel, panel, forecaster.features_, windows, split, forecaster.season_, none, none, none, none, early, rows
    )
