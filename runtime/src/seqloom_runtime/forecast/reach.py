"""How far a member of an ensemble may lead out of the rows that are known: beyond, it is left out of the average."""

from __future__ import annotations

import numpy as np

__all__ = ["REACH", "read_before", "widened"]

REACH = 1.0
"""How far past the range of the training rows, and of those read since, in lengths of it, a forecast may lead."""


def read_before(
    target: np.ndarray, measured: np.ndarray, series: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of an origin's series up to it, (N,) each; of rows target (R,), measured (R,),
    series (R,), those of one series together. inf and −inf where there is none."""
    least, most = np.empty(len(origins)), np.empty(len(origins))
    for number in np.unique(series[origins]).tolist():
        rows, mine = np.flatnonzero(series == number), series[origins] == number
        here, first = measured[rows], rows[0]
        low = np.minimum.accumulate(np.where(here, target[rows], np.inf))
        high = np.maximum.accumulate(np.where(here, target[rows], -np.inf))
        least[mine], most[mine] = low[origins[mine] - first], high[origins[mine] - first]
    return least, most


def widened(low: np.ndarray, high: np.ndarray, least: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (N,) as `range_of` makes them, of rows that reach from `least` to `most` (N,) too: after a shift of the
    level the rows that were read tell what is far out, not those of the training alone."""
    bounded = np.isfinite(low) & np.isfinite(high)
    wide = np.subtract(high, low, out=np.zeros(len(low)), where=bounded) / (1 + 2 * REACH)
    below = np.minimum(np.where(bounded, low + REACH * wide, -np.inf), least)
    above = np.maximum(np.where(bounded, high - REACH * wide, np.inf), most)
    outside = bounded & ((least < low + REACH * wide) | (most > high - REACH * wide))
    reach = np.subtract(above, below, out=np.zeros(len(low)), where=outside) * REACH
    return np.where(outside, below - reach, low), np.where(outside, above + reach, high)
