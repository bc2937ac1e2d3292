"""Checkpoints on the disk: tensors in safetensors, everything else in JSON, in a folder that is never half written.

    latest                           JSON: the checkpoints to go on from, newest first, each with its SHA-256
    step-00000500-epoch.json         positions, history, settings, and the SHA-256 of its tensors
    step-00000500-epoch.safetensors  weights, best weights, optimizer state, random streams

A save writes the tensors, then the JSON, then replaces `latest`, each through a temporary file that is flushed to the
disk and renamed; only then are older files removed. So at any moment `latest` names whole files. Kinds of save:
"epoch" at the end of an epoch, "within" every `checkpoint_every` steps, "stopped" at Ctrl-C. The newest two are kept;
a "stopped" one goes with the next regular save, so that a stopped run ends with the same files as an undisturbed one.

What is saved is fixed by the call; the disk's part goes on beside the training that follows, as its flushes took a
tenth of a small job. One save at a time: the next waits for it, and so does whoever must know that it is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from seqloom_runtime.errors import FormatError, brief, printable, shown
from seqloom_runtime.files import read_json, read_whole, sha256_bytes, write_bytes, write_json
from seqloom_runtime.limits import reading

__all__ = ["Checkpoint", "CheckpointFolder"]

SCHEMA = 1
# Two: where the newest is damaged, the one before is there to go back to.
KEPT = 2
_NAME = re.compile(r"step-\d{8,}-(epoch|within|stopped)")
# Only names that this module makes are ever removed: a user's own file in the folder stays.
_STRAY = re.compile(r"\.?(step-\d{8,}-(epoch|within|stopped)\.(json|safetensors)|latest)(\..*\.tmp)?")


@dataclass(frozen=True)
class Checkpoint:
    """One saved state. Tensor names begin with their part: weights/, best/, average/, optimizer/, stream/, source/."""

    values: dict[str, Any]
    tensors: dict[str, Tensor]
    path: Path | None = None  # of the JSON file it was read from

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one part, without the part's name."""
        start = f"{name}/"
        return {key.removeprefix(start): tensor for key, tensor in self.tensors.items() if key.startswith(start)}


