"""Which column, or which two, may name the series of a table whose rows share their times."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import is_missing, kind_of

if TYPE_CHECKING:
    from .table import Table

__all__ = ["id_that_tells_apart"]

_MOST_ROWS = 1_000_000  # that are looked at
_MOST_COLUMNS = 200
_MOST_PAIRED = 6
_FEWEST = 2.5  # rows of a series, on average: a column that differs in every row tells all rows apart and names none


def id_that_tells_apart(table: Table, tick: np.ndarray, series: np.ndarray, least: float = _FEWEST) -> str | None:
    """The column of words or whole numbers by which no two rows (R,) of a time and a series are left, or two of them
    with a comma between; None where there is none. A series has `least` rows on average. Columns of words come first,
    then those that stand earlier in the table."""
    if not 2 <= table.rows == len(tick) <= _MOST_ROWS:
        return None
    found: list[tuple[bool, str, np.ndarray]] = []
    for name in table.names[:_MOST_COLUMNS]:
        codes = _codes(table.cells[name])
        if codes is not None and least * (int(codes.max()) + 1) <= table.rows and codes.max() > 0:
            words = not isinstance(table.cells[name], np.ndarray) and not table.is_plain_number(name)
            found.append((not words, name, codes))
    found.sort(key=lambda one: one[0])
    moments = _pair(series, np.unique(tick, return_inverse=True)[1])
    for _, name, codes in found:
        if _differ(_pair(moments, codes)):
            return name
    for (_, one, first), (_, two, second) in itertools.combinations(found[:_MOST_PAIRED], 2):
        both = _pair(first, second)
        if least * len(np.unique(both)) <= table.rows and _differ(_pair(moments, both)):
            return f"{one},{two}" if "," not in one + two else None
    return None


def _codes(column: Any) -> np.ndarray | None:
    """A column as whole numbers (R,) from 0, a different one for each word or number; None where it can name nothing:
    cells are missing, or numbers have fractions."""
    if not isinstance(column, np.ndarray):
        if kind_of(column) not in ("text", "number"):
            return None
        column = np.array(column.to_list(), dtype=object)
        if any(is_missing(cell) or cell == "" for cell in column):
            return None
        column = column.astype(str)
    if column.dtype.kind not in "iufU":
        return None
    if column.dtype.kind == "f" and not (np.isfinite(column).all() and (column == np.round(column)).all()):
        return None
    values, codes = np.unique(column, return_inverse=True)
    if values.dtype.kind == "U" and any("." in value and _is_number(value) for value in values[:50].tolist()):
        return None
    return codes.reshape(-1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _pair(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return one.astype(np.int64) * (int(two.max(initial=0)) + 1) + two


def _differ(keys: np.ndarray) -> bool:
    return len(np.unique(keys)) == len(keys)
