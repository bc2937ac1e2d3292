"""Reads a saved run of a sequence or text task: metrics, training curves and what is worth drawing, checked.

As in `saved`, only what equal runs share is taken from run.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FormatError, brief, shown
from ..limits import reading
from .checked import check_folder, check_schema, is_number, kind_of, need, read_object
from .saved import History, read_history

__all__ = ["TaskRun", "check_task_metrics", "read_task_run"]

_REQUIRED = ("run.json", "metrics.json", "details.json", "history.csv", "predictions.csv")


@dataclass(frozen=True, eq=False)
class TaskRun:
    """A run folder in memory; `details` holds the checked details of each model on the test part."""

    folder: Path
    command: str
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    seed: Any
    threads: Any
    source: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: History
    details: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, Any]  # of the best model

    def held(self, key: str) -> dict[str, Any]:
        """The models that have something under `key`, with what they have; the best model first."""
        best = self.metrics["best"]
        names = [best, *(name for name in self.metrics["models"] if name != best)]
        return {name: self.details[name][key] for name in names if self.details.get(name, {}).get(key)}


def read_task_run(folder: Path) -> TaskRun:
    """Read a run folder; raises FormatError naming the file that is missing or damaged."""
    with reading(brief(str(folder), 300), "run folder", error=FormatError):
        return _read_task_run(folder)


def _read_task_run(folder: Path) -> TaskRun:
    check_folder(folder, _REQUIRED, "command")
    metrics_path, details_path, run_path = (folder / f"{name}.json" for name in ("metrics", "details", "run"))
    metrics = read_object(metrics_path)
    check_schema(metrics, metrics_path)
    check_task_metrics(metrics, metrics_path)
    run, details = read_object(run_path), read_object(details_path)
    check_schema(run, run_path)
    check_schema(details, details_path)
    models = need(details, "models", dict, details_path)
    for name, model in models.items():
        if not isinstance(model, dict):
            raise FormatError(f"{details_path}: expected an object under models.{name}, found {kind_of(model)}.")
    return TaskRun(
        folder=folder,
        command=need(run, "command", str, run_path),
        settings=need(run, "settings", dict, run_path),
        versions=need(run, "versions", dict, run_path),
        seed=run.get("seed"),
        threads=run.get("threads"),
        source=need(run, "data", dict, run_path),
        metrics=metrics,
        history=read_history(folder / "history.csv", ("model", "epoch", "step", "learning_rate", "train_loss")),
        details=models,
        parameters=_parameters(run, metrics["best"], run_path),
    )


def _parameters(run: Mapping[str, Any], best: str, path: Path) -> dict[str, Any]:
    found = run.get("parameters") or {}
    found = found.get(best) or {} if isinstance(found, dict) else found
    if not isinstance(found, dict):
        raise FormatError(f"{path}: expected an object for each model under 'parameters', found {kind_of(found)}.")
    return found


def check_task_metrics(metrics: Mapping[str, Any], path: Path) -> None:
    """Raise FormatError where metrics.json of a task lacks a key or holds something of the wrong kind."""
    keys = (("task", str), ("models", dict), ("best", str), ("baseline", str), ("examples", dict))
    for key, kind in (*keys, ("scores", list), ("lower_is_better", list), ("statements", list), ("notes", list)):
        need(metrics, key, kind, path)
    for key in ("scores", "lower_is_better", "statements", "notes"):
        if not all(isinstance(text, str) for text in metrics[key]):
            raise FormatError(f"{path}: expected texts under '{key}', found something else.")
    if not metrics["models"] or not metrics["scores"]:
        raise FormatError(f"{path}: expected at least one model and one score, found none.")
    for name, model in metrics["models"].items():
        if not isinstance(model, dict) or model.get("kind") not in ("baseline", "network"):
            raise FormatError(f"{path}: expected an object with 'baseline' or 'network' under models.{name}.kind.")
        if not is_number(model.get("parameters")):
            raise FormatError(f"{path}: expected a number under 'models.{name}.parameters'.")
        for part in ("valid", "test"):
            for score, value in need(model, part, dict, path, f"models.{name}.").items():
                if not is_number(value):
                    raise FormatError(
                        f"{path}: expected a number under 'models.{name}.{part}.{score}', found {kind_of(value)}."
                    )
            if metrics["scores"][0] not in model[part]:
                raise FormatError(f"{path}: expected the key 'models.{name}.{part}.{metrics['scores'][0]}'.")
    for key in ("best", "baseline"):
        if metrics[key] not in metrics["models"]:
            raise FormatError(f"{path}: '{key}' names {shown(metrics[key])}, which is not under 'models'.")
