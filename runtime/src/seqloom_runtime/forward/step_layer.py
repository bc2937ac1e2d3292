"""One step at a time in NumPy, on buffers that are made once: the recurrent cells without the compiled module.

Symbols as in ARCHITECTURE.md, Conventions. Dropouts are off and zoneout is its mean, as in evaluation. Arrays have the
weights' type (float32 or float64).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .activations import LEAK
from .cell import Cell, CellWeights

__all__ = ["InPlace", "NumpyLayers", "StepLayer", "StepLayers", "in_place"]

InPlace = Callable[[np.ndarray], Any]


def _sigmoid(a: np.ndarray) -> None:
    """1/(1 + e⁻ᵃ) = tanh(a/2)/2 + 1/2, which can't overflow."""
    np.multiply(a, 0.5, out=a)
    np.tanh(a, out=a)
    np.multiply(a, 0.5, out=a)
    np.add(a, 0.5, out=a)


def _hard(a: np.ndarray, slope: float) -> None:
    np.multiply(a, slope, out=a)
    np.add(a, 0.5, out=a)
    np.clip(a, 0.0, 1.0, out=a)


_IN_PLACE: dict[str, InPlace] = {
    "tanh": lambda a: np.tanh(a, out=a),
    "sigmoid": _sigmoid,
    "relu": lambda a: np.maximum(a, 0.0, out=a),
    # The larger of the two, as the slope is between 0 and 1.
    "leaky_relu": lambda a: np.maximum(a, LEAK * a, out=a),
    # Both branches are worked out, and expm1 of a large number would overflow with a warning.
    "elu": lambda a: np.copyto(a, np.where(a > 0, a, np.expm1(np.minimum(a, 0.0)))),
    "softsign": lambda a: np.divide(a, 1.0 + np.abs(a), out=a),
    "softplus": lambda a: np.logaddexp(a, 0.0, out=a),
    "identity": lambda a: a,
    "hard_sigmoid": lambda a: _hard(a, 1.0 / 6.0),
    "hard_sigmoid_02": lambda a: _hard(a, 0.2),
}


def in_place(activation: str, slope: np.ndarray | None = None) -> InPlace:
    """The activation of that name, writing over its argument; slope (H): of prelu."""
    if activation == "prelu" and slope is not None:
        return lambda a: np.copyto(a, np.where(a > 0, a, a * slope))
    return _IN_PLACE[activation]


def _normalise(a: np.ndarray, gain: np.ndarray | None, epsilon: float) -> None:
    """LN(a) over the last axis, in place."""
    a -= a.mean(-1, keepdims=True)
    # The variance over n, not n − 1, as torch's layer_norm has it.
    a /= np.sqrt(np.square(a).mean(-1, keepdims=True) + epsilon)
    if gain is not None:
        a *= gain


