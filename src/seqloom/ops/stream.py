"""One step at a time: the recurrent cells in NumPy on buffers that are made once, with the weights of torch modules.

The equations on buffers are the runtime's (`seqloom_runtime.forward.step_layer`); here stand callables as activations,
and cells that have an equation in torch alone. `NumpyStream` is a stack of layers and its state;
`nn.streaming.Stream` is its face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from seqloom.ops.activations import Activation, activation_function
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.reference import reference_scan
from seqloom_runtime.forward import step_layer
from seqloom_runtime.forward.step_layer import InPlace

__all__ = ["NumpyStream", "StepLayer", "in_place"]


def in_place(activation: Activation, slope: np.ndarray | None = None) -> InPlace:
    """The activation, writing over its argument."""
    if isinstance(activation, str):
        return step_layer.in_place(activation, slope)
    function = activation_function(activation)

    def call(a: np.ndarray) -> None:
        with torch.no_grad():
            # A copy, as the callable may keep or change what it is given.
            np.copyto(a, function(torch.from_numpy(a.copy())).numpy())

    return call


class StepLayer(step_layer.StepLayer):
    """One layer with the weights of a torch module."""

    in_place = staticmethod(in_place)

    def __init__(self, cell: Cell, weights: Weights, batch: int):
        """Copy the weights; they are not followed afterwards."""
        super().__init__(cell, {name: t.detach().cpu().numpy() for name, t in weights.items()}, batch)


class _ReadableLayer:
    """A layer of a kind that has no equations on buffers here: the readable scan over one step, a few times slower."""

    def __init__(self, cell: Cell, weights: Weights, batch: int):
        """Copy the weights; they are not followed afterwards."""
        self.cell = cell
        self.weights = Weights(**{name: t.detach().cpu().clone() for name, t in weights.items()})
        (inputs, columns), width = self.weights.w_x.shape, self.weights.w_h.shape[0]
        dtype = self.weights.w_x.numpy().dtype
        self.x, self.h = np.zeros((batch, inputs), dtype=dtype), np.zeros((batch, width), dtype=dtype)
        self.c = np.zeros((batch, columns // cell.gates), dtype=dtype) if cell.pair else None

    def step(self) -> None:
        """Advance by one step."""
        h, x = torch.from_numpy(self.h), torch.from_numpy(self.x)[:, None]
        state = h if self.c is None else (h, torch.from_numpy(self.c))
        with torch.no_grad():
            _, after = reference_scan(self.cell, x, state, self.weights, last_only=True)
        for kept, new in zip((self.h, self.c), after if isinstance(after, tuple) else (after,), strict=False):
            np.copyto(kept, new.numpy())  # pyright: ignore[reportArgumentType]


class NumpyStream(step_layer.StepLayers):
    """A stack of layers on NumPy buffers."""

    def __init__(self, layers: Sequence[tuple[Cell, Weights]], batch: int):
        """Copy the weights of all layers."""
        super().__init__(
            [
                # A registered cell has an equation in torch only.
                (StepLayer if cell.kind in StepLayer.STEPS else _ReadableLayer)(cell, weights, batch)
                for cell, weights in layers
            ]
        )
