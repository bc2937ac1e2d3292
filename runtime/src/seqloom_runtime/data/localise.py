"""Wall-clock times of a zone as instants; an hour that the clock showed twice is resolved by the order of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .zones import WallClock

__all__ = ["Localised", "localise"]


@dataclass(frozen=True, eq=False)
class Localised:
    """`instants` (N,) int64 µs of the rows, and positions of rows: `once` in a repeated hour that the table shows only
    once (taken as its first showing), `skipped` with a time that the clock never showed, `unclear` in a repeated hour
    whose order doesn't tell."""

    instants: np.ndarray
    once: np.ndarray
    skipped: np.ndarray
    unclear: np.ndarray


def localise(wall: np.ndarray, series: np.ndarray, zone: str) -> Localised:
    """Instants of wall-clock times (N,) int64 µs in the order of the table's rows, of series (N,) int64.

    Rows may run forwards or backwards in time. Where a repeated hour's rows don't make two runs in that direction, and
    hold a time twice, they are unclear.
    """
    clock = WallClock(wall, zone)
    second = np.zeros(len(wall), dtype=bool)
    once: list[np.ndarray] = []
    unclear: list[np.ndarray] = []
    repeated = np.flatnonzero(clock.repeated)
    if len(repeated):
        rank, order, starts = _ranks(series)
        keys = np.stack([series[repeated], clock.change[repeated]])
        _, group = np.unique(keys, axis=1, return_inverse=True)
        group = group.reshape(-1)
        ordered = repeated[np.argsort(group, kind="stable")]
        for rows in np.split(ordered, np.cumsum(np.bincount(group))[:-1]):
            own = order[starts[series[rows[0]]] : starts[series[rows[0]] + 1]]
            later = _second_showing(wall, rows, own, rank)
            if later is None:
                unclear.append(rows)
            elif later.any():
                second[rows] = later
            else:
                once.append(rows)
    none = np.empty(0, np.int64)
    return Localised(
        clock.instants(second),
        np.concatenate(once) if once else none,
        np.flatnonzero(clock.skipped),
        np.concatenate(unclear) if unclear else none,
    )


def _second_showing(wall: np.ndarray, rows: np.ndarray, own: np.ndarray, rank: np.ndarray) -> np.ndarray | None:
    """Which of a repeated hour's rows belong to its second showing; None where their order doesn't tell."""
    twice = len(np.unique(wall[rows])) < len(rows)
    first, last = int(rank[rows[0]]), int(rank[rows[-1]])
    together = last - first + 1 == len(rows)
    before = wall[own[first - 1]] - wall[rows].min() if first > 0 else 0
    after = wall[own[last + 1]] - wall[rows].max() if last + 1 < len(own) else 0
    forwards = (
        before < 0 or after > 0 or (before == after == 0 and (np.diff(wall[rows]) > 0).sum() * 2 >= len(rows) - 1)
    )
    backwards = before > 0 or after < 0
    if together and forwards != backwards:
        run = wall[rows] if forwards else wall[rows][::-1]
        turns = np.diff(run) <= 0
        if turns.sum() == 0:
            return np.zeros(len(rows), dtype=bool)
        if turns.sum() == 1:
            later = np.arange(len(rows)) > int(np.flatnonzero(turns)[0])
            return later if forwards else later[::-1]
    return None if twice else np.zeros(len(rows), dtype=bool)


def _ranks(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row's position within its series, rows grouped by series, and where each group starts (S+1,)."""
    order = np.argsort(series, kind="stable")
    starts = np.searchsorted(series[order], np.arange(int(series.max()) + 2))
    rank = np.empty(len(series), dtype=np.int64)
    rank[order] = np.arange(len(series)) - starts[series[order]]
    return rank, order, starts
