"""The target as it was given, for the report: all of it, thinned to the extremes of stretches, and its start."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.data import Panel

__all__ = ["drawn_series"]

_SERIES, _POINTS, _DAYS = 6, 1_000, 10  # series, points of each, days of the start


def drawn_series(panel: Panel, target: str) -> dict[str, Any]:
    """`timed`, and `all` and `first` with a list of {`id`, `at`, `values`} each, for the first six series.

    `at` is milliseconds since 1970 (UTC where the data has a zone), or row numbers. Values that a repair filled in are
    left out, as None, and one stands where rows are not there. `first` is the first ten days where these hold more than
    one value a day and are less than half of the series, and the first hundred rows of a long series otherwise; empty
    where `all` shows each row.
    """
    place = panel.columns.index(target)
    found: dict[str, Any] = {"timed": panel.time is not None, "all": [], "first": []}
    for name, start, stop in zip(panel.ids[:_SERIES], panel.offsets, panel.offsets[1:]):
        own = slice(int(start), int(stop))
        values = np.where(panel.filled[own, place], np.nan, panel.values[own, place])
        at = panel.tick[own] if panel.time is None else panel.time[own].astype("M8[ms]").astype(np.int64)
        if not np.isfinite(values).any():
            continue
        # Rows that are not there break the line, as missing values do.
        gaps = np.flatnonzero(np.diff(panel.tick[own]) > 1) + 1
        at, values = np.insert(at, gaps, at[gaps - 1] + 1), np.insert(values, gaps, np.nan)
        kept = _extremes(values)
        found["all"].append(_listed(name, at[kept], values[kept]))
        first = _start(at, timed=panel.time is not None)
        if 1 < first <= len(values) // 2:
            found["first"].append(_listed(name, at[:first], values[:first]))
    return found


def _listed(name: str, at: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    return {"id": name, "at": at.tolist(), "values": [None if x != x else x for x in values.tolist()]}


def _start(at: np.ndarray, *, timed: bool) -> int:
    """How many rows the start has."""
    if timed:
        rows = int(np.searchsorted(at, at[0] + _DAYS * 86_400_000))
        if rows > _DAYS:
            return min(rows, _POINTS)
    return 100


def _extremes(values: np.ndarray) -> np.ndarray:
    """Rows with the lowest and the highest value of each of equal stretches, and its first gap, in order."""
    if len(values) <= _POINTS:
        return np.arange(len(values))
    kept: set[int] = {0, len(values) - 1}
    for rows in np.array_split(np.arange(len(values)), _POINTS // 2):
        own = values[rows]
        gaps = np.flatnonzero(np.isnan(own))
        kept.update(rows[gaps[:1]].tolist())
        if len(gaps) < len(own):
            kept.update((int(rows[np.nanargmin(own)]), int(rows[np.nanargmax(own)])))
    return np.array(sorted(kept))
