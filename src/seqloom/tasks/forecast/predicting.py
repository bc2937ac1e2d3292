"""Forecasts past the end of the data, beyond the trained horizon too where feeding forecasts back is sound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...data import Panel
from ...diagnostics import BASELINES, make_baseline
from ...errors import DataError, SettingError
from ...ops.gather import gather_windows
from .windowed import history_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["ForecastTable", "forecast_ahead"]


@dataclass(frozen=True, eq=False)
class ForecastTable:
    """Forecasts as columns: one row per series and step.

    `ids` (N,) names, `times` (N,) datetime64[us] (UTC instants where the data has a zone) or row numbers, `values` (N,)
    float64, `bounds` level → (low (N,), high (N,)), NaN past the calibrated horizon; `notes` say what a reader should know.
    """

    ids: np.ndarray
    times: np.ndarray
    values: np.ndarray
    bounds: dict[str, tuple[np.ndarray, np.ndarray]]
    notes: tuple[str, ...] = ()

    def columns(self, target: str, *, id: str = "id", time: str = "time") -> dict[str, np.ndarray]:
        """The table as named columns in the order of `forecast.csv`."""
        table = {id: self.ids, time: self.times, target: self.values}
        for level, (low, high) in self.bounds.items():
            table |= {f"low_{level}": low, f"high_{level}": high}
        return table


def forecast_ahead(forecaster: Forecaster, panel: Panel, horizon: int | None = None) -> ForecastTable:
    """Forecast each series of `panel` from its last observed target.

    `horizon` in rows may exceed the trained one: a path model then reads its own forecasts, which is refused where it
    also reads columns whose later values nobody knows. Raises DataError where the data is too short or has a hole.
    """
    roles = forecaster.features_.roles
    steps = _steps(forecaster, horizon)
    panel = panel.select(roles.columns)
    pieces, notes = [], []
    for index in range(len(panel.ids)):
        series = panel.series(index)
        name = panel.ids[index]
        origin = _last_observed(series, roles.target, name)
        values = _series_forecast(forecaster, series, origin, steps, name)
        later = len(series.values) - 1 - origin
        if later and not roles.future:
            notes.append(
                f"{_who(name)}the last {later} rows hold no observed {roles.target!r}; the forecast starts before them."
            )
        pieces.append((name, series.tick[origin] + steps, values))
    ids = np.repeat(np.array([name or roles.target for name, _, _ in pieces], dtype=object), len(steps))
    ticks = np.concatenate([tick for _, tick, _ in pieces])
    values = np.concatenate([value for _, _, value in pieces])
    times = ticks if panel.time is None else panel.frequency.times(ticks)
    bounds = _bounds(forecaster, steps, values, len(pieces))
    if bounds and steps[-1] > forecaster.window_spec_.horizon:
        notes.append("Intervals end at the trained horizon: past it no rows exist to calibrate them.")
    return ForecastTable(ids, times, values, bounds, tuple(notes))


def _steps(forecaster: Forecaster, horizon: int | None) -> np.ndarray:
    spec = forecaster.window_spec_
    if horizon is None or horizon == spec.horizon:
        return spec.steps
    if horizon < 1 or horizon % spec.every:
        raise SettingError(f"horizon: expected a positive multiple of {spec.every} rows (every), got {horizon}.")
    if spec.at == "last":
        raise SettingError(
            f"horizon: this model forecasts the single row {spec.horizon} ahead (at='last'), so other horizons need a new fit; got {horizon}."
        )
    steps = np.arange(spec.every, horizon + 1, spec.every)
    if horizon > spec.horizon and forecaster.model not in BASELINES:
        roles = forecaster.features_.roles
        unknown = [name for name in roles.inputs if name != roles.target and name not in roles.future]
        if unknown or forecaster.features_.flagged:
            what = ", ".join(map(repr, unknown[:3])) or "repair flags"
            raise SettingError(
                f"horizon: {horizon} rows lie past the trained {spec.horizon}, and the model also reads {what}, whose later values "
                "are not known; fit with the longer horizon, or with the target, the calendar and known-future columns alone."
            )
    return steps


def _last_observed(series: Panel, target: str, name: str) -> int:
    observed = np.isfinite(series.column(target)) & ~series.filled[:, series.columns.index(target)]
    if not observed.any():
        raise DataError(f"{_who(name)}no observed value of {target!r} to forecast from.")
    return int(np.flatnonzero(observed)[-1])


def _series_forecast(forecaster: Forecaster, series: Panel, origin: int, steps: np.ndarray, name: str) -> np.ndarray:
    target = forecaster.features_.roles.target
    if forecaster.model in BASELINES:
        past = series.take(np.arange(origin + 1))
        history = history_of(past, target, np.zeros(origin + 1, dtype=bool))
        return forecaster.baseline_.forecast(history, np.array([origin]), steps)[0]
    extended, at = _extended(forecaster, series, origin, int(steps[-1]), name)
    return _network_path(forecaster, extended, at, steps, name)


def _extended(forecaster: Forecaster, series: Panel, origin: int, ahead: int, name: str) -> tuple[Panel, int]:
    """The rows that the forecast needs, with `ahead` rows after the origin appended (known columns filled in, the rest NaN)."""
    spec, roles = forecaster.window_spec_, forecaster.features_.roles
    need = max(spec.lookback, int(np.ceil(forecaster.season_ or 0)) + 1 if forecaster.anchor_ == "seasonal" else 0)
    have = origin + 1
    if have < need:
        raise DataError(
            f"{_who(name)}the model reads {need} rows before it forecasts, the data holds {have}; give {need - have} more."
        )
    first = origin + 1 - need
    if series.tick[origin] - series.tick[first] != need - 1:
        raise DataError(
            f"{_who(name)}a gap lies within the last {need} rows, which the model reads; fill it or give data that ends elsewhere."
        )
    past = series.values[first : origin + 1]
    offsets = spec.input_offsets + need - 1
    for column in roles.inputs:
        holes = ~np.isfinite(past[offsets, series.columns.index(column)])
        if holes.any():
            raise DataError(
                f"{_who(name)}{column!r} is missing in {int(holes.sum())} of the rows that the model reads; fill them first."
            )
    ticks = np.arange(series.tick[first], series.tick[origin] + ahead + 1)
    values = np.full((len(ticks), len(series.columns)), np.nan)
    filled = np.zeros(values.shape, dtype=bool)
    values[:need], filled[:need] = past, series.filled[first : origin + 1]
    later = slice(origin + 1, None)
    position = series.tick[later] - ticks[0]
    within = position < len(ticks)
    for column in roles.future:
        at = series.columns.index(column)
        values[position[within], at] = series.values[later, at][within]
    extended = replace(
        series,
        values=values,
        filled=filled,
        tick=ticks,
        time=None if series.time is None else series.frequency.times(ticks),
        offsets=np.array([0, len(ticks)]),
        quality=None,
    )
    return extended, need - 1


def _network_path(forecaster: Forecaster, panel: Panel, at: int, steps: np.ndarray, name: str) -> np.ndarray:
    features, spec = forecaster.features_, forecaster.window_spec_
    scaled = features.scaled(panel)
    x, future = features.inputs(panel, scaled), features.future(panel, scaled)
    mean, std = (moments[0] for moments in features.target_moments(panel))
    target = np.array(panel.column(features.roles.target))
    slot = features.roles.inputs.index(features.roles.target)
    network = forecaster.learned_.network.eval()
    offsets = spec.input_offsets
    result = np.empty(0)
    for origin in range(at, at + int(steps[-1]), spec.horizon):
        window = torch.from_numpy(gather_windows(x, np.array([origin]), int(offsets[0]), len(offsets), spec.every))
        rows = origin + spec.steps
        rows_here = rows[rows < len(x)]
        known = None
        if future is not None:
            block = np.zeros((1, len(rows), future.shape[1]), dtype=np.float32)
            block[0, : len(rows_here)] = future[rows_here]
            if not np.isfinite(block).all():
                raise DataError(
                    f"{_who(name)}columns known in advance ({', '.join(features.roles.future)}) must be given for every forecast row; "
                    "add the rows after the last observed target, with the target left empty."
                )
            known = torch.from_numpy(block)
        with torch.no_grad():
            output = network(window, known).double().numpy()[0]
        values = output * std + _anchor(forecaster, panel, target, mean, origin)
        target[rows_here] = values[: len(rows_here)]
        x[rows_here, slot] = ((target[rows_here] - mean) / std).astype(np.float32)
        result = np.concatenate([result, values])
    return result[: len(steps)]


def _anchor(forecaster: Forecaster, panel: Panel, target: np.ndarray, mean: float, origin: int) -> np.ndarray | float:
    if forecaster.anchor_ == "last":
        return float(target[origin])
    if forecaster.anchor_ == "none":
        return float(mean)
    past = replace(
        panel,
        values=target[:, None],
        filled=np.zeros((len(target), 1), bool),
        columns=(forecaster.features_.roles.target,),
    )
    history = history_of(past, past.columns[0], np.zeros(len(target), dtype=bool))
    naive = make_baseline("seasonal", season=forecaster.season_).fit(history)
    return naive.forecast(history, np.array([origin]), forecaster.window_spec_.steps)[0]


def _bounds(
    forecaster: Forecaster, steps: np.ndarray, values: np.ndarray, series: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    trained = forecaster.window_spec_.steps
    bounds = {}
    for level, radii in forecaster.radii_.items():
        radius = np.full(len(steps), np.nan)
        shared = np.isin(steps, trained)
        radius[shared] = radii[np.searchsorted(trained, steps[shared])]
        radius = np.tile(radius, series)
        bounds[level] = (values - radius, values + radius)
    return bounds


def _who(name: str) -> str:
    return f"Series {name!r}: " if name else ""
