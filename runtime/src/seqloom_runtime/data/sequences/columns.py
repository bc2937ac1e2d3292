"""The columns of a table as channels and labels: without gaps, numbers where they are numbers, lists unrolled."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DataError, shown
from ..cells import is_missing, kind_of
from ..table import MISSING_WORDS, NUMBER, Table

__all__ = ["exploded", "is_list", "label_cells", "measured"]


def measured(table: Table, name: str) -> np.ndarray:
    """A column of numbers without gaps."""
    values = table.numbers(name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{table.where(int(bad[0]), name)}: expected a number, the cell is empty or not "
            f"finite ({len(bad):,} such cells); fill them or leave the sequence out; records with gaps "
            "at irregular times are read by naming their columns (value_columns=)."
        )
    return values


def label_cells(table: Table, name: str) -> np.ndarray:
    """A label column as texts, or as numbers or truth values where all cells are that; none may be missing."""
    column = table.cells[name]
    plain = isinstance(column, np.ndarray)
    if not plain:
        table.require_kind(name, "labels", "number", "truth", "text")
    cells = column.tolist() if plain else column.to_list()
    for row, cell in enumerate(cells):
        if is_missing(cell) or (isinstance(cell, str) and cell.strip().lower() in MISSING_WORDS):
            raise DataError(f"{table.where(row, name)}: expected a label, the cell is empty; leave the sequence out.")
    if not plain and kind_of(column) in ("number", "truth"):
        return np.array(cells) if kind_of(column) == "truth" else _whole_or_float(cells)
    texts = [str(cell).strip() for cell in cells]
    if all(NUMBER.fullmatch(text) for text in texts):
        return _finite(table, name, np.array([float(text) for text in texts]))
    odd = next((row for row, text in enumerate(texts) if "\0" in text), None)
    if odd is not None:  # NumPy drops it from the end of a text
        raise DataError(f"{table.where(odd, name)}: expected a label, {shown(texts[odd])} holds a NUL character.")
    return np.array(texts)


def _whole_or_float(cells: list[Any]) -> np.ndarray:
    """Numbers as int64 where they are whole and fit, else as float64, decimals too."""
    if all(isinstance(cell, int) and -(2**63) <= cell < 2**63 for cell in cells):
        return np.array(cells, dtype=np.int64)
    return np.array([float(cell) for cell in cells])


def _finite(table: Table, name: str, values: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f"{table.where(int(bad[0]), name)}: expected a label, the number is not finite.")
    return values


def is_list(column: Any) -> bool:
    """Whether the cells of a column are lists."""
    import narwhals as nw

    return not isinstance(column, np.ndarray) and column.dtype in (nw.List, nw.Array)


def exploded(table: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists as values (rows, C) float64, or as they are where they are texts; and steps by row (N,)."""
    import polars as pl

    column = pl.Series(table.cells[name].to_native())
    steps, counts = _opened(column)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{table.where(int(empty[0]), name)}: expected a list with at least one step, the cell is empty."
        )
    width = 1
    if isinstance(steps.dtype, (pl.List, pl.Array)):
        steps, widths = _opened(steps)
        odd = np.flatnonzero(widths != widths[0])
        if len(odd) or widths[0] == 0:
            step = int(odd[0]) if len(odd) else 0
            row = int(np.searchsorted(np.cumsum(counts), step, side="right"))
            raise DataError(
                f"{table.where(row, name)}: expected {max(int(widths[0]), 1)} channels at "
                f"every step, got {widths[step]}."
            )
        width = int(widths[0])
    if steps.dtype == pl.String:
        return steps.to_numpy().astype(str).reshape(-1, width), counts
    if not (steps.dtype.is_numeric() or steps.dtype == pl.Boolean):
        raise DataError(f"{table.source}, column {shown(name)}: expected lists of numbers, got {column.dtype}.")
    return steps.cast(pl.Float64).to_numpy().reshape(-1, width), counts


def _opened(column: Any) -> tuple[Any, np.ndarray]:
    """A list column's items, one after the other, and how many each row has; a missing list counts as empty."""
    import polars as pl

    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    counts = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    return column.filter(column.list.len() > 0).explode(), counts
