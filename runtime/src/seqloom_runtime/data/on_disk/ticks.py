"""The distinct ticks of many series as a few ranges, which need no memory of their own where grids are regular."""

from __future__ import annotations

import numpy as np

__all__ = ["TickRanges"]


class TickRanges:
    """A set of whole numbers, held as sorted ranges that neither touch nor overlap.

    >>> found = TickRanges()
    >>> found.add(np.array([5, 6, 7]))
    >>> found.add(np.array([0, 1, 6, 8]))
    >>> len(found), found.nth(2), found.last
    (6, 5, 8)
    """

    def __init__(self) -> None:
        self._starts, self._ends = np.empty((2, 0), dtype=np.int64)

    def add(self, ticks: np.ndarray) -> None:
        """Take ticks (N,), mostly rising; each fall begins another range."""
        if not len(ticks):
            return
        cuts = np.flatnonzero(np.diff(ticks) != 1) + 1
        starts = ticks[np.concatenate([[0], cuts])]
        ends = ticks[np.concatenate([cuts, [len(ticks)]]) - 1] + 1
        starts = np.concatenate([self._starts, starts])
        ends = np.concatenate([self._ends, ends])
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], np.maximum.accumulate(ends[order])
        fresh = np.ones(len(starts), dtype=bool)
        fresh[1:] = starts[1:] > ends[:-1]
        self._starts = starts[fresh]
        self._ends = ends[np.append(np.flatnonzero(fresh)[1:], len(starts)) - 1]

    def __len__(self) -> int:
        return int((self._ends - self._starts).sum())

    @property
    def last(self) -> int:
        """The largest tick."""
        return int(self._ends[-1]) - 1

    @property
    def first(self) -> int:
        """The smallest tick."""
        return int(self._starts[0])

    def nth(self, count: int) -> int:
        """The tick before which `count` distinct ticks lie."""
        before = np.cumsum(self._ends - self._starts)
        at = int(np.searchsorted(before, count, side="right"))
        return int(self._ends[at] - (before[at] - count))
