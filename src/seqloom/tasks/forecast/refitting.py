"""A chosen model fitted once more on all rows, after its scores were made: the rows held back are the newest ones.

A network is trained as many steps as its best epoch had, without validation; a statistical method is fitted anew; an
ensemble weighs the models by their errors on all rows that were held back, those of the test too, whose scores stand by
then, and its members are fitted anew. Intervals stay those that were calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqloom_runtime.data import Split
from seqloom_runtime.errors import DataError, SettingError, TrainingError
from seqloom_runtime.forecast.mixture import ENSEMBLE, Member, Mixture
from seqloom_runtime.forecast.targets import table_rows

from ...diagnostics import make_baseline
from ..checkpointing import Checkpointing
from ..memory import weights_of
from .bounded import without_floors
from .choosing import weigh
from .chosen_scale import as_learned
from .ensemble import stands_of, weights_told
from .fitting import Fitted, context_of, fitted_of, plan_of, train_network
from .models import is_network
from .reach import range_of
from .settings import as_read_by
from .windowed import ForecastData, future_known

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["refit", "refit_note", "refitted", "whole_data"]

_NOTHING = np.empty(0, dtype=np.int64)
_UNFIT = (DataError, SettingError, TrainingError)
"""What the later rows may forbid that the training rows allowed: a logarithm of 0, a distribution of counts."""


def refitted(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    candidates: Mapping[str, Forecaster] | None = None,
) -> Forecaster:
    """A forecaster like the fitted one that has learned from every row of the data it was fitted on.

    `candidates`: the models that an ensemble chose from, by name, as they were fitted; by default its own. Where a
    model can't be fitted on all rows it stays as it is, with a note. The forecaster itself is only read.
    """
    made = type(forecaster)(**forecaster.get_params())
    made._take(refit(forecaster, data, checkpoints, candidates))
    return made


def refit(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    candidates: Mapping[str, Forecaster] | None = None,
) -> Fitted:
    """As `refitted`: what such a forecaster knows."""
    found = fitted_of(forecaster)
    whole = whole_data(data)
    try:
        again = _again(forecaster, found, data, whole, checkpoints, candidates)
        note = refit_note(table_rows(whole.panel))
    except _UNFIT as error:
        again, note = found, f"{forecaster.model} was not fitted once more on all rows: {error}"
    return replace(again, notes=[*again.notes, note])


def refit_note(rows: int) -> str:
    """What a refit is, in a sentence."""
    return (
        f"Scored as fitted on the training rows, then fitted once more on all {rows:,} rows for the forecast; its "
        "intervals stay those calibrated before (refit=False leaves it as it was scored)."
    )


def whole_data(data: ForecastData) -> ForecastData:
    """The same rows, all of them for training: scaled by all, every window trains, none validates or tests."""
    panel, features, roles = data.panel, data.features, data.features.roles
    every = np.ones(len(panel.tick), dtype=bool)
    fresh = replace(features, scaler=None, cycles=(), flagged=(), left_out=(), categories=()).fit(panel, every)
    origins = data.windows.origins
    if roles.future:
        origins = future_known(panel, roles, data.spec, origins)
    end = int(panel.tick.max()) + 1
    return replace(
        data,
        features=fresh,
        split=Split(end, end + 1),
        train=origins,
        valid=_NOTHING,
        test=_NOTHING,
        choose=_NOTHING,
        calibrate_from=end,
        train_rows=every,
    )


def _again(
    forecaster: Forecaster,
    found: Fitted,
    data: ForecastData,
    whole: ForecastData,
    checkpoints: Checkpointing,
    candidates: Mapping[str, Forecaster] | None,
) -> Fitted:
    """What a fit on all rows finds; what was measured before stays."""
    if is_network(forecaster.model):
        data, whole = (as_read_by(forecaster, each, found.features) for each in (data, whole))
    found = replace(found, features=whole.features, train_rows=whole.train_rows)
    if forecaster.model == ENSEMBLE:
        mixture, notes = _mixed(found, data, whole, checkpoints, candidates)
        found = replace(found, members=mixture, n_parameters=mixture.parameters, notes=[*found.notes, *notes])
    elif is_network(forecaster.model):
        assert found.learned is not None
        history = found.learned.history
        plan = as_learned(plan_of(forecaster, whole, steps_for=data), found.learned)
        until = history.best_epoch or len(history.epochs) or plan.settings.epochs
        until = 0 if found.learned.solved else until
        learned = train_network(whole, plan, found.anchor, checkpoints, until=until)
        learned = replace(learned, choosing_mae=found.choosing_mae)
        found = replace(found, learned=learned, n_parameters=weights_of(learned.network))
    else:
        # What was fitted within its limit on fewer rows is fitted on all of them too.
        baseline = make_baseline(forecaster.model, season=data.season, time_limit=1e9, seasonless=True)
        baseline.fit(whole.history)
        found = replace(found, baseline=baseline)
        # Some fit a step when it is first forecast.
        last = np.flatnonzero(baseline.usable(whole.history, np.arange(len(whole.target)), whole.spec.steps))[-1:]
        if len(last):
            baseline.forecast(whole.history, last, whole.spec.steps)
        found = replace(found, n_parameters=int(baseline.parameters))
    found = without_floors(forecaster, found, whole.panel)
    return replace(found, context=context_of(whole, found))


def _mixed(
    found: Fitted,
    data: ForecastData,
    whole: ForecastData,
    checkpoints: Checkpointing,
    candidates: Mapping[str, Forecaster] | None,
) -> tuple[Mixture, list[str]]:
    """The members by their errors on all windows behind the training rows, fitted anew."""
    assert found.members is not None
    models = candidates or found.members.candidates
    origins = data.windows.origins
    if data.features.roles.future:
        origins = future_known(data.panel, data.features.roles, data.spec, origins)
    held = data.scored(origins[data.panel.tick[origins] + data.spec.steps[0] >= data.split.train_end])
    weights = weigh(stands_of(models, data, held)) or {member.name: member.weight for member in found.members.members}
    members, notes = [], []
    for name, weight in weights.items():
        forecaster = models[name]
        try:
            fit = _again(forecaster, fitted_of(forecaster), data, whole, checkpoints.below(f"member-{name}"), None)
        except _UNFIT as error:
            notes.append(f"{name} was not fitted once more on all rows: {error}")
            members.append(Member(name, weight, forecaster))
            continue
        made = type(forecaster)(**forecaster.get_params())
        made._take(fit)
        members.append(Member(name, weight, made))
    low, high = range_of(whole)
    mixture = Mixture(tuple(members), whole.panel.ids, low, high, fallback=found.members.fallback)
    return mixture, [weights_told(mixture, len(models), anew=True), *notes]