class CheckpointFolder:
    """Reads and writes the checkpoints in one folder; the caller holds the folder's lock."""

    def __init__(self, folder: str | os.PathLike[str]):
        """Nothing is read or written yet."""
        self.folder = Path(folder)
        self._kept: list[dict[str, str]] = []  # as in `latest`, newest first
        self._writing: threading.Thread | None = None
        self._failure: Exception | None = None

    @property
    def latest(self) -> Path:
        """The file that names the newest checkpoint."""
        return self.folder / "latest"

    def read(self) -> Checkpoint | None:
        """The newest checkpoint, or None where there is none.

        One whose two files were deleted is passed over for the one before it. Raises FormatError, naming the file and
        what to do, where a file is damaged, altered, of another version or gone.
        """
        if not self.latest.exists():
            return None
        with reading(printable(str(self.folder)), "folder of checkpoints", error=FormatError):
            return self._newest(self._entries())

    def _newest(self, entries: list[dict[str, str]]) -> Checkpoint | None:
        for index, entry in enumerate(entries):
            paths = [self.folder / f"{entry['name']}.{suffix}" for suffix in ("json", "safetensors")]
            # Deleting both files is what the error about a damaged checkpoint advises; only then is the one before
            # taken.
            if index + 1 < len(entries) and not any(path.exists() for path in paths):
                continue
            before = entries[index + 1]["name"] if index + 1 < len(entries) else None
            checkpoint = self._open(paths[0], paths[1], entry["sha256"], before)
            self._kept = entries[index:]
            return checkpoint
        return None

    def write(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor], *, step: int, kind: str) -> Path:
        """Save a checkpoint and make it the newest; returns its JSON file. Raises OSError where it can't be written."""
        path = self.begin(values, tensors, step=step, kind=kind)
        self.wait()
        return path

    def begin(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor], *, step: int, kind: str) -> Path:
        """`write` that leaves the disk's part to go on by itself; the tensors may be changed once it returns.

        Raises OSError where the save before could not be written; of this one `wait` tells.
        """
        self.wait()
        data = safetensors.torch.save({key: _own_memory(tensor) for key, tensor in tensors.items()})
        # Made here too: the history of a run is a list that the training goes on to fill.
        text = json.dumps({**values}, indent=1, ensure_ascii=False, allow_nan=False)
        name = f"step-{step:08d}-{kind}"
        # Not a daemon: a program that ends meanwhile waits for it.
        self._writing = threading.Thread(target=self._write, args=(name, kind, data, text), name="checkpoint")
        self._writing.start()
        return self.folder / f"{name}.json"

    def wait(self) -> None:
        """Return once the last save is whole and the newest; raises OSError where it could not be written."""
        if self._writing is not None:
            self._writing.join()  # and forgotten only then: Ctrl-C may end the waiting, not the writing
            self._writing = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _write(self, name: str, kind: str, data: bytes, text: str) -> None:
        try:
            self._commit(name, kind, data, text)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is raised where the save is waited for
            self._failure = failure

    def _commit(self, name: str, kind: str, data: bytes, text: str) -> None:
        write_bytes(self.folder / f"{name}.safetensors", data)
        # latest → JSON → tensors: each holds the hash of the next, so one file cannot be swapped for that of another
        # save.
        head = {"kind": "seqloom checkpoint", "schema": SCHEMA, "tensors_sha256": sha256_bytes(data)}
        rest = "\n}" if text == "{}" else "," + text.removeprefix("{")
        whole = (json.dumps(head, indent=1).removesuffix("\n}") + rest + "\n").encode()
        write_bytes(self.folder / f"{name}.json", whole)
        older = [entry for entry in self._kept if kind == "stopped" or not entry["name"].endswith("-stopped")]
        # A run that is stopped and resumed may save the same step twice.
        older = [entry for entry in older if entry["name"] != name][: KEPT if kind == "stopped" else KEPT - 1]
        self._kept = [{"name": name, "sha256": sha256_bytes(whole)}, *older]
        # The commit: until here a reader finds the previous checkpoint, from here on the new one.
        write_json(self.latest, {"schema": SCHEMA, "checkpoints": self._kept})
        self.clean()

    def clean(self) -> None:
        """Remove checkpoint files that `latest` doesn't name: older ones, and what a killed process left."""
        wanted = {"latest"} | {
            f"{entry['name']}.{suffix}" for entry in self._kept for suffix in ("json", "safetensors")
        }
        for path in sorted(self.folder.iterdir()):
            if _STRAY.fullmatch(path.name) and path.name not in wanted:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def _entries(self) -> list[dict[str, str]]:
        document = read_json(self.latest)
        entries = document.get("checkpoints") if isinstance(document, dict) else None
        good = isinstance(entries, list) and all(
            isinstance(e, dict)
            and isinstance(e.get("sha256"), str)
            and isinstance(e.get("name"), str)
            and _NAME.fullmatch(e["name"])
            for e in entries
        )
        if not good or not entries:
            raise FormatError(
                f"{self.latest}: expected a list of checkpoints; the file is damaged or foreign, start in another "
                "folder."
            )
        self._check_schema(self.latest, document)
        return entries

    def _open(self, path: Path, tensors_path: Path, sha256: str, before: str | None) -> Checkpoint:
        text = _read(path, before)
        if sha256_bytes(text) != sha256:
            raise _damaged(path, f"its SHA-256 is not the one in {self.latest.name}", before)
        values = read_json(path)
        self._check_schema(path, values)
        data = _read(tensors_path, before)
        if sha256_bytes(data) != values.get("tensors_sha256"):
            raise _damaged(tensors_path, f"its SHA-256 is not the one in {path.name}", before)
        try:
            tensors = safetensors.torch.load(data)
        except safetensors.SafetensorError as error:
            raise _damaged(tensors_path, brief(str(error), 160), before) from None
        return Checkpoint(values, tensors, path)

    @staticmethod
    def _check_schema(path: Path, document: Any) -> None:
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise FormatError(
                f"{path}: expected a checkpoint of schema {SCHEMA}, found {shown(schema)}; use the version of seqloom "
                "that wrote it, or start in another folder."
            )


def _own_memory(tensor: Tensor) -> Tensor:
    """A contiguous CPU tensor that shares its storage with no other, as safetensors wants it."""
    plain = tensor.detach().cpu().contiguous()
    # A slice of a larger tensor is contiguous too, and safetensors would refuse its shared storage.
    alone = plain.untyped_storage().nbytes() == plain.numel() * plain.element_size()
    return plain if alone else plain.clone()


def _read(path: Path, before: str | None) -> bytes:
    try:
        # Room for two: the bytes and the tensors made of them.
        return read_whole(path, 2)
    except FileNotFoundError:
        raise _damaged(path, "the file is gone", before) from None


def _damaged(path: Path, reason: str, before: str | None) -> FormatError:
    stem = path.name.rpartition(".")[0]
    remedy = (
        f"delete {stem}.json and {stem}.safetensors to go on from {before}"
        if before
        else "restore it from a copy, or start again in another folder"
    )
    return FormatError(f"{path} is damaged: {reason}; {remedy}.")
