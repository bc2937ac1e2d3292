"""Columns of plain numbers read as numbers at once: which ones, told from the first and last rows; then all cells are
held to it, or the columns are read as texts after all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cell_forms import MISSING_WORDS
from .dialect import Reading, Separator

__all__ = ["Kinds", "Read", "plain_columns", "typed_columns"]

_PIECE = 1 << 18
_POINT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?")
_ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


@dataclass(frozen=True)
class Kinds:
    """Which columns (F,) hold plain numbers, the decimal mark of these (None where it is a point, unsaid), and a cell
    that shows a comma to be one."""

    numbers: tuple[bool, ...]
    decimal: str | None = None
    cell: str | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """Columns by name, how many rows they have, and a way to their cells as they are written."""

    cells: Mapping[str, Any]
    rows: int
    written: Callable[[str], Any]


def typed_columns(rows: Sequence[Sequence[str]], reading: Reading, separator: bytes) -> Kinds:
    """What the columns of these rows are; none is a number where the marks of a number are not plain to see."""
    width = len(rows[0])
    if reading.thousands is not None or reading.missing:
        return Kinds((False,) * width)
    columns = [
        [cell for row in rows if len(row) == width and (cell := row[at]).strip().lower() not in MISSING_WORDS]
        for at in range(width)
    ]
    if separator == b"," and reading.decimal != ",":
        torn = [reading.decimal is None and groups_beside_wholes(column) for column in columns]
        return Kinds(tuple(_all(column, _POINT) and not odd for column, odd in zip(columns, torn)))
    if reading.decimal is None and not any(
        "," in cell for column in columns for cell in column if _COMMA.fullmatch(cell)
    ):
        grouped = [
            bool(column) and all(_GROUPED.fullmatch(cell) or cell.isdigit() for cell in column) for column in columns
        ]
        return Kinds(
            tuple(
                _all(column, _POINT) and not (odd and any("." in cell for cell in column))
                for column, odd in zip(columns, grouped)
            )
        )
    if reading.decimal == ".":
        return Kinds(tuple(_all(column, _POINT) for column in columns))
    numbers = tuple(_all(column, _COMMA) for column in columns)
    shows = (
        cell
        for column, plain in zip(columns, numbers)
        if plain
        for cell in column
        if "," in cell and not _GROUPED.fullmatch(cell)
    )
    cell = next(shows, None)
    if reading.decimal is None and (cell is None or any(_all(c, _POINT) and not _all(c, _COMMA) for c in columns)):
        return Kinds((False,) * width)  # nothing proves it, or another column proves the point
    return Kinds(numbers, ",", cell)


def groups_beside_wholes(cells: Sequence[str]) -> bool:
    """Whether cells are three digits after a point ("1.015") beside whole numbers ("870"), and nothing else: thousands
    are written so, decimals seldom."""
    wholes = sum(cell.isdigit() and len(cell) <= 3 for cell in cells)
    return 0 < wholes < len(cells) == wholes + sum(_ONE_GROUP.fullmatch(cell) is not None for cell in cells)


def _all(column: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return bool(column) and all(pattern.fullmatch(cell) for cell in column)


def byte_counts(text: bytes, wanted: bytes, start: int) -> list[int]:
    """How often each of the `wanted` bytes comes in the text from `start`; piece by piece, so that these stay in
    cache."""
    codes = np.frombuffer(text, np.uint8)
    found = [0] * len(wanted)
    for at in range(start, len(codes), _PIECE):
        piece = codes[at : at + _PIECE]
        for place, byte in enumerate(wanted):
            found[place] += int(np.count_nonzero(piece == byte))
    return found


def plain_columns(
    text: bytes, before: int, points: int, names: Sequence[str], kinds: Kinds, separator: Separator
) -> Read | None:
    """The columns of a text that holds rows alone behind its first `before` lines, and `points` of them, numbers as
    numbers; None where a cell of these is none."""
    import narwhals as nw
    import polars as pl

    schema = {name: pl.Float64 if number else pl.String for name, number in zip(names, kinds.numbers)}

    def read(columns: list[int] | None = None, **how: Any) -> Any:
        return pl.read_csv(
            text,
            has_header=False,
            skip_lines=before,
            separator=separator.mark.decode(),
            quote_char=None if separator.letters else '"',
            columns=columns,
            **how,
        )

    try:
        frame = read(schema=schema, decimal_comma=kinds.decimal == ",")
    except pl.exceptions.PolarsError:
        return None
    if kinds.decimal == ",":  # polars takes points for decimal marks as well
        texts = (frame[name] for name, number in zip(names, kinds.numbers) if not number)
        if points != sum(column.str.count_matches(".", literal=True).sum() or 0 for column in texts):
            return None

    places = {name: place for place, name in enumerate(names)}

    def written(name: str) -> Any:
        found = read([places[name]], schema=dict.fromkeys(names, pl.String))
        return nw.from_native(found[name], series_only=True)

    cells = {name: nw.from_native(frame[name], series_only=True) for name in names}
    return Read(cells, frame.height, written)
