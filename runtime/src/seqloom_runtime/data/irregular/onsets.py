"""The onset of an event as a question at every step: does it come within the horizon? Only the past may answer."""

from __future__ import annotations

import numpy as np

__all__ = ["within_horizon"]


def within_horizon(times: np.ndarray, offsets: np.ndarray, onset: np.ndarray, horizon: float) -> np.ndarray:
    """(rows,) float64: 1 where t < onset ≤ t + horizon, 0 where no event comes until t + horizon, NaN where a row
    doesn't count.

    Rows at the event and behind it don't count, nor do those whose horizon reaches past the last row of a record
    without an event, as nobody knows what came then. onset (N,) is NaN where there is no event.

    >>> times, offsets = np.array([0.0, 2, 5, 7, 0, 3, 9]), np.array([0, 4, 7])
    >>> within_horizon(times, offsets, np.array([5.5, np.nan]), 4.0)
    array([ 0.,  1.,  1., nan,  0.,  0., nan])
    """
    lengths = np.diff(offsets)
    event, last = np.repeat(onset, lengths), np.repeat(times[offsets[1:] - 1], lengths)
    found = np.full(len(times), np.nan)
    known = ~np.isnan(event)
    before = known & (times < event)
    found[before] = event[before] <= times[before] + horizon
    found[~known & (times + horizon <= last)] = 0.0
    return found
