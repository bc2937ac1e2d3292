"""Hostile files for every reader: built field by field with wrong fields, then damaged byte by byte."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqloom_runtime.extras import installed

from .binary_files import BUILDERS as BINARY
from .binary_files import gzipped
from .model_files import BUILDERS as MODELS
from .packed_files import BUILDERS as PACKED
from .readers import READERS
from .text_files import BUILDERS as TEXT
from .text_files import json_text, json_value
from .wild import NUMBERS, TEXTS, TIMES, Wild, damage_bytes

__all__ = ["KINDS", "FileCase", "again", "cases", "hostile"]

_BUILD = {**TEXT, **BINARY, **PACKED, **MODELS}
# What is counted: (its name, who builds it, who reads it, the file's name, whether gzip may wrap it).
_FILES = (
    ("CSV", "table", "table", "input.csv", True),
    ("CSV sequences", "long_table", "sequences", "input.csv", True),
    ("CSV records", "records_table", "records", "input.csv", True),
    ("stays", "stay", "records", "stays/132539.txt", False),
    ("labelled texts", "labelled", "labelled", "input.txt", True),
    ("tagged sentences", "tagged", "tagged", "input.txt", True),
    ("running text", "running_text", "corpus", "input.txt", True),
    ("word vectors", "word_vectors", "vectors", "input.txt", True),
    ("workbook", "workbook", "table", "input.xlsx", False),
    ("JSON table", "json_table", "table", "input.json", True),
    ("SQLite", "sqlite", "database", "input.db", False),
    ("DuckDB", "duckdb", "database", "input.duckdb", False),
    ("Parquet", "parquet", "table", "input.parquet", False),
    ("Parquet sequences", "parquet", "sequences", "input.parquet", False),
    ("Parquet texts", "parquet", "labelled", "input.parquet", False),
    ("Arrow", "arrow", "table", "input.arrow", False),
    ("npy", "npy", "sequences", "input.npy", False),
    ("npz", "npz", "sequences", "input.npz", False),
    ("npz music", "packed_music", "piano_rolls", "input.npz", False),
    ("IDX", "idx", "idx", "input.idx", True),
    ("MATLAB", "matlab", "matlab", "input.mat", False),
    *((("WAV", "wav", "sound", "input.wav", False),) if installed("kaldi_native_fbank") else ()),
    *((("PNG", "png", "picture", "input.png", False),) if installed("PIL") else ()),
    *((("ONNX", "onnx_model", "onnx_graph", "input.onnx", False),) if installed("onnx") else ()),
    *((("Keras", "keras_archive", "keras_model", "input.keras", False),) if installed("h5py") else ()),
    *((("Keras HDF5", "keras_hdf5", "keras_model", "input.h5", False),) if installed("h5py") else ()),
)
_FOLDERS = ("forecast run", "task run", "panel folder")
KINDS = (*(name for name, *_ in _FILES), *_FOLDERS)


@dataclass(frozen=True, eq=False)
class FileCase:
    """Files by name, and the reader that is to read the first of them (or their folder)."""

    files: dict[str, bytes]
    reader: str
    seed: int

    def __call__(self) -> None:
        """Write the files into the working folder and read them."""
        for name, data in self.files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        first = Path(next(iter(self.files)))
        READERS[self.reader](first if first.parent == Path() else first.parent, random.Random(self.seed))


def cases(seed: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """An endless stream over all kinds in turn, the cheaper ones more often."""
    draw = random.Random(f"files {seed}")
    for _ in itertools.count():
        kind = draw.choice(KINDS) if draw.random() < 0.8 else draw.choice(KINDS[:6])
        number = draw.getrandbits(48)
        yield f"{kind}: {number}", functools.partial(_run, kind, number)


def _run(kind: str, number: int) -> None:
    hostile(kind, number)()


def again(description: str) -> Callable[[], Any]:
    """The case of a description, on the files in the working folder."""
    kind, _, number = description.partition(": ")
    made = hostile(kind, int(number))
    held = {name: Path(name).read_bytes() for name in made.files if Path(name).is_file()}
    return FileCase(held or made.files, made.reader, made.seed)


def hostile(kind: str, number: int) -> FileCase:
    """The case of that number: a file of a kind with none, few or many wrong fields, and none or a few wrong bytes."""
    wild = Wild(f"{kind} {number}", 0.0)
    wildness, damages = wild.choice(
        ((0.0, 0), (0.02, 0), (0.02, 0), (0.1, 0), (0.3, 0), (0.0, 1), (0.0, 3), (0.02, 2), (0.0, 20))
    )
    wild.wildness = wildness
    if kind in _FOLDERS:
        return _folder(kind, wild, damages)
    _, builder, reader, name, packable = next(row for row in _FILES if row[0] == kind)
    data = _BUILD[builder](wild)
    if wild.random() < 0.02:  # the file is of another kind than its name says
        data = wild.choice(list(_BUILD.values()))(wild)
    data = damage_bytes(wild, data, damages)
    if packable and wild.random() < 0.2:
        data = gzipped(wild, data)
    return FileCase({name: data}, reader, wild.getrandbits(32))


def _folder(kind: str, wild: Wild, damages: int) -> FileCase:
    files = dict(_valid_folder(kind))
    wild.wildness = max(wild.wildness, 0.005 if damages else 0.01)
    for name in wild.sample(sorted(files), wild.choice((1, 1, 1, 2))):
        if damages:
            files[name] = damage_bytes(wild, files[name], damages)
        elif name.endswith(".json"):
            files[name] = json_text(wild, json_value(wild, json.loads(files[name]))).encode("utf-8", "replace")
        elif name.endswith(".csv"):
            files[name] = _cells_changed(wild, files[name])
        else:
            files[name] = BINARY["npy"](wild)
        if wild.random() < 0.01:
            del files[name]
    first = {"folder/run.json": b""} if kind != "panel folder" else {"folder/panel.json": b""}
    return FileCase({**first, **files}, "panel" if kind == "panel folder" else "run_folder", wild.getrandbits(32))


def _cells_changed(wild: Wild, data: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    rows = [[wild.of(cell, (*NUMBERS, *TEXTS, *TIMES)) for cell in row] for row in rows]
    rows = [row[:-1] if wild.strays and wild.random() < 0.1 else row for row in rows]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode("utf-8", "replace")


@functools.cache
def _valid_folder(kind: str) -> dict[str, bytes]:
    """The files of a folder in order, as the library or the tests of the report write them."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folder"
        if kind == "panel folder":
            from seqloom.data import Panel

            hours = np.datetime64("2024-01-01T00") + np.arange(12)
            Panel.from_numpy(np.arange(24.0).reshape(12, 2), ["a", "b"], time=hours).save(folder)
        elif kind == "task run":
            from report.task_runs import write_task_run

            write_task_run(folder)
        else:
            from report.conftest import Plan, write_run

            write_run(folder, Plan(windows=3, steps=(1, 2), epochs=2))
        return {f"folder/{path.name}": path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
