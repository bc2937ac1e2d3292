"""Comma-, semicolon- or tab-separated text into a table, with the file line of every row.

The text's structure (quotes, line ends, separators) is checked here on the bytes, so that a ragged line or an open
quote is reported by its line; polars then splits the cells, all as text.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, printable, shown, suggest
from ..extras import need
from ..limits import need_memory
from .table import Table, repeated

__all__ = ["parse_delimited", "require_polars", "utf8_text"]

_SEPARATORS = (b",", b";", b"\t")
_SAMPLE = 20
_QUOTED = re.compile(rb'"[^"]*"')
_NO_FILES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem")
"""Codecs of Python that files of text are not written in."""
_NOT_CP1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_PIECE = 1 << 24
_DECODED = 6  # bytes for one, while a text is decoded and written again as UTF-8
_PLACE = 8  # bytes of a position in the text
_LONGEST_NAME = 10_000
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def require_polars(source: str) -> Any:
    """The polars module; raises MissingDependencyError with the command that installs it."""
    return need("polars", f"{source}: reading files")


def parse_delimited(data: bytes, source: str, encoding: str = "utf-8", decimal: str = ".") -> Table:
    """A table from the bytes of a file named `source` in messages; raises DataError where they are no table."""
    text = utf8_text(data, source, encoding)
    if (nothing := text.find(b"\0")) >= 0:
        line = text.count(b"\n", 0, nothing) + 1
        raise DataError(f"{source}, line {line}: holds a NUL byte, which no text has; the file is damaged.")
    if b"\r" in text:
        text = _plain_ends(text)
    ends, starts = _records(text, source)
    if not len(starts):
        raise DataError(f"{source}: expected a table, the file holds nothing but empty lines.")
    separator = _separator(text, starts, ends)
    names = _names(text[starts[0] : ends[0]], separator, source)
    trailing = len(names) > 1 and names[-1] == ""  # every line may end in a separator
    names = [name or f"column_{position}" for position, name in enumerate(names, 1)]
    if (twice := repeated(names[:-1] if trailing else names)) is not None:
        first = names.index(twice)
        again = names.index(twice, first + 1)
        raise DataError(f"{source}: columns {first + 1} and {again + 1} are both named {shown(twice)}; rename one.")
    starts, ends = starts[1:], ends[1:]
    if not len(starts):
        raise DataError(f"{source}: expected rows of data, the file holds a header and nothing else.")
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    lines = np.searchsorted(newlines, starts) + 1
    _refuse_ragged(text, starts, ends, lines, separator, len(names), source)
    if (starts[1:] == ends[:-1] + 1).all():
        body = text[starts[0] : ends[-1]]
    else:  # leave out the empty lines
        body = b"\n".join(text[start:end] for start, end in zip(starts.tolist(), ends.tolist()))
    frame = _split(body, separator, len(names), source)
    if frame.height != len(starts):
        raise DataError(
            f"{source}: expected {len(starts):,} rows from its line ends, found {frame.height:,}; a double quote "
            "stands inside a cell, write it twice and quote the cell."
        )
    columns = frame.get_columns()
    if trailing and (columns[-1].fill_null("").str.strip_chars() == "").all():
        names, columns = names[:-1], columns[:-1]
    if len(set(names)) < len(names):
        raise DataError(f"{source}: column {len(names)} has no name and {shown(names[-1])} is taken; name it.")
    import narwhals as nw

    cells = {name: nw.from_native(column, series_only=True) for name, column in zip(names, columns)}
    return Table(cells, source, frame.height, lines, decimal)


def utf8_text(data: bytes, source: str, encoding: str = "utf-8", kinds: str = "CSV or Parquet") -> bytes:
    """The text of `data` in UTF-8 without a byte order mark.

    Raises DataError with the line and byte that `encoding` can't read, or where the data is no text; `kinds` says in
    messages what the file should be.
    """
    name = _text_encoding(encoding)
    wide = name.startswith(("utf-16", "utf-32"))
    if data.startswith(_UTF16) and not wide:
        raise DataError(f"{source}: the text is in UTF-16, not {encoding}; name it with encoding='utf-16'.")
    sample = data[:65536]
    control = sum(sample.count(bytes([code])) for code in (*range(1, 9), *range(14, 32)))
    if not wide and (b"\0" in sample or control * 20 > len(sample)):
        raise DataError(f"{source}: expected text, this looks like a binary file; give a {kinds} file.")
    try:
        if name in ("utf-8", "ascii"):
            _check_plain(data, name)
            return data.removeprefix(codecs.BOM_UTF8)
        need_memory(_DECODED * len(data), f"{source}: its text", "Give a part of it.", error=DataError)
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeDecodeError as error:
        byte, line = data[error.start], data.count(b"\n", 0, error.start) + 1
        hint = "latin-1" if any(code in data for code in _NOT_CP1252) else "cp1252"
        remedy = f"; try encoding={hint!r}" if name == "utf-8" else ""
        raise DataError(
            f"{source}, line {line}: byte 0x{byte:02X} at position {error.start} is not {encoding} text{remedy}."
        ) from None
    except UnicodeError as error:
        raise DataError(f"{source}: the text is not in {encoding}: {printable(str(error))[:160]}.") from None


def _text_encoding(encoding: str) -> str:
    """The name that Python gives an encoding of text; raises SettingError for what is none."""
    try:
        found = codecs.lookup(encoding)
        known = found._is_text_encoding and found.name not in _NO_FILES
    except (LookupError, TypeError, ValueError):
        known, found = False, None
    if found is None or not known:
        near = suggest(str(encoding), ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "iso-8859-15"])
        raise SettingError(
            f"encoding: expected the name of a text encoding such as 'utf-8' or 'cp1252', got {shown(encoding)}.{near}"
        )
    return found.name


def _check_plain(data: bytes, name: str) -> None:
    """Raise UnicodeDecodeError, with its place in all of `data`, where it is not UTF-8 or ASCII; a piece at a time, as
    the decoded text takes up to four times the room."""
    start = 0
    while start < len(data):
        end = start + _PIECE
        while end < len(data) and data[end] & 0xC0 == 0x80 and end > start + _PIECE - 4:
            end -= 1  # not in the middle of a character
        try:
            data[start:end].decode(name)
        except UnicodeDecodeError as error:
            raise UnicodeDecodeError(name, data, start + error.start, start + error.end, error.reason) from None
        start = end


def _plain_ends(text: bytes) -> bytes:
    """The text with line feeds for line ends; a carriage return inside quotes is part of its cell and stays."""
    if b'"' in text:
        codes = np.frombuffer(text, np.uint8)
        returns = codes == 13
        outside = (np.cumsum(codes == 34, dtype=np.uint8) & 1) == 0
        if not outside[returns].all():
            returns &= outside
            before_feed = np.append(codes[1:] == 10, False)
            ends = codes.copy()
            ends[returns & ~before_feed] = 10
            return ends[~(returns & before_feed)].tobytes()
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _records(text: bytes, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends and starts (N,) of the records that hold something; line ends inside quotes belong to their record."""
    codes = np.frombuffer(text, np.uint8)
    breaks = codes == 10
    if b'"' in text:
        inside = np.cumsum(codes == 34, dtype=np.uint8) & 1  # wraps at 256, which keeps the parity
        breaks &= inside == 0
        if inside[-1]:
            last = int(np.flatnonzero(breaks)[-1]) + 1 if breaks.any() else 0
            line = text.count(b"\n", 0, last) + 1
            raise DataError(f"{source}, line {line}: a double quote is opened here or before and never closed.")
    count = int(np.count_nonzero(breaks))
    need_memory(_PLACE * 8 * count, f"{source}: {count:,} lines", "Give a part of the file.", error=DataError)
    ends = np.flatnonzero(breaks)
    if not len(text) or text[-1] != 10:
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])
    filled = ends > starts
    short = np.flatnonzero(filled & (ends - starts < 40))
    short = short[codes[starts[short]] == 32]
    filled[[row for row in short.tolist() if not text[starts[row] : ends[row]].strip(b" ")]] = False
    if _one_column(text, starts[filled], ends[filled]):
        filled[np.flatnonzero(filled)[0] : np.flatnonzero(filled)[-1] + 1] = True  # an empty line is an empty cell
    return ends[filled], starts[filled]


