"""Forecasts past the end of the data, beyond the trained horizon too where feeding forecasts back is sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..data.categories import MISSING
from ..data.filling import carried_ends
from ..errors import DataError
from .baseline_paths import baseline_paths
from .batched import batched, part_of, rows_needed
from .beside import Asked, Paths, beside, check_asked, sampled, table_of
from .bounded import floors_of_series, unfloored
from .category_inputs import unknown_words
from .finite import check_finite
from .forecast_table import ForecastTable
from .future_rows import LacksFuture, carry_future, lacking_note, rows_lacking
from .joining import continued
from .known_rows import observed
from .last_rows import last_measured_rows, later_notes, refused_notes, who
from .network_path import network_path
from .stand_in import Lost, UnfitSeries, standing_in_for
from .steps_ahead import steps_ahead
from .targets import named_target

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = [
    "Asked",
    "ForecastTable",
    "SeriesAhead",
    "Spread",
    "Stretch",
    "extended_rows",
    "forecast_ahead",
    "rows_needed",
]


def reads_columns(forecaster: FittedForecaster) -> bool:
    """Whether the fitted model, or a member of it, reads more than the target: a network."""
    return hasattr(forecaster, "learned_") or (hasattr(forecaster, "members_") and forecaster.members_.reads_columns)


@dataclass(frozen=True, eq=False)
class Stretch:
    """The forecasts of a stretch of series: values (S, K), NaN of those that have none, for which `refused` says why;
    of a network that forecasts a distribution its quantiles (S, T, J)."""

    values: np.ndarray
    knots: np.ndarray | None
    notes: list[str]
    refused: list[DataError]
    lost: Lost


@dataclass(frozen=True, eq=False)
class SeriesAhead:
    """The forecasts of all series of a panel from the rows `origins` (S,), −1 where a series has none to forecast from.

    A stretch of series at a time, by this process or by others: what a series has does not depend on the others. `own`
    says that the panel holds the rows that the fit saw last.
    """

    forecaster: FittedForecaster
    panel: Panel
    origins: np.ndarray
    steps: np.ndarray
    own: bool

    def stretch(self, first: int, last: int) -> Stretch:
        """Those of the series `first` to `last` (excluded)."""
        forecaster, steps = self.forecaster, self.steps
        roles = forecaster.features_.roles
        panel, origins = part_of(self.panel, first, last), self.origins[first:last]
        origins = np.where(origins < 0, -1, origins - self.panel.offsets[first])
        found = batched(forecaster, panel, origins, steps, self.own)
        floor = floors_of_series(forecaster.floors_, roles.wide, panel.ids)
        values = np.maximum(found.values, floor)
        knots = _Knots(found.knots)
        made = Stretch(values, None, [], [], Lost())
        for index in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
            name, series = panel.ids[index], panel.series(index)
            try:
                if origins[index] < 0:
                    raise DataError(f"{who(name)}no observed value of {named_target(roles, name)!r} to forecast from.")
                at = int(origins[index] - panel.offsets[index])
                path, quantiles = _series_forecast(forecaster, series, at, steps, name, self.own, made.notes, made.lost)
                path = np.maximum(path, floor[index])
                check_finite(forecaster, series, path, name)
            except DataError as error:
                made.refused.append(error)
                path, quantiles = np.full(len(steps), np.nan), None
            values[index] = path
            knots.put(index, len(panel.ids), quantiles)
        return replace(made, knots=knots.values)


def _joined(stretches: Sequence[Stretch]) -> Stretch:
    """Stretches behind each other as one."""
    if len(stretches) == 1:
        return stretches[0]
    knots, lost = _Knots(None), Lost()
    count, first = sum(len(each.values) for each in stretches), 0
    for each in stretches:
        for index, own in enumerate(() if each.knots is None else each.knots):
            knots.put(first + index, count, own)
        first += len(each.values)
        lost.why.update(each.lost.why)
        lost.replaced.update(each.lost.replaced)
    return Stretch(
        np.concatenate([each.values for each in stretches]),
        knots.values,
        [note for each in stretches for note in each.notes],
        [error for each in stretches for error in each.refused],
        lost,
    )


Spread = Callable[[SeriesAhead], Sequence[Stretch]]
"""Has the stretches of series done by others: all of them, in order."""


def forecast_ahead(
    forecaster: FittedForecaster,
    panel: Panel,
    horizon: int | None = None,
    asked: Asked | None = None,
    spread: Spread | None = None,
) -> ForecastTable:
    """Forecast each series of `panel` from its last observed target.

    `horizon` in rows may exceed the trained one: a path model then reads its own forecasts, which is refused where it
    also reads columns whose later values nobody knows. Raises DataError where the data is too short or has a hole (of
    several series, where all of them are). `spread`: who forecasts the series, by default this process.
    """
    roles = forecaster.features_.roles
    steps = steps_ahead(forecaster, horizon)
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
    every = SeriesAhead(forecaster, panel, origins, steps, own)
    found = _joined(spread(every) if spread is not None and len(panel.ids) > 1 else [every.stretch(0, len(panel.ids))])
    if len(found.refused) == len(panel.ids):
        raise found.refused[0]
    notes += found.notes
    notes += [] if roles.future else later_notes(roles, panel, origins)
    notes += found.lost.told()
    notes += refused_notes(found.refused)
    if roles.future and forecaster.fill_future is not None and reads:
        lacking = rows_lacking(panel, roles.target, roles.future, steps)
        if lacking:
            notes.append(lacking_note(lacking, roles.future, len(steps), forecaster.fill_future))
    made = Paths.of(panel, origins, steps, found.values, found.knots)
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
    return network_path(forecaster, extended, at, steps, name)


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
