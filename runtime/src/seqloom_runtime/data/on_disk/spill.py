"""The rows of a table put into groups of whole series, each small enough for memory: one pass over the names of the
series, which counts their rows, and one over the rows, which are written behind each other group by group."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...errors import DataError, shown
from ...limits import in_words
from ..cells import is_missing
from ..series_names import id_columns, join_parts
from ..table import Table
from .partitions import Partitions, enough
from .written import written_to

__all__ = ["PieceTable", "Spill"]

_CODE, _ROW = "\0series", "\0row"
_PER_CELL = 60  # bytes that a cell of a group takes at most until it is an array of a panel
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class PieceTable(Table):
    """A table of whole series whose names are known, and which knows in which file each row stood."""

    piece: ClassVar[bool] = True
    known_id: str | None = None
    known_names: tuple[str, ...] = ()
    codes: np.ndarray | None = None
    origins: np.ndarray | None = None
    starts: np.ndarray | None = None
    paths: tuple[Path, ...] = ()

    def labels(self, name: str) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of the series, in the order that a table of all rows has, and the position of each row's."""
        if name != self.known_id or self.codes is None:
            return super().labels(name)
        return self.known_names, self.codes

    def place(self, row: int) -> str:
        """Where a row is, such as "row 17 of part-3.parquet"."""
        return self.standing(row)

    def standing(self, row: int) -> str:
        """The row's number within its file, from 1, and that file."""
        assert self.origins is not None
        assert self.starts is not None
        whole = int(self.origins[row])
        file = int(np.searchsorted(self.starts, whole, side="right")) - 1
        return f"row {whole - int(self.starts[file]) + 1:,} of {self.paths[file]}"


def most_rows(memory: int, columns: int) -> int:
    """The rows of so many columns that `memory` bytes can make a panel of."""
    return memory // (_PER_CELL * (columns + 2))


def _names_series(table: Partitions, name: str) -> None:
    """Raise DataError where a column is of a type that can't name series, such as lists, as a table in memory does."""
    import polars as pl

    empty = Table.from_frame(pl.DataFrame({name: pl.Series([None], dtype=table.schema[name])}))
    replace(empty, source=table.source).require_kind(name, "names of series", "number", "truth", "time", "text")


