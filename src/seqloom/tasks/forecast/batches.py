"""The batches that a network is trained on, of windows in memory."""

from __future__ import annotations

import numpy as np
import torch

from seqloom_runtime.data import ShuffledOrigins
from seqloom_runtime.errors import SettingError

from ..drawn_batches import DrawnBatches
from .windowed import Batch, ForecastData

__all__ = ["TrainingBatches"]

_MOST_KEPT = 1 << 20  # targets of windows that are worked out once: 4 MB, and as long as a few batches take


class TrainingBatches(DrawnBatches):
    """Training windows without end, in an order that a seed fixes and a checkpoint can continue."""

    def __init__(self, data: ForecastData, anchor: str, batch_size: int, seed: int, units: bool = False) -> None:
        self._data, self._anchor, self._units = data, anchor, units
        usable = data.anchored(anchor, data.train)
        if not len(usable):  # only the seasonal anchor can be missing
            raise SettingError(
                f"anchor: no training window has a whole season ({data.season:g} rows) before it; use a shorter "
                "season, more training rows, or another anchor."
            )
        super().__init__(ShuffledOrigins(usable, batch_size, seed))
        self._usable, self._kept = usable, None
        steps = len(data.spec.steps) * (3 if units else 1)
        # Rows and not windows decide too: the place of each window is found by its origin's row.
        self._few = max(len(usable) * steps, len(data.panel.tick)) <= _MOST_KEPT

    def __next__(self) -> Batch:
        origins = next(self._order)
        if not self._few:
            return self._data.batch(origins, self._anchor, self._units)
        if self._kept is None:
            place = np.zeros(int(self._usable.max()) + 1, np.int64)
            place[self._usable] = np.arange(len(self._usable))
            self._kept = place, self._data.targets(self._usable, self._anchor, self._units)
        place, targets = self._kept
        return *self._data.inputs(origins), torch.from_numpy(targets[place[origins]])
