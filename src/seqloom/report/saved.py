"""Reads a saved run: the JSON and CSV files of a run folder, checked, as plain values and NumPy arrays.

Everything that the report draws comes from here, whatever the task: a record has what its folder holds, and the rest of
it is empty. Only what equal runs share is taken from run.json, so that equal runs give equal reports. Anything missing,
damaged or of another shape raises FormatError with the file's name (and the line and column where there is one).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqloom_runtime.data.series_names import join_parts
from seqloom_runtime.errors import FormatError, brief, shown
from seqloom_runtime.limits import reading

from .checked import check_folder, check_schema, is_number, kind_of, need, read_object
from .columns import Columns, read_columns
from .saved_search import read_trials

__all__ = [
    "SERIES_DRAWN",
    "Curves",
    "Forecast",
    "Predictions",
    "SavedRun",
    "is_forecast",
    "level_order",
    "ordered_models",
    "read_metrics",
    "read_run",
]

_FILES = ("run.json", "metrics.json", "history.csv", "predictions.csv")
_FORECAST_FILES = ("data.json", "forecast.csv")
_TASK_FILES = ("details.json",)
_CURVES = ("model", "epoch", "step", "learning_rate", "train_loss")
_PREDICTIONS = ("split", "id", "origin", "step", "time", "actual")
_METRICS = (("models", dict), ("best", str))
_FORECAST_METRICS = (("target", str), ("windows", dict), ("horizon", int))
_TASK_METRICS = (("task", str), ("baseline", str), ("examples", dict), ("scores", list), ("lower_is_better", list))
_TASK_METRICS += (("statements", list), ("notes", list))


SERIES_DRAWN = 6
"""Of many series the first few, whose forecasts charts offer."""
_MOST_BYTES = 1 << 26  # of forecast.csv: those first series stand at its beginning


def _no_texts() -> np.ndarray:
    return np.zeros(0, dtype=str)


@dataclass(frozen=True, eq=False)
class Curves:
    """Training curves: one row per epoch; a value that was not recorded is NaN."""

    model: np.ndarray  # (E,) str
    epoch: np.ndarray  # (E,) float64
    values: Mapping[str, np.ndarray]  # train_loss, valid_… -> (E,) float64

    def of(self, model: str) -> Curves:
        """The rows of one model."""
        rows = self.model == model
        return Curves(self.model[rows], self.epoch[rows], {name: v[rows] for name, v in self.values.items()})

    def __len__(self) -> int:
        return len(self.epoch)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scored windows of a forecast: N rows, one per origin and step ahead, in the unit of the target."""

    split: np.ndarray  # (N,) str: "valid" or "test"
    id: np.ndarray  # (N,) str
    step: np.ndarray  # (N,) int64 rows ahead of the origin
    time: np.ndarray  # (N,) float64: milliseconds since 1970 (UTC) or row numbers
    timed: bool  # whether `time` holds milliseconds
    zoned: bool  # whether the times came with an offset from UTC
    actual: np.ndarray  # (N,) float64
    models: Mapping[str, np.ndarray]  # model -> (N,) float64
    low: Mapping[str, np.ndarray]  # level in percent, such as "80" -> (N,) float64
    high: Mapping[str, np.ndarray]
    target: np.ndarray = field(default_factory=_no_texts)  # (N,) str, of several targets; else empty

    def __len__(self) -> int:
        return len(self.actual)


@dataclass(frozen=True, eq=False)
class Forecast:
    """The forecast past the end of the data: M rows, in the unit of the target."""

    id: np.ndarray  # (M,) str
    time: np.ndarray  # (M,) float64, as in Predictions
    value: np.ndarray  # (M,) float64
    low: Mapping[str, np.ndarray]  # level in percent -> (M,) float64
    high: Mapping[str, np.ndarray]
    target: np.ndarray = field(default_factory=_no_texts)  # (M,) str, as in Predictions

    def __len__(self) -> int:
        return len(self.value)


