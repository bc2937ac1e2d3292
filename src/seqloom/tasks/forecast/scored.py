"""Which windows behind the training rows are scored where a panel has too many for all of them: equally spaced ones."""

from __future__ import annotations

import math

import numpy as np

from seqloom_runtime.data import Panel, Split, WindowSpec

__all__ = ["MOST_SCORED", "rows_apart", "spaced"]

MOST_SCORED = 8_000_000
"""Steps of validation and test windows of several series up to which every window is scored: each takes 8 bytes in
several arrays, of forecasts, truths and the ends of intervals."""
_FEWEST = 3  # origins of a series in the validation part


def rows_apart(panel: Panel, spec: WindowSpec, split: Split, season: float | None) -> int:
    """How many rows the origins that are scored lie apart: 1, every window, up to `MOST_SCORED` steps of these.

    It is no multiple of a part of the season, so that no day of the week is left out, and depends on neither lookback
    nor inputs, so that all models are scored on the same windows.
    """
    if len(panel.ids) < 2:
        return 1
    steps = int(np.count_nonzero(panel.tick >= split.train_end)) * len(spec.steps)
    apart = -(-steps // MOST_SCORED)
    valid = np.count_nonzero((panel.ticks >= split.train_end) & (panel.ticks < split.valid_end))
    apart = min(apart, max(1, (int(valid) - int(spec.steps[-1] - spec.steps[0])) // _FEWEST))
    cycle = round(season or 1)
    while apart > 1 and math.gcd(apart, cycle) > 1:
        apart += 1
    return apart


def spaced(panel: Panel, spec: WindowSpec, origins: np.ndarray, apart: int) -> np.ndarray:
    """Those of the origins (N,) that lie so many rows apart; the last one that has all its steps is among them."""
    if apart == 1 or not len(origins):
        return origins
    last = int(panel.ticks[-1]) - int(spec.steps[-1])
    return origins[(last - panel.tick[origins]) % apart == 0]
