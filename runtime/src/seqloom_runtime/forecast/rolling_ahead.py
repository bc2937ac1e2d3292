"""Intervals of forecasts past the end of a table: what came since the fit first updates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel, Windows
from ..errors import DataError
from ..statistical.levels import level_name, smallest_count
from ..statistical.rolling_intervals import RollingIntervals
from .baseline_paths import baseline_paths
from .batched import paths_from
from .bounded import floors_of_series
from .joining import joined_panel
from .known_rows import history_of, observed, observed_part
from .reach import read_before
from .rolling import MOST_NUMBERS, Intervals, Marginal, Offsets, short_windows, without_lacking
from .rows import WindowRows, forecast_with, knots_with

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["brought_to", "intervals_ahead", "paths_ahead", "state_ahead"]

_ENOUGH = 6  # half-lives of new rows; of more the last ones are taken


def state_ahead(forecaster: FittedForecaster, panel: Panel, own: bool) -> tuple[RollingIntervals, list[str]]:
    """The intervals' state at the end of the panel, and what to say about it.

    `own` says that the panel holds the rows that the fit saw last. Later rows with known targets first update the
    intervals; of an earlier end only what was known there counts.
    """
    intervals = forecaster.intervals_
    assert intervals is not None
    state, notes = intervals.state, []
    if not own:
        panel = joined_panel(forecaster, panel)
        measured = observed(panel, forecaster.features_.roles.target)
        end = int(panel.tick[measured].max()) if measured.any() else state.at
        try:
            state = brought_to(forecaster, intervals, panel, end)
        except DataError as error:
            reads, longest = forecaster.window_spec_.lookback, int(np.diff(panel.offsets).max(initial=0))
            why = (
                f"the new rows do not follow on those of the fit, and hold no {reads + 1:,} rows in a row of which the "
                "last could be compared with a forecast."
                if longest <= reads
                else str(error)
            )
            notes = [f"The intervals are those at the end of the fit: {why}"]
    return state, notes


def intervals_ahead(
    forecaster: FittedForecaster, panel: Panel, state: RollingIntervals, levels: Sequence[float] | None
) -> tuple[Offsets, list[str]]:
    """Low and high (S, K) of each level for forecasts from the end of the panel, and what to say about them.

    levels: in percent; by default those of the fit. Raises DataError for one that has too few errors.
    """
    intervals, notes = forecaster.intervals_, []
    assert intervals is not None
    places = intervals.places(panel.ids)
    few = np.zeros((0, len(panel.ids)), bool)
    if levels is not None:
        intervals, state, few, notes = _of_levels(intervals, state, levels, places)
    low, high = state.offsets(places)
    unit = _units(forecaster, intervals, panel, places)[:, None, None]
    found = intervals.by_name(low * unit, high * unit)
    if levels is not None:
        for name, lacks in zip(found, few):
            for side in found[name]:
                side[lacks] = np.nan
        return found, notes
    wide = forecaster.features_.roles.wide
    targets = np.array([0 if wide is None else wide.place(name) for name in panel.ids])
    return without_lacking(found, forecaster.radii_, targets), notes


def paths_ahead(
    forecaster: FittedForecaster, panel: Panel, state: RollingIntervals, count: int, generator: np.random.Generator
) -> np.ndarray:
    """What is added to the forecasts from the end of the panel for sample paths: (S, count, K)."""
    intervals = forecaster.intervals_
    assert intervals is not None
    places = intervals.places(panel.ids)
    return state.paths(places, count, generator) * _units(forecaster, intervals, panel, places)[:, None, None]


def _of_levels(
    intervals: Intervals, state: RollingIntervals, levels: Sequence[float], places: np.ndarray
) -> tuple[Intervals, RollingIntervals, np.ndarray, list[str]]:
    """The intervals and the state for other levels, which series (L, S) have too few errors for them, and notes."""
    fractions = [round(level / 100, 12) for level in levels]
    names = tuple(level_name(fraction) for fraction in fractions)
    counts = state.counts()
    there = np.append(counts, counts.max())[places]
    few = np.array([there < smallest_count(fraction) for fraction in fractions])
    notes = []
    for name, fraction, lacks in zip(names, fractions, few):
        if lacks.all():
            raise DataError(
                f"levels: {name} % needs at least {smallest_count(fraction)} errors of each step, and {there.max()} "
                "are known; ask for a lower level, or fit on more validation rows."
            )
    new = [f"{name} %" for name in names if name not in intervals.names]
    if new:
        which = f"{' and '.join(new)} interval{'s were' if len(new) > 1 else ' was'}"
        fitted = " and ".join(f"{name} %" for name in intervals.names)
        notes.append(
            f"The {which} not asked for in the fit: made of the same errors, and widened as what {fitted} missed says."
        )
    made = replace(intervals, names=names)
    return made, state.of_levels(tuple(float(name) / 100 for name in names)), few, notes


def _units(forecaster: FittedForecaster, intervals: Intervals, panel: Panel, places: np.ndarray) -> np.ndarray:
    """(S,): 1, or of a series that the fit had not, whose intervals are in units of its own rows, that unit."""
    unit = np.ones(len(places))
    if hasattr(forecaster, "learned_") and forecaster.network_.family is not None:
        return unit  # normal scores have none
    if (places < 0).any():
        steps = _mean_steps(panel, forecaster.features_.roles.target)
        steps = np.where(steps > 0, steps, float(np.median(intervals.state.scale)))
        unit[places < 0] = steps[places < 0]
    return unit


def _mean_steps(panel: Panel, target: str) -> np.ndarray:
    """The mean absolute step from one known value to the next of each series: (S,), 0 of one without."""
    values, count = panel.column(target), len(panel.ids)
    known = np.flatnonzero(np.isfinite(values))
    series = np.searchsorted(panel.offsets, known, side="right") - 1
    same = np.diff(series) == 0
    steps, of = np.abs(np.diff(values[known]))[same], series[1:][same]
    return np.bincount(of, steps, count) / np.maximum(np.bincount(of, minlength=count), 1)


def brought_to(forecaster: FittedForecaster, intervals: Intervals, panel: Panel, end: int) -> RollingIntervals:
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
    if hasattr(forecaster, "learned_"):
        running, data, anchor = forecaster.network_, _rows_of(forecaster, panel), forecaster.anchor_
        knots = (lambda rows: knots_with(running, data, anchor, rows)) if running.family is not None else None
    else:
        knots = None
    marginal = Marginal(lambda rows: _forecasts(forecaster, panel, rows), knots)
    series, tick, errors = marginal.errors(panel, target, origins, spec.steps)
    return state.gone_on(places[series], tick, errors, end)


def _forecasts(forecaster: FittedForecaster, panel: Panel, origins: np.ndarray) -> np.ndarray:
    """The fitted model's forecasts (N, K) at rows of new data."""
    names = [panel.ids[series] for series in panel.series_index[origins]]
    floor = floors_of_series(forecaster.floors_, forecaster.features_.roles.wide, names)
    return np.maximum(_unbounded(forecaster, panel, origins, names), floor)


