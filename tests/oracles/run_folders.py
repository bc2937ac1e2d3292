"""Run folders of any comparison: their bytes, and what is left where one is interrupted or killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

WRITTEN_BY = ("history_csv", "predictions_csv", "write_json")


def contents(folder: Path, *, but: tuple[str, ...] = ("run.json",)) -> dict[str, bytes]:
    """Every file by its path inside the folder, without those of these names."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in but)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Stop:
    """Raises KeyboardInterrupt at the n-th event of the run."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, event: Any) -> None:
        if type(event).__name__ == "StepDone":  # told by the clock, so their number differs from run to run
            return
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def check_interrupted_while_writing(
    run_in: Callable[..., Any], whole: Path, folder: Path, module: ModuleType, function: str
) -> None:
    """Ctrl-C inside `function` of `module`, one of `WRITTEN_BY`; what goes on ends in the bytes of `whole`."""

    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, function, stop)
        with pytest.raises(KeyboardInterrupt):
            run_in(folder)
    run_in(folder, resume=True)
    assert contents(folder) == contents(whole)


def started_apart(run: Callable[[Path], Any], folder: Path, preload: str) -> Any:
    """A process of its own in which `run`, a function of the module `preload`, has begun with `folder`."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload, "seqloom.tasks.forecast"])  # imported once, by a server that never trains
    started = context.Event()
    process = context.Process(target=_begin, args=(run, folder, started))
    process.start()
    assert started.wait(60)
    return process


def killed_at_random(run: Callable[[Path], Any], folder: Path, preload: str, within: float, seed: int) -> bool:
    """Start or go on with a run as `started_apart`, and kill it within that many seconds; whether it still ran."""
    process = started_apart(run, folder, preload)
    time.sleep(random.Random(seed).uniform(0, within))
    process.kill()
    process.join(60)
    return process.exitcode == -9


def _begin(run: Callable[[Path], Any], folder: Path, started: Any) -> None:
    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # type: ignore[assignment]  # a kill of the process loses nothing written
    started.set()
    run(folder)
