"""Reading files: CSV (plain or .gz), Parquet and Arrow files into a `Table` or straight into a `Panel`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import SettingError
from ..limits import reading
from .columnar import is_columnar, parse_columnar
from .delimited import parse_delimited
from .frequency import Frequency
from .panel import Panel
from .sources import file_bytes, source_name
from .table import Table
from .times import Moments

__all__ = ["file_bytes", "guess_time_column", "read_panel", "read_table", "table_of"]

_TIME_NAMES = re.compile(
    r"(date|time|timestamp|datetime|year|month|day|hour|ds|ts|t|index|epoch|unix)([ _\-].*)?", re.IGNORECASE
)
_HEAD = 100  # rows that are looked at first


def read_panel(
    path: str | os.PathLike[str],
    *,
    time: str | None = None,
    id: str | None = None,
    columns: Sequence[str] | None = None,
    zone: str | None = None,
    missing: Sequence[float] = (),
    max_fill: int = 24,
    frequency: Frequency | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
) -> Panel:
    """A panel from a file; `encoding` and `decimal` as for `read_table`, the rest as for `Panel.from_frame`."""
    table = read_table(path, encoding=encoding, decimal=decimal)
    return Panel.from_frame(
        table, time=time, id=id, columns=columns, zone=zone, missing=missing, max_fill=max_fill, frequency=frequency
    )


def read_table(path: str | os.PathLike[str], *, encoding: str = "utf-8", decimal: str = ".") -> Table:
    """The columns of a CSV file (comma, semicolon or tab, found out; plain or gzip), or of a Parquet or Arrow file.

    A pipe is read to its end, and so is standard input where `path` is "-". `encoding` is the text's; `decimal` "." or
    "," the decimal mark. Cells stay text until a panel is made. Raises DataError, with the line where there is one, for
    a file that can't be read as a table, and MissingDependencyError where polars is not installed.
    """
    if decimal not in (".", ","):
        raise SettingError(f"decimal: expected '.' or ',', got {decimal!r}.")
    source = source_name(path)
    with reading(source, "table (CSV, Parquet or Arrow file)"):
        return table_of(file_bytes(path), source, encoding, decimal)


def table_of(data: bytes, source: str, encoding: str = "utf-8", decimal: str = ".") -> Table:
    """The table in the bytes of a file named `source` in messages; the rest as for `read_table`."""
    with reading(source, "table (CSV, Parquet or Arrow file)"):
        if is_columnar(data):
            return parse_columnar(data, source)
        return parse_delimited(data, source, encoding, decimal)


def guess_time_column(data: Any) -> str | None:
    """The one column of a table, frame or file whose every cell is a time; None where there is none or more than one.

    Numbers count as times only where they look like epoch seconds or milliseconds and rise, or where they look like
    years or dates (20200131) and the column's name says so.
    """
    if isinstance(data, (str, os.PathLike)):
        data = read_table(data)
    table = data if isinstance(data, Table) else Table.from_frame(data)
    with reading(table.source, "table"):
        return _guessed(table)


def _guessed(table: Table) -> str | None:
    texts, numbers = [], []
    for name in table.names:
        named = _TIME_NAMES.fullmatch(name.strip()) is not None
        if not named and table.holds_small_numbers(name, _HEAD):
            continue
        head = table.head(name, _HEAD)
        if head is None or len(head.bad) or not len(head.values):
            continue
        plain = table.is_plain_number(name)
        if plain and not _rising_epochs(head) and not (head.kind == "wall" and named):
            continue
        if not len(table.try_moments(name).bad):
            (numbers if plain else texts).append(name)
            if len(texts) > 1:
                return None
    found = texts or numbers
    return found[0] if len(found) == 1 else None


def _rising_epochs(head: Moments) -> bool:
    steps = np.diff(head.values)
    return head.kind == "instants" and bool((steps >= 0).all()) and bool((steps > 0).any())
