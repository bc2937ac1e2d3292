"""Forecasts past the end of the data, beyond the trained horizon too where feeding forecasts back is sound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..data.categories import MISSING
from ..data.filling import carried_ends
from ..errors import DataError, SettingError, shown
from ..gather import gather_windows
from ..statistical.baselines import SeasonalNaive
from .baseline_paths import baseline_paths
from .batched import batched, rows_needed
from .beside import Asked, Paths, beside, check_asked, sampled, table_of
from .bounded import floors_of_series, unfloored
from .category_inputs import unknown_words
from .finite import check_finite, check_readable
from .forecast_table import ForecastTable
from .future_rows import LacksFuture, carry_future, lacking_note, rows_lacking
from .joining import continued
from .known_rows import history_of, measured_or_carried, observed
from .last_rows import last_measured_rows, later_notes, refused_notes, who
from .stand_in import Lost, UnfitSeries, standing_in_for
from .targets import named_target

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = [
    "Asked",
    "ForecastTable",
    "anchor_ahead",
    "check_known",
    "extended_rows",
    "forecast_ahead",
    "rows_needed",
]

_FARTHEST = 10**7  # rows ahead


def reads_columns(forecaster: FittedForecaster) -> bool:
    """Whether the fitted model, or a member of it, reads more than the target: a network."""
    return hasattr(forecaster, "learned_") or (hasattr(forecaster, "members_") and forecaster.members_.reads_columns)


def forecast_ahead(
    forecaster: FittedForecaster, panel: Panel, horizon: int | None = None, asked: Asked | None = None
) -> ForecastTable:
    """Forecast each series of `panel` from its last observed target.

    `horizon` in rows may exceed the trained one: a path model then reads its own forecasts, which is refused where it
    also reads columns whose later values nobody knows. Raises DataError where the data is too short or has a hole (of
    several series, where all of them are).
    """
    roles = forecaster.features_.roles
    steps = _steps(forecaster, horizon)
    if asked is not None:
        check_asked(forecaster, asked, steps)
    own = panel is forecaster.context_
    panel = panel.select(forecaster.columns_read_)
    forecaster, told = unfloored(forecaster, panel)
    reads = reads_columns(forecaster)
    days = forecaster.features_.holidays if reads else None
    notes: list[str] = [*told, *([] if days is None else days.forecast_notes())]
    notes += unknown_words(forecaster.features_, panel) if reads else []
    origins = last_measured_rows(panel, roles.target)
    found = batched(forecaster, panel, origins, steps, own)
    floor = floors_of_series(forecaster.floors_, roles.wide, panel.ids)
    values = np.maximum(found.values, floor)
    knots = _Knots(found.knots)
    refused: list[DataError] = []
    lost = Lost()
    for index in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        name, series = panel.ids[index], panel.series(index)
        try:
            if origins[index] < 0:
                raise DataError(f"{who(name)}no observed value of {named_target(roles, name)!r} to forecast from.")
            at = int(origins[index] - panel.offsets[index])
            path, quantiles = _series_forecast(forecaster, series, at, steps, name, own, notes, lost)
            path = np.maximum(path, floor[index])
            check_finite(forecaster, series, path, name)
        except DataError as error:
            if len(panel.ids) == 1:
                raise
            refused.append(error)
            path, quantiles = np.full(len(steps), np.nan), None
        values[index] = path
        knots.put(index, len(panel.ids), quantiles)
    if len(refused) == len(panel.ids):
        raise refused[0]
    notes += [] if roles.future else later_notes(roles, panel, origins)
    notes += lost.told()
    notes += refused_notes(refused)
    if roles.future and forecaster.fill_future is not None and reads:
        lacking = rows_lacking(panel, roles.target, roles.future, steps)
        if lacking:
            notes.append(lacking_note(lacking, roles.future, len(steps), forecaster.fill_future))
    made = Paths.of(panel, origins, steps, values, knots.values)
    bounds, paths, told = beside(forecaster, panel, made, own, asked or Asked())
    notes += told
    if paths is not None:
        return sampled(forecaster, panel, made, paths, notes)
    if bounds and steps[-1] > forecaster.window_spec_.horizon:
        notes.append("Intervals end at the trained horizon: past it no rows exist to calibrate them.")
    return table_of(forecaster, panel, made, bounds, notes)


class _Knots:
    """Quantiles (S, T, J) of series, made as soon as one has any; NaN of those that have none."""

    def __init__(self, values: np.ndarray | None) -> None:
        self.values = values

    def put(self, index: int, count: int, quantiles: np.ndarray | None) -> None:
        if quantiles is not None:
            if self.values is None:
                self.values = np.full((count, *quantiles.shape), np.nan)
            self.values[index] = quantiles


def _steps(forecaster: FittedForecaster, horizon: int | None) -> np.ndarray:
    spec = forecaster.window_spec_
    if horizon is None or horizon == spec.horizon:
        return spec.steps
    if spec.at == "last":
        raise SettingError(
            f"horizon: this model forecasts the single row {spec.horizon} ahead (at='last'), so other horizons need a "
            f"new fit; got {horizon}."
        )
    if horizon < 1 or horizon % spec.every:
        raise SettingError(f"horizon: expected a positive multiple of {spec.every} rows (every), got {shown(horizon)}.")
    if horizon > _FARTHEST:
        raise SettingError(f"horizon: expected at most {_FARTHEST:,} rows, got {shown(horizon)}.")
    steps = np.arange(spec.every, horizon + 1, spec.every)
    if horizon > spec.horizon and hasattr(forecaster, "learned_"):
        _check_feedback(forecaster, horizon)
    for member in forecaster.members_.members if hasattr(forecaster, "members_") else ():
        _steps(member.forecaster, horizon)  # refuses what one of them can't do
    return steps


def _check_feedback(forecaster: FittedForecaster, horizon: int) -> None:
    """Raise SettingError where forecasts can't stand in for everything that the network reads."""
    spec, features = forecaster.window_spec_, forecaster.features_
    roles = features.roles
    unknown = [name for name in roles.inputs if name not in (roles.target, *roles.future, *roles.static)]
    if unknown:
        what = ", ".join(map(repr, unknown[:3]))
        raise SettingError(
            f"horizon: {horizon} rows lie past the trained {spec.horizon}, and the model also reads {what}, whose "
            "later values are not known; fit with the longer horizon, or with the target, the calendar and "
            "known-future columns alone."
        )
    season = forecaster.season_
    if forecaster.anchor_ == "seasonal" and season is not None and season % spec.every:
        raise SettingError(
            f"horizon: {horizon} rows lie past the trained {spec.horizon}, and the seasonal anchor looks {season:g} "
            f"rows back, where only one row in {spec.every} would have a forecast; fit with the longer horizon."
        )