class Spill:
    """Groups of whole series of a table; `most` is the number of rows that one may have.

    id: the column or columns, with commas between, that name the series; columns: the others to be read.
    Raises DataError where a name is missing, or one series alone has more rows than the memory allows.
    """

    def __init__(
        self,
        table: Partitions,
        id: str | None,
        columns: list[str],
        memory: int,
        told: Told,
        folder: Path,
        marks: Sequence[float] = (),
    ) -> None:
        self.table, self.id, self.columns, self._told, self._folder = table, id, columns, told, folder
        self._marks, self._done = list(marks), False
        self.most = most_rows(memory, len(columns))
        self._ids = [] if id is None else [id] if id in table.schema else id_columns(id)
        for name in self._ids:
            if name not in table.schema:
                Table(dict.fromkeys(table.schema), table.source, 0).require(name, "id column")
            _names_series(table, name)
        self.starts = np.cumsum([0, *(file.rows for file in table.files)])
        self._counted()
        ends, room = [], 0
        for at, count in enumerate(self.counts.tolist()):
            if count > self.most:
                need = count * _PER_CELL * (len(columns) + 2)
                who = f"series {shown(self.names[at])} has" if self._ids else "the table is one series of"
                raise DataError(
                    f"{table.source}: {who} {count:,} rows, which take up to {in_words(need)} while the panel is made; "
                    f"allow that much beside what seqloom itself takes (memory={enough(need)})."
                )
            if room + count > self.most:
                ends.append(at)
                room = 0
            room += count
        self.bounds = np.array([0, *ends, len(self.counts)])
        self._valued: dict[str, int] = dict.fromkeys(columns, 0)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def _counted(self) -> None:
        """Names of the series in order, and how many rows each has."""
        if not self._ids:
            self.names, self.counts, self._codes = ("",), np.array([self.table.rows]), {(): 0}
            return
        counts: dict[tuple[Any, ...], int] = {}
        done = 0
        for file, frame in self.table.frames(self._ids, 4 * self.most):
            held = frame.group_by(self._ids, maintain_order=True).len()
            for *key, count in held.iter_rows():
                counts[tuple(key)] = counts.get(tuple(key), 0) + count
                if any(map(is_missing, key)):
                    raise DataError(f"{file.path}: expected the name of a series, a cell of {self.id} is empty.")
            done += frame.height
            self._told("series are counted", done, self.table.rows)
        texts = {key: join_parts([*map(str, key)]) if len(key) > 1 else str(*key) for key in counts}
        numeric = all(re.fullmatch(r"[+-]?\d{1,15}", text) for text in texts.values())
        ordered = sorted(counts, key=(lambda key: (int(texts[key]), texts[key])) if numeric else texts.__getitem__)
        self.names = tuple(texts[key] for key in ordered)
        self.counts = np.array([counts[key] for key in ordered])
        self._codes = {key: code for code, key in enumerate(ordered)}

    def with_values(self, columns: Sequence[str], named: Collection[str] = ()) -> list[str]:
        """Those of the columns in which some row holds a value, known once the first group has been begun; raises
        DataError for one of `named` that has none, and where there is no other."""
        kept = [name for name in columns if self._valued[name]]
        gone = [name for name in columns if name not in kept and (name in named or not kept)]
        if gone:
            raise DataError(
                f"{self.table.source}: column {shown(gone[0])} holds no value at all; leave it out, or name the "
                "columns to use (columns=)."
            )
        return kept

    def groups(self) -> Iterator[PieceTable]:
        """The groups in order, each as a table with the rows of a series as they stood."""
        if len(self) == 1:
            import polars as pl

            parts = [self._coded(frame, row) for frame, row in self._frames()]
            yield self._piece(0, pl.concat(parts))
            return
        self._write_once()
        for group in range(len(self)):
            table = self._piece(group, self._read(group))
            shutil.rmtree(self._of_group(group))
            yield table

    def some(self, columns: Sequence[str]) -> Iterator[PieceTable]:
        """The groups in order with some of the columns alone; all rows stay for `groups`, which several are there."""
        self._write_once()
        done = 0
        for group in range(len(self)):
            table = self._piece(group, self._read(group, columns))
            yield table
            done += table.rows
            self._told("times are looked at", done, self.table.rows)

    def _frames(self) -> Iterator[tuple[Any, int]]:
        """Frames of the table, and the number of the first row of each."""
        row = 0
        for _, frame in self.table.frames([*self._ids, *self.columns], max(1, self.most // 2)):
            yield frame, row
            row += frame.height
            self._told("rows are sorted", row, self.table.rows)

    def _coded(self, frame: Any, first: int) -> Any:
        """The frame with the number of each row's series, its own number, and without names."""
        import polars as pl

        codes = pl.lit(0, dtype=pl.UInt32)
        for name in self.columns:
            column = frame[name]
            none = column.is_null()
            if column.dtype.is_float():
                none = none | column.is_nan()
            for mark in self._marks if column.dtype.is_numeric() else ():
                none = none | (column == mark)
            self._valued[name] += column.len() - int(none.sum())
        rows = pl.int_range(first, first + frame.height, dtype=pl.Int64).alias(_ROW)
        if not self._ids:
            return frame.with_columns(codes.alias(_CODE), rows)
        keys = frame.select(self._ids).unique()
        keys = keys.with_columns(pl.Series(_CODE, [self._codes[key] for key in keys.iter_rows()], dtype=pl.UInt32))
        return frame.with_columns(rows).join(keys, on=self._ids, how="left", maintain_order="left").drop(self._ids)

    def _of_group(self, group: int) -> Path:
        return self._folder / f"{group:06d}"

    def _write_once(self) -> None:
        """The rows of each group written into files of its own, unless they are there."""
        if self._done:
            return
        self._done = True
        for number, (frame, first) in enumerate(self._frames()):
            coded = self._coded(frame, first)
            group = np.searchsorted(self.bounds, coded[_CODE].to_numpy(), side="right") - 1
            order = np.argsort(group, kind="stable")
            coded = coded[order]
            edges = np.searchsorted(group[order], np.arange(len(self) + 1))
            for at in np.flatnonzero(np.diff(edges)).tolist():
                part = coded[int(edges[at]) : int(edges[at + 1])]
                folder = self._of_group(at)
                folder.mkdir(exist_ok=True)
                buffer = io.BytesIO()
                part.rechunk().write_ipc(buffer, compression="uncompressed")
                with open(folder / f"{number:06d}.arrow", "xb", buffering=0) as file:
                    written_to(file, buffer.getbuffer())

    def _read(self, group: int, columns: Sequence[str] | None = None) -> Any:
        import polars as pl

        wanted = None if columns is None else [*columns, _CODE, _ROW]
        files = sorted(self._of_group(group).glob("*.arrow"))
        frames = [pl.read_ipc(io.BytesIO(file.read_bytes()), columns=wanted) for file in files]
        return pl.concat(frames, rechunk=True)

    def _piece(self, group: int, frame: Any) -> PieceTable:
        import narwhals as nw

        first, end = int(self.bounds[group]), int(self.bounds[group + 1])
        codes = frame[_CODE].to_numpy().astype(np.int64) - first
        cells: dict[str, Any] = {
            name: nw.from_native(frame[name], series_only=True) for name in self.columns if name in frame.columns
        }
        if self.id is not None:
            cells = {self.id: codes, **cells}
        return PieceTable(
            cells,
            self.table.source,
            frame.height,
            counted_in="row",
            known_id=self.id,
            known_names=self.names[first:end],
            codes=codes if self.id is not None else None,
            origins=frame[_ROW].to_numpy(),
            starts=self.starts,
            paths=tuple(file.path for file in self.table.files),
        )
