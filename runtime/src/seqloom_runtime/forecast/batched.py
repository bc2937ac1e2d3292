"""Forecasts past the end of many series at once, block by block of bounded memory.

A series that lacks something (rows, values, a column known in advance) is left to `predicting`, which says what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel, WindowSpec
from ..data.categories import MISSING
from ..data.filling import carried_ends, stretch_starts
from ..errors import DataError
from ..gather import gather_windows
from ..statistical.baselines import SeasonalNaive
from ..statistical.target_history import baseline_forecast
from .bounded import floors_of_series
from .finite import too_large
from .joining import joined_rows, ranges
from .known_rows import history_of, measured_or_carried

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["Ahead", "batched", "paths_from", "rows_needed", "series_blocks"]

_ROWS = 1 << 20  # rows of a table at once
_CELLS = 1 << 21  # numbers of the rows that are made of it at once
_WINDOWS = 512  # that a network reads at once


@dataclass(frozen=True, eq=False)
class Ahead:
    """Forecasts of series, (S, K), NaN of those that are left; and of a network that forecasts a distribution its
    quantiles at the trained steps, (S, T, J)."""

    values: np.ndarray
    knots: np.ndarray | None = None


def rows_needed(spec: WindowSpec, anchor: str, season: float | None) -> int:
    """How many rows, the origin the last of them, a network reads before it can forecast."""
    reads = 1 - int(spec.input_offsets[0])
    return max(reads, int(np.ceil(season or 0)) + 1) if anchor == "seasonal" else reads


def batched(forecaster: FittedForecaster, panel: Panel, origins: np.ndarray, steps: np.ndarray, own: bool) -> Ahead:
    """The forecasts from the rows `origins` (S,) of the panel's series, −1 of one without a measured value.

    `own` says that these are the rows that the fit kept. Models that go on series by series, statistical ones and
    ensembles, leave all.
    """
    values = np.full((len(panel.ids), len(steps)), np.nan)
    network = hasattr(forecaster, "learned_")
    if len(panel.ids) < 2 or not (network or _plain_baseline(forecaster)):
        return Ahead(values)
    knots: np.ndarray | None = None
    for first, last in series_blocks(panel.offsets):
        block = part_of(panel, first, last)
        there = np.flatnonzero(origins[first:last] >= 0)
        if not len(there):
            continue
        block, before = (block, np.zeros(last - first, np.int64)) if own else joined_rows(forecaster, block)
        at = origins[first:last] - panel.offsets[first:last] + before + block.offsets[:-1]
        if network:
            found = _network_block(forecaster, block, at, there, steps)
        else:
            found = Ahead(np.full((last - first, len(steps)), np.nan))
            found.values[there] = paths_from(forecaster, block, at[there], steps)
        values[first:last] = found.values
        if found.knots is not None:
            knots = np.full((len(values), *found.knots.shape[1:]), np.nan) if knots is None else knots
            knots[first:last] = found.knots
    return Ahead(values, knots)


def paths_from(forecaster: FittedForecaster, panel: Panel, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """A fitted baseline's forecasts at rows (N,) of new series, which go on from no state: (N, K), NaN where an origin
    has too little history."""
    numbers = {name: number for number, name in enumerate(forecaster.context_.ids)}
    series = np.array([numbers.get(name, len(numbers)) for name in panel.ids], dtype=np.int64)
    rows = len(panel.tick)
    target = forecaster.features_.roles.target
    history = history_of(panel, target, np.zeros(rows, bool), np.repeat(series, np.diff(panel.offsets)))
    try:
        return baseline_forecast(forecaster.baseline_, history, origins, steps)
    except DataError:  # which is told series by series
        return np.full((len(origins), len(steps)), np.nan)


def series_blocks(offsets: np.ndarray, rows: int = _ROWS) -> Iterator[tuple[int, int]]:
    """The first and the last (excluded) of stretches of series, each with about so many rows, or of one series."""
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1)
        yield first, last
        first = last


def part_of(panel: Panel, first: int, last: int) -> Panel:
    """The series from `first` to `last` (excluded) as a panel."""
    if (first, last) == (0, len(panel.ids)):
        return panel
    rows = slice(int(panel.offsets[first]), int(panel.offsets[last]))
    return replace(
        panel,
        values=panel.values[rows],
        filled=panel.filled[rows],
        tick=panel.tick[rows],
        time=None if panel.time is None else panel.time[rows],
        ids=panel.ids[first:last],
        offsets=panel.offsets[first : last + 1] - panel.offsets[first],
        quality=None,
    )


def _plain_baseline(forecaster: FittedForecaster) -> bool:
    return hasattr(forecaster, "baseline_") and not forecaster.baseline_.statistical


def _network_block(
    forecaster: FittedForecaster, panel: Panel, at: np.ndarray, there: np.ndarray, steps: np.ndarray
) -> Ahead:
    """The forecasts of a network from the rows `at` (S,) of the series `there`, those alike together."""
    spec, features = forecaster.window_spec_, forecaster.features_
    values, knots = np.full((len(panel.ids), len(steps)), np.nan), None
    need = rows_needed(spec, forecaster.anchor_, forecaster.season_)
    run = at[there] - stretch_starts(panel.tick, panel.series_index)[at[there]] + 1
    there, run = there[run >= need], run[run >= need]
    # Rows before, which tell how long the first ones that are read had been missing.
    lead = np.minimum(run - need, features.reach)
    ahead = -(-int(steps[-1]) // spec.horizon) * spec.horizon
    past = panel
    if panel.fill == "interpolate":  # what lies on a line to a later row than the origin is carried
        last = np.full(len(panel.ids), -1)
        last[there] = at[there]
        cut = panel.take(np.arange(len(panel.tick)) <= np.repeat(last, np.diff(panel.offsets)))
        shift = cut.offsets[:-1] - panel.offsets[:-1]
        past = carried_ends(cut)
    else:
        shift = np.zeros(len(panel.ids), np.int64)
    for rows in np.unique(lead):
        alike = there[lead == rows]
        size = max(1, _CELLS // ((need + int(rows) + ahead) * max(1, len(panel.columns) + features.width)))
        for start in range(0, len(alike), size):
            series = alike[start : start + size]
            window = _Rows(need + int(rows), ahead)
            made, good = _extended(forecaster, panel, past, series, at[series], shift[series], window)
            found = _paths(forecaster, made, window, steps, good)
            values[series] = found.values
            if found.knots is not None:
                knots = np.full((len(values), *found.knots.shape[1:]), np.nan) if knots is None else knots
                knots[series] = found.knots
    return Ahead(values, knots)


@dataclass(frozen=True)
class _Rows:
    """How many rows of each series are read, the origin the last of them, and how many follow."""

    read: int
    ahead: int

    @property
    def all(self) -> int:
        return self.read + self.ahead


def _extended(
    forecaster: FittedForecaster,
    panel: Panel,
    past: Panel,
    series: np.ndarray,
    at: np.ndarray,
    shift: np.ndarray,
    window: _Rows,
) -> tuple[Panel, np.ndarray]:
    """`predicting.extended_rows` of several series (G,), all of one length; and which (G,) hold all that is read.

    `past` has the values that are read, `shift` rows further on than `panel`.
    """
    roles, spec, count = forecaster.features_.roles, forecaster.window_spec_, len(series)
    rows = at[:, None] + np.arange(1 - window.read, 1)
    values = np.full((count, window.all, len(panel.columns)), np.nan)
    filled = np.zeros(values.shape, dtype=bool)
    values[:, : window.read] = past.values[rows + shift[:, None]]
    filled[:, : window.read] = panel.filled[rows]
    ticks = panel.tick[at][:, None] + np.arange(1 - window.read, window.ahead + 1)
    _put_known(forecaster, panel, series, at, window, values)
    static = panel.positions(roles.static)
    values[:, window.read :, static] = values[:, window.read - 1, static][:, None]
    read = spec.input_offsets + window.read - 1
    good: np.ndarray = np.ones(count, bool)
    if panel.fill != "none":
        good &= np.isfinite(values[:, read][:, :, panel.positions(roles.inputs)]).all(axis=(1, 2))
    for column in panel.positions(roles.future):
        good &= ~too_large(values[:, window.read :, column]).any(axis=1)
    flat = ticks.ravel()
    made = replace(
        panel,
        values=values.reshape(-1, len(panel.columns)),
        filled=filled.reshape(-1, len(panel.columns)),
        tick=flat,
        time=None if panel.time is None else panel.frequency.times(flat),
        ids=tuple(panel.ids[place] for place in series.tolist()),
        offsets=np.arange(count + 1) * window.all,
        quality=None,
    )
    return made, good


def _put_known(
    forecaster: FittedForecaster,
    panel: Panel,
    series: np.ndarray,
    at: np.ndarray,
    window: _Rows,
    values: np.ndarray,
) -> None:
    """Put what is given of the columns known in advance into the rows ahead, in place: values (G, rows, F)."""
    roles = forecaster.features_.roles
    if not roles.future:
        return
    lengths = panel.offsets[series + 1] - at - 1
    later, of = ranges(at + 1, lengths), np.repeat(np.arange(len(series)), lengths)
    position = panel.tick[later] - panel.tick[at][of] + window.read - 1
    within = position < window.all
    later, of, position = later[within], of[within], position[within]
    word_marks = dict.fromkeys(panel.positions(roles.categories), MISSING)
    for column in panel.positions(roles.future):
        # What was carried into a row that is not there is a plan that nobody made, as is a word for no word.
        lost = panel.filled[later, column] | (panel.values[later, column] == word_marks.get(column, np.nan))
        values[of, position, column] = np.where(lost, np.nan, panel.values[later, column])
        if forecaster.fill_future == "carry":
            cells, places = values[:, :, column], np.arange(window.all)
            last = np.maximum.accumulate(np.where(np.isfinite(cells), places, -1), axis=1)
            carried = np.take_along_axis(cells, np.maximum(last, 0), axis=1)
            values[:, :, column] = np.where((places >= window.read) & (last >= 0), carried, cells)


def _paths(forecaster: FittedForecaster, panel: Panel, window: _Rows, steps: np.ndarray, good: np.ndarray) -> Ahead:
    """`predicting._network_path` of all series of a panel that `_extended` made; NaN of those that are not `good`, and
    of those that turn out not to be."""
    features, spec, network = forecaster.features_, forecaster.window_spec_, forecaster.network_
    scaled = features.scaled(panel)
    x, future = features.inputs(panel, scaled), features.future(panel, scaled)
    at = panel.offsets[:-1] + window.read - 1
    mean, std = (moments[at] for moments in features.target_moments(panel))
    target = measured_or_carried(panel, features.roles.target)
    ahead = (np.arange(len(target)) % window.all) >= window.read
    for told in features.told_of(features.roles.target):
        x[ahead, told] = 0  # a forecast that is read counts as a value
    slot = features.roles.numeric_inputs.index(features.roles.target)
    offsets, family, knots = spec.input_offsets, network.family, None
    floor = floors_of_series(forecaster.floors_, features.roles.wide, panel.ids)
    good, blocks = good.copy(), []
    for from_here in range(0, int(steps[-1]), spec.horizon):
        origins = at + from_here
        rows = origins[:, None] + spec.steps
        known = None if future is None else future[rows]
        windows = gather_windows(x, origins, int(offsets[0]), len(offsets), spec.every)
        good &= np.isfinite(windows).all(axis=(1, 2))
        good &= True if known is None else np.isfinite(known).all(axis=(1, 2))
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is checked below
            raw = _run(network, windows, known)
            anchor = _anchors(forecaster, panel, target, mean, origins)
            if family is not None:
                units = (anchor / std[:, None], np.broadcast_to(std[:, None], anchor.shape))
                if knots is None:
                    quantiles = family.knots(raw, *units) * std[:, None, None] + anchor[:, :, None]
                    knots = np.stack([features.inverse(each) for each in np.moveaxis(quantiles, 2, 0)], axis=2)
                raw = family.centre(raw, units[0])
            values = np.maximum(features.inverse(raw * std[:, None] + anchor), floor)
            target[rows] = values
            read = ((features.forward(values) - mean[:, None]) / std[:, None]).astype(np.float32)
        x[rows, slot] = read
        good &= np.isfinite(read).all(axis=1)
        blocks.append(values)
    found = np.concatenate(blocks, axis=1)[:, : len(steps)]
    found[~good] = np.nan
    return Ahead(found, knots)


def _run(network: object, windows: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """A network's raw output over windows, some at a time: (N, K) or (N, K, P) float64."""
    parts = []
    for start in range(0, len(windows), _WINDOWS):
        here = slice(start, start + _WINDOWS)
        parts.append(network(windows[here], None if known is None else known[here]).astype(np.float64))  # pyright: ignore[reportCallIssue]
    return np.concatenate(parts)


def _anchors(
    forecaster: FittedForecaster, panel: Panel, target: np.ndarray, mean: np.ndarray, origins: np.ndarray
) -> np.ndarray:
    """What the output is added to, (N, K), before it is scaled; NaN where a season is not there."""
    features, steps = forecaster.features_, forecaster.window_spec_.steps
    shape = (len(origins), len(steps))
    if forecaster.anchor_ == "last":
        return np.broadcast_to(features.forward(target[origins])[:, None], shape)
    if forecaster.anchor_ == "none":
        return np.broadcast_to(mean[:, None], shape)
    own = (features.roles.target,)
    filled = np.zeros((len(target), 1), bool)
    past = replace(panel, values=target[:, None], filled=filled, columns=own)
    history = history_of(past, own[0], np.zeros(len(target), dtype=bool))
    return features.forward(baseline_forecast(SeasonalNaive(forecaster.season_ or 1), history, origins, steps))
