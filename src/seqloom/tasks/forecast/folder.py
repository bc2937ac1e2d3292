"""Saving and loading a fitted forecaster as a model folder. What is loaded is checked against everything it implies."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Frequency, Panel, WindowSpec
from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.forecast.ensemble_folder import MEMBERS, add_members, read_members
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.fitted import columns_read
from seqloom_runtime.forecast.known_rows import history_of, observed
from seqloom_runtime.forecast.mixture import ENSEMBLE, RENAMED
from seqloom_runtime.forecast.saved import (
    LATER,
    MOST_ROWS,
    choosing_mae_from,
    context_from,
    count_from,
    of_each_target,
    radii_from,
    source_from,
)
from seqloom_runtime.forecast.saved_intervals import interval_arrays, read_intervals, write_intervals
from seqloom_runtime.model_folder import write_model
from seqloom_runtime.saved_fields import (
    array_of,
    implied,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.statistical.restoring import numbers_of, restore

from ...diagnostics import BASELINES, STLETS, Baseline, make_baseline
from ...training import History
from .. import saved_fields
from ..memory import weights_of
from ..saved_fields import load_network, network_arrays, with_parameters
from .chosen_lengths import open_lengths
from .chosen_scale import as_saved
from .fitting import Fitted, Learned
from .models import is_network
from .network import NetworkSpec, build_network, levelled
from .settings import check_settings, network_spec, season_rows, window_spec

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["contents", "read_fitted", "saved_parameters", "write_fitted"]

_NO_LIMIT = 1e9  # seconds


def write_fitted(forecaster: Forecaster, path: str | os.PathLike[str]) -> None:
    """Write a fitted forecaster: weights, scaler, intervals, and the last rows that it needs to forecast on from."""
    write_model(path, "forecast", *contents(forecaster))


def contents(forecaster: Forecaster) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What model.json says of a fitted forecaster, and its arrays; those of an ensemble's members are inside."""
    context, spec = forecaster.context_, forecaster.window_spec_
    scaling = "series" if forecaster.features_.per_series else "pooled"  # whether it was named or left open
    lengths = {name: getattr(spec, name) for name in open_lengths(forecaster)}
    assert forecaster.features_.scaler is not None
    arrays: dict[str, np.ndarray] = {f"scaler.{k}": v for k, v in forecaster.features_.scaler.to_arrays().items()}
    arrays |= {
        "context.values": context.values,
        "context.filled": context.filled,
        "context.tick": context.tick,
        "context.offsets": context.offsets,
        **interval_arrays(forecaster.intervals_),
    }
    body: dict[str, Any] = {
        "parameters": {**plain(forecaster.get_params()), **lengths, "scaling": scaling},
        "features": _with_days(forecaster.features_, context).to_json(),
        "windows": {"lookback": spec.lookback, "horizon": spec.horizon, "every": spec.every, "at": spec.at},
        "frequency": forecaster.frequency_.to_json(),
        "zone": forecaster.zone_,
        "source": forecaster.source_,
        "season": forecaster.season_,
        "anchor": forecaster.anchor_,
        "radii": {level: _json_radii(radii) for level, radii in forecaster.radii_.items()},
        **write_intervals(forecaster.intervals_),
        "floors": list(forecaster.floors_),
        **({"counted": list(forecaster.counted_)} if any(forecaster.counted_) else {}),
        "choosing_mae": forecaster.choosing_mae_ if math.isfinite(forecaster.choosing_mae_) else None,
        "n_parameters": forecaster.n_parameters_,
        "notes": list(forecaster.notes_),
        "context": {
            "columns": list(context.columns),
            "ids": list(context.ids),
            "timed": context.time is not None,
            **({"words": {name: list(words) for name, words in context.words.items()}} if context.words else {}),
            **({} if context.fill == "carry" else {"fill": context.fill}),
        },
    }
    if hasattr(forecaster, "members_"):
        add_members(forecaster.members_, contents, body, arrays)
    elif hasattr(forecaster, "baseline_"):
        arrays["context.train"] = forecaster.train_rows_
        found = numbers_of(kept_baseline(forecaster))
        if found is not None:
            body["fitted"], arrays["fitted.numbers"] = found
    else:
        body["network"] = forecaster.learned_.spec.to_json()
        arrays |= network_arrays(forecaster.learned_.network)
    return body, arrays


def _with_days(features: Features, context: Panel) -> Features:
    """The features with the holidays themselves, where they read any."""
    days = features.holidays
    return features if days is None or days.known is not None else replace(features, holidays=days.kept(context))


def kept_baseline(forecaster: Forecaster) -> Baseline:
    """The fitted baseline with all that it needs to forecast from the rows kept, without statsmodels."""
    baseline = forecaster.baseline_
    if not isinstance(baseline, STLETS):
        return baseline
    context, target = forecaster.context_, forecaster.features_.roles.target
    measured, series = np.flatnonzero(observed(context, target)), context.series_index
    last = dict(zip(series[measured].tolist(), measured.tolist()))  # the later rows come last
    return baseline.kept(history_of(context, target, forecaster.train_rows_), last)


def _json_radii(radii: np.ndarray) -> list[Any]:
    """Radii as JSON values, None for those of a target that has none."""
    if radii.ndim == 1:
        return radii.tolist()
    return [row.tolist() if np.isfinite(row).all() else [None] * len(row) for row in radii]


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """A forecaster's parameters in a model folder's header, or that of a member in it."""
    found = {**LATER, **saved_fields.saved_parameters(header)}
    if isinstance(found["model"], str):
        found["model"] = RENAMED.get(found["model"], found["model"])
    return found


