"""Runs a study: every row for every seed that is not done yet, keeping each result, then table, charts and page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.extras import refuse_without

from ..engines import Engine
from ..tasks.constraints import Constraint, Numeric
from ..tasks.parameters import PARAMETERS
from .by_engine import rows_by_engine, worked
from .folder import StudyFolder, open_study
from .job import Clock, Job
from .results import Results, RowResult
from .study import Prepared, Row, Study, StudySettings
from .writing import write_pictures, write_results

__all__ = ["RowFinished", "RowStarted", "check_settings", "run_study"]


@dataclass(frozen=True)
class RowStarted:
    """A row is about to run for one seed."""

    name: str
    index: int
    total: int


@dataclass(frozen=True)
class RowFinished:
    """A row is done for one seed; `text` says in one line what it found. `kept`: an earlier process did it."""

    name: str
    index: int
    total: int
    text: str
    kept: bool = False


_RANGES: dict[str, Constraint] = {
    "epochs": PARAMETERS["epochs"].constraint,
    "length": Numeric(1, 10**6, whole=True),
    "time_limit": Numeric(0, 10**6, open_low=True),
}


def run_study(
    study: Study,
    settings: StudySettings | None = None,
    *,
    rows: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
    engine: Engine | None = None,
) -> Results:
    """Run the rows named (all but the extra ones by default) for each seed (the study's own by default).

    With `directory` each result is written when it is done, training can be interrupted at any step, and
    `resume=True` goes on to the same results; rows and seeds may then be added. A row whose training fails is a result
    too, with the reason. With an `engine` its workers do the rows, each with one thread. Raises SettingError for
    settings, rows or seeds that the study doesn't have, DataError where its data is not there, and as `Forecaster.fit`
    and `seqloom.training.fit` do.
    """
    settings = settings or StudySettings()
    check_settings(study, settings)
    # Before the folder is made: missing data or packages leave no empty run behind.
    if directory is not None:
        refuse_without("vl_convert", "the page of a study")
    prepared = study.prepare(settings)
    known = list(study.rows(settings, prepared))
    if settings.quick:  # figures that mean nothing are held against none
        known = [replace(row, published={}, goals={}) for row in known]
    chosen = _chosen(study, known, rows)
    numbers = _checked_seeds(seeds, study)
    send = on_event or (lambda event: None)
    with ExitStack() as stack:
        folder = None
        if directory is not None:
            asked = ([row.name for row in chosen], numbers)
            opened = open_study(Path(directory), study, settings, prepared.identity, asked, resume)
            folder = stack.enter_context(opened)
            # The record holds those of earlier processes as well, in the order of the study.
            chosen = [row for row in known if row.name in folder.record["rows"]]
            numbers = [int(seed) for seed in folder.record["seeds"]]
        results = Results(study, settings, chosen, numbers, prepared.data, tuple(prepared.notes), prepared.beside)
        places = list(_places(chosen, numbers))
        early: dict[tuple[str, int], RowResult] = {}
        if engine is not None:
            missing = [place for place in places if folder is None or folder.result(*place) is None]
            early = _by_engine(engine, results, prepared, missing, folder, send)
        for index, (row, seed) in enumerate(places):
            name = row.label if len(numbers) == 1 or not row.seeded else f"{row.label}, seed {seed}"
            kept = early.get((row.name, seed)) or (None if folder is None else folder.result(row, seed))
            if kept is None:
                send(RowStarted(name, index, len(places)))
                result = _run_row(study, settings, prepared, row, seed, folder, resume, send)
            else:
                result = kept
            results.found[row.name, seed] = result
            # After every row: a reader of the folder sees the table grow.
            if kept is None and folder is not None:
                write_results(results, folder.root)
            if (row.name, seed) not in early:
                send(RowFinished(name, index, len(places), one_line(results, result), kept is not None))
        if folder is not None:
            write_results(results, folder.root)
            write_pictures(results, folder.root)
            folder.finish()
        return results


def check_settings(study: Study, settings: StudySettings) -> None:
    """Raise SettingError for a setting that the study doesn't take, or a number out of range."""
    for field in fields(StudySettings):
        value = getattr(settings, field.name)
        if field.name == "quick" or value is None:
            continue
        if field.name not in study.takes:
            known = ", ".join(sorted(study.takes)) or "none"
            raise SettingError(f"{field.name}: the study {study.name!r} has no such setting, only: {known}.")
        allowed = _RANGES.get(field.name)
        if allowed is not None and not allowed.allows(value):
            words = allowed.words_for(value)
            words = words.replace("a number", "a number of minutes") if field.name == "time_limit" else words
            raise SettingError(f"{field.name}: expected {words}, got {shown(value)}.")


def one_line(results: Results, result: RowResult) -> str:
    """The scores of one row for one seed in a line.

    A reader who watches a log sees them as they come, without waiting for the table.
    """
    if result.failed:
        return f"failed: {result.failed}"
    shown = []
    for column in results.study.columns:
        value = result.value(column.key)
        if value is not None and column.key not in ("parameters", "seconds", "epoch_seconds", "epochs"):
            shown.append(f"{column.heading} {value:.4g}")
    return ", ".join([*shown[:4], f"{result.seconds:.1f} s"])


def _by_engine(
    engine: Engine,
    results: Results,
    prepared: Prepared,
    places: Sequence[tuple[Row, int]],
    folder: StudyFolder | None,
    send: Callable[[Any], None],
) -> dict[tuple[str, int], RowResult]:
    """The results of the rows that the engine's workers do; each is kept when it is done."""
    found: dict[tuple[str, int], RowResult] = {}
    labels = {row.name: row for row, _ in places}

    def take(result: RowResult) -> None:
        row = labels[result.row]
        found[result.row, result.seed] = results.found[result.row, result.seed] = result
        if folder is not None:
            folder.keep(row, result)
            write_results(results, folder.root)
        name = row.label if len(results.seeds) == 1 or not row.seeded else f"{row.label}, seed {result.seed}"
        send(RowFinished(name, len(found) - 1, len(places), one_line(results, result)))

    rows_by_engine(engine, results.study, results.settings, prepared.data, places, folder, take)
    return found


def _run_row(
    study: Study,
    settings: StudySettings,
    prepared: Prepared,
    row: Row,
    seed: int,
    folder: StudyFolder | None,
    resume: bool,
    send: Callable[[Any], None],
) -> RowResult:
    place = None if folder is None else folder.row_checkpoint(row, seed)
    clock = Clock(None if place is None else place / "clock.json")
    job = Job(row, seed, settings, None if place is None else place / "training", resume, send, clock)
    result = worked(study, prepared.data, job)
    if folder is not None:
        folder.keep(row, result)
    return result


def _places(rows: Sequence[Row], seeds: Sequence[int]) -> Iterator[tuple[Row, int]]:
    """All rows for the first seed, then for the next: the first whole table comes early."""
    for number, seed in enumerate(seeds):
        for row in rows:
            if row.seeded or number == 0:
                yield row, seed


def _chosen(study: Study, known: Sequence[Row], names: Sequence[str] | None) -> list[Row]:
    if names is None:
        return [row for row in known if not row.extra]
    own = [row.name for row in known]
    for name in names:
        if name not in own:
            raise SettingError(
                f"rows: expected rows of the study {study.name!r} ({', '.join(own)}), got {shown(name)}."
                f"{suggest(name, own)}"
            )
    if not names:
        raise SettingError(f"rows: expected at least one of {', '.join(own)}.")
    return [row for row in known if row.name in names]


def _checked_seeds(seeds: Sequence[int] | None, study: Study) -> list[int]:
    found = list(dict.fromkeys(study.seeds if seeds is None else seeds))
    if not found or any(isinstance(s, bool) or not isinstance(s, int) or not 0 <= s < 2**63 for s in found):
        raise SettingError(f"seeds: expected whole numbers of at least 0, got {shown(seeds)}.")
    return found
