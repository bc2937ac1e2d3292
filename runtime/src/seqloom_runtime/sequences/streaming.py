"""Sequences as they go on: a step in, what the model says of it out, without reading what came before once more."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.sequences.ragged import Sequences
from ..errors import DataError, SettingError, shown
from .coding import BinaryCoding, ClassCoding
from .network import SequenceNetwork
from .scale import Scale

__all__ = ["BaselineSteps", "NetworkSteps", "SequenceStream"]

_MOST = 1 << 20  # sequences of one stream


class NetworkSteps:
    """A network's body as a stream, the scale before it and the head behind it. Raises SettingError for a network that
    looks ahead."""

    def __init__(self, network: SequenceNetwork, scale: Scale, batch_size: int) -> None:
        if not network.body.causal:
            raise SettingError("stream: the model reads its sequences in both directions; train one that doesn't.")
        self._stream, self._output, self._scale = network.body.stream(batch_size), network.output, scale
        self._wide = np.empty((batch_size, network.body.spec.inputs))
        self._x = np.empty(self._wide.shape, dtype=np.float32)

    def step(self, x: np.ndarray) -> np.ndarray:
        """x (B, C) in the sequences' unit → outputs (B, O)."""
        if self._scale.mean is None or self._scale.std is None:
            np.copyto(self._x, x, casting="same_kind")
        else:
            np.subtract(x, self._scale.mean, out=self._wide)
            np.divide(self._wide, self._scale.std, out=self._wide)
            np.copyto(self._x, self._wide, casting="same_kind")
        return self._output(self._stream.step(self._x))

    def reset(self) -> None:
        """New sequences begin."""
        self._stream.reset()

    def state(self) -> Any:
        """A copy of the state."""
        return self._stream.state()

    def restore(self, state: Any) -> None:
        """Go on from a state."""
        self._stream.restore(state)


class BaselineSteps:
    """A baseline, which remembers nothing."""

    def __init__(self, model: Any, batch_size: int) -> None:
        self._model, self._offsets = model, np.arange(batch_size + 1, dtype=np.int64)

    def step(self, x: np.ndarray) -> np.ndarray:
        """x (B, C) → outputs (B, O)."""
        return self._model.outputs(Sequences(x.copy(), self._offsets.copy()))

    def reset(self) -> None:
        """Nothing is remembered."""

    def state(self) -> None:
        """There is none."""

    def restore(self, state: Any) -> None:
        """There is none."""


class SequenceStream:
    """B sequences at the same time; `step` takes the next step of each. columns: the names of its C numbers.

    What comes out is what `predict_proba` gives for labels and for yes-or-no answers, `predict` for numbers, to
    rounding. One stream belongs to one thread at a time; a model may have any number of them.
    """

    def __init__(self, model: Any, coding: Any, channels: tuple[str, ...], batch_size: int = 1) -> None:
        """model: has `steps(batch_size)`. Raises SettingError for a model that looks ahead."""
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or not 1 <= batch_size <= _MOST:
            raise SettingError(f"batch_size: expected a whole number of at least 1, got {shown(batch_size)}.")
        self.columns, self.batch_size, self._coding = channels, batch_size, coding
        self._steps = model.steps(batch_size)

    def step(self, x: Any) -> np.ndarray:
        """x (C,), or (B, C) → (O,) or (B, O) float64; raises DataError for other shapes, NaN and infinite numbers."""
        try:
            row = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError):
            row = np.full(0, np.nan)
        width = len(self.columns)
        single = row.shape == (width,) and self.batch_size == 1
        if (not single and row.shape != (self.batch_size, width)) or not np.isfinite(row).all():
            expected = f"({width},)" if self.batch_size == 1 else f"({self.batch_size}, {width})"
            raise DataError(f"step: expected finite numbers {expected}, got an array of shape {row.shape}.")
        outputs = self._steps.step(row[None] if single else row).astype(np.float64)
        coding = self._coding
        if isinstance(coding, (ClassCoding, BinaryCoding)):
            found = coding.probabilities(outputs)
        else:
            found = coding.scale.unscaled(outputs)
        return found[0] if single else found

    def reset(self) -> None:
        """New sequences begin."""
        self._steps.reset()

    def state(self) -> Any:
        """A copy of the state, for `restore`."""
        return self._steps.state()

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`; raises SettingError where it doesn't fit."""
        self._steps.restore(state)
