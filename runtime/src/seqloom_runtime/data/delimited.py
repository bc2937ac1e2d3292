"""Comma-, semicolon-, tab-, pipe- or space-separated text into a table, with the file line of every row.

The text's structure (quotes, line ends, separators) is checked here on the bytes, so that a ragged line or an open
quote is reported by its line; polars then splits the cells. A large plain text (no quotes, no empty lines) takes a
shorter way with the same result: its separators are counted, and polars reads columns of numbers as numbers at once.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import DataError, shown
from ..extras import need
from ..limits import need_memory
from .decisions import Decision
from .dialect import Reading, Separator, cells_of, find_separator, quotes_are_letters
from .encodings import utf8_text
from .headers import Line, Shape, find_shape
from .table import Table, repeated
from .typed_columns import byte_counts, plain_columns, typed_columns

__all__ = ["parse_delimited", "require_polars", "utf8_text"]

_PLACE = 8  # bytes of a position in the text
_LONGEST_NAME = 10_000
_HEAD, _TAIL = 200, 12  # lines that are looked at
_HEAD_BYTES, _TAIL_BYTES = 1 << 18, 1 << 14


def require_polars(source: str) -> Any:
    """The polars module; raises MissingDependencyError with the command that installs it."""
    return need("polars", f"{source}: reading files")


def parse_delimited(
    data: bytes, source: str, encoding: str = "utf-8", decimal: str | None = None, reading: Reading | None = None
) -> Table:
    """A table from the bytes of a file named `source` in messages; raises DataError where they are no table.

    `reading` says what is known of the text's form; `decimal` stands for its field where it is not given.
    """
    reading = reading or Reading(decimal=decimal)
    said: list[Decision] = []
    text = utf8_text(data, source, encoding, said=said)
    if (nothing := text.find(b"\0")) >= 0:
        line = text.count(b"\n", 0, nothing) + 1
        raise DataError(f"{source}, line {line}: holds a NUL byte, which no text has; the file is damaged.")
    skipped = 0
    if reading.skip:
        text, skipped = _skipped(text, reading.skip, source)
    sample = _lines(text[:_HEAD_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    if not sample:
        raise DataError(f"{source}: expected a table, the file holds nothing but empty lines.")
    separator, named, about = find_separator(sample, reading)
    if about is not None:
        said.append(about)
    if quotes_are_letters(text, separator.mark):
        separator = Separator(separator.mark, letters=True)
        said.append(Decision("quotes", "Double quotes stand in the middle of cells between tabs, so they are letters."))
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if separator.letters else _plain_ends(text)
    if separator.spaces:
        text = _even_spaces(text, separator, source)
        separator = Separator(b"\t", letters=True)
    require_polars(source)
    table = _plain_table(text, separator, named, skipped, source, reading, said)
    return table or _whole_table(text, separator, named, skipped, source, reading, said)


def _skipped(text: bytes, lines: int, source: str) -> tuple[bytes, int]:
    """The text behind its first `lines` lines, whatever these hold."""
    at = 0
    for done in range(lines):
        found = [end for end in (text.find(b"\n", at), text.find(b"\r", at)) if end >= 0]
        if not found:
            raise DataError(f"{source}: skip: expected fewer lines than the {done + 1} that the file has, got {lines}.")
        at = min(found) + (2 if text[min(found) : min(found) + 2] == b"\r\n" else 1)
    return text[at:], lines


def _lines(piece: bytes) -> list[bytes]:
    lines = piece.split(b"\n")
    if len(lines) > 2 and len(piece) >= _HEAD_BYTES:
        lines.pop()  # cut
    return [line for line in lines if line.strip()][:_HEAD]


def _even_spaces(text: bytes, separator: Separator, source: str) -> bytes:
    """The text with one tab between its cells."""
    if b'"' in text:
        line = text.count(b"\n", 0, text.index(b'"')) + 1
        raise DataError(
            f"{source}, line {line}: cells are separated by spaces and a double quote comes; separate them by a mark "
            "such as "
            "a comma or a tab."
        )
    return b"\n".join(separator.pattern.sub(b"\t", line.strip()) for line in text.split(b"\n"))


def _plain_table(
    text: bytes, separator: Separator, named: int, skipped: int, source: str, reading: Reading, said: list[Decision]
) -> Table | None:
    """The table of a text whose every line is a row or comes before them; None where it is not that plain."""
    if not reading.typed or (b'"' in text and not separator.letters) or text[:1] == b"\n":
        return None
    pieces = text[:_HEAD_BYTES].split(b"\n")
    if len(pieces) < _HEAD + _TAIL + 2:
        return None
    head = [Line(number, cells_of(line, separator, source)) for number, line in enumerate(pieces[:_HEAD], 1)][named:]
    last = text[-_TAIL_BYTES:].rstrip(b"\n").split(b"\n")[1:][-_TAIL:]
    tail = [Line(0, cells_of(line, separator, source)) for line in last]
    shape = find_shape(head, tail, reading)
    unnamed = shape.names is not None and not all(name.strip() for name in shape.names)
    if shape.behind or shape.indexed or shape.narrow or unnamed or shape.width < 2:
        return None  # rare forms, read line by line
    before = named + shape.before
    ends, marks, points = byte_counts(
        text, b"\n" + separator.mark + b".", sum(len(line) + 1 for line in pieces[:before])
    )
    rows = ends + (text[-1] != 10)
    if marks != rows * (shape.width - 1):
        return None
    names = _names(shape, source)
    need_memory(_PLACE * rows * shape.width, f"{source}: {rows:,} rows", "Give a part of the file.", error=DataError)
    kinds = typed_columns([line.cells for line in (*head[shape.before :], *tail)], reading, separator.mark)
    read = plain_columns(text, before, points, names, kinds, separator)
    if read is None or read.rows != rows:  # polars reads an empty line as a row
        return None
    said = [*said, *shape.said]
    if kinds.cell is not None and reading.decimal is None:
        said.append(_decimal_said(kinds.cell))
    lines = np.arange(rows) + (skipped + before + 1)
    return Table(
        read.cells,
        source,
        rows,
        lines,
        reading.decimal or kinds.decimal,
        said,
        thousands=reading.thousands,
        missing=reading.missing,
        english=separator.mark == b",",
        written=read.written,
    )


def _decimal_said(cell: str) -> Decision:
    return Decision("decimal", f"Commas are decimal marks, as in {shown(cell)}.", option="decimal")


def _whole_table(
    text: bytes, separator: Separator, named: int, skipped: int, source: str, reading: Reading, said: list[Decision]
) -> Table:
    """The table of any text, line by line."""
    ends, starts = _records(text, source, separator, skipped)
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    lines = np.searchsorted(newlines, starts) + 1 + skipped
    starts, ends, lines = starts[named:], ends[named:], lines[named:]
    if not len(starts):
        raise DataError(f"{source}: expected a table, the file holds nothing but empty lines.")

    def parsed(first: int, last: int) -> list[Line]:
        return [
            Line(int(lines[at]), cells_of(text[starts[at] : ends[at]], separator, source, at == 0))
            for at in range(first, last)
        ]

    most = min(len(starts), _HEAD)
    while most > 2 and ends[most - 1] - starts[0] > _HEAD_BYTES:
        most = max(2, most // 2)
    head = parsed(0, most)
    shape = find_shape(head, parsed(max(most, len(starts) - _TAIL), len(starts)), reading)
    names = _names(shape, source, _quoted(text[starts[shape.before - 1] :], separator, head, shape))
    starts, ends, lines = (part[shape.before : len(part) - shape.behind] for part in (starts, ends, lines))
    if not len(starts):
        raise DataError(f"{source}: expected rows of data, the file holds a header and nothing else.")
    said += shape.said
    width = shape.width
    counts = _counted(text, starts, ends, separator, source)
    if not reading.plain and (counts != width).any():
        starts, ends, lines, counts = _without_comments(text, starts, ends, lines, counts, width, said)
    _refuse_ragged(counts, lines, width, source)
    if (starts[1:] == ends[:-1] + 1).all():
        body = text[starts[0] : ends[-1]]
    else:  # leave out the empty lines
        body = b"\n".join(text[start:end] for start, end in zip(starts.tolist(), ends.tolist()))
    frame = _split(body, separator, width, source)
    if frame.height != len(starts):
        raise DataError(
            f"{source}: expected {len(starts):,} rows from its line ends, found {frame.height:,}; a double quote "
            "stands inside a cell, write it twice and quote the cell."
        )
    columns = frame.get_columns()
    names, columns = _named_columns(names, columns, shape, source)
    import narwhals as nw

    cells = {name: nw.from_native(column, series_only=True) for name, column in zip(names, columns)}
    return Table(
        cells,
        source,
        frame.height,
        lines,
        reading.decimal,
        said,
        thousands=reading.thousands,
        missing=reading.missing,
        english=separator.mark == b",",
    )


def _names(shape: Shape, source: str, quoted: list[bool] | None = None) -> list[str]:
    """The names of the columns, of which all but the last may be empty only where they are then numbered."""
    if shape.names is None:
        return [f"column_{position}" for position in range(1, shape.width + 1)]
    cells = shape.names
    quoted = quoted or [False] * len(cells)
    names = [name if kept else name.strip() for name, kept in zip(cells, quoted)]
    long = next((number for number, name in enumerate(names, 1) if len(name) > _LONGEST_NAME), None)
    line = shape.header_line
    if long is not None:
        raise DataError(
            f"{source}, line {line}: expected the names of the columns, the name of column {long} has "
            f"{len(names[long - 1]):,} characters: {shown(names[long - 1])}."
        )
    if not shape.numbered and all(re.fullmatch(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", name) for name in names):
        raise DataError(
            f"{source}, line {line}: expected the names of the columns, found numbers only "
            f"({shown(', '.join(names[:4]))[1:-1]}); say header=False where this line is data, header=True where it "
            "names the columns."
        )
    trailing = next((count for count, name in enumerate(reversed(names)) if name), len(names) - 1)  # separators alone
    names = [name or f"column_{position}" for position, name in enumerate(names, 1)]
    if (twice := repeated(names[: len(names) - trailing])) is not None:
        first = names.index(twice)
        again = names.index(twice, first + 1)
        raise DataError(f"{source}: columns {first + 1} and {again + 1} are both named {shown(twice)}; rename one.")
    return names


def _named_columns(names: list[str], columns: list[Any], shape: Shape, source: str) -> tuple[list[str], list[Any]]:
    """Names and columns without those that only separators at the ends of lines make."""
    if shape.indexed:
        columns = columns[1:]
    if shape.narrow > 0:
        columns = columns[:-1]
    elif shape.narrow < 0:
        names = names[:-1]
    unnamed = [at for at in range(len(names)) if shape.names is None or not shape.names[at].strip()]
    empty = {at for at in unnamed if (columns[at].fill_null("").str.strip_chars() == "").all()}
    if shape.names is None:
        empty &= {len(names) - 1} if len(names) > 1 else set()
    if empty and len(empty) < len(names):  # separators at the ends of lines, or cells that a program left over
        names = [name for at, name in enumerate(names) if at not in empty]
        columns = [column for at, column in enumerate(columns) if at not in empty]
    if len(set(names)) < len(names):
        raise DataError(f"{source}: column {len(names)} has no name and {shown(names[-1])} is taken; name it.")
    return names, columns


def _without_comments(
    text: bytes,
    starts: np.ndarray,
    ends: np.ndarray,
    lines: np.ndarray,
    counts: np.ndarray,
    width: int,
    said: list[Decision],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rows without the lines among them that begin with # and have not as many cells as a row."""
    odd = np.flatnonzero(counts != width)
    comments = [row for row in odd.tolist() if text[starts[row] : ends[row]].lstrip().startswith(b"#")]
    if comments and len(comments) < len(starts):
        said.append(
            Decision(
                "comments",
                f"{len(comments):,} line{'s' * (len(comments) > 1)} among the rows (line {lines[comments[0]]}) begin"
                f"{'s' * (len(comments) == 1)} with # and {'are' if len(comments) > 1 else 'is'} left out.",
            )
        )
        keep = np.ones(len(starts), bool)
        keep[comments] = False
        starts, ends, lines, counts = starts[keep], ends[keep], lines[keep], counts[keep]
    return starts, ends, lines, counts


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


