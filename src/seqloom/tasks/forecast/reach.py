"""How far a member of an ensemble may lead out of the rows that are known, from the rows of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqloom_runtime.forecast.reach import REACH

if TYPE_CHECKING:
    from .windowed import ForecastData

__all__ = ["range_of"]


def range_of(data: ForecastData) -> tuple[np.ndarray, np.ndarray]:
    """The range of each series' training rows, widened: (S,) and (S,); without bounds where it has none."""
    panel = data.panel
    rows = data.train_rows & data.measured
    low, high = np.full(len(panel.ids), np.inf), np.full(len(panel.ids), -np.inf)
    np.minimum.at(low, panel.series_index[rows], data.target[rows])
    np.maximum.at(high, panel.series_index[rows], data.target[rows])
    there = high >= low  # a series without training rows has no bounds
    wide = np.subtract(high, low, out=np.full(len(low), np.inf), where=there)
    low, high = np.where(there, low, -np.inf), np.where(there, high, np.inf)
    return low - REACH * wide, high + REACH * wide
