"""The causal convolution once more in float64 NumPy: one row and tap at a time, from the equation alone; its gradients
by the chain rule. Knows nothing of seqloom; the dropout's mask comes in as an array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oracles.numpy_recurrent import FUNCTIONS

__all__ = ["ConvTwin", "slope"]


def slope(name: str, a: np.ndarray) -> np.ndarray:
    """f'(a) from a, where scan's twin has f alone."""
    sigmoid = 1 / (1 + np.exp(-np.clip(a, -500, 500)))
    return {
        "tanh": lambda: 1 / np.cosh(np.clip(a, -300, 300)) ** 2,
        "sigmoid": lambda: sigmoid * (1 - sigmoid),
        "relu": lambda: (a > 0) * 1.0,
        "leaky_relu": lambda: np.where(a > 0, 1.0, 0.01),
        "elu": lambda: np.where(a > 0, 1.0, np.exp(np.minimum(a, 0))),
        "softsign": lambda: 1 / (1 + np.abs(a)) ** 2,
        "softplus": lambda: sigmoid,
        "identity": lambda: np.ones_like(a),
        "hard_sigmoid": lambda: (np.abs(a) < 3) / 6,
        "hard_sigmoid_02": lambda: (np.abs(a) < 2.5) * 0.2,
    }[name]()


@dataclass
class ConvTwin:
    """y = ψ(m ⊙ φ(a) + r), a_t = b + Σ_k W_k x_{t−(K−1−k)d}; x (B, T, I), weight (O, I, K), context (B, (K−1)d, I)."""

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None = None
    dilation: int = 1
    activation: str = "identity"
    residual: np.ndarray | None = None
    final_activation: str = "identity"
    mask: np.ndarray | None = None
    context: np.ndarray | None = None

    def _row(self, b: int, t: int) -> np.ndarray | None:
        """Row t of sequence b; before the first one, the context's, or None."""
        if t >= 0:
            return self.x[b, t]
        return None if self.context is None else self.context[b, self.context.shape[1] + t]

    def _sources(self):
        """(b, t, k, row index) of every product."""
        batch, steps, _ = self.x.shape
        taps = self.weight.shape[2]
        for b in range(batch):
            for t in range(steps):
                for k in range(taps):
                    yield b, t, k, t - (taps - 1 - k) * self.dilation

    def forward(self) -> np.ndarray:
        """Return y (B, T, O) and keep what the gradients need."""
        batch, steps, _ = self.x.shape
        self.a = np.zeros((batch, steps, self.weight.shape[0]))
        for b, t, k, source in self._sources():
            row = self._row(b, source)
            if row is not None:
                self.a[b, t] += self.weight[:, :, k] @ row
        if self.bias is not None:
            self.a = self.a + self.bias
        self.v = FUNCTIONS[self.activation](self.a) * (1.0 if self.mask is None else self.mask)
        if self.residual is not None:
            self.v = self.v + self.residual
        return FUNCTIONS[self.final_activation](self.v)

    def gradients(self, dy: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of Σ dy·y for every array that was given; call `forward` first."""
        dv = dy * slope(self.final_activation, self.v)
        da = dv * slope(self.activation, self.a) * (1.0 if self.mask is None else self.mask)
        out = {"x": np.zeros_like(self.x), "weight": np.zeros_like(self.weight)}
        if self.context is not None:
            out["context"] = np.zeros_like(self.context)
        for b, t, k, source in self._sources():
            row = self._row(b, source)
            if row is None:
                continue
            out["weight"][:, :, k] += np.outer(da[b, t], row)
            back = da[b, t] @ self.weight[:, :, k]
            if source >= 0:
                out["x"][b, source] += back
            else:
                assert self.context is not None
                out["context"][b, self.context.shape[1] + source] += back
        if self.bias is not None:
            out["bias"] = da.sum((0, 1))
        if self.residual is not None:
            out["residual"] = dv
        return out
