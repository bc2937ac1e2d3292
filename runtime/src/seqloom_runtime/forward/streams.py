"""Recurrent layers one step at a time: `RecurrentStream`, and `StackStream` for layers that are not alike.

The compiled core packs the weights once and allocates nothing in a step; where it isn't there, `step_layer` runs.
One model serves any number of threads, each with a stream of its own; one stream belongs to one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import SettingError
from .cell import Cell, CellWeights
from .engine import module
from .step_face import StepFace, to_array
from .step_layer import NumpyLayers

__all__ = ["RecurrentStream", "StackStream"]


class RecurrentStream(StepFace):
    """The state of one running sequence (or of B of them) through alike layers; it starts from zeros.

    Equal to the whole-sequence run to the rounding of float32, with the compiled module to the bit. Nothing is
    allocated from step to step. `backend`: "native" or "numpy", what runs it.
    """

    def __init__(self, layers: Sequence[tuple[Cell, CellWeights]], batch_size: int = 1) -> None:
        """layers: cells and weights from first to last."""
        super().__init__(batch_size, layers[0][1].inputs, layers[-1][1].width)
        self._pair = layers[0][0].pair
        core = module() if all(cell.compiled for cell, _ in layers) else None
        self._core: Any
        if core is None:
            self.backend = "numpy"
            self._core = NumpyLayers(layers, batch_size)
        else:
            self.backend = "native"
            self._core = _Compiled(core, layers, batch_size, self._y, self._row)
            self._fast = self._core.step

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        self._core.step(x, y)

    def reset(self) -> None:
        """Start a new sequence: the state is zeros again."""
        self._core.set_state([tuple(np.zeros_like(part) for part in layer) for layer in self._core.get_state()])

    def state(self) -> Any:
        """A copy of the state, as the layers carry it: h (L, B, S), for the LSTM the pair h and c (L, B, H)."""
        layers = self._core.get_state()
        parts = tuple(np.stack([layer[k] for layer in layers]) for k in range(2 if self._pair else 1))
        return parts if self._pair else parts[0]

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`, a copy of it; raises SettingError where it doesn't fit, nothing changed."""
        if self._pair != isinstance(state, (tuple, list)):
            raise SettingError(f"state: expected {'the pair (h, c)' if self._pair else 'one array'}.")
        parts = [to_array(part) for part in (state if self._pair else (state,))]
        old = self._core.get_state()
        if len(parts) != len(old[0]):
            raise SettingError(f"state: expected the pair (h, c), got {len(parts)} arrays.")
        for name, part, one in zip("hc", parts, old[0]):
            if part.shape != (len(old), *one.shape) or part.dtype.kind not in "fiub":
                raise SettingError(
                    f"state {name}: expected real numbers of shape {(len(old), *one.shape)}, got {part.dtype} of "
                    f"{part.shape}."
                )
        self._core.set_state([tuple(np.ascontiguousarray(p[k], np.float32) for p in parts) for k in range(len(old))])


class StackStream:
    """The streams of layers, one feeding the next; its state is the tuple of theirs."""

    def __init__(self, streams: Sequence[Any]) -> None:
        self.streams = tuple(streams)
        first, last = self.streams[0], self.streams[-1]
        self.batch_size, self.input_size, self.output_size = first.batch_size, first.input_size, last.output_size

    def step(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        """x (I,) or (B, I) → (F,) or (B, F); without `out` the result is a buffer that the next step reuses."""
        for stream in self.streams[:-1]:
            x = stream.step(x)
        return self.streams[-1].step(x, out)

    def reset(self) -> None:
        """Start a new sequence: the states are zeros again."""
        for stream in self.streams:
            stream.reset()

    def state(self) -> Any:
        """A copy of the states."""
        return tuple(stream.state() for stream in self.streams)

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`; raises SettingError where a shape doesn't fit."""
        if not isinstance(state, (tuple, list)) or len(state) != len(self.streams):
            raise SettingError(f"state: expected a tuple of {len(self.streams)}, one for each layer.")
        for stream, own in zip(self.streams, state):
            stream.restore(own)


class _Compiled:
    """A stack of layers in compiled memory. `step(x, out)` is the compiled method itself: it returns `row` for x (I,),
    `y` for x (B, I), or `out` where that is given; None, having done nothing, for all but the plain case."""

    def __init__(
        self, core: Any, layers: Sequence[tuple[Cell, CellWeights]], batch: int, y: np.ndarray, row: np.ndarray
    ) -> None:
        """Pack the weights; y (B, S) and row (S) share the memory that a step without `out` writes to."""
        whole, real, arrays = [], [], []
        self._shapes: list[tuple[tuple[int, int], ...]] = []
        for cell, weights in layers:
            # A sequence of one step; x, state, masks and results are the stream's own.
            whole.append([*cell.whole(), batch, 1, weights.inputs, weights.hidden, weights.width])
            real.append(cell.real())
            arrays.append([0, 0, 0, *weights.addresses, *[0] * 7])
            state = ((batch, weights.width), (batch, weights.hidden))
            self._shapes.append(state if cell.pair else state[:1])
        self._core = core.StreamCore(whole, real, arrays, y, row)
        self.step = self._core.step

    def get_state(self) -> list[tuple[np.ndarray, ...]]:
        """Copies of (h,) or (h, c) of every layer."""
        state = []
        for layer, shapes in enumerate(self._shapes):
            parts = tuple(np.empty(shape, dtype=np.float32) for shape in shapes)
            # Without c the second address is that of h again, which the core doesn't touch.
            self._core.read(layer, parts[0].ctypes.data, parts[-1].ctypes.data)
            state.append(parts)
        return state

    def set_state(self, state: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Put what `get_state` returned in its place."""
        for layer, (parts, shapes) in enumerate(zip(state, self._shapes)):
            held = [np.ascontiguousarray(p, dtype=np.float32).reshape(s) for p, s in zip(parts, shapes)]
            self._core.write(layer, held[0].ctypes.data, held[-1].ctypes.data)
