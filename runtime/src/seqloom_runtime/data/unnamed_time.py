"""Frames with a column of times where no time is named: their rows would be counted, and forecasts have no dates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ..errors import DataError, SeqloomError, shown
from .cells import kind_of
from .decisions import Decision
from .table import Table
from .time_columns import choose_time

__all__ = ["check_unnamed_time"]


def check_unnamed_time(table: Table, columns: Sequence[str] | None, keep: Collection[str] = ()) -> None:
    """Where a column holds times and none is named: raise DataError that says what to write, if it would be read as
    numbers, which it is not; note a decision if rows are counted beside it, or its numbers are read.

    columns: those that are read, all where None. keep: those that were named for another part.
    """
    time = _found(table)
    if time is None:
        return
    names = [time] if time in table.names else time.split(",")
    if set(names) & set(keep):
        return
    read = columns is None or bool(set(names) & set(columns))
    way = f"say time={time!r}"
    holds = f"{' and '.join(map(shown, names))} {'holds' if len(names) == 1 else 'hold'} times"
    if read and any(_is_text_or_time(table, name) for name in names):
        raise DataError(f"{table.source}: {holds}, but no time is named; {way}, or time='none' to count the rows.")
    also = ", and its numbers are an input" if read and len(names) == 1 else ""
    text = f"{holds}, but no time is named: rows are counted{also}; {way} to have dates."
    decision = Decision("time", text, names[0], "time")
    if decision not in table.decisions:
        table.decisions.append(decision)


def _found(table: Table) -> str | None:
    """The column of times, or several with commas between; None where there is none, or nothing decides."""
    try:
        found = choose_time(replace(table, decisions=[]))
    except SeqloomError:
        return None
    if found.time is not None:
        return found.time if isinstance(found.time, str) else ",".join(found.time)
    each = (name for name in table.names if _is_text_or_time(table, name) and _times(table, name))
    return next(each, None)


def _is_text_or_time(table: Table, name: str) -> bool:
    column = table.cells[name]
    return not isinstance(column, np.ndarray) and kind_of(column) in ("text", "time")


def _times(table: Table, name: str) -> bool:
    return kind_of(table.cells[name]) == "time" or table.kind(name) == "time"