def _records(text: bytes, source: str, separator: Separator, skipped: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends and starts (N,) of the records that hold something; line ends inside quotes belong to their record."""
    codes = np.frombuffer(text, np.uint8)
    breaks = codes == 10
    if b'"' in text and not separator.letters:
        inside = np.cumsum(codes == 34, dtype=np.uint8) & 1  # wraps at 256, which keeps the parity
        breaks &= inside == 0
        if inside[-1]:
            last = int(np.flatnonzero(breaks)[-1]) + 1 if breaks.any() else 0
            line = text.count(b"\n", 0, last) + 1 + skipped
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
    sample = b"\n".join(text[start:end] for start, end in zip(starts[:20].tolist(), ends[:20].tolist()))
    return len(starts) > 0 and not any(mark in sample for mark in (b",", b";", b"\t", b"|"))


def _quoted(line: bytes, separator: Separator, head: list[Line], shape: Shape) -> list[bool] | None:
    """Which of the cells of the header stand in quotes, so that their blanks are meant."""
    if shape.names is None or separator.letters:
        return None
    found, inside = [], 0
    for piece in line[: 1 << 20].split(separator.mark):
        if not inside:
            found.append(piece.startswith(b'"'))
            if len(found) == len(shape.names):
                break
        inside ^= piece.count(b'"') & 1
    return found if len(found) == len(shape.names) else None  # a quote in the middle of a cell opens nothing


def _counted(text: bytes, starts: np.ndarray, ends: np.ndarray, separator: Separator, source: str) -> np.ndarray:
    """How many cells (N,) each record has."""
    codes = np.frombuffer(text, np.uint8)
    marks = codes == separator.mark[0]
    if b'"' in text and not separator.letters:
        marks &= (np.cumsum(codes == 34, dtype=np.uint8) & 1) == 0
    count = int(np.count_nonzero(marks))
    need_memory(_PLACE * count, f"{source}: {count:,} cells", "Give a part of the file.", error=DataError)
    at = np.flatnonzero(marks)
    return np.searchsorted(at, ends) - np.searchsorted(at, starts) + 1


def _refuse_ragged(counts: np.ndarray, lines: np.ndarray, columns: int, source: str) -> None:
    bad = np.flatnonzero(counts != columns)
    if len(bad):
        row = int(bad[0])
        more = f" ({len(bad):,} such lines)" if len(bad) > 1 else ""
        raise DataError(
            f"{source}, line {lines[row]}: expected {columns} cells as in the header, found {counts[row]}{more}."
        )


def _split(body: bytes, separator: Separator, columns: int, source: str) -> Any:
    pl = require_polars(source)
    try:
        return pl.read_csv(
            body,
            has_header=False,
            schema={str(i): pl.String for i in range(columns)},
            separator=separator.mark.decode(),
            quote_char=None if separator.letters else '"',
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{source}: the text can't be split into cells: {shown(str(error).partition(chr(10))[0], 160)}."
        ) from None
