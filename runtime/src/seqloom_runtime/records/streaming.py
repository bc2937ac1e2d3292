"""A record as it goes on: a row in, the risk out, without reading what came before once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..probability import logistic

if TYPE_CHECKING:
    from .predictor import RecordPredictor

__all__ = ["RecordStream"]


class RecordStream:
    """One record; `step` takes its rows in order. The risks are those of `predict`, to rounding."""

    def __init__(self, model: RecordPredictor) -> None:
        self._model, self._step = model, model.model.stepper()
        self._time: float | None = None
        width = len(model.columns)
        self._last, self._seen = np.full(width, np.nan), np.zeros(width)
        self._x = np.zeros((1 if model.gaps == "forward" else 3) * width, dtype=np.float32)

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
        age, width = (time - self._seen) / model.scale.age, len(row)
        there = ~np.isnan(row)
        np.copyto(self._last, row, where=there)
        np.copyto(self._seen, time, where=there)
        self._time = float(time)
        self._x[:width] = np.nan_to_num((self._last - model.scale.mean) / model.scale.std)
        if model.gaps != "forward":
            self._x[width : 2 * width] = there
            self._x[2 * width :] = np.log1p(age) if model.gaps == "features" else age
        return float(logistic(self._step(self._x)[0]))
