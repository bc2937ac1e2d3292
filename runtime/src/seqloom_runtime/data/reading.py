"""Reading files: text (plain or .gz), Excel, JSON, Parquet and Arrow files, and databases, into a `Table` or a
`Panel`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import SettingError, shown
from ..limits import reading
from .columnar import is_columnar, parse_columnar
from .database_urls import is_database
from .databases import read_database
from .decisions import Decision
from .delimited import parse_delimited
from .dialect import Reading
from .excel import is_workbook, is_zip, parse_workbook, unzipped
from .frequency import Frequency
from .json_tables import is_json, parse_json
from .not_tables import no_path
from .panel import Panel
from .several import joined, parquet_files
from .sources import STDIN, file_bytes, source_name
from .table import Table
from .time_columns import choose_time
from .times_across import in_rows

__all__ = ["file_bytes", "guess_time_column", "read_panel", "read_table", "table_of"]


def read_panel(
    path: str | os.PathLike[str],
    *,
    time: str | Sequence[str] | None = None,
    id: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    zone: str | None = None,
    missing: Sequence[float] = (),
    max_fill: int = 24,
    frequency: Frequency | None = None,
    encoding: str = "utf-8",
    decimal: str | None = None,
    time_format: str | None = None,
    resample: str | None = None,
    aggregate: str | Mapping[str, str] = "mean",
    duplicates: str | None = None,
    fill: str = "carry",
    season: int | float | str | None = None,
    categories: Sequence[str] = (),
    static: Sequence[str] = (),
    **form: Any,
) -> Panel:
    """A panel from a file; `encoding`, `decimal` and `form` as for `read_table`, the rest as for `Panel.from_frame`."""
    table = read_table(path, encoding=encoding, decimal=decimal, **form)
    return Panel.from_frame(
        table,
        time=time,
        id=id,
        columns=columns,
        zone=zone,
        missing=missing,
        max_fill=max_fill,
        frequency=frequency,
        time_format=time_format,
        resample=resample,
        aggregate=aggregate,
        duplicates=duplicates,
        fill=fill,
        season=season,
        categories=categories,
        static=static,
    )


def read_table(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    encoding: str = "utf-8",
    decimal: str | None = None,
    thousands: str | None = None,
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    missing: Sequence[str] = (),
    sheet: str | None = None,
    query: str | None = None,
    file_column: str | None = None,
    unfold: bool | None = None,
) -> Table:
    """The columns of a file: text (commas, semicolons, tabs, pipes or spaces between cells, found out; plain, gzip or
    zip), Excel or OpenDocument, JSON, Parquet or Arrow; or of several files, a folder of Parquet files, or a database.

    A pipe is read to its end, and so is standard input where `path` is "-". `encoding` is the text's; `decimal` "." or
    "," the decimal mark, `thousands` the mark between groups of three digits or "none", each found out where it is
    None. `separator` names what stands between cells ("tab" and "space" too), `header=False` says that the first line
    is data, `skip` leaves out lines at the top; `missing` are texts of cells that hold nothing, beside the usual ones.
    `sheet` names that of a workbook. Several paths are read one behind the other, `file_column` then names a column
    that holds each one's name. A URL (sqlite:///a.db, duckdb:///a.duckdb, postgresql://user@host/name) is read by
    `query`, one SELECT. Months, quarters, days or dates that stand across are put into rows where this is plain to see;
    `unfold=False` leaves them, True refuses a table without. What was found out is in the table's `decisions`. Cells
    stay text until a panel is made, but for columns of plain numbers. Raises DataError, with the line where there is
    one, for what can't be read as a table, SettingError for an impossible argument and MissingDependencyError where a
    package is not installed.
    """
    if (problem := no_path(path)) is not None:
        raise SettingError(problem)
    form = Reading(separator, header, skip, decimal, thousands, tuple(missing), typed=True)
    how = _How(form, encoding, sheet, query)
    table = _read_all(path, how, file_column)
    with reading(table.source, "table"):
        return in_rows(table, unfold)


def _read_all(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], how: _How, file_column: str | None
) -> Table:
    if isinstance(path, (str, os.PathLike)):
        table = _read_one(path, how)
    else:
        paths = list(path)
        if not paths:
            raise SettingError("path: expected at least one file, got none.")
        tables = [_read_one(one, how) for one in paths]
        more = f"{source_name(paths[0])} and {len(paths) - 1} more"
        return joined(tables, more, file_column=file_column) if len(tables) > 1 or file_column else tables[0]
    return joined([table], table.source, file_column=file_column) if file_column is not None else table


def guess_time_column(data: Any) -> str | None:
    """The one column of a table, frame or file whose cells are times; None where there is none or more than one.

    Numbers count as times only where they look like epoch seconds or milliseconds and rise, or where they look like
    years, months or dates (20200131) and the column's name says so. Columns that make a time together are named with a
    comma between.
    """
    if isinstance(data, (str, os.PathLike)):
        data = read_table(data)
    table = data if isinstance(data, Table) else Table.from_frame(data)
    found = choose_time(table)
    return None if found.several else found.time


@dataclass(frozen=True)
class _How:
    """What is said of every file that is read."""

    form: Reading
    encoding: str
    sheet: str | None = None
    query: str | None = None


def _read_one(path: str | os.PathLike[str], how: _How) -> Table:
    """The table of one file, folder or database."""
    source = source_name(path)
    if is_database(path):
        with reading(source, "database"):
            table = read_database(str(path), how.query)
        return replace(table, decimal=how.form.decimal, thousands=how.form.thousands, missing=how.form.missing)
    if how.query is not None:
        raise SettingError(
            f"query: {source} is no database; a query needs a URL such as sqlite:///a.db or postgresql://user@host/name."
        )
    with reading(source, "table (CSV, Parquet or Arrow file)"):
        if os.fspath(path) != STDIN and os.path.isdir(path) and (files := parquet_files(Path(path))):
            parts = [parse_columnar(file_bytes(file), source_name(file)) for file, _ in files]
            return joined(parts, source, [said for _, said in files]) if len(parts) > 1 or files[0][1] else parts[0]
        return table_of(file_bytes(path, archives=True), source, how.encoding, None, how.form, how.sheet)


def table_of(
    data: bytes,
    source: str,
    encoding: str = "utf-8",
    decimal: str | None = None,
    form: Reading | None = None,
    sheet: str | None = None,
) -> Table:
    """The table in the bytes of a file named `source` in messages; the rest as for `read_table`."""
    form = form or Reading(decimal=decimal)
    with reading(source, "table (CSV, Parquet or Arrow file)"):
        if is_workbook(data):
            return parse_workbook(data, source, sheet, form)
        if sheet is not None:
            raise SettingError(f"sheet: {source} is no workbook, so it has no sheet {shown(sheet)}; leave it out.")
        if is_zip(data):
            data, name = unzipped(data, source)
            table = table_of(data, source, encoding, decimal, form)
            table.decisions.insert(0, Decision("archive", f"The file in the zip archive, {shown(name)}, is read."))
            return table
        if is_columnar(data):
            return parse_columnar(data, source)
        if is_json(data):
            table = parse_json(data, source, encoding)
            return replace(table, decimal=form.decimal, thousands=form.thousands, missing=form.missing)
        return parse_delimited(data, source, encoding, decimal, form)
