"""Comparison runs in folders, some of them in a process of their own that is killed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from forecast_cases import hourly

from oracles import run_folders
from seqloom.tasks.forecast import ForecastRun, compare_forecasters

MODELS = ("seasonal", "damped-persistence", "linear", "gru")
PARAMETERS: dict[str, Any] = {
    "lookback": 12,
    "horizon": 4,
    "season": 24,
    "epochs": 3,
    "units": 4,
    "batch_size": 16,
    "learning_rate": 0.01,
    "anchor": "auto",
    "input_dropout": 0.1,
    "levels": (80,),
}


def run_in(folder: Path | None, *, resume: bool = False, **changes: Any) -> ForecastRun:
    """The small comparison of these tests."""
    settings = {"models": MODELS, "parameters": PARAMETERS, "panel": hourly(zone="Europe/Berlin"), **changes}
    return compare_forecasters(
        settings.pop("panel"),
        settings.pop("models"),
        settings.pop("parameters"),
        directory=folder,
        resume=resume,
        **{"target": "load", **settings},
    )


def killed_at_random(folder: Path, within: float, seed: int) -> bool:
    """Start or go on with a run in a process of its own, and kill it within that many seconds; whether it still ran."""
    return run_folders.killed_at_random(_go_on, folder, "forecast_runs", within, seed)


def seconds_undisturbed(folder: Path) -> float:
    """How long a whole run takes in such a process."""
    process = run_folders.started_apart(_go_on, folder, "forecast_runs")
    began = time.monotonic()
    process.join(120)
    assert process.exitcode == 0
    return time.monotonic() - began


def _go_on(folder: Path) -> None:
    run_in(folder, resume=(folder / "run.json").is_file())
