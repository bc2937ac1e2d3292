"""A fitted forecaster from its model folder: each field and array is checked against what the others imply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import NoneType, SimpleNamespace
from typing import Any

import numpy as np

from ..data import Frequency, Panel, WindowSpec, calendar_features
from ..data.filling import FILLS
from ..data.series_names import split_names
from ..data.wide import Wide
from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of, implied, is_number, refuse_stray, texts_of
from ..statistical.levels import level_name
from ..statistical.restoring import APPLIED, restored
from ..statistical.rules import RULES, SEASONAL_RULES
from ..statistical.target_history import Baseline, TargetHistory
from .ensemble_folder import MEMBERS, read_members
from .families import FAMILIES
from .features import Features
from .fitted import FittedForecaster, columns_read
from .frames import FRAME_KINDS, NO_SOURCE, WHOLE
from .known_rows import history_of
from .mixture import ENSEMBLE, RENAMED
from .network import ForecastNetwork
from .roles import Roles
from .saved_intervals import read_intervals
from .spec import NetworkSpec
from .targets import check_series

__all__ = [
    "LATER",
    "MOST_ROWS",
    "baseline_from",
    "choosing_mae_from",
    "context_from",
    "count_from",
    "of_each_target",
    "parameters_of",
    "radii_from",
    "read_fitted",
    "source_from",
]

LATER = {
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
"""Parameters that version 0.1.0 saved no values of, with those that it stood for."""


MOST_ROWS = 10_000_000  # of a window: a horizon beyond it is damage, and would fill the memory


_SPANS = (str, int, float)
_READ: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "fill"), (str,)),
    **dict.fromkeys(("zone", "time_format", "holidays", "duplicates", "fill_future", "distribution"), (str, NoneType)),
    "aggregate": (str, dict),
    "resample": (str, NoneType),
    "season": (*_SPANS, NoneType),
    "max_fill": (int,),
    "seed": (int,),
    "non_negative": (bool, NoneType),
    **dict.fromkeys(("missing", "levels", "categories", "static"), (list,)),
}
"""What predictions read of the parameters, with the types that they may have."""


def parameters_of(header: Mapping[str, Any]) -> dict[str, Any]:
    """A forecaster's parameters in a model folder's header, or that of a member in it.

    Raises FormatError where one that predictions depend on has a wrong type.
    """
    found = {**LATER, **field_of(header, "parameters", dict)}
    for name, kinds in _READ.items():
        value = found.get(name)
        if name not in found or not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise FormatError(f"model.json: the parameter {shown(name)} is missing or of the wrong type.")
    numbers = (*found["missing"], *found["levels"])
    texts = (*found["categories"], *found["static"])
    if not all(map(is_number, numbers)) or not all(isinstance(text, str) for text in texts) or found["seed"] < 0:
        raise FormatError("model.json: expected numbers and names of columns under 'parameters'.")
    if found["distribution"] not in (None, *FAMILIES) or found["fill_future"] not in (None, "carry"):
        raise FormatError("model.json: the parameter 'distribution' or 'fill_future' is of another version.")
    found["model"] = RENAMED.get(found["model"], found["model"])
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def read_fitted(
    parameters: Mapping[str, Any],
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    read: Callable[[Any, Any], FittedForecaster],
) -> dict[str, Any]:
    """What the fit of a forecaster with these parameters had found; `read` makes a member of its header and arrays.

    Raises FormatError where it can't be that, or where the model has no form without torch.
    """
    name = parameters["model"]
    refuse_stray(
        arrays, ("scaler.", "context.", "network.", "intervals.", "fitted.", *(MEMBERS if name == ENSEMBLE else ()))
    )
    frequency = Frequency.from_json(header["frequency"])
    scaler = {key.removeprefix("scaler."): array for key, array in arrays.items() if key.startswith("scaler.")}
    features = Features.from_json(header["features"], scaler)
    spec, season = _windows(header["windows"]), header["season"]
    if season is not None and not (is_number(season) and 1 <= season <= MOST_ROWS):
        raise FormatError(f"model.json: expected a season of 1 row or more, found {shown(season)}.")
    if header["anchor"] not in ("last", "none", *(["seasonal"] if season is not None else [])):
        raise FormatError(f"model.json: the anchor {shown(header['anchor'])} can't be.")
    found: dict[str, Any] = {
        "features": features,
        "window_spec": spec,
        "frequency": frequency,
        "zone": implied(header, "zone", frequency.zone),
        "season": season,
        "anchor": header["anchor"],
        "source": source_from(header["source"]),
        "notes": texts_of(header, "notes"),
        "radii": radii_from(parameters["levels"], header["radii"], features.roles.wide, len(spec.steps)),
        "n_parameters": count_from(header["n_parameters"]),
    }
    for what in ("floors", "counted"):
        found[what] = of_each_target(header, what, features.roles.wide)
    found["intervals"] = read_intervals(header, arrays, tuple(found["radii"]), spec, features.roles.wide)
    alone = False
    if name == ENSEMBLE:
        found["members"] = read_members(header, arrays, read)
        alone = not found["members"].reads_columns
    elif "network" in header:
        network = NetworkSpec.from_json(header["network"])
        _check_fits(network, features, spec)
        found["learned"] = SimpleNamespace(network=ForecastNetwork(network, arrays))
    else:
        alone = True
    found["context"] = context_from(columns_read(features.roles, alone), found, header["context"], arrays)
    if name != ENSEMBLE and alone:
        train_rows = array_of(arrays, "context.train", np.bool_, 1)
        history = history_of(found["context"], features.roles.target, train_rows)
        found["baseline"] = baseline_from(name, season, history, header, arrays)
    return found


def baseline_from(
    name: str,
    season: float | None,
    history: TargetHistory,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> Baseline:
    """The baseline of that name, as it was fitted on the rows kept; raises FormatError where it has no form here."""
    if name.removeprefix("log-") in APPLIED:
        if "fitted" not in header:
            raise FormatError(
                f"The model {shown(name)} was saved before its numbers were, so that it has to be fitted again: use "
                "seqloom predict, or load it with seqloom and save it again."
            )
        return restored(name, season, header["fitted"], array_of(arrays, "fitted.numbers", np.float64, 1), history)
    if name in RULES:
        return RULES[name]().fit(history)
    if name in SEASONAL_RULES and season is not None:
        return SEASONAL_RULES[name](season).fit(history)
    raise FormatError(f"The model {shown(name)} has no form without the package seqloom: use seqloom predict.")


def _windows(value: Any) -> WindowSpec:
    names = ("lookback", "horizon", "every", "at")
    good = isinstance(value, dict) and set(value) == set(names) and value["at"] in ("path", "last")
    good = good and all(isinstance(value[n], int) and not isinstance(value[n], bool) for n in names[:3])
    if not good or not all(1 <= value[n] <= MOST_ROWS for n in names[:3]):
        raise FormatError(
            f"model.json: expected lookback, horizon, every and at under 'windows', found {shown(value)}."
        )
    return WindowSpec(**value)


def _check_fits(network: NetworkSpec, features: Features, spec: WindowSpec) -> None:
    """Raise FormatError where a network reads other windows than the other fields imply."""
    expected = (features.width, features.future_width, len(spec.input_offsets), len(spec.steps))
    found = (network.inputs, network.future, network.input_steps, network.forecast_steps)
    if expected != found:
        raise FormatError(
            f"model.json: the network reads inputs, known inputs, steps and steps ahead {found}, the others imply "
            f"{expected}."
        )


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


def radii_from(levels: Sequence[float], value: Any, wide: Wide | None, steps: int) -> dict[str, np.ndarray]:
    names = [level_name(round(level / 100, 12)) for level in levels]
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


def of_each_target(header: Mapping[str, Any], name: str, wide: Wide | None) -> tuple[bool, ...]:
    """Whether each target is held at 0 or above (floors), or counted; False of all where an older model lacks it."""
    count = 1 if wide is None else len(wide.targets)
    found = header.get(name, [False] * count)
    if not isinstance(found, list) or len(found) != count or not all(isinstance(held, bool) for held in found):
        raise FormatError(f"model.json: expected true or false of each target under {name!r}, found {shown(found)}.")
    return tuple(found)


def choosing_mae_from(value: Any) -> float:
    if value is not None and not (is_number(value) and value >= 0):
        raise FormatError(f"model.json: expected a number of at least 0 under 'choosing_mae', found {shown(value)}.")
    return float("inf") if value is None else float(value)


def count_from(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FormatError(
            f"model.json: expected a whole number of parameters under 'n_parameters', found {shown(value)}."
        )
    return value


def context_from(
    names: tuple[str, ...], found: Mapping[str, Any], about: Any, arrays: Mapping[str, np.ndarray]
) -> Panel:
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
    # Of a table on disk the context has the series that were sampled, the scaler those of all rows.
    if features.per_series and features.scaler is not None and not set(context.ids) <= set(features.scaler.ids):
        raise FormatError("model.json: a series of the context is not among those of the scaler.")
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
