"""Saving and loading a fitted forecaster as a model folder. What is loaded is checked against everything it implies."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Frequency, Panel, WindowSpec, calendar_features
from seqloom_runtime.data.filling import FILLS
from seqloom_runtime.data.series_names import split_names
from seqloom_runtime.data.wide import Wide
from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.model_folder import write_model
from seqloom_runtime.saved_fields import (
    array_of,
    implied,
    is_number,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)

from ...diagnostics import BASELINES, level_name, make_baseline
from ...training import History
from .. import saved_fields
from ..memory import weights_of
from ..saved_fields import load_network, network_arrays
from .chosen_lengths import open_lengths
from .chosen_scale import as_saved
from .ensemble_folder import MEMBERS, add_members, read_members
from .features import Features
from .fitting import Fitted, Learned
from .frames import FRAME_KINDS, NO_SOURCE, WHOLE
from .known_rows import history_of
from .models import ENSEMBLE, RENAMED, is_network
from .network import NetworkSpec, build_network, levelled
from .predicting import columns_read
from .roles import Roles
from .saved_intervals import interval_arrays, read_intervals, write_intervals
from .settings import check_settings, network_spec, season_rows, window_spec
from .targets import check_series

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["contents", "read_fitted", "saved_parameters", "source_from", "write_fitted"]

# Parameters that version 0.1.0 saved no values of, with those that it stood for.
_LATER = {
    "holidays": None,
    "time_format": None,
    "resample": None,
    "aggregate": "mean",
    "duplicates": None,
    "fill": "carry",
    "fill_future": None,
    "categories": [],
    "static": [],
    "members": [],
    "refit": False,
    "non_negative": False,
    "distribution": None,
    "normalise": "none",
    "transform": None,
    "patch": 1,
    "linear_skip": False,
    "cell": "gru",
    "attention": False,
    "reverse": False,
    "pooling": "max",
    "solver": "gradient",
}
_NO_LIMIT = 1e9  # seconds
_MOST_ROWS = 10_000_000  # of a window: a horizon beyond it is damage, and would fill the memory


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
        "features": forecaster.features_.to_json(),
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
    else:
        body["network"] = forecaster.learned_.spec.to_json()
        arrays |= network_arrays(forecaster.learned_.network)
    return body, arrays


def _json_radii(radii: np.ndarray) -> list[Any]:
    """Radii as JSON values, None for those of a target that has none."""
    if radii.ndim == 1:
        return radii.tolist()
    return [row.tolist() if np.isfinite(row).all() else [None] * len(row) for row in radii]


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """A forecaster's parameters in a model folder's header, or that of a member in it."""
    found = {**_LATER, **saved_fields.saved_parameters(header)}
    if isinstance(found["model"], str):
        found["model"] = RENAMED.get(found["model"], found["model"])
    return found


def read_fitted(forecaster: Forecaster, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a forecaster with the saved parameters had found; raises FormatError where it can't be that."""
    own = MEMBERS if forecaster.model == ENSEMBLE else ()
    refuse_stray(arrays, ("scaler.", "context.", "network.", "intervals.", *own))
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
        "radii": _radii(forecaster, header["radii"], features.roles.wide, len(spec.steps)),
        "choosing_mae": _choosing_mae(header["choosing_mae"]),
    }
    for name in ("floors", "counted"):
        found[name] = _of_targets(header, name, features.roles.wide)
    found["intervals"] = read_intervals(header, arrays, tuple(found["radii"]), spec, features.roles.wide)
    if forecaster.model == ENSEMBLE:
        mixture = read_members(forecaster, header, arrays, saved_parameters, read_fitted)
        found |= {"members": mixture, "n_parameters": implied(header, "n_parameters", mixture.parameters)}
        context = _context(columns_read(features.roles, not mixture.reads_columns), found, header["context"], arrays)
        train_rows = np.zeros(0, dtype=bool)
    elif forecaster.model in BASELINES:
        # What was fitted within its limit is fitted again here; a busier machine must not refuse it.
        baseline = make_baseline(forecaster.model, season=season, time_limit=_NO_LIMIT, seasonless=True)
        context = _context(columns_read(features.roles, True), found, header["context"], arrays)
        train_rows = array_of(arrays, "context.train", np.bool_, 1)
        baseline.fit(history_of(context, features.roles.target, train_rows))
        found |= {"baseline": baseline, "n_parameters": _count(header["n_parameters"])}
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
        context = _context(columns_read(features.roles, False), found, header["context"], arrays)
        train_rows = np.zeros(0, dtype=bool)  # a network needs them no more
    return Fitted(**found, train_rows=train_rows, context=context)


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
    if max(spec.lookback, spec.horizon) > _MOST_ROWS:
        raise FormatError(f"model.json: expected windows of at most {_MOST_ROWS:,} rows, found {shown(value)}.")
    return spec


def _anchor(forecaster: Forecaster, season: float | None, value: Any) -> str:
    allowed = ["none"]
    if is_network(forecaster.model):
        every = ["last", "none", *(["seasonal"] if season is not None else [])]
        allowed = every if forecaster.anchor == "auto" else [forecaster.anchor]
    if value not in allowed:
        raise FormatError(f"model.json: expected the anchor {' or '.join(allowed)}, found {shown(value)}.")
    return value


