"""What `Forecaster.fit` does once the data is prepared: fit the baseline or train the network, set the intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from seqloom_runtime.data import Frequency, Panel, WindowSpec
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast.bounded import family_holds
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.fitted import columns_read
from seqloom_runtime.forecast.frames import NO_SOURCE
from seqloom_runtime.forecast.known_rows import observed
from seqloom_runtime.forecast.mixture import ENSEMBLE, Mixture
from seqloom_runtime.forecast.predicting import rows_needed
from seqloom_runtime.forecast.rolling import Intervals, Marginal

from ...diagnostics import BASELINES, Baseline, make_baseline
from ...training import FitSettings, History, derive_seed, fit
from ..checkpointing import Checkpointing
from ..memory import weights_of
from .bounded import check_counted, counted_targets, floors_of_rows, floors_of_targets
from .chosen_lengths import open_lengths
from .chosen_scale import chosen_scale
from .convolutional import sight_notes
from .ensemble import mix, mixture_windows
from .families import FAMILIES
from .intervals import calibrate_forecast
from .made_fits import take_fit
from .masking import mean_known
from .network import NetworkSpec, build_network, check_memory, levelled
from .objective import LossSpec, Validation, family_of, forecast_with, knots_with
from .ridge import closed_form
from .rolling import fit_intervals
from .settings import (
    fit_settings,
    loss_spec,
    network_spec,
    own_scales,
    season_rows,
    solver_of,
    trained_as,
    window_spec,
)
from .starts import solved_before, surpassed
from .stored_training import training_batches, training_windows
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = [
    "Fitted",
    "Learned",
    "TrainingPlan",
    "check_prepared",
    "context_of",
    "fitted_of",
    "forecast_windows",
    "last_rows",
    "learn",
    "marginal_of",
    "plan_of",
    "train_network",
]


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained and how: all that fixes the result but the data."""

    spec: NetworkSpec
    loss: LossSpec
    settings: FitSettings
    batch_size: int
    normalise: str | None = None
    ridge: bool = False


@dataclass(eq=False)
class Learned:
    """A trained network and what its training recorded; choosing_mae in the target's unit. solved: whether its weights
    are those of a closed form, which no step made better."""

    network: nn.Module
    spec: NetworkSpec
    anchor: str
    history: History
    choosing_mae: float
    solved: bool = False


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a fit found, under the names of the forecaster's attributes, which end in an underscore there.

    One of `learned` (a network), `baseline` and `members` (an ensemble) is there. radii: level → (K,), or (T, K) of T
    targets, in the target's unit, at the end of the validation rows; `intervals`: those that are told what comes after
    them (None in models saved by version 0.1.0, which had the radii alone). floors: whether forecasts of each target
    are held at 0 or above; counted: whether they are whole numbers there too, as sample paths then are. choosing_mae is
    of several targets in their standard deviations.
    """

    features: Features
    window_spec: WindowSpec
    frequency: Frequency
    zone: str | None
    season: float | None
    train_rows: np.ndarray
    anchor: str
    choosing_mae: float
    n_parameters: int
    radii: dict[str, np.ndarray]
    notes: list[str]
    source: dict[str, Any]
    context: Panel
    learned: Learned | None = None
    baseline: Baseline | None = None
    members: Mixture | None = None
    intervals: Intervals | None = None
    floors: tuple[bool, ...] = (False,)
    counted: tuple[bool, ...] = (False,)


def fitted_of(forecaster: Forecaster) -> Fitted:
    """What a forecaster's fit found, from its attributes."""
    found: dict[str, Any] = {field.name: getattr(forecaster, f"{field.name}_", None) for field in fields(Fitted)}
    return Fitted(**found)


