"""Table: named columns as they came from a file, frame or array, with each row's place for messages."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, ClassVar

import numpy as np

from ..errors import DataError, SettingError, shown, suggest
from ..extras import need
from .cell_forms import MISSING_WORDS
from .cells import instants_in, is_missing, kind_of, numbers_in
from .column_times import moments_in
from .decisions import Decision
from .distinct import distinct, texts_as_they_are
from .not_tables import no_array_of_numbers, no_frame
from .number_words import question, remedy, said_of
from .numbers_in_text import Numbers, evidence_in, read_numbers, read_truths, text_series
from .plain_columns import floats_of
from .times import FIRST_EPOCH, Moments, within_years

__all__ = ["MISSING_WORDS", "NUMBER", "Table", "repeated"]

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?", re.IGNORECASE)

NUMBER_MARKS = r"^[(+\-−]?[\s$€£¥]*[\d][\d.,' ]*"
_HEAD = 100  # cells that are looked at first
_NOUNS = {"number": "numbers", "time": "times", "truth": "truth values"}
_REMEDIES = {
    "bytes": "decode them to text",
    "durations": "turn them into a number of seconds",
    "lists": "give each item a row or a column",
    "records": "give each field a column",
}


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of R rows, each a narwhals Series or a NumPy array.

    `source` names the table in messages. `lines` (R,) int64 are the file's line numbers from 1, None where rows are
    counted. `decimal` is the decimal mark of numbers in text cells and `thousands` the mark between their groups of
    three ("none": they are not grouped), each None where the cells decide; `missing` are texts of cells that hold
    nothing. `english` says that commas separate the cells of the file, so that commas in them split thousands.
    `decisions` is what was decided while reading; columns that are read later add to it. `written` gives the cells of a
    column as they are written, where `cells` has numbers that were read from text. `counted_in` is what rows are
    counted in where `lines` doesn't say it.
    `files` are the names and first rows of the files that the table was put together from. `seen` keeps the columns
    that were read as times, `kinds` the kinds that were found.
    """

    cells: Mapping[str, Any]
    source: str
    rows: int
    lines: np.ndarray | None = None
    decimal: str | None = None
    decisions: list[Decision] = field(default_factory=list)
    counted_in: str | None = None
    thousands: str | None = None
    missing: tuple[str, ...] = ()
    english: bool = False
    written: Callable[[str], Any] | None = None
    files: tuple[tuple[str, int], ...] = ()
    seen: dict[tuple[str, str | None], tuple[Any, Moments]] = field(default_factory=dict, repr=False)
    kinds: dict[str, tuple[Table, str]] = field(default_factory=dict, repr=False)

    piece: ClassVar[bool] = False  # of a larger table, whose other rows may fill a column that is empty here
    TIME: ClassVar[str] = "(time)"
    ID: ClassVar[str] = "(id)"

    @classmethod
    def from_frame(cls, frame: Any, index: str | None = None) -> Table:
        """A table over a pandas, polars or arrow frame; `index` may name a pandas index to be used as a column.

        Raises DataError where it is none of these, has no rows, or repeats a column name.
        """
        if isinstance(frame, (str, bytes, os.PathLike, int, float, list, tuple, NoneType)):
            raise DataError(no_frame(frame))  # known without a package for frames
        nw = need("narwhals", "reading a frame")
        try:
            data = nw.from_native(frame, eager_only=True)
        except TypeError:
            raise DataError(no_frame(frame)) from None
        except nw.exceptions.DuplicateError:
            twice = repeated(map(str, getattr(frame, "column_names", getattr(frame, "columns", ()))))
            raise DataError(f"The frame has two columns named {shown(twice or '?')}; rename one.") from None
        cells: dict[str, Any] = dict(zip(map(str, data.columns), data.iter_columns()))
        if len(cells) < len(data.columns):
            twice = repeated(map(str, data.columns))
            raise DataError(f"The frame has two columns named {shown(twice)} as text; rename one.")
        native_index: Any = getattr(frame, "index", None)
        if index is not None and index not in cells and getattr(native_index, "name", None) == index:
            cells[index] = nw.from_native(native_index.to_series(), series_only=True)
        return cls(cells, "the frame", len(data))

    @classmethod
    def from_numpy(
        cls,
        values: np.ndarray,
        columns: Sequence[str] | None = None,
        time: np.ndarray | None = None,
        id: np.ndarray | None = None,
    ) -> Table:
        """A table over an array (R,) or (R, F) of numbers, with times and names under `Table.TIME` and `Table.ID`."""
        values = np.asarray(values)
        if values.dtype.kind not in "biuf":
            raise DataError(no_array_of_numbers(values))
        if values.ndim not in (1, 2):
            raise DataError(f"Expected an array of shape (rows,) or (rows, features), got shape {values.shape}.")
        values = (
            values.reshape(len(values), -1)
            if values.size
            else values.reshape(len(values), values.shape[-1] if values.ndim == 2 else 1)
        )
        names = [f"column_{i}" for i in range(values.shape[1])] if columns is None else [str(name) for name in columns]
        if len(names) != values.shape[1]:
            raise DataError(
                f"Expected {values.shape[1]} column names for an array of shape {values.shape}, got {len(names)}."
            )
        if len(set(names)) < len(names):
            raise DataError(f"Column names must differ, {shown(repeated(names))} is there twice.")
        cells: dict[str, Any] = {name: values[:, i] for i, name in enumerate(names)}
        for name, extra, what in ((cls.TIME, time, "time"), (cls.ID, id, "id")):
            if extra is not None:
                extra = np.asarray(extra)
                if extra.shape != (len(values),):
                    raise DataError(f"Expected {what} of shape ({len(values)},), got {extra.shape}.")
                cells[name] = extra
        return cls(cells, "the array", len(values))

    # -- places -----------------------------------------------------------------------------------------------------

    @property
    def unit(self) -> str:
        """What rows are counted in: "line" of a file or "row"."""
        return self.counted_in or ("row" if self.lines is None else "line")

    def numbers_of(self, rows: np.ndarray) -> np.ndarray:
        """Line numbers of a file, or row numbers, both from 1, of rows given by position."""
        return np.asarray(rows) + 1 if self.lines is None else self.lines[rows]

    def decide(self, what: str, text: str, column: str | None = None, option: str | None = None) -> None:
        """Note a decision, once."""
        decision = Decision(what, text, column, option)
        if decision not in self.decisions:
            self.decisions.append(decision)

    def place(self, row: int) -> str:
        """Where a row is, such as "line 17", or "line 17 of b.csv" where there are several files."""
        file = next((name for name, first in reversed(self.files) if first <= row), None)
        where = "" if file is None else f" of {file}"
        return f"{self.unit} {int(self.numbers_of(np.array([row]))[0])}{where}"

    def where(self, row: int, name: str) -> str:
        """Where a cell is, such as "weather.csv, line 17, column 'wind'"."""
        return f"{self.source}, {self.place(row)}, column {shown(name)}"

    @property
    def names(self) -> list[str]:
        """The names of all columns, in order."""
        return list(self.cells)

    def require(self, name: str, role: str = "column") -> None:
        """Raise DataError, with the nearest name, where there is no column `name`."""
        if name not in self.cells:
            known = ", ".join(map(shown, self.names[:12])) + (", …" if len(self.names) > 12 else "")
            raise DataError(
                f"{self.source}: no {role} is named {shown(name)}.{suggest(name, self.names)} There are {known}."
            )

    def require_new(self, name: str) -> None:
        """Raise SettingError where a column is already named `name`."""
        if name in self.cells:
            raise SettingError(f"file_column: {self.source} has a column {shown(name)} already; take another name.")

    def kind(self, name: str) -> str:
        """What a column holds: "number", "flag" (yes and no), "category" (a few words), "text", "time", "index"
        (counts the rows), "constant", "empty", or "other" for cells that a table can't use."""
        from .kinds import kind_of_column

        self.require(name)
        return kind_of_column(self, name)

    # -- contents ---------------------------------------------------------------------------------------------------

    def numbers(self, name: str) -> np.ndarray:
        """A column as (R,) float64, NaN where missing; raises DataError with the place of a cell that is no number."""
        self.require(name)
        column = self.cells[name]
        if isinstance(column, np.ndarray):
            return floats_of(column, f"{self.source}: column {shown(name)}")
        kind = kind_of(column)
        if kind in ("number", "truth"):
            return numbers_in(column)
        if kind == "time":
            raise DataError(
                f"{self.source}: column {shown(name)} holds times, not numbers; name it as the time column or leave it "
                "out."
            )
        self.require_kind(name, "numbers", "text")
        read = self._read(name)
        if read.asked is not None:
            row, cell = read.asked
            raise DataError(f"{self.where(row, name)}: {question(cell)}")
        if len(read.bad):
            row = int(read.bad[0])
            cell = str(self.texts(name)[row])
            more = f" ({len(read.bad):,} cells of this column are no numbers)" if len(read.bad) > 1 else ""
            todo = remedy(self, cell, name, len(read.bad))
            raise DataError(f"{self.where(row, name)}: expected a number, got {shown(cell)}{more}.{todo}")
        for said in said_of(self, name, read):
            self.decide(said.what, said.text, said.column, said.option)
        return read.values

    def moments(self, name: str, form: str | None = None) -> Moments:
        """A time column as moments, `form` as `time_format`; raises DataError with the place of a cell that is no time,
        and with a question where the times could be read in several ways and nothing decides."""
        self.require(name, "time column")
        column = self.cells[name]
        if not isinstance(column, np.ndarray):
            self.require_kind(name, "times", "number", "time", "text")
        moments = self.try_moments(name, form)
        if len(moments.bad):
            row = int(moments.bad[0])
            cell = moments.cell if moments.cell is not None else column[row]
            if is_missing(cell):
                raise DataError(f"{self.where(row, name)}: expected a time, the cell is empty; remove the row.")
            if isinstance(cell, str) and not cell.strip():
                raise DataError(f"{self.where(row, name)}: expected a time, the cell is empty; remove the row.")
            raise DataError(f"{self.where(row, name)}: {shown(str(cell))} {moments.reason}.")
        if moments.question:
            raise DataError(f"{self.source}, column {shown(name)}: {moments.question}.")
        return moments

    def require_kind(self, name: str, expected: str, *kinds: str) -> str:
        """The kind of a frame's column (`cells.kind_of`); raises DataError where it is none of `kinds`, which may be
        read as what is `expected`."""
        column = self.cells[name]
        kind = kind_of(column)
        if kind not in kinds:
            remedy = _REMEDIES.get(kind, "turn them into texts or numbers")
            dtype = shown(str(column.dtype))[1:-1]
            raise DataError(
                f"{self.source}: column {shown(name)} is of type {dtype}, which holds {_NOUNS.get(kind, kind)}, not "
                f"{expected}; {remedy}, or leave the column out."
            )
        return kind

    def try_moments(self, name: str, form: str | None = None) -> Moments:
        """A column as moments, with the positions of the cells that are no times; `form` as `time_format`."""
        column = self.cells[name]
        known = self.seen.get((name, form))
        if known is None or known[0] is not column:
            known = self.seen[name, form] = (column, moments_in(self.texts(name), form))
        return known[1]

    def texts(self, name: str) -> Any:
        """The cells (R,) of a column as they are written, where they came from text; else as they are."""
        return self.written(name) if self.written is not None and name in self._typed else self.cells[name]

    @property
    def _typed(self) -> frozenset[str]:
        """The columns whose cells were turned from text to numbers while they were read."""
        if self.written is None:
            return frozenset()
        return frozenset(
            name
            for name, column in self.cells.items()
            if not isinstance(column, np.ndarray) and kind_of(column) == "number"
        )

    def head(self, name: str, rows: int) -> Moments | None:
        """The first `rows` cells of a column as moments; None where the column can't hold times."""
        column = self.texts(name)
        if not isinstance(column, np.ndarray):
            if kind_of(column) not in ("number", "time", "text"):
                return None
            column = column.head(rows)
        return Table({name: column[:rows]}, self.source, min(rows, self.rows)).try_moments(name)

    def is_plain_number(self, name: str) -> bool:
        """Whether the first cell of a column is a number, as value or as text."""
        column = self.cells[name]
        if not self.rows or (not isinstance(column, np.ndarray) and kind_of(column) == "time"):
            return False
        cell = column[0]
        return isinstance(cell, (int, float, np.number)) or NUMBER.fullmatch(str(cell).strip()) is not None

    def holds_small_numbers(self, name: str, rows: int) -> bool:
        """Whether the first `rows` cells are numbers below those that may count seconds since 1970, or are missing; as
        most columns do, which then need no look at their cells as times."""
        column = self.cells[name][:rows] if isinstance(self.cells[name], np.ndarray) else self.cells[name].head(rows)
        head = Table({name: column}, self.source, len(column), None, self.decimal)
        if isinstance(column, np.ndarray):
            if column.dtype.kind not in "iuf":
                return False
            values, bad = column, ()
        elif (kind := kind_of(column)) == "number":
            values, bad = numbers_in(column), ()
        elif kind == "text" and self.is_plain_number(name):
            read = head._read(name)
            values, bad = read.values, read.bad if read.asked is None else np.zeros(1)
        else:
            return False
        return not len(bad) and not (np.abs(values) >= FIRST_EPOCH).any()

    def labels(self, name: str) -> tuple[tuple[str, ...], np.ndarray]:
        """The different names in a column, sorted (as numbers where all are), and the position (R,) of each row's name.

        Raises DataError where a cell is missing.
        """
        self.require(name, "id column")
        column = self.texts(name)
        if not isinstance(column, np.ndarray):
            self.require_kind(name, "names of series", "number", "truth", "time", "text")
        try:
            if not isinstance(column, np.ndarray) and kind_of(column) == "time":
                times, zoned = instants_in(column)  # first, as polars panics over years far beyond Python's
                outside = within_years(times, "instants" if zoned else "wall").bad
                if not np.isnat(times[outside]).all():
                    raise OverflowError
            texts = texts_as_they_are(column)
            found = None if texts is None else distinct(texts)
            if found is not None and None not in found[0]:
                return _in_order([str(cell) for cell in found[0]], found[1])
            cells = column.tolist() if isinstance(column, np.ndarray) else column.to_list()
        except (ValueError, OverflowError):
            raise DataError(
                f"{self.source}: column {shown(name)} holds times beyond the years 1 to 9999, which can't name series; "
                "write them as texts, or leave the column out."
            ) from None
        codes: dict[str, int] = {}
        index = np.empty(len(cells), dtype=np.int64)
        for row, cell in enumerate(cells):
            if is_missing(cell):
                raise DataError(f"{self.where(row, name)}: expected the name of a series, the cell is empty.")
            index[row] = codes.setdefault(str(cell), len(codes))
        return _in_order(list(codes), index)

    def time_zone(self, name: str) -> str | None:
        """The zone that a frame's time column carries, if any."""
        column = self.cells[name]
        if isinstance(column, np.ndarray) or kind_of(column) != "time":
            return None
        zone = getattr(column.dtype, "time_zone", None)
        return zone if isinstance(zone, str) else None

    def truths(self, name: str) -> np.ndarray | None:
        """A text column of yes and no, in whatever words, as (R,) float64 of 1, 0 and NaN where missing; None where it
        holds anything else."""
        column = self.cells[name]
        if isinstance(column, np.ndarray) or kind_of(column) != "text":
            return None
        words, values = read_truths(text_series(column), self.missing)
        if words is None:
            return None
        self.decide("truth", f"Column {shown(name)}: {words[0]} is 1 and {words[1]} is 0.", name)
        return values

    def _read(self, name: str) -> Numbers:
        """A text column as numbers, and the positions of cells that are none."""
        truths = self.truths(name)
        if truths is not None:
            return Numbers(truths, np.zeros(0, np.int64))
        texts = text_series(self.cells[name])
        return read_numbers(
            texts, self.decimal, self.thousands, self.missing, lambda: self._mark_of_others(name), self.english
        )

    def _mark_of_others(self, name: str) -> str | None:
        """The decimal mark that the text columns but `name` prove; None where none does, or they differ."""
        marks = set()
        for other, column in self.cells.items():
            if other != name and not isinstance(column, np.ndarray) and kind_of(column) == "text":
                texts = text_series(column).drop_nulls()
                plain = texts.filter(texts.str.contains(NUMBER_MARKS))
                if 2 * len(plain) > len(texts) and (mark := evidence_in(plain).mark) is not None:
                    marks.add(mark)
        return marks.pop() if len(marks) == 1 else None


def _in_order(labels: list[str], index: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Different names, sorted, as numbers where all are, and the rows' positions (R,) among the names as they came
    turned into those among the sorted ones."""
    numeric = all(map(re.compile(r"[+-]?\d{1,15}").fullmatch, labels))
    order = sorted(range(len(labels)), key=lambda at: (int(labels[at]), labels[at]) if numeric else labels[at])
    position = np.empty(len(labels), dtype=np.int64)
    position[order] = np.arange(len(order))
    return tuple(labels[at] for at in order), position[index]


def repeated(names: Iterable[str]) -> str | None:
    """The first of `names` that came before; None where all differ."""
    known: set[str] = set()
    for name in names:
        if name in known:
            return name
        known.add(name)
    return None
