"""A study's run folder: one file per finished row and seed, checkpoints of the row under way, and what is drawn of all.

run.json                  study, settings, versions, threads, data, rows and seeds asked for, start and end
rows/ROW.seedN.json       the result of one row for one seed, written when it is done
checkpoint/ROW.seedN/     while that row runs: checkpoints of its training and its clock
results.json, results.md, charts/*.svg, charts/*.png, report.html
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from seqloom_runtime.errors import FormatError, SettingError, shown
from seqloom_runtime.files import folder_lock, read_json, write_json

from ..tasks.comparison.folder import RunFolder, check_out, now, versions
from .results import SCHEMA, RowResult
from .study import Row, Study, StudySettings

__all__ = ["StudyFolder", "open_study", "read_record", "recorded_settings"]


class StudyFolder(RunFolder):
    """An open run folder of a study, with a file for each row and seed that is done."""

    def result(self, row: Row, seed: int) -> RowResult | None:
        """The result of a row that is done; raises FormatError where its file is damaged or of another row."""
        path = self._result_path(row, seed)
        if not path.is_file():
            return None
        found = RowResult.from_json(read_json(path), path)
        if (found.row, found.seed) != (row.name, seed):
            raise FormatError(
                f"{path}: expected row {row.name!r}, seed {seed}, found {shown(found.row)}, seed {found.seed}; delete "
                "it to run the row again."
            )
        return found

    def keep(self, row: Row, result: RowResult) -> None:
        """Write the result of a row, then remove its checkpoints."""
        path = self._result_path(row, result.seed)
        path.parent.mkdir(exist_ok=True)
        write_json(path, result.to_json())
        # Only now: a kill between the two writes costs nothing, the finished row is there.
        self.drop_checkpoint(row, result.seed)

    def row_checkpoint(self, row: Row, seed: int) -> Path:
        """The folder for a row's checkpoints, made where it is missing."""
        path = self.checkpoint(f"{row.name}.seed{seed}")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def drop_checkpoint(self, row: Row, seed: int) -> None:
        """Remove a row's checkpoints."""
        parent = self.root / "checkpoint"
        shutil.rmtree(parent / f"{row.name}.seed{seed}", ignore_errors=True)
        # A finished run has no checkpoint folder, whether or not it was ever stopped.
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()

    def _result_path(self, row: Row, seed: int) -> Path:
        return self.root / "rows" / f"{row.name}.seed{seed}.json"


@contextmanager
def open_study(
    root: Path,
    study: Study,
    settings: StudySettings,
    identity: Mapping[str, Any],
    asked: tuple[Sequence[str], Sequence[int]],
    resume: bool,
) -> Iterator[StudyFolder]:
    """Make or go on with the run folder `root`, locked while the block runs; `asked` are rows and seeds.

    Raises SettingError where it is no place for a new run, or holds one of other settings or data; FormatError where
    there is no run to go on with; RunLockedError where another process writes it.
    """
    record = {
        "schema": SCHEMA,
        "command": "reproduce",
        "study": study.name,
        "settings": asdict(settings),
        "rows": list(asked[0]),
        "seeds": list(asked[1]),
        "data": dict(identity),
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "started": now(),
        "finished": None,
    }
    if resume:
        read_record(root)
    else:
        check_out(root)
        root.mkdir(parents=True, exist_ok=True)
    with folder_lock(root):
        folder = StudyFolder(root, record)
        if resume:
            _go_on(folder, read_record(root))
        write_json(root / "run.json", folder.record)
        yield folder


def read_record(root: Path) -> dict[str, Any]:
    """What run.json holds; raises FormatError where `root` is not the run folder of a study."""
    path = root / "run.json"
    if not path.is_file():
        raise FormatError(f"resume: expected a run folder with a run.json, found none in {root}.")
    record = read_json(path)
    known = isinstance(record, dict) and record.get("command") == "reproduce" and record.get("schema") == SCHEMA
    known = known and isinstance(record.get("study"), str) and isinstance(record.get("threads"), (int, type(None)))
    lists = {"rows": str, "seeds": int}
    if not known or not all(
        isinstance(record.get(key), list) and all(type(item) is kind for item in record[key])
        for key, kind in lists.items()
    ):
        raise FormatError(f"{path}: expected the record of a 'seqloom reproduce' run; this is another file.")
    return record


def recorded_settings(record: Mapping[str, Any], where: object) -> StudySettings:
    """The settings of a record; raises FormatError, naming `where`, where they are not what `StudySettings` holds."""
    value = record.get("settings")
    names = [field.name for field in fields(StudySettings)]
    kinds = {
        "quick": (bool, "true or false"),
        "data": (str, "a text"),
        "epochs": (int, "a whole number"),
        "length": (int, "a whole number"),
        "time_limit": ((int, float), "a number"),
    }
    if not isinstance(value, dict) or set(value) != set(names):
        raise FormatError(f"{where}: expected the settings {', '.join(names)}, found {shown(value)}.")
    for name, (kind, words) in kinds.items():
        optional = name != "quick" and value[name] is None
        # In Python a bool is an int, in JSON `true` is no number.
        if not optional and (not isinstance(value[name], kind) or (kind is not bool and isinstance(value[name], bool))):
            raise FormatError(f"{where}: setting {name!r}: expected {words}, found {shown(value[name])}.")
    return StudySettings(**value)


def _go_on(folder: StudyFolder, earlier: Mapping[str, Any]) -> None:
    """Take over the earlier record; rows and seeds may only become more."""
    for key in ("study", "settings", "data"):
        if earlier.get(key) != folder.record[key]:
            raise SettingError(
                f"{folder.root}: expected the {key} that the run began with, {shown(earlier.get(key))}, got "
                f"{shown(folder.record[key])}; start a new run in another folder."
            )
    for key in ("rows", "seeds"):
        # The earlier ones first, so that tables keep their order when rows are added.
        folder.record[key] = list(dict.fromkeys([*earlier[key], *folder.record[key]]))
    # What the first process ran under is the record; that of a resumed one is told by the training itself.
    folder.record |= {key: earlier.get(key) for key in ("started", "threads", "versions")}
