"""The run folder while a comparison writes it: made, locked, gone on with, and left whole."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seqloom_runtime.errors import FormatError, SettingError, shown
from seqloom_runtime.files import folder_lock, read_json, write_json
from seqloom_runtime.model_folder import is_model_folder

from ... import __version__

__all__ = [
    "SCHEMA",
    "ModelFinished",
    "ModelStarted",
    "RunFolder",
    "check_out",
    "json_values",
    "now",
    "open_run",
    "run_record",
    "versions",
]

SCHEMA = 1
# What a killed process may leave: the lock, and files and folders that were to be renamed.
_LEFT = re.compile(r"\.lock|\..+\.[0-9a-f]{12}\.tmp|\.model\..+")


@dataclass(frozen=True)
class ModelStarted:
    """A model of the comparison is about to be fitted."""

    name: str
    index: int
    total: int


@dataclass(frozen=True)
class ModelFinished:
    """A model of the comparison is fitted and scored."""

    name: str
    index: int
    total: int
    seconds: float


@dataclass(eq=False)
class RunFolder:
    """An open run folder: its place and its record, the contents of run.json. `complete`: nothing is left to write."""

    root: Path
    record: dict[str, Any]
    complete: bool = False

    def checkpoint(self, model: str) -> Path:
        """Where a network's checkpoints go."""
        return self.root / "checkpoint" / model

    def took(self, model: str, seconds: float) -> None:
        """Note how long a model took, unless an earlier process did."""
        if not self.complete:
            self.record["timings"].setdefault(model, seconds)
            write_json(self.root / "run.json", self.record)

    def found(self, parameters: Mapping[str, Any]) -> None:
        """Note the parameters of models that a search found."""
        if not self.complete:
            self.record["parameters"] = {**self.record.get("parameters", {}), **parameters}
            write_json(self.root / "run.json", self.record)

    def finish(self) -> None:
        """Note the end."""
        self.record["finished"] = now()
        write_json(self.root / "run.json", self.record)


def run_record(command: str, settings: Mapping[str, Any], seed: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json says before the first model; raises SettingError where JSON can't hold the settings."""
    import torch  # not above: a folder that is taken is told without it

    return {
        "schema": SCHEMA,
        "command": command,
        "settings": json_values(dict(settings), "settings"),
        "versions": versions(),
        "seed": int(seed),
        "threads": torch.get_num_threads(),
        "data": dict(data),
    }


def versions() -> dict[str, str]:
    """What a run was made with, for its record."""
    import torch

    return {
        "seqloom": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


@contextmanager
def open_run(root: Path, record: Mapping[str, Any], resume: bool, files: Sequence[str]) -> Iterator[RunFolder]:
    """Make or go on with the run folder `root`, locked while the block runs; `files` are those of a complete run.

    Raises SettingError where it is no place for a new run, or holds one of other settings or data; FormatError where
    there is no run to go on with; RunLockedError where another process writes it.
    """
    made = not resume and not root.exists()
    if resume:
        _earlier(root)
    else:
        check_out(root)
        root.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(root, record, resume, files) as folder:
            yield folder
    except BaseException:  # Ctrl-C too must leave no empty folder behind
        if made:
            with suppress(OSError):  # not empty, so there is something to go on with
                root.rmdir()
        raise


@contextmanager
def _opened(root: Path, record: Mapping[str, Any], resume: bool, files: Sequence[str]) -> Iterator[RunFolder]:
    with folder_lock(root):
        if not resume:
            check_out(root)  # again: another run may have been there between the first look and the lock
        folder = RunFolder(root, {**record, "timings": {}, "started": now(), "finished": None})
        if resume:
            _go_on(folder, _earlier(root), files)
        if not folder.complete:
            for path in root.iterdir():
                if _LEFT.fullmatch(path.name) and path.name != ".lock":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            write_json(root / "run.json", folder.record)
        yield folder


def check_out(path: str | os.PathLike[str]) -> None:
    """Raise SettingError where `path` can't become a new run folder: a file, not empty, or no access."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise SettingError(f"directory: {path} is a file; give the path of a new folder.")
    if path.is_dir() and any(not _LEFT.fullmatch(inside.name) for inside in path.iterdir()):
        hint = "; to go on with that run give resume=True" if (path / "run.json").is_file() else ""
        raise SettingError(
            f"directory: {path} is not empty{hint}; nothing there was touched, give the path of a new folder."
        )
    nearest = path
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise SettingError(
            f"directory: {path} can't be created because {nearest} is not a folder that you may write to."
        )


def json_values(value: Any, name: str) -> Any:
    """`value` as JSON would give it back, tuples as lists; raises SettingError where JSON can't hold it."""
    try:
        return json.loads(json.dumps(value, default=_number, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name}: expected values that JSON can hold ({error}).") from None


def _earlier(root: Path) -> dict[str, Any]:
    if not (root / "run.json").is_file():
        raise FormatError(f"{root}: expected a run folder to resume, found no run.json in it.")
    earlier = read_json(root / "run.json")
    if not isinstance(earlier, dict) or earlier.get("schema") != SCHEMA or not isinstance(earlier.get("timings"), dict):
        raise FormatError(
            f"{root / 'run.json'}: expected a run of schema {SCHEMA}; it is damaged or of another version."
        )
    return earlier


def _go_on(folder: RunFolder, earlier: dict[str, Any], files: Sequence[str]) -> None:
    if earlier.get("command") != folder.record["command"]:
        raise SettingError(
            f"{folder.root}: can't resume, because it is a run of seqloom {earlier.get('command')}, not of seqloom "
            f"{folder.record['command']}."
        )
    if ("search" in earlier) != ("search" in folder.record):
        kinds = ("a search", "a comparison without a search")
        was, now = kinds if "search" in earlier else kinds[::-1]
        how = "with seqloom.tune(..., resume=True)" if "search" in earlier else "without a search"
        raise SettingError(f"{folder.root}: can't resume, because it is a run of {was}, not of {now}; resume it {how}.")
    shared = [key for key in ("parameters", "search") if key in folder.record]
    for key in ("settings", "data", "seed", *shared):
        before = earlier.get(key)
        if key == "parameters" and "search" in earlier and isinstance(before, dict):
            # what a search found is no part of what was asked
            before = {name: value for name, value in before.items() if name in folder.record[key]}
        if before != folder.record[key]:
            what = _first_difference(before, folder.record[key])
            raise SettingError(
                f"{folder.root}: can't resume, because {key} {'differs' if key == 'seed' else 'differ'} from the "
                f"interrupted run ({what}); start a new run in another folder."
            )
    folder.record |= {key: earlier.get(key) for key in ("timings", "started", "finished")}
    if "search" in earlier and isinstance(earlier.get("parameters"), dict):
        folder.record["parameters"] = earlier["parameters"]
    whole = all((folder.root / name).is_file() for name in files)
    folder.complete = earlier.get("finished") is not None and whole and is_model_folder(folder.root / "model")


def _first_difference(before: Any, now: Any, name: str = "") -> str:
    """The first value, however deep, that is not the same, by the names that lead to it."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *now]:
            if before.get(key) != now.get(key):
                return _first_difference(before.get(key), now.get(key), f"{name}{key} ")
    return f"{name}was {shown(before)} and is {shown(now)}"


def _number(value: Any) -> Any:
    """NumPy scalars as Python numbers."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def now() -> str:
    """The time in a run's record: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
