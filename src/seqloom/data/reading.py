"""Reading files: CSV (plain or .gz), Parquet and Arrow files into a `Table` or straight into a `Panel`."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, suggest
from .delimited import parse_delimited, require_polars
from .frequency import Frequency
from .panel import Panel
from .table import Table
from .times import Moments

__all__ = ["file_bytes", "guess_time_column", "read_panel", "read_table"]

_FOREIGN = {
    b"PK\x03\x04": "a zip archive or Excel workbook; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"BZh": "a bzip2 archive; unpack it or use gzip",
    b"\xfd7zXZ": "an xz archive; unpack it or use gzip",
    b"(\xb5/\xfd": "a zstd archive; unpack it or use gzip",
    b"SQLite format 3": "a SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; export the table as CSV or Parquet",
    b"%PDF": "a PDF; a table of numbers is needed",
}
_TIME_NAMES = re.compile(
    r"(date|time|timestamp|datetime|year|month|day|hour|ds|ts|t|index|epoch|unix)([ _\-].*)?", re.IGNORECASE
)


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

    `encoding` is the text's; `decimal` "." or "," the decimal mark. Cells stay text until a panel is made. Raises
    DataError, with the line where there is one, for a file that can't be read as a table, and MissingDependencyError
    where polars is not installed.
    """
    if decimal not in (".", ","):
        raise SettingError(f"decimal: expected '.' or ',', got {decimal!r}.")
    path = Path(path)
    data = file_bytes(path)
    if data[:4] == b"PAR1" or data[:6] == b"ARROW1":
        return _columnar(path, data)
    return parse_delimited(data, str(path), encoding, decimal)


def guess_time_column(data: Any) -> str | None:
    """The one column of a table, frame or file whose every cell is a time; None where there is none or more than one.

    Numbers count as times only where they look like epoch seconds or milliseconds and rise, or where they look like
    years or dates (20200131) and the column's name says so.
    """
    if isinstance(data, (str, os.PathLike)):
        data = read_table(data)
    table = data if isinstance(data, Table) else Table.from_frame(data)
    texts, numbers = [], []
    for name in table.names:
        head = table.head(name, 100)
        if head is None or len(head.bad) or not len(head.values):
            continue
        plain = table.is_plain_number(name)
        if plain and not _rising_epochs(head) and not (head.kind == "wall" and _TIME_NAMES.fullmatch(name.strip())):
            continue
        if not len(table.try_moments(name).bad):
            (numbers if plain else texts).append(name)
    found = texts or numbers
    return found[0] if len(found) == 1 else None


def _rising_epochs(head: Moments) -> bool:
    steps = np.diff(head.values)
    return head.kind == "instants" and bool((steps >= 0).all()) and bool((steps > 0).any())


def file_bytes(path: str | os.PathLike[str], expected: str = "a table", kinds: str = "CSV or Parquet") -> bytes:
    """The bytes of a file, unpacked where it is gzip; raises DataError where there are none or it is another archive.

    `expected` and `kinds` say in messages what the file should hold and be.
    """
    path = Path(path)
    data = _bytes(path, expected, kinds)
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise DataError(f"{path}: expected {kinds}, this is {what}.")
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacked = gzip.decompress(data)
    except EOFError:
        raise DataError(f"{path}: the gzip file is cut short, its end is missing; fetch it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error}); fetch it again.") from None
    if not unpacked:
        raise DataError(f"{path}: expected {expected}, the file is empty once unpacked.")
    return unpacked


def _bytes(path: Path, expected: str, kinds: str) -> bytes:
    try:
        folder = path.is_dir()
        data = b"" if folder else path.read_bytes()
    except FileNotFoundError:
        near = ""
        if path.parent.is_dir():
            near = suggest(path.name, sorted(entry.name for entry in path.parent.iterdir()))
        raise DataError(f"{path}: there is no such file.{near}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{path}: the file can't be read: {reason}.") from None
    if folder:
        raise DataError(f"{path} is a folder; expected a {kinds} file.")
    if not data:
        raise DataError(f"{path}: expected {expected}, the file is empty.")
    return data


def _columnar(path: Path, data: bytes) -> Table:
    pl = require_polars(str(path))
    try:
        frame = (pl.read_parquet if data[:4] == b"PAR1" else pl.read_ipc)(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(
            f"{path}: the file starts as Parquet or Arrow but is damaged ({str(error).splitlines()[0]})."
        ) from None
    table = Table.from_frame(frame)
    return Table(table.cells, str(path), table.rows)
