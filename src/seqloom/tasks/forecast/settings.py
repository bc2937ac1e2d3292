"""A forecaster's flat parameters, turned into what each part takes: windows, season, network, loss, training."""

from __future__ import annotations

from math import isqrt
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Frequency, Panel, WindowSpec
from seqloom_runtime.errors import DataError, SettingError, shown
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.mixture import ENSEMBLE

from ...diagnostics import BASELINES, dropped_levels
from ...training import FitSettings
from ..cell_parameters import cell_options
from ..constraints import MOST_ROWS
from ..networks import BODIES, model_of
from ..stacks import layer_options
from ..training_parameters import fit_settings as shared_settings
from .budget import usual_training
from .convolutional import usual_channels, usual_kernel
from .ensemble import members_of
from .families import FAMILIES
from .models import is_network
from .network import DECODES, RECURRENT, NetworkSpec, check_memory, check_network
from .objective import LossSpec

if TYPE_CHECKING:
    from .forecaster import Forecaster
    from .windowed import ForecastData

__all__ = [
    "as_read_by",
    "check_settings",
    "check_spans",
    "family_name",
    "fit_settings",
    "loss_spec",
    "network_spec",
    "own_scales",
    "season_rows",
    "solver_of",
    "trained_as",
    "window_spec",
]

_LONG = 1_000_000  # rows; a shorter window that no series holds is refused where windows are made


def check_settings(forecaster: Forecaster, frequency: Frequency) -> None:
    """Raise SettingError for parameters that don't go together, or not with rows of this frequency."""
    spec = window_spec(forecaster, frequency)
    season = season_rows(forecaster, frequency)
    dropped_levels(1, [round(level / 100, 12) for level in forecaster.levels])  # refuses a level that is named twice
    for member in members_of(forecaster).values() if forecaster.model == ENSEMBLE else ():
        member.check_parameters()
        check_settings(member, frequency)
    if forecaster.distribution is not None and forecaster.loss != "mae":
        raise SettingError(
            f"distribution: {forecaster.distribution!r} is trained by its likelihood, in place of the loss "
            f"{forecaster.loss!r}; leave one of them out."
        )
    family = FAMILIES.get(family_name(forecaster))
    if family is not None and family.counted and forecaster.transform is not None:
        raise SettingError(
            f"transform: the distribution {family.name!r} is one of the values themselves; leave the transform out."
        )
    if is_network(forecaster.model):
        network = network_spec(forecaster, None, spec, season)
        check_network(network)
        check_memory(network, forecaster.optimizer)
        fit_settings(forecaster, 1)


def check_spans(forecaster: Forecaster, panel: Panel) -> None:
    """Raise DataError where no series of the panel holds a window, before arrays of a window's length are made."""
    spec, longest = window_spec(forecaster, panel.frequency), int(np.diff(panel.offsets).max(initial=0))
    if spec.span > max(longest, _LONG):
        name = "lookback" if spec.lookback > spec.horizon else "horizon"
        raise DataError(
            f"{name}: a window of {spec.lookback:,} rows and {spec.horizon:,} ahead needs a series of {spec.span:,} "
            f"rows, the longest has {longest:,}; choose a shorter {name}."
        )


def window_spec(forecaster: Forecaster, frequency: Frequency, chosen: WindowSpec | None = None) -> WindowSpec:
    """Lookback, horizon and every in rows; raises SettingError where they are no whole numbers of rows.

    A lookback or horizon that is None, to be chosen for the table, is that of `chosen`, or as short as can be.
    """
    every = frequency.rows(forecaster.every, "every")
    lookback, horizon = (
        frequency.rows(value, name) if value is not None else (every if chosen is None else getattr(chosen, name))
        for name, value in (("lookback", forecaster.lookback), ("horizon", forecaster.horizon))
    )
    for name, rows in (("lookback", lookback), ("horizon", horizon), ("every", every)):
        if rows > MOST_ROWS:
            raise SettingError(f"{name}: expected at most {MOST_ROWS:,} rows, got {shown(getattr(forecaster, name))}.")
    return WindowSpec(lookback, horizon, every, forecaster.at)


