"""Rows ahead: the last rows of a series, in which the target is empty, as it is what is to be forecast."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ..errors import shown
from .quality import Repair, plural

__all__ = ["empty_ends", "rows_ahead", "said_of_ahead"]


def empty_ends(values: np.ndarray, series: np.ndarray) -> np.ndarray:
    """The cells (R, F) bool behind the last value of their column in their series; NaN are missing, rows of a series
    lie together. A column without a value has none.

    >>> empty_ends(np.array([[1.0], [np.nan], [2.0], [np.nan]]), np.zeros(4, dtype=np.int64)).ravel()
    array([False, False, False,  True])
    """
    held = ~np.isnan(values)
    ends = np.append(np.flatnonzero(np.diff(series)) + 1, len(series))
    found = np.zeros(values.shape, dtype=bool)
    for first, end in zip(np.concatenate([[0], ends[:-1]]), ends):
        block = held[first:end]
        last = len(block) - 1 - block[::-1].argmax(axis=0)
        found[first:end] = (np.arange(len(block))[:, None] > last) & block.any(axis=0)
    return found


def rows_ahead(
    values: np.ndarray,
    series: np.ndarray,
    names: Sequence[str],
    targets: Collection[str],
    most: int,
    static: Collection[str] = (),
) -> np.ndarray:
    """The cells (R, F) bool of the rows ahead: those of `targets`, or where none are named those of every column that
    lacks at most `most` of them, as it may be the target, and is not `static`. Missing words, which have a code, are
    none."""
    if not len(values) or not np.isnan(values[np.append(np.diff(series) != 0, True)]).any():
        return np.zeros(values.shape, dtype=bool)
    found = empty_ends(values, series)
    if targets:
        found[:, [name not in targets for name in names]] = False
    else:
        counts = np.stack([np.bincount(series, weights=column) for column in found.T], axis=1)
        found &= (counts <= most)[series] & np.array([name not in static for name in names])
    return found


def said_of_ahead(ahead: np.ndarray, names: Sequence[str], targets: Collection[str]) -> list[Repair]:
    """One sentence on the rows ahead (R, F) bool."""
    empty = [name for name, column in zip(names, ahead.T) if column.any()]
    if not empty:
        return []
    rows = int(ahead.any(axis=1).sum())
    listed = ", ".join(map(shown, empty[:5])) + (", …" if len(empty) > 5 else "")
    text = f"{plural(rows, 'row')} ahead, in which {listed} {'is' if len(empty) == 1 else 'are'} empty"
    if targets:
        text += ": what is to be forecast there is not filled; nothing need be done."
    else:
        one = "it is the target" if len(empty) == 1 else "they are targets"
        text += f": to be forecast where {one} (target=), filled as other missing cells where not (fill=)."
    return [Repair("ahead", rows, text)]
