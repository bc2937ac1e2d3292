"""The sentences about numbers in texts: how cells were read that could be written otherwise, and what to do with odd
ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import shown
from .decisions import Decision
from .numbers_in_text import Numbers, evidence_in, text_series

if TYPE_CHECKING:
    from .table import Table

__all__ = ["question", "remedy", "said_of"]

_PLAIN = {
    "percent": "percent signs are left out",
    "currency": "currency signs are left out",
    "brackets": "brackets mean a minus",
    "minus behind": "a minus may stand behind",
    "minus sign": "− is a minus",
}


def said_of(table: Table, name: str, read: Numbers) -> list[Decision]:
    """What to say about a column that was read as numbers."""
    kinds = {what for what, *_ in read.said}
    found = []
    for what, row, cell, count in read.said:
        if what == "decimal" and ("thousands ." in kinds or any(d.what == "decimal" for d in table.decisions)):
            continue  # which was said
        is_value = f"{shown(cell)} ({table.place(row)}) is {read.values[row]:.15g}"
        found.append(_sentence(table, name, what, cell, is_value, count))
    return found


def _sentence(table: Table, name: str, what: str, cell: str, is_value: str, count: int) -> Decision:
    column = f"Column {shown(name)}"
    if what == "thousands ," and table.decimal == ",":
        text = (
            f"{column}: decimal=',' was given, but every comma in it stands before three digits and commas separate "
            "the cells, "
            f"so {is_value}. Add thousands='none' where it is {cell.replace(',', '.')}."
        )
        return Decision("thousands", text, name, "thousands")
    if what.startswith("thousands"):
        mark, unsure = what[10:11], what.endswith("?")
        noun = {",": "commas", ".": "points"}.get(mark, "spaces or apostrophes")
        more = " and commas are decimal marks" if mark == "." else ""
        other = f" Say decimal={mark!r} and thousands='none' where it is "
        other = f"{other}{cell.replace(',', '.')}." if unsure else ""
        return Decision("thousands", f"{column}: {noun} split thousands{more}, {is_value}.{other}", name, "thousands")
    if what == "decimal":
        return Decision("decimal", f"Commas are decimal marks: in column {shown(name)} {is_value}.", None, "decimal")
    if what == "decimal elsewhere":
        text = f"{column}: commas are decimal marks, as in other columns, so {is_value}."
        return Decision("decimal", text, name, "decimal")
    if what == "point":
        text = f"{column}: points are decimal marks, {is_value}. Say thousands='.' where it is {cell.replace('.', '')}."
        return Decision("decimal", text, name, "thousands")
    if what == "missing":
        cells = f"{count:,} cell{'s' * (count > 1)}"
        return Decision(
            "missing", f"{column}: {shown(cell)} marks missing values among numbers ({cells}).", name, "missing"
        )
    return Decision(what, f"{column}: {_PLAIN[what]}, {is_value}.", name)


def question(cell: str) -> str:
    """What to ask about a cell whose one mark is followed by three digits, where nothing decides."""
    return (
        f"{shown(cell)} can be {cell.replace(',', '')} or {cell.replace(',', '.')}, and no cell of the table decides; "
        "say "
        "thousands=',' or decimal=','."
    )


def remedy(table: Table, cell: str, name: str, bad: int) -> str:
    """What to do about a cell that is no number, one of `bad` in its column."""
    cell = cell.strip()
    if re.fullmatch(r"[<>≤≥]=?\s*[\d.,]+", cell):
        return f" A bound is no number: write the number to use, or name it as missing with missing={cell!r}."
    texts = text_series(table.cells[name])
    if table.decimal != "," and re.fullmatch(r"[+-]?\d+,\d+", cell):
        found = evidence_in(texts)
        points = found.decimal.get(".") or found.thousands.get(",")
        if points is not None:
            other = f"{shown(points[1])} ({table.place(points[0])})"
            return f" Column {shown(name)} also holds {other}, which has another mark."
        return " If commas are decimal marks, say so with decimal=','."
    if table.decimal == "," and re.fullmatch(r"[+-]?[\d.]*\.[\d.,]*", cell):
        return " With a decimal comma, points are not accepted: remove thousands marks, or leave decimal='.'."
    percent = texts.str.ends_with("%").arg_true()
    if len(percent) and not cell.endswith("%") and re.fullmatch(r"[+-]?[\d.,]+", cell):
        row = int(percent[0])
        return f" {shown(str(texts[row]))} ({table.place(row)}) has a percent sign; write all cells with it, or none."
    if bad * 2 > table.rows:
        return " Name the columns to use (columns=), or put the number there."
    mark = f"; where {shown(cell)} marks missing cells, say missing={shown(cell)}" if bad < 0.2 * table.rows else ""
    return f" Name the columns to use (columns=), or put the number there (an empty cell means missing){mark}."
