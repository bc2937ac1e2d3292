"""Workbooks (.xlsx, .xlsb, .xls, .ods) and zip archives of one file, after a look at what they claim to hold.

A sheet is written as comma-separated text, cell for cell, and read as any other: what precedes its header, units and
totals are found by the same rules. Rows keep the numbers that the sheet shows.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from typing import Any

from ..errors import DataError, SettingError, shown, suggest
from ..extras import need
from ..limits import need_memory, over_limit, read_limit, reading
from .cell_forms import NUMBER, TIME, form_of
from .decisions import Decision
from .delimited import parse_delimited
from .dialect import Reading
from .table import Table

__all__ = ["is_workbook", "is_zip", "parse_workbook", "unzipped"]

_OLD = b"\xd0\xcf\x11\xe0"
_CELL = 80  # bytes that a cell takes while it is a Python value
_LINE = re.compile(r"\b([Ll])ine(s?) (?=\d)")


def is_zip(data: bytes) -> bool:
    """Whether the bytes begin as a zip archive does; workbooks are such archives."""
    return data[:4] == b"PK\x03\x04"


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are a workbook of Excel or OpenDocument."""
    if data[:4] == _OLD:
        return True
    if not is_zip(data):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any(name.startswith("xl/workbook") for name in names) or {"mimetype", "content.xml"} <= names


def unzipped(data: bytes, source: str) -> tuple[bytes, str]:
    """The one file in a zip archive and its name; raises DataError for an archive of several or none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
            if len(files) != 1:
                listed = ", ".join(shown(info.filename, 40) for info in files[:6])
                raise DataError(
                    f"{source}: this is a zip archive or Excel workbook of {len(files)} files ({listed}); unpack it "
                    "and name "
                    "the one to read."
                )
            limit = read_limit()
            if files[0].flag_bits & 1:
                raise DataError(f"{source}: the zip archive is locked by a password; unpack it first.")
            if files[0].file_size > limit:
                raise over_limit(source, limit)
            with archive.open(files[0]) as member:
                held = member.read(limit + 1)
            if len(held) > limit:
                raise over_limit(source, limit)
            return held, files[0].filename
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{source}: this begins as a zip archive or Excel workbook, but it is damaged ({str(error)[:100]}); save "
            "the sheet "
            "as CSV, or fetch it again."
        ) from None


def parse_workbook(data: bytes, source: str, sheet: str | None, form: Reading) -> Table:
    """The table of a workbook's one sheet that holds something, or of the one named; raises DataError with the names
    where there are several, and MissingDependencyError with what to install."""
    calamine = need("python_calamine", f"{source}: reading workbooks")
    if is_zip(data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > read_limit():
            raise over_limit(source, read_limit())
        need_memory(4 * size, f"{source}: its sheets", "Save the sheet as CSV.", error=DataError)
    with reading(source, "workbook"):
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        name, rows, about = _chosen(book, source, sheet)
        text = _as_text(rows)
    table = parse_delimited(text, f"{source}, sheet {shown(name)}", reading=form)
    said = [Decision(d.what, _LINE.sub(_row, d.text), d.column, d.option) for d in table.decisions]
    return Table(
        table.cells,
        table.source,
        table.rows,
        table.lines,
        table.decimal,
        [*about, *said],
        counted_in="row",
        thousands=table.thousands,
        missing=table.missing,
        english=table.english,
        written=table.written,
    )


def _row(match: re.Match[str]) -> str:
    return f"{'Row' if match[1] == 'L' else 'row'}{match[2]} "


def _chosen(book: Any, source: str, sheet: str | None) -> tuple[str, list[list[Any]], list[Decision]]:
    """The name and rows of the sheet to read."""
    names = list(book.sheet_names)
    if sheet is not None:
        if sheet not in names:
            listed = ", ".join(map(shown, names[:12]))
            raise SettingError(
                f"sheet: {source} has no sheet {shown(sheet)}.{suggest(sheet, names)} There are {listed}."
            )
        return sheet, _rows(book, sheet, source), []
    held = [(name, rows) for name in names if (rows := _rows(book, name, source))]
    if not held:
        raise DataError(f"{source}: expected a table, no sheet of the workbook holds anything.")
    if len(held) > 1:
        listed = ", ".join(shown(name) for name, _ in held[:12])
        raise DataError(
            f"{source}: the workbook has {len(held)} sheets ({listed}); name one with "
            f"sheet={max(held, key=_data_in)[0]!r}, which holds the most data."
        )
    said = f"The table is sheet {shown(held[0][0])}, the only one of {len(names)} that holds something."
    name, rows = held[0]
    return name, rows, [Decision("sheet", said, option="sheet")] if len(names) > 1 else []


def _data_in(sheet: tuple[str, list[list[Any]]]) -> tuple[int, int]:
    """How many cells of a sheet hold numbers or times beside others, and how many hold anything: the first of the
    largest is the table of data, not a cover or a list of notes."""
    rows = [[cell for cell in row if cell != ""] for row in sheet[1]]
    beside = [cell for row in rows if len(row) > 1 for cell in row]
    values = sum(not isinstance(cell, str) or form_of(cell) in (NUMBER, TIME) for cell in beside)
    return values, sum(map(len, rows))


def _rows(book: Any, name: str, source: str) -> list[list[Any]]:
    sheet = book.get_sheet_by_name(name)
    cells = sheet.total_height * sheet.total_width
    need_memory(_CELL * cells, f"{source}: {cells:,} cells of sheet {shown(name)}", "Save it as CSV.", error=DataError)
    rows = sheet.to_python(skip_empty_area=False)
    return rows if any(cell != "" for row in rows for cell in row) else []


def _as_text(rows: list[list[Any]]) -> bytes:
    """The rows as comma-separated text; an empty one is an empty line."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    width = max((place + 1 for row in rows for place, cell in enumerate(row) if cell != ""), default=0)
    for row in rows:
        cells = [_cell(cell) for cell in row[:width]]
        if any(cells):
            writer.writerow(cells)
        else:
            out.write("\n")
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return re.sub(r"[\r\n\0]+", " ", value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    return "" if value is None else str(value)
