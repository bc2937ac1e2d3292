"""The range of pixels in training, by which networks read them as numbers from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import FormatError
from .saved_fields import is_number

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """The least and the largest value of the training frames, which become 0 and 1."""

    low: float
    high: float

    @classmethod
    def from_json(cls, ends: Any) -> Range:
        """From what a saved model holds under 'range'; raises FormatError for anything but two rising numbers."""
        if not isinstance(ends, list) or len(ends) != 2 or not all(map(is_number, ends)) or not ends[0] < ends[1]:
            raise FormatError("model.json: expected two rising numbers under 'range'.")
        return cls(float(ends[0]), float(ends[1]))

    def scaled(self, frames: np.ndarray) -> np.ndarray:
        """Frames as networks read them, float32."""
        return ((frames.astype(np.float32) - self.low) / (self.high - self.low)).astype(np.float32)

    def restored(self, frames: np.ndarray) -> np.ndarray:
        """Their predictions in the unit of the frames, nothing beyond what training held."""
        return np.clip(frames * (self.high - self.low) + self.low, self.low, self.high).astype(np.float32)
