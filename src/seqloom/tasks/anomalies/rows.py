"""The training windows of a panel's rows, as tensors: B windows of T rows and F columns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqloom_runtime.anomalies.rows import Rows, starts_of
from seqloom_runtime.data.batches import ShuffledOrigins

from ..drawn_batches import DrawnBatches

__all__ = ["WindowBatches", "windows_of"]


def windows_of(rows: Rows, starts: np.ndarray, length: int) -> tuple[Tensor, Tensor]:
    """The windows that begin at `starts` (W,): values and known, (W, T, F) float32."""
    places = starts[:, None] + np.arange(length)
    return torch.from_numpy(rows.windows(starts, length)), torch.from_numpy(rows.known[places].astype(np.float32))


class WindowBatches(DrawnBatches):
    """Training batches of windows: values and known, each (B, T, F)."""

    def __init__(self, rows: Rows, length: int, size: int, seed: int) -> None:
        self._rows, self._length = rows, length
        super().__init__(ShuffledOrigins(starts_of(rows, length), size, seed))

    def __next__(self) -> tuple[Tensor, Tensor]:
        return windows_of(self._rows, next(self._order), self._length)
