"""Pairs of texts, a source and its target: two columns of a table, or lines with TABs between them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ...limits import reading
from ..decisions import Decision
from ..dialect import Reading
from ..reading import table_of
from ..sources import file_bytes, source_name
from ..table import Table
from .lines import read_text, written
from .text_tables import TableForm

__all__ = ["TextPairs", "column_texts", "read_pairs", "read_sources"]

LAYOUTS = ("auto", "table", "tabs", "lines")
_USUAL = ("source", "target")
_TABLES = (".csv", ".parquet", ".arrow", ".feather", ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".ods", ".zip")


@dataclass(frozen=True, eq=False)
class TextPairs:
    """N sources and their targets (None where only sources were asked for), and where each stands.

    `source` names the file in messages, `lines` (N,) int64 are line numbers from 1 (row numbers for Parquet).
    `decisions` is what was found out while reading, `columns` the columns of a table that were read.
    """

    sources: list[str]
    targets: list[str] | None
    source: str
    lines: np.ndarray
    unit: str = "line"
    decisions: tuple[Decision, ...] = ()
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def place(self, position: int) -> str:
        """Where a pair stands, such as "pairs.csv, line 17"."""
        return f"{self.source}, {self.unit} {int(self.lines[position])}"


def read_pairs(
    path: str | os.PathLike[str],
    *,
    source: str | None = None,
    target: str | None = None,
    layout: str = "auto",
    encoding: str = "utf-8",
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    sheet: str | None = None,
    query: str | None = None,
) -> TextPairs:
    """The pairs of a file (plain or gzip), or of a database.

    `layout` is "tabs" (each line a source, a TAB and its target, whatever stands behind a second TAB left out; no
    quotes; the first line is a header where it names the columns), "table" (as for `read_table`), or "auto": a file
    whose every line has a TAB is "tabs" unless something is said of a table. source, target: the columns, by default
    those of these names, else the first two, which is told. The others are of a table, as for `read_table`. Raises
    DataError with the file and the line for an empty side, and for a file of one column.
    """
    form = TableForm(separator, header, skip, sheet, query)
    read = _read(path, (source, target), layout, encoding, form)
    assert read.targets is not None
    for name, side in (("source", read.sources), ("target", read.targets)):
        for row, text in enumerate(side):
            if not text.strip():
                raise DataError(f"{read.place(row)}: the {name} is empty; give it, or leave the pair out.")
    return read


def read_sources(
    path: str | os.PathLike[str],
    *,
    source: str | None = None,
    layout: str = "auto",
    encoding: str = "utf-8",
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    sheet: str | None = None,
    query: str | None = None,
) -> TextPairs:
    """The sources alone, as `read_pairs`; with "lines", or "auto" where the file is no table, each line is one."""
    form = TableForm(separator, header, skip, sheet, query)
    if layout == "lines" or (layout == "auto" and not form.said and not _named_table(path)):
        text = read_text(path, encoding)
        if layout == "lines" or not _has_tabs(text):
            lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
            if not lines:
                raise DataError(f"{path}: expected a text on each line, the file holds nothing but empty lines.")
            return TextPairs([line for _, line in lines], None, str(path), np.array([n for n, _ in lines], np.int64))
    return _read(path, (source,), layout, encoding, form)


def _read(
    path: str | os.PathLike[str], wanted: tuple[str | None, ...], layout: str, encoding: str, form: TableForm
) -> TextPairs:
    """Sources, and targets where two columns are `wanted`."""
    if layout not in LAYOUTS or (layout == "lines" and len(wanted) > 1):
        raise SettingError(f"layout: expected auto, table or tabs, got {shown(layout)}.")
    if layout == "tabs" or (layout == "auto" and not form.said and not _named_table(path)):
        text = read_text(path, encoding)
        if layout == "tabs" or _has_tabs(text):
            return _tabbed(text, source_name(path), wanted)
    name = source_name(path)
    with reading(name, "table of texts"):
        table = form.opened(path, encoding)
        if table is None:
            how = Reading(form.separator, form.header, form.skip, plain=True)
            table = table_of(file_bytes(path, "pairs of texts"), name, encoding, None, how)
    columns, said = _columns(table, wanted)
    sides = [column_texts(table, column) for column in columns]
    lines = table.numbers_of(np.arange(table.rows))
    told = tuple(d for d in table.decisions if d.column in (None, *columns))
    return TextPairs(
        sides[0], sides[1] if len(sides) > 1 else None, name, lines, table.unit, (*told, *said), (*columns,)
    )


def _columns(table: Table, wanted: tuple[str | None, ...]) -> tuple[list[str], list[Decision]]:
    """The columns that are read: those named, else `source` and `target`, else the first."""
    names = table.names
    if len(names) < len(wanted):
        raise DataError(
            f"{table.source}: expected two columns, a source and its target, found one, {shown(names[0])}; put a comma "
            "or a TAB between the two texts."
        )
    found = [name if name is not None or known not in names else known for name, known in zip(wanted, _USUAL)]
    for name in found:
        if name is not None:
            table.require(name, "column")
    if None not in found:
        return [name for name in found if name is not None], []
    free = [name for name in names if name not in found]
    if len(wanted) > 1 and len(free) != found.count(None):
        listed = ", ".join(map(shown, names[:8]))
        raise DataError(
            f"{table.source}: nothing says which columns hold the sources and the targets; name them (source=), "
            f"(target=); there are {listed}."
        )
    columns = [free.pop(0) if name is None else name for name in found]
    what = f"the sources, {shown(columns[1])} the targets" if len(columns) > 1 else "the sources"
    return columns, [
        Decision(
            "columns",
            f"Column {shown(columns[0])} holds {what}, as no column is called source; name them with source= and "
            "target=; where the first line is a pair too, say header=False.",
            option="source",
        )
    ]


def column_texts(table: Table, name: str) -> list[str]:
    """A column as texts; raises DataError for a cell that can't be one."""
    cells: list[Any] = table.cells[name].to_list()
    found = []
    for row, cell in enumerate(cells):
        text = cell if isinstance(cell, str) else "" if cell is None else written(cell)
        if text is None:
            raise DataError(
                f"{table.source}, {table.place(row)}: expected a text in column {shown(name)}, found {shown(cell)}."
            )
        found.append(text)
    return found