def read_fitted(forecaster: Forecaster, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a forecaster with the saved parameters had found; raises FormatError where it can't be that."""
    own = MEMBERS if forecaster.model == ENSEMBLE else ()
    refuse_stray(arrays, ("scaler.", "context.", "network.", "intervals.", "fitted.", *own))
    frequency = Frequency.from_json(header["frequency"])
    zone = implied(header, "zone", frequency.zone)
    features = _features(forecaster, header, arrays)
    spec = _windows(forecaster, frequency, header["windows"])
    check_settings(forecaster, frequency)
    season = implied(header, "season", season_rows(forecaster, frequency))
    found: dict[str, Any] = {
        "features": features,
        "window_spec": spec,
        "frequency": frequency,
        "zone": zone,
        "season": season,
        "anchor": _anchor(forecaster, season, header["anchor"]),
        "source": source_from(header["source"]),
        "notes": texts_of(header, "notes"),
        "radii": radii_from(forecaster.levels, header["radii"], features.roles.wide, len(spec.steps)),
        "choosing_mae": choosing_mae_from(header["choosing_mae"]),
    }
    for name in ("floors", "counted"):
        found[name] = of_each_target(header, name, features.roles.wide)
    found["intervals"] = read_intervals(header, arrays, tuple(found["radii"]), spec, features.roles.wide)
    if forecaster.model == ENSEMBLE:
        mixture = read_members(header, arrays, lambda inner, own: _member(type(forecaster), inner, own))
        found |= {"members": mixture, "n_parameters": implied(header, "n_parameters", mixture.parameters)}
        context = context_from(
            columns_read(features.roles, not mixture.reads_columns), found, header["context"], arrays
        )
        train_rows = np.zeros(0, dtype=bool)
    elif forecaster.model in BASELINES:
        # What was fitted within its limit is fitted again here; a busier machine must not refuse it.
        baseline = make_baseline(forecaster.model, season=season, time_limit=_NO_LIMIT, seasonless=True)
        context = context_from(columns_read(features.roles, True), found, header["context"], arrays)
        train_rows = array_of(arrays, "context.train", np.bool_, 1)
        history = history_of(context, features.roles.target, train_rows)
        if "fitted" in header:
            restore(baseline, header["fitted"], array_of(arrays, "fitted.numbers", np.float64, 1), history)
        else:
            baseline.fit(history)
        found |= {"baseline": baseline, "n_parameters": count_from(header["n_parameters"])}
        extra = [name for name in arrays if name.startswith("network.")] + (["network"] if "network" in header else [])
        if extra:
            raise FormatError(
                f"model.json: the model {shown(forecaster.model)} is no network, but {shown(extra[0])} is there."
            )
    else:
        fill = header["context"].get("fill", "carry")
        described = levelled(
            network_spec(forecaster, features, spec, season, fill), found["anchor"], forecaster.normalise
        )
        described = as_saved(described, forecaster.normalise, header.get("network"))
        learned = _learned(described, found, header, arrays)
        counted = implied(header, "n_parameters", weights_of(learned.network))
        found |= {"learned": learned, "n_parameters": counted}
        context = context_from(columns_read(features.roles, False), found, header["context"], arrays)
        train_rows = np.zeros(0, dtype=bool)  # a network needs them no more
    return Fitted(**found, train_rows=train_rows, context=context)


def _member(kind: type[Forecaster], header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Forecaster:
    member = with_parameters(kind, saved_parameters(header))
    member._take(read_fitted(member, header, arrays))
    return member


def _features(forecaster: Forecaster, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Features:
    scaler = {name.removeprefix("scaler."): array for name, array in arrays.items() if name.startswith("scaler.")}
    features = Features.from_json(header["features"], scaler)
    for name, mine in (("calendar", "calendar"), ("flags", "missing_flags")):
        if getattr(features, name) != getattr(forecaster, mine):
            raise FormatError(f"model.json: features.{name} differs from the parameter {mine}.")
    places = forecaster.holidays
    mine = None if places is None else ",".join(dict.fromkeys(part.strip().upper() for part in places.split(",")))
    if mine != (None if features.holidays is None else features.holidays.places):
        raise FormatError("model.json: features.holidays differs from the parameter holidays.")
    if (features.transform is None) != (forecaster.transform is None):
        raise FormatError("model.json: features.transform differs from the parameter transform.")
    if features.per_series != (forecaster.scaling == "series"):
        raise FormatError("model.json: features.per_series differs from the parameter scaling.")
    return features


def _windows(forecaster: Forecaster, frequency: Frequency, value: Any) -> WindowSpec:
    spec = window_spec(forecaster, frequency)
    if value != vars(spec) or any(isinstance(item, (bool, float)) for item in value.values()):
        raise FormatError(
            f"model.json: windows {shown(value)} differ from what the parameters say, {shown(vars(spec))}."
        )
    if max(spec.lookback, spec.horizon) > MOST_ROWS:
        raise FormatError(f"model.json: expected windows of at most {MOST_ROWS:,} rows, found {shown(value)}.")
    return spec


def _anchor(forecaster: Forecaster, season: float | None, value: Any) -> str:
    allowed = ["none"]
    if is_network(forecaster.model):
        every = ["last", "none", *(["seasonal"] if season is not None else [])]
        allowed = every if forecaster.anchor == "auto" else [forecaster.anchor]
    if value not in allowed:
        raise FormatError(f"model.json: expected the anchor {' or '.join(allowed)}, found {shown(value)}.")
    return value


def _learned(
    described: NetworkSpec, found: Mapping[str, Any], header: dict[str, Any], arrays: Mapping[str, np.ndarray]
) -> Learned:
    spec = NetworkSpec.from_json(header["network"])
    same_spec(spec, described)
    network = load_network(lambda: build_network(spec, 0), arrays)
    return Learned(network, spec, found["anchor"], History.empty(), found["choosing_mae"])
