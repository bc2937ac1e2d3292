"""Rows of a study done by an engine's workers: each row for each seed is a job, done with one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import TrainingError

from ..engines import Engine, Failed
from .folder import StudyFolder
from .job import Clock, Job
from .results import RowResult
from .study import Row, Study, StudySettings

__all__ = ["rows_by_engine", "worked"]


@dataclass(frozen=True, eq=False)
class _Shared:
    """What every row reads."""

    study: Study
    settings: StudySettings
    data: Any
    rows: Sequence[Row]


def rows_by_engine(
    engine: Engine,
    study: Study,
    settings: StudySettings,
    data: Any,
    places: Sequence[tuple[Row, int]],
    folder: StudyFolder | None,
    take: Callable[[RowResult], None],
) -> None:
    """Do the rows for the seeds, and hand each result to `take` as soon as it is there; raises what a row does."""
    jobs = []
    for index, (row, seed) in enumerate(places):
        keeps = folder is not None and engine.shares_folders
        place = folder.row_checkpoint(row, seed) if folder is not None and keeps else None
        jobs.append({"index": index, "seed": seed, "directory": None if place is None else str(place)})

    def done(index: int, found: Any) -> None:
        if isinstance(found, Failed):
            raise found.error()
        take(RowResult.from_json(found, f"row {places[index][0].name}"))

    engine.run(_row_job, _Shared(study, settings, data, [row for row, _ in places]), jobs, on_result=done)


def worked(study: Study, data: Any, job: Job) -> RowResult:
    """The outcome of a row for a seed, or why training broke down: the other rows stand without it."""
    outcome, failed = None, None
    try:
        outcome = study.work(job.row, data, job)
    # Only this: a mistake in settings or data would fail every other row too, and is raised.
    except TrainingError as error:
        failed = str(error)
    return RowResult(job.row.name, job.seed, outcome, round(job.clock.seconds, 3), tuple(job.clock.epochs), failed)


def _row_job(shared: _Shared, asked: dict[str, Any], tell: Callable[[Any], None]) -> dict[str, Any]:
    """A row in a worker; where its checkpoints are kept, it goes on from them."""
    row, place = shared.rows[asked["index"]], asked["directory"]
    clock = Clock(None if place is None else Path(place) / "clock.json")
    directory = None if place is None else Path(place) / "training"
    job = Job(row, asked["seed"], shared.settings, directory, directory is not None, lambda event: None, clock)
    return worked(shared.study, shared.data, job).to_json()
