"""Models of a comparison fitted by the workers of an engine: each fit is a job.

A worker leaves what it learned as a checkpoint, where the run keeps that of a fit in this process; this process then
goes on from there, with nothing left to train. So whatever the engine and its workers, a model is the one that a run
which was ended and resumed has. What is fitted at once keeps no checkpoint: a task may hand it over itself
(`Task.handed_over`), else it is fitted here as well.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from seqloom_runtime.errors import FormatError, SeqloomError
from seqloom_runtime.files import write_bytes

from ...engines import Engine, Failed
from ...training.events import Notice
from ..checkpointing import Checkpointing
from .task import Task

__all__ = ["FitFinished", "FitProgress", "FitsStarted", "fit_by_engine"]


@dataclass(frozen=True)
class FitsStarted:
    """The fits of these models are given to `workers` workers."""

    names: tuple[str, ...]
    workers: int


@dataclass(frozen=True)
class FitProgress:
    """A worker has trained a model up to `epoch` of `epochs`; `value` is the monitor, lower is better."""

    name: str
    epoch: int
    epochs: int
    value: float | None


@dataclass(frozen=True)
class FitFinished:
    """A worker has fitted a model, or failed to."""

    name: str
    seconds: float
    failed: bool


@dataclass(frozen=True, eq=False)
class _Shared:
    """What every fit reads."""

    task: Task
    estimators: Mapping[str, Any]
    parts: Mapping[str, tuple[Any, ...]]


@dataclass(eq=False)
class _Watch:
    """Passes on what a training tells: its epochs at once, its sentences with the result."""

    tell: Callable[[Any], None]
    epochs: int = 0

    def __post_init__(self) -> None:
        self.notices: list[str] = []

    def __call__(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "TrainStart":
            self.epochs = int(event.epochs)
        elif kind == "EpochDone":
            self.tell({"epoch": int(event.row.epoch), "epochs": self.epochs, "value": event.value})
        elif kind == "Notice":
            self.notices.append(event.text)


def fit_by_engine(
    engine: Engine,
    task: Task,
    estimators: Mapping[str, Any],
    parts: Mapping[str, tuple[Any, ...]],
    place: Callable[[str], Path],
    on_event: Callable[[Any], None] | None,
) -> tuple[dict[str, SeqloomError], dict[str, float]]:
    """Have the models fitted, each up to the end of its checkpoint in `place(name)`.

    Returns why models failed that the task goes on without (`Task.left_out`), and the seconds of each; raises the
    error of another that failed.
    """
    names = list(estimators)
    failed: dict[str, SeqloomError] = {}
    seconds: dict[str, float] = {}

    def say(event: Any) -> None:
        if on_event is not None:
            on_event(event)

    def told(index: int, value: Any) -> None:
        say(FitProgress(names[index], value["epoch"], value["epochs"], value["value"]))

    def take(index: int, found: Any) -> None:
        name = names[index]
        if isinstance(found, Failed):
            error = found.error()
            say(FitFinished(name, 0.0, True))
            if not isinstance(error, SeqloomError) or task.left_out(name, error) is None:
                raise error
            failed[name] = error
            return
        seconds[name] = found["seconds"]
        _put_files(place(name), found["files"])
        if found["handed"] is not None:
            task.take_over(name, found["handed"])
        for text in found["notices"]:
            say(Notice(text))
        say(FitFinished(name, found["seconds"], False))

    say(FitsStarted(tuple(names), engine.workers))
    jobs = [{"name": name, "directory": str(place(name)) if engine.shares_folders else None} for name in names]
    engine.run(_fit_job, _Shared(task, estimators, parts), jobs, on_result=take, on_told=told)
    return failed, seconds


def _fit_job(shared: _Shared, job: Mapping[str, Any], tell: Callable[[Any], None]) -> dict[str, Any]:
    """A fit, in a worker; its checkpoint as files where the run's folder is not seen from here."""
    began = time.perf_counter()
    name, watch = job["name"], _Watch(tell)
    estimator = shared.estimators[name]
    with ExitStack() as stack:
        where = job["directory"] or stack.enter_context(tempfile.TemporaryDirectory(prefix="seqloom-fit-"))
        root = Path(where)
        root.mkdir(parents=True, exist_ok=True)
        shared.task.fit(estimator, shared.parts, Checkpointing(root, True, watch))
        files = {} if job["directory"] is not None else _files_of(root)
        handed = shared.task.handed_over(estimator)
    seconds = round(time.perf_counter() - began, 3)
    return {"seconds": seconds, "files": files, "handed": handed, "notices": watch.notices}


def _files_of(root: Path) -> dict[str, np.ndarray]:
    """The files of a checkpoint by their path in it; not what starts with a point, which is a lock or left over."""
    return {
        path.relative_to(root).as_posix(): np.frombuffer(path.read_bytes(), np.uint8)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _put_files(root: Path, files: Mapping[str, np.ndarray]) -> None:
    # What points to the others comes last, so that a run which is killed in between has no half checkpoint.
    for name in sorted(files, key=lambda name: (PurePosixPath(name).name == "latest", name)):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise FormatError(f"a worker's checkpoint names {name!r}, which is not inside its folder.")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(root / path, files[name].tobytes())