def _series_forecast(
    forecaster: FittedForecaster,
    series: Panel,
    origin: int,
    steps: np.ndarray,
    name: str,
    own: bool,
    notes: list[str],
    lost: Lost,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The forecast of one series, and its quantiles at the trained steps where the model forecasts a distribution.

    `own` says that it is one of the rows that the fit kept. Adds to `notes` and `lost`.
    """
    if hasattr(forecaster, "members_"):
        return _mixed_path(forecaster, series, origin, steps, name, own, notes, lost), None
    if hasattr(forecaster, "baseline_"):
        return baseline_paths(forecaster, series, np.array([origin]), steps, name)[0], None
    if not own:
        series, kept = continued(forecaster, series, name)
        origin += kept
    last = int(steps[-1])
    block = forecaster.window_spec_.horizon  # forecast in whole blocks, so that a shorter one is a part of a longer one
    extended, at = extended_rows(forecaster, series, origin, -(-last // block) * block, name)
    return _network_path(forecaster, extended, at, steps, name)


def _mixed_path(
    forecaster: FittedForecaster,
    series: Panel,
    origin: int,
    steps: np.ndarray,
    name: str,
    own: bool,
    notes: list[str],
    lost: Lost,
) -> np.ndarray:
    """The average of the members' forecasts; one that can't forecast from here, or leads far out, is left out, and of
    several series what stands in forecasts those that none can."""
    mixture, found, problem = forecaster.members_, [], None
    dropped: dict[str, list[str]] = {}
    longest, last = series, origin
    for member in mixture.members:
        fitted = member.forecaster
        # Of its own rows each member kept as many as it needs: all of the target, or the last of all columns.
        rows = fitted.context_.series(name) if own else series.select(fitted.columns_read_)
        at = int(np.flatnonzero(observed(rows, fitted.features_.roles.target))[-1]) if own else origin
        if at > last:
            longest, last = rows, at
        try:
            found.append(_series_forecast(fitted, rows, at, steps, name, own, notes, lost)[0])
        except UnfitSeries as error:
            problem = problem or error
            lost.add(name, member.name, error.why)
            found.append(np.full(len(steps), np.nan))
        except LacksFuture:
            raise
        except DataError as error:
            problem = problem or error
            dropped.setdefault(str(error), []).append(member.name)
            found.append(np.full(len(steps), np.nan))
    for why, names in dropped.items():
        notes.append(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} left out of this forecast: {why}")
    target = forecaster.features_.roles.target
    read = series.column(target)[: origin + 1][observed(series, target)[: origin + 1]]
    read = np.array([read.min(initial=np.inf)]), np.array([read.max(initial=-np.inf)])
    values, used = mixture.averaged(np.stack(found)[:, None], [name], read)
    for member, used_here, path in zip(mixture.members, used[:, 0].tolist(), found):
        if not used_here and np.isfinite(path).all():
            notes.append(
                f"{who(name)}{member.name} is left out of this forecast, as it leads far out of the range of the rows "
                "before it."
            )
    if problem is not None and not np.isfinite(values).all():
        if len(mixture.ids) < 2:
            raise problem
        stands, lost.replaced[name] = standing_in_for(forecaster, longest, last, steps)
        return stands
    return values[0]


def extended_rows(forecaster: FittedForecaster, series: Panel, origin: int, ahead: int, name: str) -> tuple[Panel, int]:
    """The rows that the forecast needs, with `ahead` rows after the origin: known columns filled in, the rest NaN."""
    spec, roles = forecaster.window_spec_, forecaster.features_.roles
    need = rows_needed(spec, forecaster.anchor_, forecaster.season_)
    have = origin + 1
    if have < need:
        text = (
            f"{who(name)}the model reads {need} rows before it forecasts, the data holds {have}; give {need - have} "
            "more."
        )
        raise UnfitSeries(text, f"has {have:,} row{'' if have == 1 else 's'}") if name else DataError(text)
    first = origin + 1 - need
    if series.tick[origin] - series.tick[first] != need - 1:
        raise DataError(
            f"{who(name)}a gap lies within the last {need} rows, which the model reads; fill it or give data that "
            "ends elsewhere."
        )
    # Rows before, which tell how long the first ones that are read had been missing.
    lead = int(min(first, forecaster.features_.reach))
    before = series.tick[first] - series.tick[first - lead : first][::-1]
    lead = int(np.count_nonzero(before == np.arange(1, lead + 1)))
    first, need = first - lead, need + lead
    past = carried_ends(series.take(np.arange(origin + 1))).values[first:]
    offsets = spec.input_offsets + need - 1
    for column, at in zip(roles.inputs, series.positions(roles.inputs)):
        column = named_target(roles, name) if column == roles.target else column
        holes = ~np.isfinite(past[offsets, at])
        if holes.any() and series.fill != "none":
            raise DataError(
                f"{who(name)}{column!r} is missing in {int(holes.sum())} of the rows that the model reads; fill them "
                "first."
            )
    ticks = np.arange(series.tick[first], series.tick[origin] + ahead + 1)
    values = np.full((len(ticks), len(series.columns)), np.nan)
    filled = np.zeros(values.shape, dtype=bool)
    values[:need], filled[:need] = past, series.filled[first : origin + 1]
    later = slice(origin + 1, None)
    position = series.tick[later] - ticks[0]
    within = position < len(ticks)
    word_marks = dict.fromkeys(series.positions(roles.categories), MISSING)
    for at in series.positions(roles.future):
        # What was carried into a row that is not there is a plan that nobody made, as is a word for no word.
        lost = series.filled[later, at] | (series.values[later, at] == word_marks.get(at, np.nan))
        values[position[within], at] = np.where(lost, np.nan, series.values[later, at])[within]
        if forecaster.fill_future == "carry":
            values[:, at] = carry_future(values[:, at], need - 1)
    at = series.positions(roles.static)
    values[need:, at] = past[-1, at]  # which hold in the rows ahead, whatever the data gives there
    filled[need:, at] = False
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


def _network_path(
    forecaster: FittedForecaster, panel: Panel, at: int, steps: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Forecast block by block from row `at`; each block reads the forecasts of those before it. With the quantiles
    (K, J) of the first block where the network forecasts a distribution."""
    features, spec = forecaster.features_, forecaster.window_spec_
    check_readable(features.roles, panel, np.arange(at + 1, len(panel.tick)), name)
    scaled = features.scaled(panel)
    x, future = features.inputs(panel, scaled), features.future(panel, scaled)
    mean, std = (float(moments[at]) for moments in features.target_moments(panel))
    target = measured_or_carried(panel, features.roles.target)
    x[at + 1 :, features.told_of(features.roles.target)] = 0  # a forecast that is read counts as a value
    slot = features.roles.numeric_inputs.index(features.roles.target)
    network = forecaster.network_
    offsets = spec.input_offsets
    floor = floors_of_series(forecaster.floors_, features.roles.wide, [name])[0]
    result, knots, family = np.empty(0), None, network.family
    for origin in range(at, at + int(steps[-1]), spec.horizon):
        rows = origin + spec.steps
        known = None
        if future is not None:
            check_known(forecaster, panel, future, rows, at, name)
            known = future[rows][None]
        window = gather_windows(x, np.array([origin]), int(offsets[0]), len(offsets), spec.every)
        if not np.isfinite(window).all():
            raise LacksFuture(
                f"{who(name)}the columns known in advance ({', '.join(features.roles.future)}), which the model also "
                "reads, must be given for every row up to the last forecast row; fill them."
            )
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is checked below
            raw = network(window, known).astype(np.float64)[0]
        anchor = np.broadcast_to(anchor_ahead(forecaster, panel, target, mean, origin), len(spec.steps))
        if family is not None:
            units = (anchor / std, np.full(len(spec.steps), std))
            if knots is None:
                quantiles = family.knots(raw, *units) * std + anchor[:, None]
                knots = np.stack([features.inverse(each) for each in quantiles.T], axis=1)
            raw = family.centre(raw, units[0])
        values = features.inverse(raw * std + anchor)
        values = np.maximum(values, floor)
        target[rows] = values
        with np.errstate(over="ignore"):  # forecasts that read themselves may grow without end, which is refused
            x[rows, slot] = ((features.forward(values) - mean) / std).astype(np.float32)
        if not np.isfinite(x[rows, slot]).all():
            raise DataError(
                f"{who(name)}the forecast grows beyond all numbers {rows[-1] - at:,} rows ahead, as it reads its own "
                "forecasts; ask for fewer rows, or fit with a longer horizon."
            )
        result = np.concatenate([result, values])
    return result[: len(steps)], knots


def check_known(
    forecaster: FittedForecaster, panel: Panel, future: np.ndarray, rows: np.ndarray, at: int, name: str
) -> None:
    """Raise DataError where a column known in advance is missing at one of `rows`, with the first such row."""
    missing = ~np.isfinite(future[rows]).all(axis=1)
    if missing.any():
        row = int(rows[np.flatnonzero(missing)[0]])
        behind = "1 row" if row - at == 1 else f"{row - at} rows"
        when = f"row {panel.tick[row]}" if panel.time is None else str(panel.time[row].astype("M8[s]"))
        raise LacksFuture(
            f"{who(name)}columns known in advance ({', '.join(forecaster.features_.roles.future)}) must be given for "
            f"every forecast row, but are missing {behind} after the last observed target ({when}); add the "
            f"rows up to {int(rows[-1]) - at} after it, with the target left empty, or fit with fill_future='carry', "
            "which carries the last known values forward."
        )


def anchor_ahead(
    forecaster: FittedForecaster, panel: Panel, target: np.ndarray, mean: float, origin: int
) -> np.ndarray | float:
    features = forecaster.features_
    if forecaster.anchor_ == "last":
        return float(features.forward(target[origin]))
    if forecaster.anchor_ == "none":
        return mean
    past = replace(
        panel,
        values=target[:, None],
        filled=np.zeros((len(target), 1), bool),
        columns=(forecaster.features_.roles.target,),
    )
    history = history_of(past, past.columns[0], np.zeros(len(target), dtype=bool))
    naive = SeasonalNaive(forecaster.season_ or 1)
    return features.forward(naive.forecast(history, np.array([origin]), forecaster.window_spec_.steps)[0])
