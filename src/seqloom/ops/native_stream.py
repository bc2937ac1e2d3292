"""The compiled stream: the scan's kernels on one step at a time, its weights packed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom.ops.cell import Cell, Weights
from seqloom.ops.native_scan import CODES, flatten_cell
from seqloom.ops.operators import address, settled
from seqloom_runtime import native
from seqloom_runtime.errors import BackendError

__all__ = ["NativeStream", "native_stream_refuses"]

# The order of the scan's addresses from the weights on; before them stand x, h0, c0, after them the masks and results.
_WEIGHTS = ("w_x", "w_h", "bias", "bias_h", "peephole", "gain_x", "gain_h", "gain_c")


def native_stream_refuses(layers: Sequence[tuple[Cell, Weights]]) -> str | None:
    """Return why the compiled stream can't run these layers, or None where it can."""
    if getattr(native.module(), "StreamCore", None) is None:
        return f"this installation is {native.flavour()}, without compiled streams"
    for cell, weights in layers:
        if str(weights.w_x.dtype) != "torch.float32":
            return f"the weights are {weights.w_x.dtype}, it has float32 only"
        if cell.kind not in CODES:
            return f"it has no {cell.kind} cell"
        if not cell.plain_activations:
            return "it knows the named activations only, without prelu"
    return None


class NativeStream:
    """A stack of layers in compiled memory.

    `step(x, out)` is the compiled method itself. It returns `row` for x (I,), `y` for x (B, I), or `out` where that is
    given; None, having done nothing, unless both are contiguous float32 arrays of the right shape.
    """

    def __init__(self, layers: Sequence[tuple[Cell, Weights]], batch: int, y: np.ndarray, row: np.ndarray):
        """Pack the weights; y (B, S) and row (S) share the memory that a step without `out` writes to."""
        module = native.module()
        if module is None:
            raise BackendError(f"compiled streams are needed here, but this installation is {native.flavour()}.")
        whole, real, arrays, kept = [], [], [], []
        self._shapes: list[tuple[tuple[int, int], ...]] = []
        for cell, weights in layers:
            (inputs, columns), width = weights.w_x.shape, weights.w_h.shape[0]
            hidden = columns // cell.gates
            flat, numbers = flatten_cell(cell)
            # Save nothing; a sequence of one step.
            whole.append([*flat, 0, batch, 1, inputs, hidden, width])
            real.append(numbers)
            # One place for both, as in the scan: no cell has an output product and a projection.
            w_out = weights.w_out if cell.feeds_back else weights.w_p
            given = [*(getattr(weights, name) for name in _WEIGHTS), w_out, weights.bias_out]
            held = [None if w is None else settled(w.detach().cpu()) for w in given]
            kept.append(held)  # until the core has copied them
            # x, state, masks and results are the stream's own; the list only names the weights.
            arrays.append([0, 0, 0, *map(address, held), *[0] * 7])
            self._shapes.append(((batch, width), (batch, hidden)) if cell.pair else ((batch, width),))
        self._core: Any = module.StreamCore(whole, real, arrays, y, row)
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
        for layer, (parts, shapes) in enumerate(zip(state, self._shapes, strict=True)):
            held = [np.ascontiguousarray(p, dtype=np.float32).reshape(s) for p, s in zip(parts, shapes, strict=True)]
            self._core.write(layer, held[0].ctypes.data, held[-1].ctypes.data)
