"""What a search leaves in its run folder: trials.json and trials.csv, which the report and people read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqloom_runtime.files import write_json
from seqloom_runtime.tables import write_csv

from ..diagnostics import score_named
from .importance import importances

if TYPE_CHECKING:
    from .search import Searched
    from .storage import Trial

__all__ = ["score_told", "trials_json", "write_trials"]


def score_told(score: Mapping[str, Any]) -> str:
    """The heading of what trials are judged by: a score, or, without a name, a forecast's error over naive's."""
    return score_named(score["name"]).heading if score["name"] else "error over naive's"


def trials_json(found: Searched, estimators: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of trials.json: what was searched, every trial in order, the best, and what mattered."""
    defaults = {model: estimator.get_params() for model, estimator in estimators.items()}
    score = found.best.result.get("score") or {"name": "", "lower_is_better": True}
    return {
        "schema": 1,
        "score": {**score, "name": score["name"] or "choosing", "heading": score_told(score)},
        "spaces": {
            model: {name: dimension.to_json() for name, dimension in space.items()}
            for model, space in found.spaces.items()
        },
        "defaults": {
            model: {name: _plain(defaults[model][name]) for name in space} for model, space in found.spaces.items()
        },
        "trials": [_row(trial) for trial in found.trials],
        "best": found.best.number,
        "tuned": found.names[found.best.model] if found.best.parameters else None,
        "importance": {model: importances(found.trials, model, space) for model, space in found.spaces.items()},
    }


def _row(trial: Trial) -> dict[str, Any]:
    result = trial.result
    return {
        "number": trial.number,
        "model": trial.model,
        "state": trial.state,
        "value": trial.score,
        "scores": result.get("scores"),
        "rungs": [trial.rungs[rung] for rung in sorted(trial.rungs)],
        "parameters": trial.parameters,
        "seed": trial.seed,
        "epochs": result.get("epochs"),
        "steps": result.get("steps"),
        "size": result.get("size"),
        "failed": result.get("text"),
    }


def write_trials(root: Path, found: Searched, estimators: Mapping[str, Any]) -> None:
    """Write trials.json and trials.csv, a row for each trial in order, which people count from 1."""
    told = trials_json(found, estimators)
    write_json(root / "trials.json", told)
    names = list(dict.fromkeys(name for space in found.spaces.values() for name in space))
    header = ["trial", "model", "state", "value", "monitored", *names, "seed", "epochs", "steps", "failed"]
    rows = []
    for row in told["trials"]:
        values = {**told["defaults"][row["model"]], **row["parameters"]}
        # A trial that was stopped has no score, but what was monitored until then.
        monitored = row["rungs"][-1] if row["rungs"] else None
        cells = [row["number"] + 1, row["model"], row["state"], row["value"], monitored]
        rows.append(
            [*cells, *(values.get(name) for name in names), row["seed"], row["epochs"], row["steps"], row["failed"]]
        )
    write_csv(root / "trials.csv", header, rows)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
