"""`Stream`: a recurrent module one step at a time, for programs that get their inputs one by one.

B batch rows, I inputs, S width of the last layer's output, L layers, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom.ops.call import Call
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.native_stream import NativeStream, native_stream_refuses
from seqloom.ops.scan import check_call
from seqloom.ops.step_face import StepFace, check_batch_size, to_array
from seqloom.ops.stream import NumpyStream
from seqloom_runtime.errors import BackendError, SettingError, suggest

__all__ = ["STREAM_BACKENDS", "Stream"]

STREAM_BACKENDS = ("auto", "native", "numpy")

StreamState = np.ndarray | tuple[np.ndarray, np.ndarray]


class Stream(StepFace):
    """The state of one running sequence (or a batch of them) and a copy of the weights that advance it.

    Made by `module.stream(batch_size)`. Equal to the module's evaluation run over the whole sequence, to the rounding
    of the weights' type. The weights are those of the moment when the stream was made; after more training, make
    another. Nothing is allocated from step to step. One stream belongs to one thread at a time.
    """

    def __init__(self, layers: Sequence[tuple[Cell, Weights]], batch_size: int, backend: str = "auto"):
        """Use `module.stream`; layers: cells and weights from first to last; raises as it does."""
        check_batch_size(batch_size)
        # As the scan checks a call: the compiled core reads addresses and can't look.
        _check(layers, batch_size)
        first, last = layers[0][1], layers[-1][1]
        dtype = first.w_x.detach().cpu().numpy().dtype
        super().__init__(batch_size, int(first.w_x.shape[0]), int(last.w_h.shape[0]), dtype)
        self._pair = layers[0][0].pair
        self._core: Any = _make_core(layers, batch_size, backend, (self._y, self._row))
        self.backend = "numpy" if isinstance(self._core, NumpyStream) else "native"
        self._fast = None if self.backend == "numpy" else self._core.step

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        self._core.step(x, y)

    def reset(self) -> None:
        """Start a new sequence: the state is zeros again."""
        self._core.set_state([tuple(np.zeros_like(v) for v in layer) for layer in self._core.get_state()])

    def state(self) -> StreamState:
        """Return a copy of the state as the module's: h (L, B, S), for the LSTM the pair h and c (L, B, H)."""
        layers = self._core.get_state()
        parts = [np.stack([layer[k] for layer in layers]) for k in range(2 if self._pair else 1)]
        return (parts[0], parts[1]) if self._pair else parts[0]

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()` or of the module's forward, arrays or tensors; a copy is taken.

        Raises SettingError where a shape doesn't fit; then nothing has changed.
        """
        if self._pair != isinstance(state, (tuple, list)):
            raise SettingError(f"the state must be {'the pair (h, c)' if self._pair else 'one array'}.")
        parts = [to_array(v) for v in (state if self._pair else (state,))]
        old = self._core.get_state()
        if len(parts) != len(old[0]):
            raise SettingError(f"the state must be the pair (h, c), not {len(parts)} arrays.")
        for name, part, one in zip("hc", parts, old[0], strict=False):
            if part.shape != (wanted := (len(old), *one.shape)):
                raise SettingError(f"state {name} must have shape {wanted}, not {part.shape}.")
            if part.dtype.kind not in "fiub":
                raise SettingError(f"state {name} must hold real numbers, not {part.dtype}.")
        self._core.set_state(
            [tuple(np.ascontiguousarray(p[k], dtype=self.dtype) for p in parts) for k in range(len(old))]
        )


def _check(layers: Sequence[tuple[Cell, Weights]], batch: int) -> None:
    """Raise SettingError unless every layer's weights fit its cell and the layer under it."""
    if not layers:
        raise SettingError("a stream needs at least one layer.")
    width = layers[0][1].w_x.shape[0]
    for cell, weights in layers:
        h = weights.w_h.new_zeros(batch, weights.w_h.shape[0])
        pair = (h, h.new_zeros(batch, weights.w_x.shape[1] // cell.gates))
        # A made-up call of one step, so that sizes are checked in one place.
        x = weights.w_x.new_zeros(batch, 1, width)
        check_call(Call(cell, x, pair if cell.pair else h, weights))
        width = weights.w_h.shape[0]


def _make_core(
    layers: Sequence[tuple[Cell, Weights]], batch: int, backend: str, outputs: tuple[np.ndarray, np.ndarray]
) -> Any:
    """The compiled stack where it is there and can run these layers, the NumPy one otherwise."""
    if backend not in STREAM_BACKENDS:
        near = suggest(str(backend), STREAM_BACKENDS)
        raise SettingError(f"backend must be one of {', '.join(STREAM_BACKENDS)}, not {backend!r}.{near}")
    if backend == "numpy":
        return NumpyStream(layers, batch)
    reason = native_stream_refuses(layers)
    if reason is None:
        return NativeStream(layers, batch, *outputs)
    if backend == "native":
        raise BackendError(f"backend='native' can't run this stream: {reason}. Use backend='auto'.")
    return NumpyStream(layers, batch)