def _tabbed(text: str, name: str, wanted: tuple[str | None, ...]) -> TextPairs:
    lines = [(n, line.rstrip("\r").split("\t")) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{name}: expected pairs of texts, the file holds nothing but empty lines.")
    head = [cell.strip() for cell in lines[0][1]]
    given = [column for column in wanted if column is not None]
    usual = [column if column is not None else known for column, known in zip(wanted, _USUAL)]
    places = list(range(len(wanted)))
    if set(usual) <= set(head):
        places, lines = [head.index(column) for column in usual], lines[1:]
    elif given:
        missing = next(column for column in usual if column not in head)
        there = ", ".join(head[:8])
        raise DataError(f"{name}: the first line has no column {shown(missing)}; there are {there}.")
    if not lines:
        raise DataError(f"{name}: expected pairs of texts below the header, found none.")
    sides: list[list[str]] = [[] for _ in wanted]
    for number, cells in lines:
        if len(cells) <= max(places):
            raise DataError(
                f"{name}, line {number}: expected a source, a TAB and its target, found {len(cells)} column."
            )
        for side, place in zip(sides, places):
            side.append(cells[place])
    numbers = np.array([number for number, _ in lines], np.int64)
    return TextPairs(sides[0], sides[1] if len(sides) > 1 else None, name, numbers)


def _has_tabs(text: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return bool(lines) and all("\t" in line for line in lines)


def _named_table(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().removesuffix(".gz").endswith(_TABLES)