def check_prepared(forecaster: Forecaster, data: ForecastData) -> None:
    """Raise SettingError where a parameter is out of range or the data was prepared for other settings."""
    frequency, features = data.panel.frequency, data.features
    lengths = {name: getattr(data.spec, name) for name in open_lengths(forecaster)}
    type(forecaster)(**{**forecaster.get_params(), **lengths}).check(data.panel)
    prepared = {
        "lookback, horizon, every, at": (data.spec, window_spec(forecaster, frequency, data.spec)),
        "season": (data.season, season_rows(forecaster, frequency)),
        "calendar": (features.calendar, forecaster.calendar),
        "holidays": (features.holidays is None, forecaster.holidays is None),
        "missing_flags": (features.flags, forecaster.missing_flags),
        "scaling": (features.per_series, own_scales(forecaster, data.panel)),
        "transform": (features.transform is None, forecaster.transform is None),
    }
    for name, (theirs, mine) in prepared.items():
        if theirs != mine:
            raise SettingError(f"{name}: the data was prepared with {theirs}, this forecaster has {mine}.")


def learn(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    source: Mapping[str, Any] | None = None,
    fitted: Mapping[str, Forecaster] | None = None,
) -> Fitted:
    """Fit the model that the forecaster's parameters name; the forecaster itself is only read.

    source: what the frame was like, as in `frames.NO_SOURCE`. fitted: models by name that an ensemble may average, in
    place of those that it would fit itself. Raises SettingError where no window has the anchor, TrainingError where a
    value becomes NaN.
    """
    if forecaster.model == ENSEMBLE:
        found = _mix(forecaster, data, checkpoints, fitted, source)
    elif forecaster.model in BASELINES:
        found = _fit_baseline(forecaster, data)
    else:
        found = _train(forecaster, data, checkpoints)

    model = found.learned or found.baseline or found.members
    assert model is not None

    held, said = floors_of_targets(data, forecaster.non_negative)
    floors = held
    if family_holds(forecaster):
        floors = (True,) * len(floors)  # nothing lies below 0 there but what rounding puts there

    marginal = marginal_of(model, data, floors)
    radii, notes = calibrate_forecast(data, marginal.forecast, forecaster.levels)
    return Fitted(
        features=data.features,
        window_spec=data.spec,
        frequency=data.panel.frequency,
        zone=data.panel.zone,
        season=data.season,
        train_rows=data.train_rows,
        radii=radii,
        intervals=fit_intervals(data, marginal, radii),
        floors=floors,
        counted=counted_targets(data, [each or forecaster.distribution == "negative-binomial" for each in held]),
        source={**NO_SOURCE, **(source or {})},
        context=context_of(data, found),
        **{**vars(found), "notes": [*data.notes(), *said, *found.notes, *notes]},
    )


@dataclass(frozen=True, eq=False)
class _Model:
    """The part of a fit that differs between networks and baselines."""

    anchor: str
    choosing_mae: float
    n_parameters: int
    notes: list[str]
    learned: Learned | None = None
    baseline: Baseline | None = None
    members: Mixture | None = None


def marginal_of(model: Learned | Baseline | Mixture, data: ForecastData, floors: tuple[bool, ...]) -> Marginal:
    """What a fitted model forecasts at origins of the data, and how it is distributed where the model says that."""

    def forecast(origins: np.ndarray) -> np.ndarray:
        return np.maximum(forecast_windows(model, data, origins), floors_of_rows(floors, data, origins))

    if not isinstance(model, Learned) or family_of(model.network) is None:
        return Marginal(forecast)
    return Marginal(forecast, lambda origins: knots_with(model.network, data, model.anchor, origins))