def season_rows(forecaster: Forecaster, frequency: Frequency) -> float | None:
    """The season in rows, or None where none is given; raises SettingError where one is needed."""
    season = forecaster.season
    if season is None:
        seasonal_anchor = forecaster.anchor == "seasonal" and is_network(forecaster.model)
        needs = forecaster.model in BASELINES and BASELINES[forecaster.model].season == "required"
        if needs or seasonal_anchor:
            raise SettingError(
                f"season: {'the seasonal anchor' if seasonal_anchor else repr(forecaster.model)} needs the length of a "
                'season, in rows or as a duration such as "24h".'
            )
        return None
    rows = frequency.rows(season, "season") if isinstance(season, str) else season
    if rows > MOST_ROWS:
        raise SettingError(f"season: expected at most {MOST_ROWS:,} rows, got {shown(season)}.")
    return float(rows)


def own_scales(forecaster: Forecaster, panel: Panel) -> bool:
    """Whether each series is scaled by its own rows: where `scaling` says so, or leaves it open with several series,
    the largest of which would else choose the weights."""
    several = panel.wide is not None or len(panel.ids) > 1
    return forecaster.scaling == "series" or (forecaster.scaling is None and several)


def network_spec(
    forecaster: Forecaster,
    features: Features | None,
    spec: WindowSpec,
    season: float | None = None,
    fill: str = "carry",
) -> NetworkSpec:
    """The network's shape; without `features` one that stands for any number of inputs."""
    convolutions: dict[str, Any] = {}
    name = forecaster.model
    # A decoder takes its first state from layers of its own shape.
    options = () if name == DECODES else BODIES[model_of("forecast", name).body].options
    layers = layer_options(forecaster, name, options or ("units", "activation"))
    if "channels" in BODIES[model_of("forecast", name).body].options:
        kernel = int(forecaster.kernel_size or usual_kernel(name))
        steps, channels = len(spec.input_offsets), forecaster.channels
        if channels is None:
            channels = usual_channels(name, layers["units"], steps, kernel)
        convolutions = {"channels": tuple(int(c) for c in channels), "kernel_size": kernel}
        convolutions["pool_size"] = 0 if name == "tcn" else int(forecaster.pool_size)
    return NetworkSpec(
        name=name,
        inputs=1 if features is None else features.width,
        input_steps=len(spec.input_offsets),
        forecast_steps=len(spec.steps),
        future=0 if features is None else features.future_width,
        **layers,
        bidirectional=forecaster.bidirectional,
        reverse=bool(forecaster.reverse),
        input_dropout=float(forecaster.input_dropout),
        recurrent_dropout=float(forecaster.recurrent_dropout),
        between_dropout=float(forecaster.between_dropout),
        **(cell_options(forecaster) if name in ("rnn", "gru", "lstm") else {}),
        **convolutions,
        **_window_options(forecaster, features, spec, season, fill),
    )


def _window_options(
    forecaster: Forecaster, features: Features | None, spec: WindowSpec, season: float | None, fill: str
) -> dict[str, Any]:
    """How the network takes each window: what is saved of it only where it differs from version 0.1.0's."""
    name, steps = forecaster.model, len(spec.input_offsets)
    rows = None if season is None else max(1, round(season / spec.every))
    target = 0 if features is None else features.roles.numeric_inputs.index(features.roles.target)
    flags = [] if features is None or fill != "none" else features.told_of(features.roles.target)
    recurrent = name in RECURRENT
    patch = forecaster.patch if forecaster.patch is not None else usual_patch(steps, rows)
    if name == "nlinear":
        normalise = "last"
    else:
        normalise = forecaster.normalise or _usual_normalise(forecaster, features)
    return {
        "normalise": normalise,
        "target": target,
        "flag": flags[0] if flags else -1,
        "season": (rows or 0) if normalise == "seasonal" else 0,
        "patch": int(patch) if recurrent else 1,
        "skip": bool(forecaster.linear_skip) and model_of("forecast", name).body not in ("flat", "decomposed"),
        "pooling": forecaster.pooling if name == "conv" else "max",
        "family": family_name(forecaster),
        **({"cell": forecaster.cell, "attention": forecaster.attention} if name == DECODES else {}),
    }