def _one_column(text: bytes, starts: np.ndarray, ends: np.ndarray) -> bool:
    sample = b"\n".join(text[start:end] for start, end in zip(starts[:_SAMPLE].tolist(), ends[:_SAMPLE].tolist()))
    return len(starts) > 0 and not any(separator in sample for separator in _SEPARATORS)


def _separator(text: bytes, starts: np.ndarray, ends: np.ndarray) -> bytes:
    """The separator that splits the first lines into equally many cells, more than one."""
    lines = zip(starts[:_SAMPLE].tolist(), ends[:_SAMPLE].tolist())
    plain = [_QUOTED.sub(b"", text[start:end]) for start, end in lines]
    best, score = b",", (0.0, 1)
    for separator in _SEPARATORS:
        counts = [line.count(separator) + 1 for line in plain]
        if counts and counts[0] > 1:
            score, best = max(
                (score, best), ((sum(c == counts[0] for c in counts) / len(counts), counts[0]), separator)
            )
    return best


def _cells(text: str, separator: bytes, source: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator.decode()))
    except csv.Error as error:
        raise DataError(f"{source}: the first lines are no table of short cells: {printable(str(error))}.") from None


def _quoted(line: bytes, separator: bytes, cells: int) -> list[bool]:
    """Which of the cells of a line stand in quotes, so that their blanks are meant."""
    found, inside = [], 0
    for piece in line.split(separator):
        if not inside:
            found.append(piece.startswith(b'"'))
        inside ^= piece.count(b'"') & 1
    return found if len(found) == cells else [False] * cells  # a quote in the middle of a cell opens nothing


