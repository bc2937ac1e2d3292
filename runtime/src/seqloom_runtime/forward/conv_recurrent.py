"""ConvLSTM and ConvGRU: recurrent layers whose state is a picture, and whose products are convolutions.

Frames x (B, T, Y, X, C), channels last; state (layers, B, Y, X, F). Equations and sources stand beside the torch
modules (`seqloom.nn.ConvLSTM`, `ConvGRU`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from .activations import sigmoid
from .arrays import Arrays
from .image_layers import conv2d
from .linear import Matrix
from .scan import checked, checked_mask

__all__ = ["ConvRecurrent"]

Map = np.ndarray  # (B, F, Y, X)


class ConvRecurrent:
    """A stack of layers, each W_x ∗ x_t + b for all steps at once, then a step after the other."""

    def __init__(
        self, kind: str, arrays: Arrays, inputs: int, units: int, layers: int = 1, *, kernel_size: int = 3
    ) -> None:
        """kind: lstm or gru; takes "w_x.0" (gates·F, C, K, K), "w_h.0" and "bias.0" (gates·F), one set a layer."""
        if kernel_size % 2 == 0:
            raise SettingError(f"kernel_size must be odd, so that a map keeps its size, not {kernel_size}.")
        self.pair, self.inputs, self.units, self.layers = kind == "lstm", inputs, units, layers
        self.kernel_size, rows = kernel_size, (4 if kind == "lstm" else 3) * units
        square = (kernel_size, kernel_size)
        self.w_x, self.w_h, self.bias = [], [], []
        for layer in range(layers):
            w_x = arrays.take(f"w_x.{layer}", rows, units if layer else inputs, *square)
            self.w_x.append(Matrix(w_x.reshape(rows, -1)))
            self.w_h.append(Matrix(arrays.take(f"w_h.{layer}", rows, units, *square).reshape(rows, -1)))
            self.bias.append(arrays.take(f"bias.{layer}", rows))

    def __call__(self, x: np.ndarray, state: Any = None, mask: np.ndarray | None = None) -> tuple[np.ndarray, Any]:
        """Run the stack over frames x (B, T, Y, X, C) from a state (layers, B, Y, X, F), of the LSTM the pair of h and
        c; zeros where None. mask: (B, T) bool; at a step that it leaves out the state passes through.

        Returns the outputs (B, T, Y, X, F) and the final state. Raises SettingError where shapes don't fit.
        """
        x = checked("x", x, (None, None, None, None, self.inputs))
        mask = None if mask is None else checked_mask(mask, x.reshape(*x.shape[:2], -1))
        starts, y, finals = self._starts(x, state), x.transpose(0, 1, 4, 2, 3), []
        for layer in range(self.layers):
            y, final = self._layer(layer, y, starts[layer], mask)
            finals.append(final)
        ends = tuple(
            np.stack([final[part] for final in finals]).transpose(0, 1, 3, 4, 2) for part in range(len(finals[0]))
        )
        return np.ascontiguousarray(y.transpose(0, 1, 3, 4, 2)), ends if self.pair else ends[0]

    def _layer(
        self, layer: int, x: np.ndarray, state: tuple[Map, ...], mask: np.ndarray | None
    ) -> tuple[np.ndarray, tuple[Map, ...]]:
        batch, steps = x.shape[:2]
        read = self._convolved(x.reshape(-1, *x.shape[2:]), self.w_x[layer], self.bias[layer])
        read = read.reshape(batch, steps, *read.shape[1:])
        outputs = np.empty((batch, steps, self.units, *x.shape[3:]), dtype=np.float32)
        for t in range(steps):
            following = self._step(read[:, t], state, layer)
            if mask is not None:
                kept = mask[:, t, None, None, None]
                following = tuple(np.where(kept, new, old) for new, old in zip(following, state))
            state = following
            outputs[:, t] = state[0]
        return outputs, state

    def _step(self, a: Map, state: tuple[Map, ...], layer: int) -> tuple[Map, ...]:
        """a: W_x ∗ x_t + b of all gates (B, gates·F, Y, X) → the state after the step, h first."""
        if self.pair:
            h, c = state
            i, f, g, o = np.split(a + self._convolved(h, self.w_h[layer], None), 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            return sigmoid(o) * np.tanh(c), c
        (h,) = state
        a_r, a_z, a_n = np.split(a, 3, axis=1)
        u_r, u_z, u_n = np.split(self._convolved(h, self.w_h[layer], None), 3, axis=1)
        z, n = sigmoid(a_z + u_z), np.tanh(a_n + sigmoid(a_r + u_r) * u_n)
        return ((np.float32(1) - z) * n + z * h,)

    def _convolved(self, x: Map, weight: Matrix, bias: np.ndarray | None) -> Map:
        return conv2d(x, [weight], bias, self.kernel_size, padding=self.kernel_size // 2)

    def _starts(self, x: np.ndarray, state: Any) -> list[tuple[Map, ...]]:
        shape = (self.layers, x.shape[0], x.shape[2], x.shape[3], self.units)
        if state is None:
            parts = (np.zeros(shape, dtype=np.float32),) * (2 if self.pair else 1)
        else:
            parts = tuple(state) if self.pair and isinstance(state, (tuple, list)) else (state,)
        if len(parts) != (2 if self.pair else 1) or any(np.shape(part) != shape for part in parts):
            words = "a pair of arrays" if self.pair else "an array"
            raise SettingError(f"state: expected {words} of shape {shape}.")
        return [tuple(part[layer].transpose(0, 3, 1, 2) for part in parts) for layer in range(self.layers)]
