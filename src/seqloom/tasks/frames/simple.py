"""The baselines of frames ahead: the last frame stays (persistence), or goes on as it moved (advection)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...diagnostics.advection import advected

__all__ = ["BASELINES", "Advection", "Persistence", "fit_advection"]

BASELINES = ("persistence", "advection")
_BLOCKS = (1, 2, 4)


class Persistence:
    """The last frame, again and again."""

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        return np.repeat(frames[:, -1:], count, axis=1)


@dataclass(frozen=True)
class Advection:
    """The last frame carried along the motion of blocks × blocks parts, each matched up to `reach` pixels."""

    blocks: int
    reach: int

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        return advected(frames, count, blocks=self.blocks, reach=self.reach)


def fit_advection(windows: np.ndarray, lookback: int, reach: int) -> Advection:
    """The number of blocks (1, 2 or 4 a side) whose error on training windows (W, L + K, Y, X, C) is the least."""
    most = min(windows.shape[2:4])
    candidates = [Advection(blocks, max(1, reach)) for blocks in _BLOCKS if blocks == 1 or most >= 8 * blocks]
    errors = []
    for model in candidates:
        found = model.ahead(windows[:, :lookback], windows.shape[1] - lookback)
        errors.append(float(np.square(found - windows[:, lookback:]).mean()))
    return candidates[int(np.argmin(errors))]
