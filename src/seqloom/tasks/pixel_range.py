"""The range of pixels in training, by which networks read them as numbers from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """The least and the largest value of the training frames, which become 0 and 1."""

    low: float
    high: float

    def scaled(self, frames: np.ndarray) -> np.ndarray:
        """Frames as networks read them, float32."""
        return ((frames.astype(np.float32) - self.low) / (self.high - self.low)).astype(np.float32)

    def restored(self, frames: np.ndarray) -> np.ndarray:
        """Their predictions in the unit of the frames, nothing beyond what training held."""
        return np.clip(frames * (self.high - self.low) + self.low, self.low, self.high).astype(np.float32)
