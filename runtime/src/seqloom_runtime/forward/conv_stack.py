"""`ConvStack`: causal convolutions wired to one another, on whole sequences and one step at a time.

Outputs are numbered: 0 is the stack's input, j the j-th layer's output. The compiled module runs a stack a sequence at
a time through all its layers where a core's cache holds it, to the bits of the layers one after the other; one step at
a time it keeps the rows that kernels look back on in rings, and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SettingError
from .conv import Convolution, causal_conv
from .engine import address, module, threads
from .scan import checked
from .step_conv import StepConv, StepConvs
from .step_face import StepFace, to_array
from .step_layer import in_place

__all__ = ["ConvStack", "ConvStream", "Wired"]


@dataclass(frozen=True, eq=False)
class Wired:
    """A layer of a stack; source: whose output it reads; residual: whose it adds, None for none."""

    layer: Convolution
    source: int
    residual: int | None = None


class ConvStack:
    """Layers whose last one's output is the stack's; it holds them alone, so that threads may share it."""

    def __init__(self, layers: Sequence[Wired]) -> None:
        self.layers = tuple(layers)
        self.inputs, self.outputs = layers[0].layer.inputs, layers[-1].layer.outputs
        self._wires = [[one.source, -1 if one.residual is None else one.residual] for one in layers]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x (B, T, C_in) → (B, T, C_out); raises SettingError where the shape doesn't fit."""
        x = checked("x", x, (None, None, self.inputs))
        batch, steps = x.shape[:2]
        core = None if 0 in x.shape else module()
        if core is not None:
            drops = [0.0] * len(self.layers)
            settings = [one.layer.settings(one.residual is not None, batch, steps) for one in self.layers]
            if core.conv_stack_fits(settings, drops, self._wires):
                y = np.empty((batch, steps, self.outputs), dtype=np.float32)
                kept = [(one.layer.weight, one.layer.bias) for one in self.layers]
                # What lies between the layers stays in a core's cache and has no address; nothing is saved.
                arrays = [[address(w), address(b), *[0] * 7] for w, b in kept]
                arrays[-1][2] = address(y)
                core.conv_stack_forward(settings, drops, self._wires, arrays, address(x), threads())
                return y
        outputs = [x]
        for one in self.layers:
            added = None if one.residual is None else outputs[one.residual]
            outputs.append(causal_conv(outputs[one.source], one.layer, residual=added))
        return outputs[-1]

    def stream(self, places: Any = None, batch_size: int = 1) -> ConvStream:
        """One step at a time, from zeros; places: as `ConvStream` has them."""
        return ConvStream(self, places, batch_size)


class ConvStream(StepFace):
    """The state of running sequences through a stack; `backend` says what runs it, "native" or "numpy".

    places: which layer's context stands where in the state: a number, or a tuple of places. None: a list of all.
    """

    def __init__(self, stack: ConvStack, places: Any = None, batch_size: int = 1) -> None:
        super().__init__(batch_size, stack.inputs, stack.outputs)
        self._places = tuple(range(len(stack.layers))) if places is None else places
        core = module()
        self.backend = "numpy" if core is None else "native"
        self._core: Any
        if core is None:
            steps = [
                StepConv(
                    one.weight,
                    one.bias,
                    one.dilation,
                    in_place(one.activation),
                    in_place(one.final_activation),
                    batch_size,
                )
                for one in (wired.layer for wired in stack.layers)
            ]
            self._core = StepConvs(steps, [(one.source, one.residual) for one in stack.layers])
        else:
            self._core = _Compiled(core, stack, batch_size, self._y, self._row)
            self._fast = self._core.step

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        self._core.step(x, y)

    def reset(self) -> None:
        """Start new sequences: the rows before them are zeros again."""
        self._core.set_state([np.zeros_like(rows) for rows in self._core.get_state()])

    def state(self) -> Any:
        """A copy of the rows that each layer still looks back on, (B, (K−1)·d, C_in), as the places say."""
        return _pick(self._core.get_state(), self._places)

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`, a copy of it; raises SettingError where it doesn't fit, nothing changed."""
        contexts = self._core.get_state()
        _put(contexts, self._places, state)
        self._core.set_state(contexts)


class _Compiled:
    """A stack in compiled memory. `step(x, out)` is the compiled method itself, as in `streams`."""

    def __init__(self, core: Any, stack: ConvStack, batch: int, y: np.ndarray, row: np.ndarray) -> None:
        whole = [one.layer.settings(one.residual is not None, batch, 1) for one in stack.layers]
        addresses = [[address(one.layer.weight), address(one.layer.bias)] for one in stack.layers]
        self._shapes = [(batch, one.layer.reach, one.layer.inputs) for one in stack.layers]
        self._core = core.ConvStreamCore(whole, addresses, stack._wires, y, row)
        self.step = self._core.step

    def get_state(self) -> list[np.ndarray]:
        """Copies of the contexts."""
        state = [np.empty(shape, dtype=np.float32) for shape in self._shapes]
        for layer, rows in enumerate(state):
            self._core.read(layer, rows.ctypes.data)
        return state

    def set_state(self, state: Sequence[np.ndarray]) -> None:
        """Put them in their place."""
        for layer, rows in enumerate(state):
            held = np.ascontiguousarray(rows, dtype=np.float32)
            self._core.write(layer, held.ctypes.data)


def _pick(contexts: Sequence[np.ndarray], places: Any) -> Any:
    return tuple(_pick(contexts, part) for part in places) if isinstance(places, tuple) else contexts[places]


def _put(contexts: list[np.ndarray], places: Any, state: Any) -> None:
    """Put the parts of a state where the places say; raises SettingError where one doesn't fit."""
    if not isinstance(places, tuple):
        array, wanted = to_array(state), contexts[places].shape
        if array.shape != wanted or array.dtype.kind not in "fiub":
            raise SettingError(f"state: expected real numbers of shape {wanted}, got {array.dtype} of {array.shape}.")
        contexts[places] = array.astype(np.float32)
        return
    if not isinstance(state, (tuple, list)) or len(state) != len(places):
        raise SettingError(f"state: expected a tuple of {len(places)} parts, as state() returns it.")
    for part, value in zip(places, state):
        _put(contexts, part, value)