def _usual_normalise(forecaster: Forecaster, features: Features | None) -> str:
    """Series of unlike sizes teach each other in windows of one scale; a single one keeps its own."""
    if forecaster.anchor == "none":
        return "none"
    scaler = None if features is None else features.scaler
    several = scaler is not None and features is not None and features.per_series and len(scaler.ids) > 1
    return "standard" if several else "last"


def usual_patch(steps: int, season: int | None) -> int:
    """How many steps a recurrent network reads as one where nothing is said: 1 in windows of up to 48, else about an
    eighth of the window, as a divisor of the season where there is one.

    >>> usual_patch(48, 24), usual_patch(336, 24), usual_patch(104, 52), usual_patch(120, None)
    (1, 24, 13, 15)
    """
    if steps <= 48:
        return 1
    wanted = steps // 8
    if season is None or season < 2:
        return wanted
    # In pairs up to the root: a season may be as long as the longest table, and this runs before any is looked at.
    small = [n for n in range(1, isqrt(season) + 1) if season % n == 0]
    divisors = {*small, *(season // n for n in small)}
    return min(divisors, key=lambda n: (abs(n - wanted), -n))


def loss_spec(forecaster: Forecaster) -> LossSpec:
    """The loss and the penalties that are not zero."""
    groups = [f"{group}_{norm}" for group in ("input", "recurrent", "bias") for norm in ("l1", "l2")]
    penalties = tuple((group, float(getattr(forecaster, group))) for group in groups if getattr(forecaster, group))
    return LossSpec(family_name(forecaster) or forecaster.loss, float(forecaster.quantile), penalties)


def family_name(forecaster: Forecaster) -> str:
    """The kind of forecast distribution of a network, "" where it is a point forecast."""
    if not is_network(forecaster.model):
        return ""
    return "quantiles" if forecaster.loss == "quantiles" else (forecaster.distribution or "")


def fit_settings(forecaster: Forecaster, train_windows: int, per_series: bool = False) -> FitSettings:
    """The training loop's settings; an epoch is one pass over the training windows unless `steps_per_epoch` is set.

    The weights of the epoch with the lowest validation MAE are kept; of a quantile forecast, which is not meant to be
    near in the mean, those with the lowest loss. Where each series has a scale of its own, its errors count in it.
    """
    own = forecaster.loss == "quantile" or family_name(forecaster)
    monitor = "loss" if own else "scaled_mae" if per_series else "mae"
    return shared_settings(trained_as(forecaster, train_windows), train_windows, monitor=monitor)


def solver_of(forecaster: Forecaster) -> bool:
    """Whether a linear model is solved by ridge regression before, with the loss mse in place of, gradient steps."""
    penalised = bool(loss_spec(forecaster).penalties)
    if family_name(forecaster):
        return False
    return forecaster.solver == "ridge" or (forecaster.solver is None and forecaster.epochs is None and not penalised)


def as_read_by(forecaster: Forecaster, data: ForecastData, fitted: Features | None = None) -> ForecastData:
    """The data with the target transformed as the forecaster's network reads it, and of a decoder the calendar ahead;
    where it is `fitted`, as those features are."""
    ahead = forecaster.model == DECODES if fitted is None else fitted.calendar_ahead
    return data.transformed(forecaster.transform, ahead)


def trained_as(forecaster: Forecaster, train_windows: int) -> SimpleNamespace:
    """The forecaster's parameters, with what it leaves open of its training (`budget.usual_training`)."""
    given = forecaster.get_params()
    return SimpleNamespace(**{**given, **usual_training(given, train_windows)})