class StepLayer:
    """One layer: its weights beside one another, its buffers, its state h (B, S) and, for the LSTM, c (B, H).

    `step` reads the inputs from `x` (B, I) and leaves the new state in `h` and `c`.
    """

    def __init__(self, cell: Any, weights: Mapping[str, np.ndarray], batch: int) -> None:
        """Copy the weights, by their names in `cell.WEIGHT_NAMES`, all of one type, float32 or float64."""
        w = {name: array.copy() for name, array in weights.items()}
        self.cell, self.get = cell, w.get
        self.size = size = w["w_x"].shape[1] // cell.gates
        inputs, width = w["w_x"].shape[0], w["w_h"].shape[0]
        zeros: Callable[..., np.ndarray] = lambda *shape: np.zeros(shape, dtype=w["w_x"].dtype)  # noqa: E731 - the annotation that a def could not carry
        self.xh = zeros(batch, inputs + width)  # x and h in one row, so that one product covers both
        self.x, self.h = self.xh[:, :inputs], self.xh[:, inputs:]
        self.c = zeros(batch, size) if cell.pair else None
        self.phi = self.in_place(cell.activation, w.get("slope"))
        self.sigma, self.psi = self.in_place(cell.gate_activation), self.in_place(cell.output_activation)
        self.new, self.spare = zeros(batch, width), zeros(batch, size)
        columns = cell.gates * size
        # Zeros where there is none, so that a step has one case.
        bias = zeros(columns) + w.get("bias", 0.0)
        bias_h = zeros(columns) + w.get("bias_h", 0.0)
        w_x, w_h = w["w_x"], w["w_h"]
        if cell.kind == "gru":  # blocks r z n u: u is the recurrent part of n, which the reset gate still has to scale
            bias = np.concatenate([bias[: 2 * size] + bias_h[: 2 * size], bias[2 * size :], bias_h[2 * size :]])
            self.w_n = np.ascontiguousarray(w_h[:, 2 * size :])
            w_x = np.concatenate([w_x, zeros(inputs, size)], axis=1)
            recurrent = w_h[:, 2 * size :] if cell.reset_after else zeros(width, size)
            w_h = np.concatenate([w_h[:, : 2 * size], zeros(width, size), recurrent], axis=1)
        elif not cell.layer_norm:
            bias = bias + bias_h
        self.a, self.bias, self.bias_h = zeros(batch, w_x.shape[1]), bias, bias_h
        self.w = np.concatenate([w_x, w_h])
        self.blocks = [self.a[:, k * size : (k + 1) * size] for k in range(w_x.shape[1] // size)]
        # r and z, or i and f: side by side, so that σ takes one call.
        self.both = self.a[:, : 2 * size]
        if cell.layer_norm:
            self.w_x, self.w_h = w["w_x"], w["w_h"]
            self.part_x, self.part_h = zeros(batch, columns), zeros(batch, columns)

    def step(self) -> None:
        """Advance by one step."""
        if self.cell.layer_norm:
            self._normalised_products()
        else:
            np.dot(self.xh, self.w, out=self.a)
            np.add(self.a, self.bias, out=self.a)
        self.STEPS[self.cell.kind](self)

    def _normalised_products(self) -> None:
        """LN_x(x W_x) + LN_h(h W_h) + b, in the blocks of the plain product."""
        cell, size = self.cell, self.size
        np.dot(self.x, self.w_x, out=self.part_x)
        np.dot(self.h, self.w_h, out=self.part_h)
        _normalise(self.part_x, self.get("gain_x"), cell.epsilon)
        _normalise(self.part_h, self.get("gain_h"), cell.epsilon)
        if cell.kind == "gru":
            two = 2 * size
            np.add(self.part_x[:, :two], self.part_h[:, :two], out=self.both)
            self.a[:, two : 3 * size] = self.part_x[:, two:]
            self.a[:, 3 * size :] = self.part_h[:, two:]
        else:
            np.add(self.part_x, self.part_h, out=self.a)
            np.add(self.a, self.bias_h, out=self.a)
        np.add(self.a, self.bias, out=self.a)

    def _elman(self) -> None:
        """h' = φ(a)."""
        self.phi(self.a)
        self._keep(self.a)

    def _jordan(self) -> None:
        """y = ψ(φ(a) V + c)."""
        self.phi(self.a)
        np.dot(self.a, self.get("w_out"), out=self.new)  # pyright: ignore[reportCallIssue, reportArgumentType]
        if (bias := self.get("bias_out")) is not None:
            np.add(self.new, bias, out=self.new)
        self.psi(self.new)
        self._keep(self.new)

    def _gru(self) -> None:
        """h' = n + z⊙(h − n)."""
        r, z, n, u = self.blocks
        self.sigma(self.both)
        if not self.cell.reset_after:
            np.multiply(r, self.h, out=self.spare)
            np.dot(self.spare, self.w_n, out=self.new)
            np.add(n, self.new, out=n)
            np.add(n, u, out=n)  # u holds b_hn alone
        else:
            np.multiply(r, u, out=u)
            np.add(n, u, out=n)
        self.phi(n)
        # n + z⊙(h − n): one product fewer than (1 − z)⊙n + z⊙h.
        np.subtract(self.h, n, out=self.new)
        np.multiply(self.new, z, out=self.new)
        np.add(self.new, n, out=self.new)
        self._keep(self.new)

    def _lstm(self) -> None:
        """c' = clip(f⊙c + i⊙g), h' = (o⊙φ(LN_c(c'))) W_p; peepholes on c before and after."""
        cell, c, tmp, peep = self.cell, self.c, self.spare, self.get("peephole")
        assert c is not None
        # From the end, as coupled cells have no block i.
        f, g, o = self.blocks[-3:]
        i = None if cell.coupled else self.blocks[0]
        if peep is not None:
            for gate, row in ((f, peep[-2]), *(() if i is None else ((i, peep[0]),))):
                np.multiply(c, row, out=tmp)
                np.add(gate, tmp, out=gate)
        # o waits: its peephole looks at the new c.
        self.sigma(f if i is None else self.both)
        self.phi(g)
        if i is None:
            np.subtract(1.0, f, out=tmp)
            np.multiply(g, tmp, out=g)
        else:
            np.multiply(g, i, out=g)
        np.multiply(f, c, out=f)
        np.add(f, g, out=f)  # f now holds c'
        if cell.cell_clip is not None:
            np.clip(f, -cell.cell_clip, cell.cell_clip, out=f)
        if peep is not None:
            np.multiply(f, peep[-1], out=tmp)
            np.add(o, tmp, out=o)
        self.sigma(o)
        # A copy, as norm and φ are for the output alone and c' is carried on.
        tmp[...] = f
        if cell.layer_norm:
            _normalise(tmp, self.get("gain_c"), cell.epsilon)
        self.phi(tmp)
        np.multiply(o, tmp, out=o)
        # After h' was made of c': zoneout acts on what is carried on (ARCHITECTURE.md, Conventions).
        if cell.zoneout_cell:
            np.multiply(c, cell.zoneout_cell, out=c)
            np.multiply(f, 1.0 - cell.zoneout_cell, out=f)
            np.add(c, f, out=c)
        else:
            c[...] = f
        if (w_p := self.get("w_p")) is None:
            self._keep(o)
        else:
            np.dot(o, w_p, out=self.new)
            self._keep(self.new)

    in_place: ClassVar[Callable[..., InPlace]] = staticmethod(in_place)
    """What makes an activation of its name."""
    STEPS: ClassVar[Mapping[str, Callable[[Any], None]]] = {
        "elman": _elman,
        "jordan": _jordan,
        "gru": _gru,
        "lstm": _lstm,
    }
    """The cells whose equations stand here."""

    def _keep(self, new: np.ndarray) -> None:
        """Zoneout's mean, then the new state takes the place of the old one."""
        zeta = self.cell.zoneout
        if zeta:
            np.multiply(self.h, zeta, out=self.h)
            np.multiply(new, 1.0 - zeta, out=new)
            np.add(self.h, new, out=self.h)
        else:
            # Into the old memory: h is a part of xh, which the next product reads.
            self.h[...] = new


class StepLayers:
    """A stack of layers on NumPy buffers, each with `x`, `h`, `c` and `step` as `StepLayer`."""

    def __init__(self, layers: Sequence[Any]) -> None:
        """layers: from first to last."""
        self.layers = list(layers)

    def step(self, x: np.ndarray, out: np.ndarray) -> None:
        """Take x (B, I), leave the last layer's new h (B, S) in `out`."""
        for layer in self.layers:
            layer.x[...] = x
            layer.step()
            x = layer.h
        out[...] = x

    def get_state(self) -> list[tuple[np.ndarray, ...]]:
        """Copies of (h,) or (h, c) of every layer."""
        return [(q.h.copy(),) if q.c is None else (q.h.copy(), q.c.copy()) for q in self.layers]

    def set_state(self, state: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Put what `get_state` returned in its place."""
        for layer, (h, *c) in zip(self.layers, state, strict=True):
            layer.h[...] = h
            if layer.c is not None:
                layer.c[...] = c[0]


class NumpyLayers(StepLayers):
    """The layers of a `Recurrent`."""

    def __init__(self, layers: Sequence[tuple[Cell, CellWeights]], batch: int) -> None:
        """Copy the weights of all layers."""
        super().__init__(
            [
                StepLayer(cell, {name: array for name, array in weights.arrays.items() if array is not None}, batch)
                for cell, weights in layers
            ]
        )
