"""A fitted forecaster goes on with new rows: those after its last known target are learned from, the rest stays.

Statistical methods are fitted anew on all rows, as their folder keeps them; a network takes some steps from its weights
on the windows that hold a new target; an ensemble does so with each member and keeps its weights. Scaling stays;
intervals are told of what the model as it was missed in the new rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel, Split, Windows, WindowSpec
from seqloom_runtime.errors import DataError, SettingError, shown
from seqloom_runtime.forecast.joining import behind, recoded, together
from seqloom_runtime.forecast.known_rows import history_of, observed, observed_part
from seqloom_runtime.forecast.mixture import ENSEMBLE, Member, Mixture
from seqloom_runtime.forecast.predicting import rows_needed
from seqloom_runtime.forecast.reach import widened
from seqloom_runtime.forecast.rolling import Intervals
from seqloom_runtime.forecast.rolling_ahead import brought_to
from seqloom_runtime.forecast.targets import named_target, own_series

from ...diagnostics import make_baseline
from ..checkpointing import Checkpointing
from .bounded import without_floors
from .fitting import Fitted, context_of, fitted_of, last_rows, plan_of, train_network
from .models import is_network
from .windowed import ForecastData, future_known

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["STEPS", "updated"]

STEPS = 50
"""Optimizer steps that a network takes on new rows, at a third of its learning rate."""

_NOTHING = np.empty(0, dtype=np.int64)


def updated(
    forecaster: Forecaster, new: Panel, steps: int = STEPS, on_event: Callable[[Any], None] | None = None
) -> Fitted:
    """What the forecaster knows with the rows of `new` that lie after those it knows; the forecaster is only read.

    new: rows as `Forecaster.read` gives them. Raises DataError where there are none, where they begin behind a gap, or
    where they are fewer than a window needs; SettingError for `steps` that are no number.
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise SettingError(f"steps: expected a whole number of at least 1, got {shown(steps)}.")
    found, count, notes = _updated(forecaster, new, int(steps), on_event)
    intervals, told = _told_of(forecaster, new)
    found, notes = replace(found, intervals=intervals), [*notes, *told]
    tick = found.context.tick.max()
    until = f"row {tick}" if found.context.time is None else str(found.frequency.times(np.array([tick]))[0])[:19]
    rows = f"{count:,} new {'row' if count == 1 else 'rows'}, up to {until.replace('T00:00:00', '')}"
    stays = "; the weights of its members stay as they were" if forecaster.model == ENSEMBLE else ""
    return replace(found, notes=[*found.notes, *notes, f"Updated with {rows}{stays}."])


def _updated(
    forecaster: Forecaster, new: Panel, steps: int, on_event: Callable[[Any], None] | None
) -> tuple[Fitted, int, list[str]]:
    """The fit with the new rows, how many of them it learned from, and notes."""
    found = fitted_of(forecaster)
    if forecaster.model == ENSEMBLE:
        return _members_updated(forecaster, found, new, steps, on_event)
    whole, count, notes = _joined(forecaster, new)
    found = without_floors(forecaster, found, whole)
    if is_network(forecaster.model):
        try:
            return _network_updated(forecaster, found, whole, steps, on_event), count, notes
        except _TooFew as error:
            return _read_on(found, whole), count, [*notes, f"{forecaster.model} keeps its weights: {error}"]
    target = forecaster.features_.roles.target
    context = observed_part(whole, target)
    every = np.ones(len(context.tick), dtype=bool)
    baseline = make_baseline(forecaster.model, season=found.season, time_limit=1e9, seasonless=True)
    baseline.fit(history_of(context, target, every))
    return replace(found, baseline=baseline, train_rows=every, context=context), count, notes


def _told_of(forecaster: Forecaster, new: Panel) -> tuple[Intervals | None, list[str]]:
    """The intervals, told of what the model as it was missed in the new rows."""
    intervals = forecaster.intervals_
    if intervals is None:
        return None, []
    whole, _, _ = _joined(forecaster, new)
    end = int(whole.tick[observed(whole, forecaster.features_.roles.target)].max())
    try:
        return replace(intervals, state=brought_to(forecaster, intervals, whole, end)), []
    except DataError as error:
        return intervals, [f"The intervals are not told of the new rows: {error}"]


def _members_updated(
    forecaster: Forecaster, found: Fitted, new: Panel, steps: int, on_event: Callable[[Any], None] | None
) -> tuple[Fitted, int, list[str]]:
    assert found.members is not None
    members, counts, notes = [], [], []
    for member in found.members.members:
        rows = new.select(member.forecaster.columns_read_)
        fit, count, told = _updated(member.forecaster, rows, steps, on_event)
        made = type(forecaster)(**member.forecaster.get_params())
        made._take(fit)
        members.append(Member(member.name, member.weight, made))
        counts.append(count)
        notes += told
    ids, target = found.members.ids, forecaster.features_.roles.target
    mixture = Mixture(tuple(members), ids, *_wider(found.members, new, target), fallback=found.members.fallback)
    context = max((member.forecaster.context_ for member in members), key=lambda rows: len(rows.columns))
    found = without_floors(forecaster, found, new)
    found = replace(found, members=mixture, n_parameters=mixture.parameters, context=context)
    return found, max(counts), list(dict.fromkeys(notes))