def forecast_windows(model: Learned | Baseline | Mixture, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """Forecasts of a fitted model at the origins: (N, K) in the target's unit, NaN where it has too little history."""
    if isinstance(model, Mixture):
        return mixture_windows(model, data, origins)
    if isinstance(model, Baseline):
        return data.forecasts_of(model, origins)
    return forecast_with(model.network, data, model.anchor, origins)


def _fit_baseline(forecaster: Forecaster, data: ForecastData) -> _Model:
    baseline = make_baseline(forecaster.model, season=data.season, time_limit=forecaster.time_limit, seasonless=True)
    if not take_fit(baseline, data):
        baseline.fit(data.history)
    mae = _choosing_mae(data, data.forecasts_of(baseline, data.choose))
    named = baseline.note.startswith(f"{forecaster.model} ")  # a sentence of its own
    notes = [baseline.note if named else f"{forecaster.model}: {baseline.note}"] if baseline.note else []
    # The parameters are asked for after the forecast: some baselines fit a step when it is first forecast.
    return _Model("none", mae, int(baseline.parameters), notes, baseline=baseline)


def _choosing_mae(data: ForecastData, forecasts: np.ndarray) -> float:
    """The MAE of forecasts (N, K) of the windows that choose; inf where none could be forecast."""
    truth = data.truth(data.choose)
    error, scored = np.abs(forecasts - truth) / data.unit(data.choose), np.isfinite(forecasts).all(axis=1)
    return float(mean_known(error[scored], truth[scored])) if scored.any() else float("inf")


def _mix(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    fitted: Mapping[str, Forecaster] | None,
    source: Mapping[str, Any] | None,
) -> _Model:
    mixture, notes = mix(forecaster, data, checkpoints, fitted, source)
    mae = _choosing_mae(data, mixture_windows(mixture, data, data.choose))
    return _Model("none", mae, mixture.parameters, notes, members=mixture)


def _train(forecaster: Forecaster, data: ForecastData, checkpoints: Checkpointing) -> _Model:
    plan = plan_of(forecaster, data)
    if plan.loss.name in FAMILIES and FAMILIES[plan.loss.name].counted:
        check_counted(data, plan.loss.name)
    learned, notes = _train_anchors(data, plan, forecaster.anchor, checkpoints)
    weights = weights_of(learned.network)
    if learned.solved and not closed_form(learned.network):
        notes.append(
            f"{plan.spec.name}: training did not lower the validation error clearly below that of the linear path "
            "beside the network, solved in closed form without an epoch; that path alone forecasts, and the learning "
            "curve shows what was not kept (linear_skip=False trains without the path)."
        )
    return _Model(learned.anchor, learned.choosing_mae, weights, [*sight_notes(plan.spec), *notes], learned=learned)


def plan_of(forecaster: Forecaster, data: ForecastData, steps_for: ForecastData | None = None) -> TrainingPlan:
    """What a forecaster's network is and how it trains on `data`; an epoch has the steps that it has on `steps_for`."""
    windows = training_windows(steps_for or data)
    settings = fit_settings(forecaster, windows, data.features.per_series)
    spec = network_spec(forecaster, data.features, data.spec, data.season, data.panel.fill)
    batch = int(trained_as(forecaster, windows).batch_size)
    return TrainingPlan(spec, loss_spec(forecaster), settings, batch, forecaster.normalise, solver_of(forecaster))


def context_of(data: ForecastData, found: _Model | Fitted) -> Panel:
    """The rows that `predict` needs: all of the target for a baseline, else the last ones that the network reads."""
    roles = data.features.roles
    if found.members is not None:
        # Each member keeps the rows that it needs; of these, those with most columns tell what the data is like.
        return max((member.forecaster.context_ for member in found.members.members), key=lambda rows: len(rows.columns))
    if found.baseline is not None:
        return data.panel.select(columns_read(roles, True))
    need = rows_needed(data.spec, found.anchor, data.season) + data.features.reach
    return last_rows(data.whole, roles.target, need)


def last_rows(whole: Panel, target: str, need: int) -> Panel:
    """Of each series the last `need` rows up to its last measured target, and all rows after them."""
    rows, measured = [], observed(whole, target)
    for first, end in zip(whole.offsets[:-1], whole.offsets[1:]):
        known = np.flatnonzero(measured[first:end])
        origin = first + known[-1] if len(known) else end - 1
        rows.append(np.arange(max(first, origin + 1 - need), end))
    return whole.take(np.concatenate(rows))


def _train_anchors(
    data: ForecastData, plan: TrainingPlan, anchor: str, checkpoints: Checkpointing
) -> tuple[Learned, list[str]]:
    """Train with one anchor, or for "auto" with each that is possible; the network to keep, and what to say about it.

    The networks are compared on the choosing windows that all of them can forecast, by what picks their best weights.
    """
    if anchor != "auto":
        plan, notes = chosen_scale(plan, data, anchor)
        return train_network(data, plan, anchor, checkpoints), notes
    name = plan.spec.name
    candidates, notes = ["last", "none"], []
    if data.season:
        if all(np.isfinite(data.anchors("seasonal", part)).any() for part in (data.train, data.choose)):
            candidates.append("seasonal")
        else:
            notes.append(
                f"{name}: anchor 'auto' left out 'seasonal', because no window has a season of {data.season:g} rows "
                "before it."
            )
    results = [train_network(data, plan, kind, checkpoints.below(f"anchor-{kind}")) for kind in candidates]
    common = np.logical_and.reduce([np.isfinite(data.anchors(kind, data.choose)).all(axis=1) for kind in candidates])
    errors = [_choosing_error(data, plan, result, data.choose[common]) for result in results]
    best = results[int(np.argmin(errors))]
    measure = "loss" if plan.settings.monitor == "loss" and plan.loss.name not in FAMILIES else "MAE"
    steps = [result.history.steps for result in results]
    scores = ", ".join(f"{kind} {error:.4g}" for kind, error in zip(candidates, errors))
    notes.append(
        f"{name}: anchor 'auto' trained {len(results)} networks instead of one ({sum(steps):,} steps instead of "
        f"{steps[int(np.argmin(errors))]:,}) and kept {best.anchor!r} (validation {measure}: {scores})."
    )
    return best, notes


def train_network(
    data: ForecastData,
    plan: TrainingPlan,
    anchor: str,
    checkpoints: Checkpointing,
    network: nn.Module | None = None,
    *,
    until: int | None = None,
) -> Learned:
    """Train one network; the windows in `data.choose` pick the best weights, and no later window is looked at.

    With `until` it ends after that epoch, and looks at no window but those that train. `network` stands in for the one
    that `plan.spec` builds; it maps x and future as those of `network.py` do.
    Raises SettingError where no window has the anchor, TrainingError where a value becomes NaN.
    """
    spec, loss, settings = levelled(plan.spec, anchor, plan.normalise), plan.loss, plan.settings
    if network is None:
        check_memory(spec, settings.optimizer, min(plan.batch_size, training_windows(data)))
        network = build_network(spec, derive_seed(settings.seed, spec.name, "weights"))
    counted = loss.name in FAMILIES and FAMILIES[loss.name].counted
    seed = derive_seed(settings.seed, spec.name, "batches")
    batches = training_batches(data, anchor, plan.batch_size, seed, units=counted)
    validate = Validation(data, loss, anchor) if until is None else None
    solution = solved_before(network, data, plan, anchor, validate)
    if until is not None:
        settings = replace(settings, monitor="loss", keep_best=False, patience=None)
    if until == 0 or (solution is not None and solution.ends):  # the solution is the end
        settings = replace(settings, epochs=0, schedule="constant", warmup_steps=0)
    history = fit(
        network,
        batches,
        loss.of_batch,
        settings=settings,
        validate=validate,
        penalty=loss.penalty(),
        stop=None if until is None else lambda row: row.epoch >= until,
        directory=checkpoints.directory,
        resume=checkpoints.resume,
        on_event=checkpoints.on_event,
        signature={
            "network": spec.to_json(),
            "anchor": anchor,
            "loss": asdict(loss),
            "batch_size": plan.batch_size,
            **({} if until is None else {"until": until}),
            **data.signature(),
        },
    )
    solved = solution is not None and not surpassed(solution, network, validate, history, settings)
    if solution is not None and solved:
        network.load_state_dict(solution.weights)
    error = float("inf") if validate is None else validate(network)["mae"]
    return Learned(network.eval(), spec, anchor, history, error, solved)


def _choosing_error(data: ForecastData, plan: TrainingPlan, learned: Learned, origins: np.ndarray) -> float:
    forecast, truth = forecast_with(learned.network, data, learned.anchor, origins), data.truth(origins)
    if plan.settings.monitor != "loss" or plan.loss.name in FAMILIES:
        return float(mean_known(np.abs(forecast - truth) / data.unit(origins), truth))
    scale = data.std[origins][:, None]
    forecast, truth = data.features.forward(forecast) / scale, data.features.forward(truth) / scale
    return plan.loss.error(torch.from_numpy(forecast), torch.from_numpy(truth)).item()