def _unbounded(forecaster: FittedForecaster, panel: Panel, origins: np.ndarray, names: list[str]) -> np.ndarray:
    spec = forecaster.window_spec_
    if hasattr(forecaster, "members_"):
        mixture = forecaster.members_
        members = [member.forecaster for member in mixture.members]
        each = [_forecasts(member, panel.select(member.columns_read_), origins) for member in members]
        target = forecaster.features_.roles.target
        read = read_before(panel.column(target), observed(panel, target), panel.series_index, origins)
        values = mixture.averaged(np.stack(each), names, read)[0]
        history = history_of(panel, target, np.zeros(len(panel.tick), dtype=bool))
        return mixture.filled(values, forecaster.season_, history, origins, spec.steps)
    if hasattr(forecaster, "learned_"):
        return forecast_with(forecaster.network_, _rows_of(forecaster, panel), forecaster.anchor_, origins)
    if not forecaster.baseline_.statistical and len(panel.ids) > 1:
        return paths_from(forecaster, panel, origins, spec.steps)
    result = np.full((len(origins), len(spec.steps)), np.nan)
    of = panel.series_index[origins]
    for series in map(int, np.unique(of)):
        own, rows = panel.series(series), origins[of == series] - int(panel.offsets[series])
        result[of == series] = baseline_paths(forecaster, own, rows, spec.steps, panel.ids[series])
    return result


def _rows_of(forecaster: FittedForecaster, panel: Panel) -> WindowRows:
    return WindowRows(panel, forecaster.features_, forecaster.window_spec_, forecaster.season_)
