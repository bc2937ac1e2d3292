"""Comparison runs in folders, some of them in a process of their own that is killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import torch
from forecast_cases import hourly

from seqloom.tasks.forecast import ForecastRun, compare_forecasters

MODELS = ("seasonal", "damped", "linear", "gru")
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


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but run.json by its path inside the folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def killed_at_random(folder: Path, within: float, seed: int) -> bool:
    """Start or go on with a run in a process of its own, and kill it within that many seconds; whether it still ran."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["forecast_runs", "torch._dynamo"])  # imported once, by a server that never trains
    started = context.Event()
    process = context.Process(target=_child, args=(folder, started))
    process.start()
    assert started.wait(60)
    time.sleep(random.Random(seed).uniform(0, within))
    process.kill()
    process.join(60)
    return process.exitcode == -9


def seconds_undisturbed(folder: Path) -> float:
    """How long a whole run takes in such a process."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["forecast_runs", "torch._dynamo"])
    started = context.Event()
    process = context.Process(target=_child, args=(folder, started))
    process.start()
    assert started.wait(60)
    began = time.monotonic()
    process.join(120)
    assert process.exitcode == 0
    return time.monotonic() - began


def _child(folder: Path, started: Any) -> None:
    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    started.set()
    run_in(folder, resume=(folder / "run.json").is_file())
