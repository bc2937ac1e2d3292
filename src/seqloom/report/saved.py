"""Reads a saved forecast run: the JSON and CSV files of a run folder, checked, as plain values and NumPy arrays.

Everything that the report draws comes from here. Only `settings`, `versions`, `seed`, `threads` and `data` are taken
from run.json, so that equal runs give equal reports. Anything missing, damaged or of another shape raises FormatError
with the file's name (and the line and column where there is one).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, brief, shown
from ..limits import reading
from .checked import check_folder, check_schema, is_number, kind_of, need, read_object
from .columns import Table, read_table

__all__ = [
    "Forecast",
    "History",
    "Predictions",
    "SavedRun",
    "ordered_models",
    "read_forecast_metrics",
    "read_history",
    "read_run",
]

_REQUIRED = ("run.json", "data.json", "metrics.json", "history.csv", "predictions.csv", "forecast.csv")
_HISTORY = ("model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_mae")
_PREDICTIONS = ("split", "id", "origin", "step", "time", "actual")


@dataclass(frozen=True, eq=False)
class History:
    """Training curves: one row per epoch; a value that was not recorded is NaN."""

    model: np.ndarray  # (E,) str
    epoch: np.ndarray  # (E,) float64
    values: Mapping[str, np.ndarray]  # train_loss, valid_… -> (E,) float64

    def of(self, model: str) -> History:
        """The rows of one model."""
        rows = self.model == model
        return History(self.model[rows], self.epoch[rows], {name: v[rows] for name, v in self.values.items()})


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scored windows: N rows, one per origin and step ahead, in the unit of the target."""

    split: np.ndarray  # (N,) str: "valid" or "test"
    id: np.ndarray  # (N,) str
    step: np.ndarray  # (N,) int64 rows ahead of the origin
    time: np.ndarray  # (N,) float64: milliseconds since 1970 (UTC) or tick numbers
    timed: bool  # whether `time` holds milliseconds
    zoned: bool  # whether the times came with an offset from UTC
    actual: np.ndarray  # (N,) float64
    models: Mapping[str, np.ndarray]  # model -> (N,) float64
    low: Mapping[str, np.ndarray]  # level in percent, such as "80" -> (N,) float64
    high: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Forecast:
    """The forecast past the end of the data: M rows, in the unit of the target."""

    id: np.ndarray  # (M,) str
    time: np.ndarray  # (M,) float64, as in Predictions
    timed: bool
    value: np.ndarray  # (M,) float64
    low: Mapping[str, np.ndarray]  # level in percent -> (M,) float64
    high: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A run folder in memory."""

    folder: Path
    command: str
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    seed: Any
    threads: Any
    source: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: History
    predictions: Predictions
    forecast: Forecast


def read_run(run_dir: str | os.PathLike[str]) -> SavedRun:
    """Read the run folder `run_dir`; raises FormatError naming the file that is missing or damaged."""
    folder = Path(run_dir)
    with reading(brief(str(folder), 300), "run folder", error=FormatError):
        return _read_run(folder)


def _read_run(folder: Path) -> SavedRun:
    check_folder(folder, _REQUIRED, "forecast")
    metrics = read_forecast_metrics(folder / "metrics.json")
    run = read_object(folder / "run.json")
    check_schema(run, folder / "run.json")
    data = read_object(folder / "data.json")
    _check_data(data, folder / "data.json")
    return SavedRun(
        folder=folder,
        command=str(run.get("command") or "forecast"),
        settings=need(run, "settings", dict, folder / "run.json"),
        versions=need(run, "versions", dict, folder / "run.json"),
        seed=run.get("seed"),
        threads=run.get("threads"),
        source=need(run, "data", dict, folder / "run.json"),
        data=data,
        metrics=metrics,
        history=read_history(folder / "history.csv"),
        predictions=_predictions(folder / "predictions.csv", metrics),
        forecast=_forecast(folder / "forecast.csv"),
    )


def read_forecast_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check the metrics.json of a forecast; raises FormatError where a key is missing or of the wrong kind."""
    path = Path(path)
    metrics = read_object(path)
    check_schema(metrics, path)
    for key, kind in (("models", dict), ("target", str), ("best", str), ("windows", dict), ("horizon", int)):
        need(metrics, key, kind, path)
    if not metrics["models"]:
        raise FormatError(f"{path}: expected at least one model under 'models', found none.")
    for name, model in metrics["models"].items():
        if not isinstance(model, dict):
            raise FormatError(f"{path}: expected an object under models.{name}, found {kind_of(model)}.")
        if model.get("kind") not in ("baseline", "network"):
            raise FormatError(
                f"{path}: expected 'baseline' or 'network' under models.{name}.kind, found {shown(model.get('kind'))}."
            )
        for part in ("valid", "test"):
            _check_scores(need(model, part, dict, path, f"models.{name}."), f"models.{name}.{part}", path)
        _check_curves(model, name, path)
    if metrics["best"] not in metrics["models"]:
        raise FormatError(f"{path}: 'best' names {shown(metrics['best'])}, which is not under 'models'.")
    return metrics


