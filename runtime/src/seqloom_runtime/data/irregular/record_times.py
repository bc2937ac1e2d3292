"""The times of records: dates and clocks, hours and minutes since a start ("31:07"), or numbers as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ..cells import is_missing
from ..durations import MICROSECONDS, parse_duration
from ..moments import Moments
from ..table import MISSING_WORDS, NUMBER, Table

__all__ = ["RecordTimes", "clock_hours", "horizon_in", "times_of"]

CLOCK = re.compile(r"([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,9})?))?")
_HOUR = 3_600_000_000
# Larger whole numbers are dates such as 20200131 or epoch seconds, which `moments` knows how to read.
_OWN_NUMBERS = 1e7
_WORDS = {
    "number": "a number",
    "clock": "hours and minutes since a start, such as 31:07",
    "written": "a date and clock",
}


@dataclass(frozen=True, eq=False)
class RecordTimes:
    """Times (rows,) float64, NaN where a cell that may be is empty, in `unit`: "h", or "" for a table's own numbers.

    kind: how they are written, number, clock or written.
    """

    values: np.ndarray
    unit: str
    kind: str


def clock_hours(text: str) -> float | None:
    """Hours of "HH:MM" or "HH:MM:SS", where HH may pass 24; None for any other text.

    >>> clock_hours("31:30"), clock_hours("noon")
    (31.5, None)
    """
    match = CLOCK.fullmatch(text.strip())
    return None if match is None else int(match[1]) + int(match[2]) / 60 + float(match[3] or 0) / 3600


def times_of(
    table: Table, name: str, form: str | None = None, moments: Moments | None = None, *, gaps: bool = False
) -> RecordTimes:
    """A column of times; `form` as `time_format`, `moments` where they are known, `gaps` lets cells be empty.

    Raises DataError, with the place, for an empty cell, a cell that is no time, and for times of two kinds.
    """
    if moments is None:
        column = table.cells[name]
        typed = "time" if isinstance(column, np.ndarray) and column.dtype.kind == "M" else ""
        if not isinstance(column, np.ndarray):
            typed = table.require_kind(name, "times", "number", "time", "text")
        if typed == "time" or (form is not None and not gaps):
            moments = _moments(table, name, form)
        else:
            cells = _texts(table.texts(name))
            kind = _one_kind(table, name, cells, gaps)
            read = _read(table, name, cells, kind)
            if read is not None:
                return read
            if "" not in cells:
                moments = _moments(table, name, form)
            else:
                return RecordTimes(_with_gaps(table, name, cells, form), "h", "written")
    return RecordTimes(moments.values / _HOUR, "h", "written")


def horizon_in(horizon: str | float, unit: str) -> float:
    """How far ahead is looked, in the records' unit: a length of time such as "6h", or a number of a table's own unit.

    Raises SettingError where it is neither, not above 0, or doesn't fit the times.

    >>> horizon_in("90min", "h"), horizon_in("3", "")
    (1.5, 3.0)
    """
    text = str(horizon).strip()
    plain = NUMBER.fullmatch(text) is not None
    if plain and unit:
        raise SettingError(
            f"horizon: expected a length of time such as 6h, as the times are dates or clocks, got {shown(text)}."
        )
    if plain:
        if not 0 < float(text) < 1e300:
            raise SettingError(f"horizon: expected a number above 0, got {shown(text)}.")
        return float(text)
    found = parse_duration(text, "horizon")
    if not unit or not isinstance(found, tuple):
        raise SettingError(
            f"horizon: the times are plain numbers, so it is a number in their unit, such as 6, got {shown(text)}."
        )
    amount, named = found
    if named not in MICROSECONDS:
        raise SettingError(f"horizon: expected hours, days or weeks, such as 6h, got {shown(text)}.")
    return float(amount * MICROSECONDS[named]) / _HOUR


def _texts(column: Any) -> list[str]:
    cells = column.tolist() if isinstance(column, np.ndarray) else column.to_list()
    found = ["" if is_missing(cell) else str(cell).strip() for cell in cells]
    return ["" if cell.lower() in MISSING_WORDS else cell for cell in found]


def _one_kind(table: Table, name: str, cells: Sequence[str], gaps: bool) -> str:
    """How the times are written; raises DataError where an empty cell stands, or one of another kind than most."""
    kinds = [
        "" if not cell else "number" if NUMBER.fullmatch(cell) else "clock" if CLOCK.fullmatch(cell) else "written"
        for cell in cells
    ]
    if not gaps and "" in kinds:
        raise DataError(f"{table.where(kinds.index(''), name)}: expected a time, the cell is empty; remove the row.")
    there = [kind for kind in kinds if kind]
    if not there:
        return "number"
    usual = max(dict.fromkeys(there), key=there.count)
    odd = next((row for row, kind in enumerate(kinds) if kind not in (usual, "")), None)
    if odd is not None:
        raise DataError(
            f"{table.where(odd, name)}: expected {_WORDS[usual]}, as most times of the column are "
            f"(such as {shown(cells[kinds.index(usual)])}), got {shown(cells[odd])}; write all times in one way."
        )
    return usual


def _read(table: Table, name: str, cells: Sequence[str], kind: str) -> RecordTimes | None:
    """Clocks and plain numbers; None for what `moments` reads."""
    if kind == "clock":
        hours = [clock_hours(cell) if cell else None for cell in cells]
        return RecordTimes(np.array([np.nan if h is None else h for h in hours]), "h", kind)
    if kind == "number":
        values = table.numbers(name)
        if np.isinf(values).any():
            raise DataError(f"{table.where(int(np.flatnonzero(np.isinf(values))[0]), name)}: expected a finite time.")
        if not np.abs(values[~np.isnan(values)]).max(initial=0) >= _OWN_NUMBERS:
            return RecordTimes(values.astype(np.float64), "", kind)
    return None


def _moments(table: Table, name: str, form: str | None) -> Moments:
    moments = table.moments(name, form)
    for what, text in moments.decisions:
        table.decide(what, f"Column {shown(name)}: {text}.", name, "time_format")
    return moments


def _with_gaps(table: Table, name: str, cells: Sequence[str], form: str | None) -> np.ndarray:
    """Written times in hours, NaN where a cell is empty: those that are there are read as a column of their own."""
    rows = np.array([row for row, cell in enumerate(cells) if cell], dtype=np.int64)
    found = np.full(len(cells), np.nan)
    lines = table.numbers_of(rows)
    part = Table({name: np.array([cells[row] for row in rows.tolist()], dtype=object)}, table.source, len(rows), lines)
    found[rows] = part.moments(name, form).values / _HOUR
    return found
