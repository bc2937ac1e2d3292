"""Reading files: CSV (plain or .gz), Parquet and Arrow files into a `Table` or straight into a `Panel`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..errors import SettingError
from ..limits import reading
from .columnar import is_columnar, parse_columnar
from .delimited import parse_delimited
from .frequency import Frequency
from .panel import Panel
from .sources import file_bytes, source_name
from .table import Table
from .time_columns import guess_time_column

__all__ = ["file_bytes", "guess_time_column", "read_panel", "read_table", "table_of"]


def read_panel(
    path: str | os.PathLike[str],
    *,
    time: str | Sequence[str] | None = None,
    id: str | None = None,
    columns: Sequence[str] | None = None,
    zone: str | None = None,
    missing: Sequence[float] = (),
    max_fill: int = 24,
    frequency: Frequency | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    time_format: str | None = None,
    resample: str | None = None,
    aggregate: str | Mapping[str, str] = "mean",
    duplicates: str | None = None,
) -> Panel:
    """A panel from a file; `encoding` and `decimal` as for `read_table`, the rest as for `Panel.from_frame`."""
    table = read_table(path, encoding=encoding, decimal=decimal)
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
