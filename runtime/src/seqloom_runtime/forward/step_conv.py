"""Causal convolutions one step at a time in NumPy, on buffers that are made once: without the compiled module."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .step_layer import InPlace

__all__ = ["StepConv", "StepConvs"]


class StepConv:
    """One layer on NumPy buffers: the ring of its inputs (L, B, C_in), L = (K−1)·d + 1, newest row at `place`."""

    def __init__(
        self, weight: np.ndarray, bias: np.ndarray, dilation: int, phi: InPlace, psi: InPlace, batch: int
    ) -> None:
        """weight (C_out, C_in, K) and bias (C_out), of one type, float32 or float64; phi, psi: the activations."""
        outputs, inputs, taps = weight.shape
        dtype = weight.dtype
        self.span = (taps - 1) * dilation
        # One row more than the kernel looks back on, for the present one.
        self.ring = np.zeros((self.span + 1, batch, inputs), dtype=dtype)
        self.place = 0
        self.shifts = -np.arange(taps - 1, -1, -1) * dilation
        self.slots = np.zeros(taps, dtype=np.int64)
        self.rows = np.zeros((taps, batch, inputs), dtype=dtype)
        # Taps first, so that one batched product does all of them.
        self.w = np.ascontiguousarray(weight.transpose(2, 1, 0))
        self.parts = np.zeros((taps, batch, outputs), dtype=dtype)
        self.y = np.zeros((batch, outputs), dtype=dtype)
        self.bias, self.phi, self.psi = bias, phi, psi

    def step(self, x: np.ndarray, residual: np.ndarray | None) -> None:
        """Take x (B, C_in), leave the layer's output in `y`."""
        self.place = (self.place + 1) % len(self.ring)
        self.ring[self.place] = x
        np.add(self.shifts, self.place, out=self.slots)
        np.remainder(self.slots, len(self.ring), out=self.slots)
        # "clip", as with the default mode NumPy copies `out` first; every slot lies inside.
        np.take(self.ring, self.slots, axis=0, out=self.rows, mode="clip")
        np.matmul(self.rows, self.w, out=self.parts)
        np.add.reduce(self.parts, axis=0, out=self.y)
        np.add(self.y, self.bias, out=self.y)
        self.phi(self.y)
        if residual is not None:
            np.add(self.y, residual, out=self.y)
        self.psi(self.y)

    def get_context(self) -> np.ndarray:
        """A copy of the rows that the kernel still looks back on, oldest first: (B, (K−1)·d, C_in)."""
        # The row at place + 1 is left out: the next step writes over it.
        order = (self.place + 1 + np.arange(1, self.span + 1)) % len(self.ring)
        return np.ascontiguousarray(self.ring[order].transpose(1, 0, 2))

    def set_context(self, rows: np.ndarray) -> None:
        """Put such rows in their place."""
        # Oldest row at 1: the next step then writes to slot 0, which holds nothing that is needed.
        self.place = self.span
        self.ring[1:] = rows.transpose(1, 0, 2)


class StepConvs:
    """The stack on NumPy buffers."""

    def __init__(self, layers: Sequence[StepConv], wired: Sequence[tuple[int, int | None]]) -> None:
        """wired: of each layer the outputs that it reads and adds, 0 the stack's input, j the j-th layer's output."""
        self.layers, self.wired = list(layers), list(wired)

    def step(self, x: np.ndarray, out: np.ndarray) -> None:
        """Take x (B, I), leave the last layer's output in `out`."""
        for layer, (source, residual) in zip(self.layers, self.wired):
            layer.step(self._node(source, x), None if residual is None else self._node(residual, x))
        out[...] = self.layers[-1].y

    def _node(self, number: int, x: np.ndarray) -> np.ndarray:
        return x if number == 0 else self.layers[number - 1].y

    def get_state(self) -> list[np.ndarray]:
        """The contexts of all layers."""
        return [layer.get_context() for layer in self.layers]

    def set_state(self, state: Sequence[np.ndarray]) -> None:
        """Put them in their place."""
        for layer, rows in zip(self.layers, state):
            layer.set_context(rows)
