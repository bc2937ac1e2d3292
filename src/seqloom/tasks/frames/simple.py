"""The baselines of frames ahead: the last frame stays (persistence), or goes on as it moved (advection)."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.frames.folder import BASELINES
from seqloom_runtime.frames.predictor import Advection, Persistence

__all__ = ["BASELINES", "Advection", "Persistence", "fit_advection"]

_BLOCKS = (1, 2, 4)


def fit_advection(windows: np.ndarray, lookback: int, reach: int) -> Advection:
    """The number of blocks (1, 2 or 4 a side) whose error on training windows (W, L + K, Y, X, C) is the least."""
    most = min(windows.shape[2:4])
    candidates = [Advection(blocks, max(1, reach)) for blocks in _BLOCKS if blocks == 1 or most >= 8 * blocks]
    errors = []
    for model in candidates:
        found = model.ahead(windows[:, :lookback], windows.shape[1] - lookback)
        errors.append(float(np.square(found - windows[:, lookback:]).mean()))
    return candidates[int(np.argmin(errors))]