def ordered_models(metrics: Mapping[str, Any]) -> list[str]:
    """Model names, baselines first, otherwise in the order of metrics.json."""
    models = metrics["models"]
    return sorted(models, key=lambda name: models[name]["kind"] != "baseline")


def _check_scores(scores: Mapping[str, Any], where: str, path: Path) -> None:
    for key, value in scores.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for level, number in inner:
            if number is not None and not is_number(number):
                label = f"{where}.{key}" + (f".{level}" if level else "")
                raise FormatError(f"{path}: expected a number under '{label}', found {kind_of(number)}.")
    if "mae" not in scores:
        raise FormatError(f"{path}: expected the key '{where}.mae', which is missing.")


def _check_curves(model: Mapping[str, Any], name: str, path: Path) -> None:
    for curve, axis in (("by_step", "steps"), ("by_time_of_day", "minutes")):
        values = model.get(curve)
        if values is None:
            continue
        where = f"models.{name}.{curve}"
        if not isinstance(values, dict):
            raise FormatError(f"{path}: expected an object under '{where}', found {kind_of(values)}.")
        length = len(need(values, axis, list, path, f"{where}."))
        for key in ("valid_mae", "test_mae"):
            column = need(values, key, list, path, f"{where}.")
            if len(column) != length:
                raise FormatError(f"{path}: '{where}.{key}' has {len(column)} values, '{axis}' has {length}.")
        for key in (axis, "valid_mae", "test_mae"):
            if any(v is not None and not is_number(v) for v in values[key]):
                raise FormatError(f"{path}: expected numbers under '{where}.{key}', found something else.")


def _check_data(data: Mapping[str, Any], path: Path) -> None:
    for key in ("columns", "findings", "repairs"):
        for item in need(data, key, list, path):
            if not isinstance(item, dict):
                raise FormatError(f"{path}: expected objects under '{key}', found {kind_of(item)}.")


def read_history(path: Path, required: tuple[str, ...] = _HISTORY) -> History:
    """history.csv with every column of losses and validation numbers; raises FormatError where one is missing."""
    table = read_table(path)
    table.require(required)
    values = [name for name in table.names if name == "train_loss" or name.startswith("valid_")]
    return History(table.text("model"), table.number("epoch"), {name: table.number(name) for name in values})


def _predictions(path: Path, metrics: Mapping[str, Any]) -> Predictions:
    table = read_table(path)
    table.require(_PREDICTIONS)
    table.require((metrics["best"],))
    split = table.text("split")
    known = (split == "valid") | (split == "test")
    if not known.all():
        row = int(np.argmin(known))
        raise FormatError(
            f"{path}: line {row + 2}: expected 'valid' or 'test' under 'split', found {shown(str(split[row]))}."
        )
    time, timed, zoned = table.times("time")
    low, high = _levels(table, 6)
    return Predictions(
        split=split,
        id=table.text("id"),
        step=table.whole("step"),
        time=time,
        timed=timed,
        zoned=zoned,
        actual=table.number("actual"),
        models={name: table.number(name) for name in metrics["models"] if name in table.names[6:]},
        low=low,
        high=high,
    )


def _forecast(path: Path) -> Forecast:
    table = read_table(path)
    if len(table.names) < 3 or table.names[:2] != ("id", "time"):
        raise FormatError(
            f"{path}: expected the columns id, time and the target first, found {shown(', '.join(table.names[:3]))}."
        )
    time, timed, _ = table.times(1)
    low, high = _levels(table, 3)
    return Forecast(id=table.text(0), time=time, timed=timed, value=table.number(2), low=low, high=high)


def _levels(table: Table, first: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    low: dict[str, np.ndarray] = {}
    high: dict[str, np.ndarray] = {}
    for position, name in enumerate(table.names[first:], start=first):
        if name.startswith("low_") and f"high_{name[4:]}" in table.names[first:]:
            level = name[4:]
            low[level] = table.number(position)
            high[level] = table.number(table.names.index(f"high_{level}", first))
    order = sorted(low, key=_percent)
    return {level: low[level] for level in order}, {level: high[level] for level in order}


def _percent(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level