def _names(header: bytes, separator: bytes, source: str) -> list[str]:
    cells = _cells(header.decode(), separator, source)[0]
    names = [name if quoted else name.strip() for name, quoted in zip(cells, _quoted(header, separator, len(cells)))]
    long = next((number for number, name in enumerate(names, 1) if len(name) > _LONGEST_NAME), None)
    if long is not None:
        raise DataError(
            f"{source}, line 1: expected the names of the columns, the name of column {long} has "
            f"{len(names[long - 1]):,} characters: {shown(names[long - 1])}."
        )
    if all(re.fullmatch(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", name) for name in names):
        raise DataError(
            f"{source}, line 1: expected the names of the columns, found numbers only "
            f"({shown(', '.join(names[:4]))[1:-1]}); add a header line."
        )
    return names


def _refuse_ragged(
    text: bytes, starts: np.ndarray, ends: np.ndarray, lines: np.ndarray, separator: bytes, columns: int, source: str
) -> None:
    codes = np.frombuffer(text, np.uint8)
    marks = codes == separator[0]
    if b'"' in text:
        marks &= (np.cumsum(codes == 34, dtype=np.uint8) & 1) == 0
    count = int(np.count_nonzero(marks))
    need_memory(_PLACE * count, f"{source}: {count:,} cells", "Give a part of the file.", error=DataError)
    at = np.flatnonzero(marks)
    cells = np.searchsorted(at, ends) - np.searchsorted(at, starts) + 1
    bad = np.flatnonzero(cells != columns)
    if len(bad):
        row = int(bad[0])
        more = f" ({len(bad):,} such lines)" if len(bad) > 1 else ""
        raise DataError(
            f"{source}, line {lines[row]}: expected {columns} cells as in the header, found {cells[row]}{more}."
        )


def _split(body: bytes, separator: bytes, columns: int, source: str) -> Any:
    pl = require_polars(source)
    try:
        return pl.read_csv(
            io.BytesIO(body),
            has_header=False,
            new_columns=[str(i) for i in range(columns)],
            schema={str(i): pl.String for i in range(columns)},
            separator=separator.decode(),
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{source}: the text can't be split into cells: {shown(str(error).partition(chr(10))[0], 160)}."
        ) from None
