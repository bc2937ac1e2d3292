"""A record as it goes on: a row in, the risk out, without reading what came before once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.errors import DataError

from ..sequences.models import BaselineModel, NetworkModel
from .learning import risk_of
from .network import gaps_of

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["RecordStream"]


class RecordStream:
    """One record; `step` takes its rows in order. The risks are those of `RecordModel.predict`, to rounding."""

    def __init__(self, model: RecordModel) -> None:
        self._model, self._gaps = model, gaps_of(model.model, model.gaps)
        self._state: Any = None
        self._time: float | None = None
        self._last = np.full(len(model.columns_), np.nan)
        self._seen = np.zeros(len(model.columns_))

    def step(self, time: float, values: Sequence[float]) -> float:
        """The risk after a row at `time` with values (D,), NaN where nothing was measured.

        Raises DataError for another number of values, an infinite one, and a time that isn't later than the last.
        """
        model, row = self._model, np.asarray(values, dtype=np.float64)
        if row.shape != self._last.shape or np.isinf(row).any():
            raise DataError(f"values: expected {len(self._last)} numbers, NaN for a gap, got an array {row.shape}.")
        if not np.isfinite(time) or (self._time is not None and time <= self._time):
            raise DataError(f"time: expected a finite time after {self._time}, got {time}.")
        if self._time is None:
            self._seen[:] = time
        age = time - self._seen
        there = ~np.isnan(row)
        self._last, self._seen = np.where(there, row, self._last), np.where(there, time, self._seen)
        self._time = float(time)
        if isinstance(model.model_, BaselineModel):
            return float(risk_of(model.model_.values[None])[0])
        assert isinstance(model.model_, NetworkModel)
        value = np.nan_to_num((self._last - model.scale_.mean) / model.scale_.std)
        age = age / model.scale_.age
        parts = {"forward": [value], "features": [value, there, np.log1p(age)], "decay": [value, there, age]}
        x = torch.from_numpy(np.concatenate(parts[self._gaps]).astype(np.float32))[None, None]
        network = model.model_.network
        with torch.no_grad():
            features, self._state = network.body.carry(x, self._state)
            return float(risk_of(network.output(features[:, -1]).numpy())[0])
