"""The rows to be forecast of columns that are known in advance: how many lack a value, and of which series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..data import Panel
from ..errors import DataError, shown
from .known_rows import observed

__all__ = ["LacksFuture", "carry_future", "lacking_note", "rows_lacking"]

_NAMED = 3  # series, before they are counted


class LacksFuture(DataError):
    """A row to be forecast lacks a column known in advance: an ensemble without the networks that read it would be
    another model than the one whose intervals stand beside its forecast."""


def rows_lacking(panel: Panel, target: str, future: Sequence[str], steps: np.ndarray) -> dict[str, int]:
    """How many of the rows `steps` (K,) after its last measured target lack a value of `future`, by series.

    A value that was carried into a row that is not there counts as lacking. Series without a target are left out.
    """
    found: dict[str, int] = {}
    for index, name in enumerate(panel.ids):
        series = panel.series(index)
        known = np.flatnonzero(observed(series, target))
        if not len(known):
            continue
        at = series.positions(future)
        whole = (np.isfinite(series.values[:, at]) & ~series.filled[:, at]).all(axis=1)
        wanted = series.tick[known[-1]] + steps
        lacking = int((~np.isin(wanted, series.tick[whole])).sum())
        if lacking:
            found[name] = lacking
    return found


def lacking_note(lacking: Mapping[str, int], future: Sequence[str], rows: int, fill: str | None) -> str:
    """One sentence on what `rows_lacking` found, of `rows` each: what is missing, and what becomes of it."""
    each = [f"{count} in series {shown(name)}" for name, count in list(lacking.items())[:_NAMED] if name]
    more = f" and {sum(list(lacking.values())[_NAMED:]):,} in {len(lacking) - _NAMED:,} more series"
    where = f" ({', '.join(each)}{more if len(lacking) > _NAMED else ''})" if each else ""
    total, every = sum(lacking.values()), rows * len(lacking)
    what = f"future: {total:,} of {every:,} rows to be forecast have no value of {', '.join(map(shown, future))}{where}"
    if fill == "carry":
        return f"{what}; the last known one is carried forward (fill_future='carry')."
    return (
        f"{what}; networks can't forecast past the end of the data without: add these rows with the target "
        "left empty, or carry the last known value forward with fill_future='carry'."
    )


def carry_future(values: np.ndarray, origin: int) -> np.ndarray:
    """A column (R,) whose holes after row `origin` hold the last value before, from `origin` on or earlier."""
    rows = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1))
    return np.where((rows > origin) & (last >= 0), values[np.maximum(last, 0)], values)
