"""Sequences with a cell that a mark calls missing: left out whole where the marks were named, and it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError, shown
from ..table import Table

__all__ = ["without_missing"]

_NAMED = 5


def without_missing(
    table: Table, id: str, channels: Sequence[str], labels: Sequence[str], marks: Sequence[str]
) -> Table:
    """The table without the sequences in which a channel or a label is empty or one of `marks`, which are texts and
    numbers in text; raises DataError where no sequence is left."""
    numbers = [number for mark in marks if (number := _number(mark)) is not None]
    names, series = table.labels(id)
    lost = np.zeros(table.rows, dtype=bool)
    for name in channels:
        values = table.numbers(name)
        lost |= np.isnan(values) | np.isin(values, numbers)
    texts = {"", *(mark.strip().lower() for mark in marks)}
    for name in labels:
        cells = table.cells[name]
        for row, cell in enumerate(cells.tolist() if isinstance(cells, np.ndarray) else cells.to_list()):
            text = "" if cell is None else str(cell).strip().lower()
            lost[row] |= text in texts or _number(text) in numbers
    out = np.unique(series[lost])
    if not len(out):
        return table
    if len(out) == len(names):
        raise DataError(f"{table.source}: every sequence holds a missing value (missing=), so none is left.")
    listed = ", ".join(shown(names[n]) for n in out[:_NAMED]) + (", …" if len(out) > _NAMED else "")
    kept = np.flatnonzero(~np.isin(series, out))
    found = _of_rows(table, kept)
    found.decide(
        "missing",
        f"{len(out):,} of {len(names):,} sequences {'holds' if len(out) == 1 else 'hold'} a missing value "
        f"(missing={','.join(marks)!r}) and {'is' if len(out) == 1 else 'are'} left out: {listed}.",
    )
    return found


def _of_rows(table: Table, rows: np.ndarray) -> Table:
    """The table with the rows (K,) alone, each still known by its line."""
    written = table.written
    return replace(
        table,
        cells={name: _taken(cells, rows) for name, cells in table.cells.items()},
        rows=len(rows),
        lines=table.numbers_of(rows),
        counted_in=table.unit,
        written=None if written is None else lambda name: _taken(written(name), rows),
        files=tuple((name, int(np.searchsorted(rows, first))) for name, first in table.files),
        seen={},
    )


def _taken(cells: Any, rows: np.ndarray) -> Any:
    return cells[rows if isinstance(cells, np.ndarray) else rows.tolist()]


def _number(mark: str) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None