_NONE = np.zeros(0)
NO_PREDICTIONS = Predictions(_NONE, _NONE, _NONE, _NONE, False, False, _NONE, {}, {}, {})
NO_FORECAST = Forecast(_NONE, _NONE, _NONE, {}, {})


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A run folder in memory; what its task does not write is empty."""

    folder: Path
    command: str
    settings: Mapping[str, Any]
    parameters: Mapping[str, Any]  # of the best model
    versions: Mapping[str, Any]
    seed: Any
    threads: Any
    source: Mapping[str, Any]
    metrics: Mapping[str, Any]
    curves: Curves
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # model -> its details on the test set
    data: Mapping[str, Any] = field(default_factory=dict)  # the quality report of a table
    predictions: Predictions = NO_PREDICTIONS
    forecast: Forecast = NO_FORECAST
    trials: Mapping[str, Any] = field(default_factory=dict)  # those of a search, as in trials.json
    search: Mapping[str, Any] = field(default_factory=dict)  # what it was asked
    given: Mapping[str, str] | None = None  # settings that are not the usual ones, with their flags; None: unknown

    def held(self, key: str) -> dict[str, Any]:
        """The models whose details have something under `key`, with what they have; the best model first."""
        best = self.metrics["best"]
        names = [best, *(name for name in self.metrics["models"] if name != best)]
        return {name: self.details[name][key] for name in names if self.details.get(name, {}).get(key)}

    def held_by_models(self, key: str) -> dict[str, Any]:
        """The models whose metrics have something under `key`, with what they have."""
        models = self.metrics["models"]
        return {name: models[name][key] for name in models if models[name].get(key)}

    def has(self, key: str) -> bool:
        """Whether a field of this record, or a key of its models' metrics or details, called `key` holds anything."""
        return (
            len(getattr(self, key, ())) > 0
            or (key in ("targets", "explained", "groups") and bool(self.metrics.get(key)))
            or bool(self.held_by_models(key))
            or bool(self.held(key))
        )


def read_run(run_dir: str | os.PathLike[str]) -> SavedRun:
    """Read the run folder `run_dir`; raises FormatError naming the file that is missing or damaged."""
    folder = Path(run_dir)
    with reading(brief(str(folder), 300), "run folder", error=FormatError):
        return _read_run(folder)