def source_from(value: Any) -> dict[str, Any]:
    """What `frames.source_of` found, as a model folder holds it; raises FormatError where it can't be that."""
    if isinstance(value, dict):
        value = {**value, "time_format": value.get("time_format")}  # which version 0.1.0 saved nothing of
    good = isinstance(value, dict) and set(value) == set(NO_SOURCE)
    good = good and all(value[name] is None or isinstance(value[name], str) for name in ("time", "id", "time_format"))
    whole = value["whole_ids"] if good and isinstance(value["whole_ids"], list) else [good and value["whole_ids"]]
    good = good and all(isinstance(flag, bool) for flag in (*whole, value["dates"]))
    # A frame can't be made of a column that has two parts, or of half a character.
    good = good and (value["time"] is None or value["time"] not in (value["id"], *(value["id"] or "").split(",")))
    good = good and not any("\ud800" <= c <= "\udfff" for name in ("time", "id") for c in value[name] or "")
    if not good or value["frame"] not in (*FRAME_KINDS, "numpy"):
        raise FormatError(
            f"model.json: expected the names of the time and id columns under 'source', found {shown(value)}."
        )
    return value


def _radii(forecaster: Forecaster, value: Any, wide: Wide | None, steps: int) -> dict[str, np.ndarray]:
    names = [level_name(round(level / 100, 12)) for level in forecaster.levels]
    if not isinstance(value, dict) or not set(value) <= set(names):
        raise FormatError(f"model.json: expected radii for levels among {', '.join(names)}, found {shown(value)}.")
    radii = {}
    for name, found in value.items():
        rows = [found] if wide is None else found
        if not isinstance(rows, list) or len(rows) != (1 if wide is None else len(wide.targets)):
            raise FormatError(f"model.json: expected radii of each target for level {name}, found {shown(found)}.")
        for numbers in rows:
            good = isinstance(numbers, list) and len(numbers) == steps
            if wide is not None and good and numbers.count(None) == steps:
                continue  # a target that had too few errors for this level
            if not good or not all(is_number(r) and r >= 0 for r in numbers):
                raise FormatError(
                    f"model.json: expected {steps} radii of at least 0 for level {name}, found {shown(numbers)}."
                )
        radii[name] = np.array(found, dtype=np.float64)
    return radii


def _of_targets(header: Mapping[str, Any], name: str, wide: Wide | None) -> tuple[bool, ...]:
    """Whether each target is held at 0 or above (floors), or counted; False of all where an older model lacks it."""
    count = 1 if wide is None else len(wide.targets)
    found = header.get(name, [False] * count)
    if not isinstance(found, list) or len(found) != count or not all(isinstance(held, bool) for held in found):
        raise FormatError(f"model.json: expected true or false of each target under {name!r}, found {shown(found)}.")
    return tuple(found)


def _choosing_mae(value: Any) -> float:
    if value is not None and not (is_number(value) and value >= 0):
        raise FormatError(f"model.json: expected a number of at least 0 under 'choosing_mae', found {shown(value)}.")
    return float("inf") if value is None else float(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(
            f"model.json: expected a whole number of parameters under 'n_parameters', found {shown(value)}."
        )
    return value


def _context(names: tuple[str, ...], found: Mapping[str, Any], about: Any, arrays: Mapping[str, np.ndarray]) -> Panel:
    frequency: Frequency = found["frequency"]
    ids = texts_of(about, "ids")
    columns = implied(about, "columns", list(names))
    timed = implied(about, "timed", frequency.kind != "step")
    fill = about.get("fill", "carry")
    if fill not in FILLS:
        raise FormatError(f"model.json: expected one of {', '.join(FILLS)} under context.fill, found {shown(fill)}.")
    tick = array_of(arrays, "context.tick", np.int64, 1)
    values = array_of(arrays, "context.values", np.float64, 2)
    if np.isinf(values).any():
        raise FormatError("model.safetensors: context.values holds infinite values.")
    context = Panel(
        values=values,
        columns=tuple(columns),
        time=frequency.times(tick) if timed else None,
        tick=tick,
        frequency=frequency,
        ids=tuple(ids),
        offsets=array_of(arrays, "context.offsets", np.int64, 1),
        filled=array_of(arrays, "context.filled", np.bool_, 2),
        zone=found["zone"],
        quality=None,
        wide=found["features"].roles.wide,
        fill=fill,
        words=_words(about, found["features"].roles, names),
        static=found["features"].roles.static,
    )
    features, source = found["features"], found["source"]
    if features.roles.wide is not None:
        check_series(features.roles.wide, ids)
        ids = [features.roles.wide.parts(name)[0] for name in ids]
    parts = split_names(source["id"] or "id", np.array(ids, dtype=object)).values()
    whole = source["whole_ids"] if isinstance(source["whole_ids"], list) else [source["whole_ids"]] * len(parts)
    if len(whole) != len(parts) or not all(WHOLE.fullmatch(t) for part, w in zip(parts, whole) if w for t in part):
        raise FormatError(f"model.json: the source says that ids are whole numbers, found {shown(ids)}.")
    if features.per_series and features.scaler is not None and tuple(features.scaler.ids) != context.ids:
        raise FormatError("model.json: the series of the scaler are not those of the context.")
    if features.cycles:
        times = np.empty(0, "M8[us]") if context.time is None else context.time[:1]
        calendar_features(times, context.zone, context.frequency, features.cycles)
    return context


def _words(about: Any, roles: Roles, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The words of the context's columns of words, which are those that the features have."""
    words = about.get("words", {})
    expected = {name for name in roles.categories if name in names}
    if not isinstance(words, dict) or set(words) != expected or not all(isinstance(w, list) for w in words.values()):
        raise FormatError(f"model.json: expected the words of {shown(sorted(expected))}, found {shown(words)}.")
    return {name: tuple(texts_of(words, name)) for name in words}


def _learned(
    described: NetworkSpec, found: Mapping[str, Any], header: dict[str, Any], arrays: Mapping[str, np.ndarray]
) -> Learned:
    spec = NetworkSpec.from_json(header["network"])
    same_spec(spec, described)
    network = load_network(lambda: build_network(spec, 0), arrays)
    return Learned(network, spec, found["anchor"], History.empty(), found["choosing_mae"])
