"""What networks are told of an input that was not measured: a flag, and how long ago the last value was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data import Panel
from ..data.repair import stretch_starts
from ..data.wide import Wide
from ..errors import shown

__all__ = ["LONGEST", "missing_cells", "missing_inputs", "missing_notes"]

LONGEST = 100
"""Rows since the last value beyond which all waits are alike."""


def missing_cells(panel: Panel, columns: Sequence[str]) -> np.ndarray:
    """Cells (R, len(columns)) bool that were not measured, whether something was filled in or not."""
    at = panel.positions(columns)
    return panel.filled[:, at] | ~np.isfinite(panel.values[:, at])


def missing_inputs(panel: Panel, columns: Sequence[str], since: bool) -> np.ndarray:
    """A 0/1 flag per column, and with `since` as many inputs more, log(1 + n) / log(1 + LONGEST) for n rows since the
    last measured value of the stretch (or its first row, which counts as 1), LONGEST at most: (R, C) or (R, 2C) in 0…1.
    """
    missing = missing_cells(panel, columns)
    if not since:
        return missing
    start = stretch_starts(panel.tick, panel.series_index)[:, None]
    rows = np.arange(len(missing))[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
    waited = np.minimum(rows - np.maximum(last, start - 1), LONGEST)
    return np.concatenate([missing, np.log1p(waited) / np.log1p(LONGEST)], axis=1)


def missing_notes(columns: Sequence[str], wide: Wide | None = None) -> list[str]:
    """One sentence on the columns of which networks are told what is missing, or none; `wide` where several targets
    are one column of the panel, whose name the user has never seen."""
    if not columns:
        return []
    names = ["the targets" if wide is not None and name == wide.value else shown(name) for name in columns]
    listed = ", ".join(names[:5]) + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")
    return [
        f"Missing values of {listed}: networks are given a flag and the rows since the last value "
        "(missing_flags=False leaves both out)."
    ]