def read_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check metrics.json; raises FormatError where a key is missing or of the wrong kind."""
    path = Path(path)
    metrics = read_object(path)
    check_schema(metrics, path)
    for key, kind in (*_METRICS, *(_FORECAST_METRICS if is_forecast(metrics) else _TASK_METRICS)):
        need(metrics, key, kind, path)
    for key in ("scores", "lower_is_better", "statements", "notes"):
        texts = metrics.get(key) or []
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise FormatError(f"{path}: expected texts under '{key}', got something else.")
    ranks = "mae" if is_forecast(metrics) else next(iter(metrics["scores"]), None)
    if not metrics["models"] or ranks is None:
        raise FormatError(f"{path}: expected at least one model and one score, got none.")
    for name, model in metrics["models"].items():
        _check_model(model, f"models.{name}", ranks, path)
    for key in ("best", *(() if is_forecast(metrics) else ("baseline",))):
        if metrics[key] not in metrics["models"]:
            raise FormatError(f"{path}: '{key}' names {shown(metrics[key])}, which is not under 'models'.")
    _check_targets(metrics, path)
    if "explained" in metrics:  # older runs have none
        need(metrics, "explained", dict, path)
    return metrics


def _check_targets(metrics: Mapping[str, Any], path: Path) -> None:
    """What metrics.json says of each of several targets."""
    targets = metrics.get("targets") or []
    for number, target in enumerate(targets if isinstance(targets, list) else [targets]):
        where = f"targets.{number}"
        if not isinstance(target, dict):
            raise FormatError(f"{path}: expected an object under {where}, got {kind_of(target)}.")
        for key, kind in (("name", str), ("windows", dict), ("models", dict)):
            need(target, key, kind, path, f"{where}.")
        for name in metrics["models"]:
            model = need(target["models"], name, dict, path, f"{where}.models.")
            _check_model(
                {**metrics["models"][name], "by_step": None, "by_time_of_day": None, **model},
                f"{where}.models.{name}",
                "mae",
                path,
            )


def is_forecast(metrics: Mapping[str, Any]) -> bool:
    """Whether metrics.json is that of a forecast, whose scores count windows of one target."""
    return metrics.get("task", "forecast") == "forecast"


def ordered_models(metrics: Mapping[str, Any]) -> list[str]:
    """Model names, baselines first, otherwise in the order of metrics.json."""
    models = metrics["models"]
    # sorted is stable, and False comes before True.
    return sorted(models, key=lambda name: models[name]["kind"] != "baseline")


def _read_run(folder: Path) -> SavedRun:
    check_folder(folder, _FILES)
    metrics = read_metrics(folder / "metrics.json")
    forecast = is_forecast(metrics)
    check_folder(folder, (*_FILES, *(_FORECAST_FILES if forecast else _TASK_FILES)))
    path = folder / "run.json"
    run = read_object(path)
    check_schema(run, path)
    found: dict[str, Any] = {}
    if forecast:
        found["data"] = _data(folder / "data.json")
        found["predictions"] = _predictions(folder / "predictions.csv", metrics)
        found["forecast"] = _forecast(folder / "forecast.csv", metrics)
    else:
        found["details"] = _details(folder / "details.json")
    return SavedRun(
        folder=folder,
        command=need(run, "command", str, path),
        settings=need(run, "settings", dict, path),
        parameters=_parameters(run, metrics["best"], path),
        versions=need(run, "versions", dict, path),
        seed=run.get("seed"),
        threads=run.get("threads"),
        source=need(run, "data", dict, path),
        given=_given(run, path),
        search=need(run, "search", dict, path) if "search" in run else {},
        trials=read_trials(folder / "trials.json") if "search" in run else {},
        metrics=metrics,
        curves=_curves(folder / "history.csv", ("valid_loss", "valid_mae") if forecast else ()),
        **found,
    )


def _check_model(model: Any, where: str, ranks: str, path: Path) -> None:
    """What metrics.json holds of one model; `ranks` is the score that must be there."""
    if not isinstance(model, dict):
        raise FormatError(f"{path}: expected an object under {where}, got {kind_of(model)}.")
    if model.get("kind") not in ("baseline", "network", "ensemble"):
        raise FormatError(
            f"{path}: expected 'baseline', 'network' or 'ensemble' under {where}.kind, got {shown(model.get('kind'))}."
        )
    _check_number(model.get("parameters"), f"{where}.parameters", path)
    for part in ("valid", "test"):
        scores = need(model, part, dict, path, f"{where}.")
        for key, value in scores.items():
            # Coverage and width are scores by level of interval.
            for level, number in value.items() if isinstance(value, dict) else [("", value)]:
                _check_number(number, f"{where}.{part}.{key}" + (f".{level}" if level else ""), path)
        if ranks not in scores:
            raise FormatError(f"{path}: expected the key '{where}.{part}.{ranks}', which is missing.")
    for key, axis in (("by_step", "steps"), ("by_time_of_day", "minutes")):
        if model.get(key) is not None:
            _check_errors(need(model, key, dict, path, f"{where}."), axis, f"{where}.{key}", path)


def _check_errors(values: Mapping[str, Any], axis: str, where: str, path: Path) -> None:
    """Errors by step or by time of day: three lists of numbers, equally long."""
    for key in (axis, "valid_mae", "test_mae"):
        column = need(values, key, list, path, f"{where}.")
        if len(column) != len(values[axis]):
            raise FormatError(f"{path}: '{where}.{key}' has {len(column)} values, '{axis}' has {len(values[axis])}.")
        for number in column:
            _check_number(number, f"{where}.{key}", path)


def _check_number(value: Any, where: str, path: Path) -> None:
    if value is not None and not is_number(value):
        raise FormatError(f"{path}: expected a number under '{where}', got {kind_of(value)}.")


def _parameters(run: Mapping[str, Any], best: str, path: Path) -> dict[str, Any]:
    found = run.get("parameters") or {}
    # What is no object is left for the check below to name.
    found = found.get(best) or {} if isinstance(found, dict) else found
    if not isinstance(found, dict):
        raise FormatError(f"{path}: expected an object for each model under 'parameters', got {kind_of(found)}.")
    return found


def _given(run: Mapping[str, Any], path: Path) -> dict[str, str] | None:
    if "given" not in run:  # a run of an older version, or one that no command made
        return None
    found = need(run, "given", dict, path)
    if not all(isinstance(flag, str) for flag in found.values()):
        raise FormatError(f"{path}: expected texts under 'given', got something else.")
    return found


def _data(path: Path) -> dict[str, Any]:
    data = read_object(path)
    lists = ("columns", "findings", "repairs", *(["decisions"] if "decisions" in data else []))  # older runs have none
    for key in lists:
        for item in need(data, key, list, path):
            if not isinstance(item, dict):
                raise FormatError(f"{path}: expected objects under '{key}', got {kind_of(item)}.")
    return data


def _details(path: Path) -> dict[str, Any]:
    details = read_object(path)
    check_schema(details, path)
    models = need(details, "models", dict, path)
    for name in models:
        need(models, name, dict, path, "models.")
    return models


def _curves(path: Path, further: tuple[str, ...]) -> Curves:
    table = read_columns(path)
    table.require((*_CURVES, *further))
    values = [name for name in table.names if name == "train_loss" or name.startswith("valid_")]
    return Curves(table.text("model"), table.number("epoch"), {name: table.number(name) for name in values})


def _predictions(path: Path, metrics: Mapping[str, Any]) -> Predictions:
    table = read_columns(path)
    table.require((*_PREDICTIONS, metrics["best"]))
    split = table.text("split")
    known = (split == "valid") | (split == "test")
    if not known.all():
        row = int(np.argmin(known))
        raise FormatError(
            f"{path}: line {row + 2}: expected 'valid' or 'test' under 'split', got {shown(str(split[row]))}."
        )
    time, timed, zoned = table.times("time")
    first = len(_PREDICTIONS) + (1 if metrics.get("targets") else 0)
    low, high = _levels(table, first)
    return Predictions(
        split=split,
        id=table.text("id"),
        step=table.whole("step"),
        time=time,
        timed=timed,
        zoned=zoned,
        actual=table.number("actual"),
        # Behind the columns of the windows: a model may be called like one of them.
        models={name: table.number(name) for name in metrics["models"] if name in table.names[first:]},
        low=low,
        high=high,
        target=table.text("target") if metrics.get("targets") else _no_texts(),
    )


def _forecast(path: Path, metrics: Mapping[str, Any]) -> Forecast:
    table = read_columns(path, _MOST_BYTES)
    if metrics.get("targets"):
        return _side_by_side(table, metrics, path)
    if len(table.names) < 3 or table.names[:2] != ("id", "time"):
        raise FormatError(
            f"{path}: expected the columns id, time and the target first, got {shown(', '.join(table.names[:3]))}."
        )
    table = table.of_first(0, SERIES_DRAWN)
    low, high = _levels(table, 3)
    return Forecast(id=table.text(0), time=table.times(1)[0], value=table.number(2), low=low, high=high)


def _side_by_side(table: Columns, metrics: Mapping[str, Any], path: Path) -> Forecast:
    """The forecasts of several targets, which stand side by side in the file, one series behind the other."""
    targets = [target["name"] for target in metrics["targets"]]
    first = 2 if metrics.get("joined") else 1  # id and time, or time
    width, odd = divmod(len(table.names) - first, len(targets))
    sides = table.names[first + 1 : first + width]
    levels = [name.rstrip("_").removeprefix(f"{targets[0]}_low_") for name in sides[::2]]
    if odd or width < 1 or len(sides) % 2:
        raise FormatError(f"{path}: expected the same columns of each of the {len(targets)} targets.")
    time, ids = table.times(first - 1)[0], table.text(0)
    blocks = []
    for number, target in enumerate(targets):
        values = np.stack([table.number(first + number * width + side) for side in range(width)], axis=1)
        known = np.isfinite(values[:, 0])
        names = [join_parts((name, target)) if first == 2 else target for name in ids[known]]
        blocks.append((np.array(names, dtype=str), np.full(known.sum(), target), time[known], values[known]))
    name, target, time, values = (np.concatenate(column) for column in zip(*blocks))
    low, high = ({level: values[:, at + 2 * i] for i, level in enumerate(levels)} for at in (1, 2))
    return Forecast(id=name, time=time, value=values[:, 0], low=low, high=high, target=target)


def _levels(table: Columns, first: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The intervals' ends by level, the narrowest first; found by position, as a target may be called low_80."""
    names = table.names[first:]
    levels = [name[4:] for name in names if name.startswith("low_") and f"high_{name[4:]}" in names]
    levels.sort(key=level_order)
    low, high = (
        {level: table.number(table.names.index(f"{side}_{level}", first)) for level in levels}
        for side in ("low", "high")
    )
    return low, high


def level_order(level: str) -> tuple[float, str]:
    """What levels of intervals, such as "80", are sorted by; a damaged run may call one anything."""
    try:
        # By number: as texts "100" would come before "80".
        return float(level), level
    except ValueError:
        return float("inf"), level