def _wider(mixture: Mixture, new: Panel, target: str) -> tuple[np.ndarray, np.ndarray]:
    """The range that forecasts must not leave, with the new rows in it."""
    least, most = np.full(len(mixture.ids), np.inf), np.full(len(mixture.ids), -np.inf)
    for place, name in enumerate(mixture.ids):
        if name in new.ids:
            rows = new.series(name)
            values = rows.column(target)[observed(rows, target)]
            least[place], most[place] = values.min(initial=np.inf), values.max(initial=-np.inf)
    return widened(mixture.low, mixture.high, least, most)


def _network_updated(
    forecaster: Forecaster, found: Fitted, whole: Panel, steps: int, on_event: Callable[[Any], None] | None
) -> Fitted:
    """Some steps from the network's weights, on the windows that hold a new target."""
    assert found.learned is not None
    data = _data(forecaster, whole)
    plan = plan_of(forecaster, data)
    settings = replace(
        plan.settings,
        epochs=1,
        steps_per_epoch=steps,
        learning_rate=plan.settings.learning_rate / 3,
        schedule="constant",
        warmup_steps=0,
    )
    plan = replace(plan, settings=settings, batch_size=min(plan.batch_size, len(data.train)), ridge=False)
    network = copy.deepcopy(found.learned.network)
    learned = train_network(data, plan, found.anchor, Checkpointing(None, False, on_event), network, until=1)
    learned = replace(learned, spec=found.learned.spec, choosing_mae=found.choosing_mae)
    found = replace(found, learned=learned)
    return replace(found, context=context_of(data, found))


class _TooFew(DataError):
    """No window holds a new target."""


def _joined(forecaster: Forecaster, new: Panel) -> tuple[Panel, int, list[str]]:
    """The rows that the forecaster kept with those of `new` behind them, how many rows that is, and notes."""
    kept, target = forecaster.context_, forecaster.features_.roles.target
    new = recoded(new, kept)
    if new.time is not None:  # a panel of its own counts its rows from its own first one
        new = replace(new, tick=kept.frequency.ticks(new.time), frequency=kept.frequency)
    strange = [name for name in new.ids if name not in kept.ids]
    notes = (
        [f"Series that the model does not know are left out: {', '.join(map(shown, strange[:6]))}."] if strange else []
    )
    if kept.time is None:
        notes.append("Rows without times are taken to follow the last known one.")
    pieces: list[Panel] = []
    counts: dict[str, int] = {}  # by the table's own series: the rows of several targets count once
    for name, own in zip(kept.ids, own_series(kept)):
        old = kept.series(name)
        known = np.flatnonzero(observed(old, target))
        last = int(old.tick[known[-1]]) if len(known) else int(old.tick[-1]) if len(old.tick) else -1
        old = old.take(old.tick <= last)
        pieces.append(old)
        if name not in new.ids:
            continue
        rows = new.series(name)
        if kept.time is None:
            rows = replace(rows, tick=rows.tick + last + 1)
        rows = rows.take(rows.tick > last)
        there = np.flatnonzero(observed(rows, target))
        if not len(there):
            continue
        if int(rows.tick[0]) != last + 1:
            who = f"Series {shown(name)}: the" if name else "The"
            column = shown(named_target(forecaster.features_.roles, name))
            raise DataError(
                f"{who} new rows begin {int(rows.tick[0]) - last:,} rows after the last known one; give the rows "
                f"between them too, with {column} left empty where it is not known."
            )
        counts[own] = max(counts.get(own, 0), int(there[-1]) + 1)
        pieces[-1] = behind(old, rows)
    if not counts:
        raise DataError(
            "The data has no row with a known target after those that the model knows, so there is nothing to learn; "
            "give later rows."
        )
    return together(pieces, kept), sum(counts.values()), notes


def _data(forecaster: Forecaster, whole: Panel) -> ForecastData:
    """The joined rows for a network, scaled as before; the windows that hold a new target train."""
    features, spec, kept = forecaster.features_, forecaster.window_spec_, forecaster.context_
    roles = features.roles
    panel = observed_part(whole, roles.target)
    try:
        windows = Windows(panel, spec, target=roles.target, inputs=roles.inputs)
    except DataError:
        raise _too_few(spec) from None
    origins = windows.origins
    if roles.future:
        origins = future_known(panel, roles, spec, origins)
    measured = observed(kept, roles.target)
    last = np.full(len(kept.ids), -1, dtype=np.int64)
    np.maximum.at(last, kept.series_index[measured], kept.tick[measured])
    train = origins[panel.tick[origins] + int(spec.steps[-1]) > last[panel.series_index[origins]]]
    if not len(train):
        raise _too_few(spec)
    end = int(panel.tick.max()) + 1
    return ForecastData(
        panel=panel,
        whole=whole,
        features=features,
        windows=windows,
        split=Split(end, end + 1),
        season=forecaster.season_,
        train=train,
        valid=_NOTHING,
        test=_NOTHING,
        choose=_NOTHING,
        calibrate_from=end,
        train_rows=np.ones(len(panel.tick), dtype=bool),
    )


def _too_few(spec: WindowSpec) -> _TooFew:
    return _TooFew(
        f"the new rows hold no window to learn from, which reads {spec.lookback:,} rows and forecasts "
        f"{spec.horizon:,}; its forecast reads them."
    )


def _read_on(found: Fitted, whole: Panel) -> Fitted:
    """A network as it was, whose forecasts go on from the joined rows."""
    need = rows_needed(found.window_spec, found.anchor, found.season) + found.features.reach
    return replace(found, context=last_rows(whole, found.features.roles.target, need))
