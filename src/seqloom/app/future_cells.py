"""Empty cells of columns that are known in advance, in the rows that are to be forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqloom_runtime.data import Table
from seqloom_runtime.data.categories import categories_of
from seqloom_runtime.errors import DataError, shown

__all__ = ["refuse_empty_future"]


def refuse_empty_future(
    table: Table, target: str, future: Sequence[str], id: str | None, categories: Sequence[str] = ()
) -> None:
    """Raise DataError, naming the line, where a row after the last known target lacks a value of a `future` column.

    A value carried forward would stand there for a plan that nobody made, and the forecast would follow it. A table
    without such rows, or one whose columns are others, passes. Those of `categories` hold words.
    """
    if not future or not {target, *future} <= set(table.cells) or (id is not None and id not in table.cells):
        return
    series = np.zeros(table.rows, dtype=np.int64) if id is None else table.labels(id)[1]
    known = np.flatnonzero(~np.isnan(table.numbers(target)))
    last = np.full(int(series.max(initial=0)) + 1, -1)
    np.maximum.at(last, series[known], known)
    ahead = (np.arange(table.rows) > last[series]) & (last[series] >= 0)
    for name in future:
        empty = np.flatnonzero(ahead & _missing(table, name, name in categories))
        if len(empty):
            more = f" ({len(empty):,} such cells in all)" if len(empty) > 1 else ""
            raise DataError(
                f"{table.where(int(empty[0]), name)}: expected a value that is known in advance, as {shown(name)} is "
                f"one of --future, the cell is empty{more}; put the value there, or type --fill-future carry for the "
                "last one before."
            )


def _missing(table: Table, name: str, words: bool) -> np.ndarray:
    """Which cells (R,) bool of a column hold nothing."""
    if words or table.kind(name) in ("category", "text"):
        return categories_of(table, name)[1] < 0
    return np.isnan(table.numbers(name))
