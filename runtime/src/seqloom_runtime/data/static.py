"""Static columns: one value within each series of a panel, such as the region or the size of a shop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from ..errors import DataError, SettingError, shown
from .categories import MISSING, Words
from .decisions import Decision

__all__ = ["carry_static", "changes_within", "check_asked", "described", "find_static", "known_values", "refuse_change"]


def changes_within(values: np.ndarray, series: np.ndarray) -> tuple[int, int] | None:
    """The first row whose known value (R,) differs from the known one before it in its series, after that one; None
    where every series holds one value. Missing are NaN and the code of a missing word.

    >>> changes_within(np.array([1.0, 2.0, 1.0, np.nan, 2.0]), np.array([0, 1, 0, 1, 1])) is None
    True
    """
    if (series[1:] >= series[:-1]).all() and not np.isnan(values).any():  # as they stand: no copy of all rows
        change = np.flatnonzero((values[1:] != values[:-1]) & (series[1:] == series[:-1]))
        return (int(change[0]), int(change[0]) + 1) if len(change) else None
    rows = np.flatnonzero(~np.isnan(values))
    rows = rows[np.argsort(series[rows], kind="stable")]
    differs = (np.diff(values[rows]) != 0) & (np.diff(series[rows]) == 0)
    if not differs.any():
        return None
    first = int(np.flatnonzero(differs)[0])
    return int(rows[first]), int(rows[first + 1])


def known_values(values: np.ndarray, name: str, words: Words) -> np.ndarray:
    return np.where(values == MISSING, np.nan, values) if name in words else values


def find_static(
    names: Sequence[str],
    values: np.ndarray,
    series: np.ndarray,
    ids: Sequence[str],
    words: Words,
    asked: Collection[str],
    where: Callable[[int, str], str],
) -> tuple[str, ...]:
    """The columns (R, F) that hold one value within each series and several over all, and those of `asked`.

    `where` says where a cell is. Raises DataError where a column of `asked` changes within a series.
    """
    found = []
    for position, name in enumerate(names):
        if name not in asked and len(ids) < 2:
            continue
        column = known_values(values[:, position], name, words)
        change = changes_within(column, series)
        if change is not None:
            if name in asked:
                raise refuse_change(name, column, change, ids[int(series[change[0]])], words, where)
            continue
        held = column[~np.isnan(column)]
        if name in asked or (len(held) and (held != held[0]).any()):
            found.append(name)
    return tuple(found)


def refuse_change(
    name: str,
    values: np.ndarray,
    change: tuple[int, int],
    series: str,
    words: Words,
    where: Callable[[int, str], str],
) -> DataError:
    """The error that says where a column that was named as static takes a second value."""
    before, after = (shown(words[name][int(values[row])]) if name in words else f"{values[row]:.10g}" for row in change)
    return DataError(
        f"{where(change[1], name)}: expected one value in all rows of series {shown(series)}, as {shown(name)} is "
        f"named in static, got {after} after {before}; correct the cell, or leave the column out of static."
    )


def check_asked(asked: Sequence[str], id: str | None) -> None:
    """Raise SettingError for static columns of a table without series."""
    if asked and id is None:
        raise SettingError(
            f"static: {shown(asked[0])} is to hold one value within each series; name the column of the series (id=)."
        )


def described(static: Sequence[str], asked: Collection[str]) -> Decision | None:
    """What is said of the static columns that were recognised; None where there are none."""
    seen = [name for name in static if name not in asked]
    if not seen:
        return None
    one = len(seen) == 1
    listed = ", ".join(map(shown, seen[:5])) + (", …" if len(seen) > 5 else "")
    return Decision(
        "static",
        f"{'Column' if one else 'Columns'} {listed} {'holds' if one else 'hold'} one value within each series: static, "
        f"so known in the rows ahead too; name the columns to read (inputs=) to leave {'it' if one else 'them'} out.",
        seen[0] if one else None,
        "static",
    )


def carry_static(values: np.ndarray, series: np.ndarray, columns: Sequence[int], missing: Sequence[float]) -> None:
    """Give the rows after a known static value of their series that value, in place: `values` (R, F), rows of a series
    together and in order of time; `missing` is what marks a missing cell of each of `columns`, NaN or a code."""
    rows = np.arange(len(values))
    first = np.maximum.accumulate(np.where(np.diff(series, prepend=-1) != 0, rows, 0))
    for at, mark in zip(columns, missing):
        column = values[:, at]
        known = ~np.isnan(column) & (column != mark)
        last = np.maximum.accumulate(np.where(known, rows, -1))
        take = ~known & (last >= first)
        column[take] = column[last[take]]
