"""Repairs that never look ahead: order restored, repeated rows dropped, short gaps and missing cells carried forward.

Each function takes and returns plain arrays. What a row holds after a repair depends on the rows up to it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "Repaired",
    "carry_forward",
    "drop_duplicates",
    "in_order",
    "insert_rows",
    "restore_order",
    "rows_after",
    "stretch_starts",
]


@dataclass(frozen=True, eq=False)
class Repaired:
    """Rows after insertion: `source` (R,) int64 is the row that each came from, or -1 where it was inserted; `tick` and
    `series` (R,) int64; `short` and `long` are (G, 2) int64: the row before each gap, by position in the input, and how
    many rows are missing."""

    source: np.ndarray
    tick: np.ndarray
    series: np.ndarray
    short: np.ndarray
    long: np.ndarray


def in_order(tick: np.ndarray, series: np.ndarray) -> bool:
    """Whether rows stand by series and tick, as those of most tables do: then none need be moved, or copied.

    >>> in_order(np.array([3, 3, 5, 0]), np.array([0, 0, 0, 1])), in_order(np.array([3, 2]), np.array([0, 0]))
    (True, False)
    """
    stays = (series[1:] == series[:-1]) & (tick[1:] >= tick[:-1])
    return bool((stays | (series[1:] > series[:-1])).all())


def restore_order(tick: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order (R,) int64 of rows by series and tick, equal ones as they came, and the rows that came too late.

    >>> restore_order(np.array([0, 2, 1, 3]), np.zeros(4, dtype=np.int64))
    (array([0, 2, 1, 3]), array([2]))
    """
    if in_order(tick, series):
        return np.arange(len(tick)), np.zeros(0, dtype=np.int64)
    order = np.lexsort((tick, series))
    grouped = np.argsort(series, kind="stable")
    falls = np.zeros(len(tick), dtype=bool)
    falls[1:] = (np.diff(tick[grouped]) < 0) & (np.diff(series[grouped]) == 0)
    return order, np.sort(grouped[falls])


def drop_duplicates(values: np.ndarray, tick: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to keep (R,) bool of ordered rows, and pairs (P, 2) int64 of positions that share a time but differ.

    Of identical rows at one time the first is kept. Two missing cells are alike.
    """
    again = np.zeros(len(tick), dtype=bool)
    again[1:] = (tick[1:] == tick[:-1]) & (series[1:] == series[:-1])
    rows = np.flatnonzero(again)
    here, before = values[rows], values[rows - 1]
    same = ((here == before) | (np.isnan(here) & np.isnan(before))).all(axis=1)
    return ~again, np.stack([rows[~same] - 1, rows[~same]], axis=1)


def rows_after(tick: np.ndarray, series: np.ndarray, max_fill: int) -> float:
    """How many rows `insert_rows` makes of these; a float, as a wide gap of a fine grid is beyond any whole number."""
    missing = np.where(np.diff(series) == 0, np.diff(tick) - 1, 0)
    return len(tick) + float(missing[(missing > 0) & (missing <= max_fill)].sum(dtype=np.float64))


def insert_rows(tick: np.ndarray, series: np.ndarray, max_fill: int) -> Repaired:
    """Fill the gaps of at most `max_fill` rows in ordered, distinct rows; longer gaps stay."""
    missing = np.zeros(len(tick), dtype=np.int64)
    missing[:-1] = np.where(np.diff(series) == 0, np.diff(tick) - 1, 0)
    at_short, at_long = np.flatnonzero((missing > 0) & (missing <= max_fill)), np.flatnonzero(missing > max_fill)
    pieces = [np.stack([at, missing[at]], axis=1) for at in (at_short, at_long)]
    if not len(at_short):
        return Repaired(np.arange(len(tick)), tick, series, *pieces)
    repeats = np.ones(len(tick), dtype=np.int64)
    repeats[at_short] += missing[at_short]
    source = np.repeat(np.arange(len(tick)), repeats)
    first = np.ones(len(source), dtype=bool)
    first[1:] = np.diff(source) > 0
    start = np.maximum.accumulate(np.where(first, np.arange(len(source)), 0))
    step = np.arange(len(source)) - start
    return Repaired(
        np.where(first, source, -1),
        tick[source] + step,
        series[source],
        *pieces,
    )


def stretch_starts(tick: np.ndarray, series: np.ndarray) -> np.ndarray:
    """The first row (R,) int64 of the gap-free stretch that each row lies in."""
    new = np.ones(len(tick), dtype=bool)
    new[1:] = (np.diff(tick) != 1) | (np.diff(series) != 0)
    return np.maximum.accumulate(np.where(new, np.arange(len(tick)), 0))


def carry_forward(values: np.ndarray, start: np.ndarray, max_fill: int) -> tuple[np.ndarray, np.ndarray]:
    """`values` (R, F) with missing cells replaced by the last observed one at most `max_fill` rows back in the same
    stretch (`start` (R,) its first row), and (R, F) bool: the cells that were."""
    filled_values, filled = values.copy(), np.zeros(values.shape, dtype=bool)
    rows = np.arange(len(values))
    for column in np.flatnonzero(np.isnan(values).any(axis=0)):
        holes = np.isnan(values[:, column])
        last = np.maximum.accumulate(np.where(holes, -1, rows))
        fill = holes & (last >= start) & (rows - last <= max_fill)
        filled_values[fill, column] = values[last[fill], column]
        filled[fill, column] = True
    return filled_values, filled
