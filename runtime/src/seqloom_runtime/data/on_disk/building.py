"""A panel on disk, made of Parquet files under a memory bound: groups of whole series are read one after the other as
any table is, and their arrays are written behind each other."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ...files import folder_lock, read_json, write_json
from ...limits import LEAST_MEMORY, USUAL_MEMORY, checked_memory, in_words, reading
from ..kinds import columns_of_values
from ..panel import Panel
from ..table import Table
from ..time_columns import choose_time
from .common_step import BYTES, common_step
from .kept import held, place_for, removed, require_place
from .partitions import TAKEN, Partitions
from .piece_quality import joined_quality
from .reading_how import HowRead
from .spill import PieceTable, Spill, Told
from .static_columns import StaticColumns
from .stored import HEADER, SCHEMA, StoredPanel, header_digest, text_digest
from .written import ArrayWriter, SparseWriter

__all__ = ["LEAST_MEMORY", "USUAL_MEMORY", "store_panel"]

_HEAD = 100_000  # rows that tell which columns hold what
_SAFETY = 1.05


def store_panel(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    cache: str | os.PathLike[str],
    *,
    memory: int = USUAL_MEMORY,
    on_progress: Told | None = None,
    **how: Any,
) -> StoredPanel:
    """The rows of Parquet files as a panel on disk in the folder `cache`, which is made, or opened where it holds them.

    `data` is a folder of Parquet files (folders such as id=7 or year=2020 in it name columns), a file, or several.
    `memory` (bytes) bounds what is held at a time; `how` are the arguments of `Panel.from_frame` but for words and
    static columns: a panel on disk holds columns of numbers alone, and others are left out. on_progress(what, done,
    of) is told of rows done. The folder is written beside, under a hidden name, and renamed once it is whole, so that
    an interrupted call leaves none. A folder made of the same files in the same way is used as it is; one whose files
    have changed, or that is damaged, is made anew; the notes say which.

    Raises SettingError where `cache` holds something else or lies within the data, DataError where a file can't be
    used or the disk has too little space, RunLockedError where another process is writing it, and what
    `Panel.from_frame` raises.
    """
    checked_memory(memory)
    path, asked = place_for(cache, data), HowRead.of(how)
    room, told = memory - TAKEN, on_progress or (lambda what, done, of: None)
    table = Partitions.of(data, room)
    found, why = held(path, cache, table, asked)
    if found is not None:
        return found
    building = require_place(path, cache)
    try:
        building.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingError(f"cache: {cache} can't be made ({error.strerror}); name a folder elsewhere.") from None
    with folder_lock(building):
        _emptied(building)
        with _cleared(building), reading(table.source, "table"):
            _Building(table, asked, building, room, told).make()
            removed(path)
            os.replace(building, path)
    with contextlib.suppress(FileNotFoundError):
        (path / ".lock").unlink()
    made = StoredPanel.open(path)
    size = sum(each.stat().st_size for each in path.iterdir())
    note = f"{cache} holds the panel on disk ({in_words(size)}); it is used again while {table.source} stays as it is."
    return replace(made, notes=(*why, note))


def _emptied(building: Path) -> None:
    """Remove what a killed process left, but for the lock."""
    for each in building.iterdir():
        if each.name != ".lock":
            shutil.rmtree(each) if each.is_dir() else each.unlink()


@contextlib.contextmanager
def _cleared(building: Path) -> Iterator[None]:
    """Remove the folder where the block fails, whatever ends it."""
    try:
        yield
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


class _Building:
    """What is known while a panel is made."""

    def __init__(self, table: Partitions, how: HowRead, folder: Path, memory: int, told: Told) -> None:
        self._table, self._asked, self._how, self._folder, self._told = table, how, how, folder, told
        self._notes: list[Any] = []
        self._columns = self._chosen()
        self._spill = Spill(table, how.id, [*self._times, *self._columns], memory, told, self._scratch(), how.missing)
        self._need_disk()
        self._first: Panel | None = None
        self._frequency = how.frequency
        self._static = StaticColumns(self._columns)

    def _scratch(self) -> Path:
        folder = self._folder / "sorted"
        folder.mkdir()
        return folder

    def _chosen(self) -> list[str]:
        """The columns of numbers to be read; finds the time, too."""
        how, table = self._how, self._table
        for name in (*(how.columns or ()), *how.keep, *how.target):
            Table(dict.fromkeys(table.schema), table.source, 0).require(name)
        head = next(frame for _, frame in table.frames(list(table.schema), _HEAD) if frame.height)
        first = replace(Table.from_frame(head), source=table.source)
        time = how.time if how.time is not None else choose_time(first, None, how.time_format).time
        self._how = how = replace(how, time=time)
        parts = [] if time is None or time == "none" else [time] if time in table.schema else time.split(",")
        self._times = [name.strip() for name in parts]
        ids = [] if how.id is None else [how.id] if how.id in table.schema else how.id.split(",")
        roles = {*self._times, *(name.strip() for name in ids)}
        if how.columns is not None:
            named = list(how.columns)
        else:
            kept = [*how.keep, *how.target]
            values = columns_of_values(first, self._times, None if not ids else how.id, kept) or list(table.schema)
            named = [name for name in values if name not in roles]
        words = [name for name in named if not _holds_numbers(table.schema[name])]
        if asked := [name for name in words if name in (*(how.columns or ()), *how.keep, *how.target)]:
            kind = table.schema[asked[0]]
            raise DataError(
                f"{table.source}: column {shown(asked[0])} is of type {kind}, and a panel on disk holds columns of "
                "numbers alone; write it as numbers, or leave it out."
            )
        for name in words:
            text = f"Column {shown(name)} holds no numbers: a panel on disk leaves it out."
            first.decide("left out", text, name)
        self._notes = list(first.decisions)
        found = [name for name in named if name not in words]
        if not found:
            raise DataError(f"{table.source}: expected at least one column of numbers besides time and id, found none.")
        return found

    def _need_disk(self) -> None:
        """Raise DataError where the disk has less space than the panel and the sorted rows take."""
        width, rows = len(self._columns), self._table.rows
        sorted_ = 0 if len(self._spill) == 1 else rows * (4 * width + 8 * len(self._times) + 12 + BYTES)
        need = int(_SAFETY * (rows * (9 * width + 8) + sorted_))
        left = shutil.disk_usage(self._folder).free
        if need > left:
            raise DataError(
                f"cache: the panel of {self._table.source} takes up to {in_words(need)} while it is made, and "
                f"{in_words(left)} are left where {self._folder.parent} is; give a folder on a larger disk."
            )

    def make(self) -> None:
        """Write all arrays, then the header."""
        if self._times and self._frequency is None and len(self._spill) > 1:
            step = common_step(self._spill.some(self._times), self._how, self._folder / "sorted" / "times.bin")
            self._frequency = step.frequency
            self._notes += step.notes
        writers = {name: ArrayWriter(self._folder, name) for name in ("values", "tick", "offsets")}
        marks = SparseWriter(self._folder, "filled")
        ids: list[str] = []
        rows, qualities = 0, []
        writers["offsets"].add(np.zeros(1, dtype=np.int64))
        try:
            done = 0
            for table in self._spill.groups():
                panel = self._read(table)
                writers["values"].add(panel.values)
                writers["tick"].add(panel.tick)
                writers["offsets"].add(panel.offsets[1:] + rows)
                marks.add(panel.filled)
                rows += len(panel)
                ids.extend(panel.ids)
                qualities.append(panel.quality)
                done += table.rows
                self._told("rows are checked and stored", done, self._table.rows)
            blocks = {name: writer.close() for name, writer in writers.items()}
            filled = marks.close()
        finally:
            for writer in (*writers.values(), marks):
                writer.abandon()
        shutil.rmtree(self._folder / "sorted")
        self._write_header(rows, ids, {**blocks, **({} if filled is None else {"filled": filled})}, qualities)

    def _read(self, table: PieceTable) -> Panel:
        """The panel of a group, on the grid and with the columns of the first."""
        first, how = self._first, self._how
        columns = self._spill.with_values(self._columns, [*(how.columns or ()), *how.keep, *how.target])
        frequency, zone = (self._frequency, how.zone) if first is None else (first.frequency, first.zone)
        form = how.time_format if first is None else first.time_format
        resample = how.resample
        try:
            panel = Panel.from_frame(
                table,
                time=how.time,
                id=how.id,
                columns=columns,
                target=how.target,
                missing=how.missing,
                max_fill=how.max_fill,
                time_format=form,
                resample=resample,
                aggregate=how.aggregate,
                duplicates=how.duplicates,
                holidays=how.holidays,
                fill=how.fill,
                season=how.season,
                frequency=frequency,
                zone=zone,
            )
        except DataError:
            self._tell_repeated(table)
            raise
        self._first = first or panel
        self._static.look_at(panel)
        return panel

    def _tell_repeated(self, table: PieceTable) -> None:
        """Raise DataError, with both files, where rows of one series and time differ; return where none do."""
        import polars as pl

        if self._how.duplicates is not None or not self._times:
            return
        frame = pl.DataFrame({name: table.cells[name].to_native() for name in (*self._times, *self._columns)})
        codes = pl.Series("\0series", np.zeros(table.rows, np.int64) if table.codes is None else table.codes)
        keys = ["\0series", *self._times]
        frame = frame.with_columns(codes, pl.int_range(table.rows).alias("\0at")).unique(
            [*keys, *self._columns], keep="first", maintain_order=True
        )
        twice = frame.filter(pl.struct(keys).is_duplicated())
        if not twice.height:
            return
        one = twice.row(0, named=True)
        same = twice.filter(pl.all_horizontal(pl.col(key) == one[key] for key in keys))["\0at"].to_list()
        who = "" if self._how.id is None else f"series {shown(table.known_names[one[keys[0]]])} has "
        when = " ".join(str(one[name]) for name in self._times)
        raise DataError(
            f"{table.source}: {who}two rows of {when} that differ, {table.standing(same[0])} and "
            f"{table.standing(same[1])}; remove one of them, or say duplicates='mean' (or first, last, sum)."
        )

    def _write_header(self, rows: int, ids: list[str], blocks: dict[str, list[str]], qualities: list[Any]) -> None:
        first = self._first
        assert first is not None
        columns = self._spill.with_values(self._columns)
        write_json(self._folder / "ids.json", ids)
        quality = joined_quality(qualities, self._table.rows, columns, self._notes)
        about = {
            "schema": SCHEMA,
            "rows": rows,
            "columns": columns,
            "ids": text_digest(ids),
            "frequency": first.frequency.to_json(),
            "zone": first.zone,
            "timed": first.time is not None,
            "time_format": first.time_format,
            "fill": first.fill,
            "static": [name for name in columns if name in self._static.found(len(ids))],
            "quality": None if quality is None else quality.to_json(),
            "source": {
                "name": self._table.source,
                "paths": list(self._table.paths),
                "fingerprint": self._table.fingerprint,
                "how": self._asked.to_json(),
                "time": self._how.time,
            },
            "blocks": blocks,
        }
        write_json(self._folder / HEADER, about)
        about = read_json(self._folder / HEADER)  # as readers have it, without NaN
        write_json(self._folder / HEADER, {**about, "checksum": header_digest(about)})


def _holds_numbers(kind: Any) -> bool:
    import polars as pl

    return kind.is_numeric() or kind == pl.Boolean
