"""`Stream`: a recurrent module one step at a time, for programs that get their inputs one by one.

B batch rows, I inputs, S width of the last layer's output, L layers, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqloom.errors import BackendError, SettingError, suggest
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.native_stream import NativeStream, native_stream_refuses
from seqloom.ops.scan import check_arguments
from seqloom.ops.stream import NumpyStream

__all__ = ["STREAM_BACKENDS", "Stream"]

STREAM_BACKENDS = ("auto", "native", "numpy")

StreamState = np.ndarray | tuple[np.ndarray, np.ndarray]


class Stream:
    """The state of one running sequence (or a batch of them) and a copy of the weights that advance it.

    Made by `module.stream(batch_size)`. Equal to the module's evaluation run over the whole sequence, to the rounding
    of the weights' type. The weights are those of the moment when the stream was made; after more training, make
    another. Nothing is allocated from step to step. One stream belongs to one thread at a time.
    """

    def __init__(self, layers: Sequence[tuple[Cell, Weights]], batch_size: int, backend: str = "auto"):
        """Use `module.stream`; layers: cells and weights from first to last; raises as it does."""
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise SettingError(f"batch_size must be a whole number, 1 or more, not {batch_size!r}.")
        _check(layers, batch_size)
        first, last = layers[0][1], layers[-1][1]
        self.batch_size, self.input_size = batch_size, int(first.w_x.shape[0])
        self.output_size = int(last.w_h.shape[0])
        self.dtype = first.w_x.detach().cpu().numpy().dtype
        self._pair = layers[0][0].kind == "lstm"
        self._y = np.zeros((batch_size, self.output_size), dtype=self.dtype)
        self._row = self._y[0]
        self._tensors = (torch.from_numpy(self._y), torch.from_numpy(self._row))
        self._x = np.zeros((batch_size, self.input_size), dtype=self.dtype)
        self._core: Any = _make_core(layers, batch_size, backend, (self._y, self._row))
        self.backend = "numpy" if isinstance(self._core, NumpyStream) else "native"
        self._fast: Any = None if self.backend == "numpy" else self._core.step

    def step(self, x: Any, out: Any = None) -> Any:
        """Take the inputs of one step and return the module's output for it.

        x: (B, I), or (I,) for a batch of 1, which returns (S,); an array, a torch tensor or numbers. NumPy in the
        weights' type is the fast road; a tensor returns a tensor without gradient. out: an array (a tensor where x is
        one) of the result's shape and the weights' type to write to. Without it the result is a buffer of the stream
        that the next step writes over: copy what must last. Raises SettingError where a shape or type doesn't fit.
        """
        if self._fast is not None:
            y = self._fast(x, out)  # None where x or out is anything but the plain case
            if y is not None:
                return y
        return self._any(x, out)

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
        parts = [_array(v) for v in (state if self._pair else (state,))]
        old = self._core.get_state()
        if len(parts) != len(old[0]):
            raise SettingError(f"the state must be the pair (h, c), not {len(parts)} arrays.")
        for name, part, one in zip("hc", parts, old[0], strict=False):
            if part.shape != (wanted := (len(old), *one.shape)):
                raise SettingError(f"state {name} must have shape {wanted}, not {part.shape}.")
        self._core.set_state(
            [tuple(np.ascontiguousarray(p[k], dtype=self.dtype) for p in parts) for k in range(len(old))]
        )

    def _any(self, x: Any, out: Any) -> Any:
        """A step with any kind of argument."""
        tensor = isinstance(x, Tensor)
        given = _array(x)
        if tensor and out is None and self._fast is not None:
            y = self._fast(given, None)
            if y is not None:
                return self._tensors[y is self._row]
        flat = given.ndim == 1 and self.batch_size == 1
        if given.shape != ((self.input_size,) if flat else self._x.shape):
            also = f" or ({self.input_size},)" if self.batch_size == 1 else ""
            raise SettingError(f"x of a step must have shape {self._x.shape}{also}, not {given.shape}.")
        if given.dtype.kind not in "fiub":
            raise SettingError(f"x of a step must hold real numbers, not {given.dtype}.")
        np.copyto(self._x, given, casting="same_kind" if given.dtype.kind == "f" else "unsafe")
        target = None if out is None else self._target(out, tensor, flat)
        if self._fast is None:
            self._core.step(self._x, self._y)
        else:
            self._fast(self._x, None)
        if target is not None:
            np.copyto(target, self._row if flat else self._y)
            return out
        if tensor:
            return self._tensors[flat]
        return self._row if flat else self._y

    def _target(self, out: Any, tensor: bool, flat: bool) -> np.ndarray:
        """`out` as an array to write to; raises unless it is what a step can fill."""
        kind = Tensor if tensor else np.ndarray
        if not isinstance(out, kind):
            wanted = "a torch tensor like x" if tensor else "a NumPy array"
            raise SettingError(f"out must be {wanted}, not {type(out).__name__}.")
        if isinstance(out, Tensor) and (out.requires_grad or out.device.type != "cpu"):
            raise SettingError("out must be a CPU tensor that needs no gradient.")
        target = out.numpy() if isinstance(out, Tensor) else out
        shape = self._row.shape if flat else self._y.shape
        if target.shape != shape or target.dtype != self.dtype or not target.flags.writeable:
            raise SettingError(
                f"out must be a writeable {self.dtype} array of shape {shape}, not {target.dtype} of {target.shape}."
            )
        return target


def _array(value: Any) -> np.ndarray:
    """A NumPy view of an array, a tensor or numbers."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy() if value.requires_grad or not value.is_cpu else value.numpy()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise SettingError(f"expected an array, got {type(value).__name__} that is none: {error}.") from None


def _check(layers: Sequence[tuple[Cell, Weights]], batch: int) -> None:
    """Raise SettingError unless every layer's weights fit its cell and the layer under it."""
    if not layers:
        raise SettingError("a stream needs at least one layer.")
    width = layers[0][1].w_x.shape[0]
    for cell, weights in layers:
        h = weights.w_h.new_zeros(batch, weights.w_h.shape[0])
        pair = (h, h.new_zeros(batch, weights.w_x.shape[1] // cell.gates))
        check_arguments(
            cell,
            weights.w_x.new_zeros(batch, 1, width),
            pair if cell.kind == "lstm" else h,
            weights,
            mask=None,
            input_mask=None,
            recurrent_mask=None,
            rng=None,
            training=False,
        )
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
