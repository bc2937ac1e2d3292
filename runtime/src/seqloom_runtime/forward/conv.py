"""`causal_conv` and `conv1d`: dilated convolution on (B, T, C), as `seqloom.ops.conv` in evaluation, on NumPy arrays.

B batch, T time, K taps, d dilation; the span (K − 1)·d + 1 is what one output sees. The compiled module runs it where
it is there; without it the sum over taps below. Results have the same bits for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from .activations import CODES, activation_of
from .arrays import Arrays
from .engine import address, module, threads
from .linear import Matrix
from .scan import checked, checked_mask

__all__ = ["PADDINGS", "Convolution", "causal_conv", "conv1d", "kept_only", "normalised"]

PADDINGS = ("valid", "same", "full", "causal")


class Convolution:
    """The weights and the rule of one convolution: y = ψ(φ(b + Σ_k x_{t−(K−1−k)·d} W_k) + residual).

    weight (C_out, C_in, K), as torch's Conv1d lays it out, the last tap the present; bias (C_out).
    """

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray | None = None,
        *,
        dilation: int = 1,
        activation: str = "identity",
        final_activation: str = "identity",
    ) -> None:
        """activation, final_activation: φ and ψ, names of `activations`; raises SettingError for an unknown one."""
        self.weight = np.ascontiguousarray(weight, dtype=np.float32)
        self.outputs, self.inputs, self.taps = self.weight.shape
        # Zeros instead of None, so that the kernels have one case.
        self.bias = np.zeros(self.outputs, np.float32) if bias is None else np.ascontiguousarray(bias, np.float32)
        self.dilation, self.activation, self.final_activation = dilation, activation, final_activation
        self.phi, self.psi = activation_of(activation), activation_of(final_activation)
        self.reach = (self.taps - 1) * dilation  # steps from the first tap to the last
        self._taps: list[Matrix] | None = None

    @classmethod
    def taken(
        cls, arrays: Arrays, inputs: int, outputs: int, taps: int, *, weight_norm: bool = False, **rule: Any
    ) -> Convolution:
        """That of a saved layer: "weight", or under weight norm "weight_g" and "weight_v"; and "bias"."""
        if weight_norm:
            g, v = arrays.take("weight_g", outputs, 1, 1), arrays.take("weight_v", outputs, inputs, taps)
            weight = normalised(v, g)
        else:
            weight = arrays.take("weight", outputs, inputs, taps)
        return cls(weight, arrays.take("bias", outputs), **rule)

    def with_rule(self, **rule: Any) -> Convolution:
        """The same weights under another dilation or other activations."""
        own = {name: getattr(self, name) for name in ("dilation", "activation", "final_activation")}
        return Convolution(self.weight, self.bias, **{**own, **rule})

    def settings(self, residual: bool, batch: int, steps: int) -> list[int]:
        """What the compiled module reads of it: nothing is drawn, nothing saved."""
        codes = (CODES.index(self.activation), CODES.index(self.final_activation))
        return [*codes, self.dilation, 0, 0, 0, int(residual), 0, batch, steps, self.inputs, self.outputs, self.taps]

    def matrices(self) -> list[Matrix]:
        """The weights of each tap, from the oldest step to the present."""
        if self._taps is None:  # made where the compiled module isn't there; two threads would make the same
            self._taps = [Matrix(self.weight[:, :, k]) for k in range(self.taps)]
        return self._taps

    def next_context(self, x: np.ndarray, context: np.ndarray | None) -> np.ndarray:
        """The last (K − 1)·d rows of context and x, a copy."""
        if x.shape[1] < self.reach:
            before = np.zeros((len(x), self.reach, x.shape[2]), np.float32) if context is None else context
            x = np.concatenate([before, x], axis=1)
        return x[:, x.shape[1] - self.reach :].copy()


def causal_conv(
    x: np.ndarray, layer: Convolution, *, residual: np.ndarray | None = None, context: np.ndarray | None = None
) -> np.ndarray:
    """Convolve x (B, T, C_in) over time, looking back only → (B, T, C_out).

    residual: (B, T, C_out), added between φ and ψ. context: (B, (K−1)·d, C_in), the rows before x, zeros where None.
    Raises SettingError where a shape doesn't fit.

    >>> layer = Convolution(np.float32([[[10, 1]]]), dilation=2)
    >>> causal_conv(np.float32([[[1], [2], [4], [8]]]), layer).ravel().tolist()
    [1.0, 2.0, 14.0, 28.0]
    """
    x = checked("x", x, (None, None, layer.inputs))
    batch, steps = x.shape[:2]
    if residual is not None:
        residual = checked("residual", residual, (batch, steps, layer.outputs))
    if context is not None:
        context = checked("context", context, (batch, layer.reach, layer.inputs))
        context = context if layer.reach else None  # which has no address
    core = None if 0 in x.shape else module()
    if core is None:
        return _readable(x, layer, residual, context)
    y = np.empty((batch, steps, layer.outputs), dtype=np.float32)
    arrays = [x, layer.weight, layer.bias, residual, context, y, None]
    core.conv_forward(layer.settings(residual is not None, batch, steps), 0.0, [*map(address, arrays)], threads())
    return y


def conv1d(x: np.ndarray, layer: Convolution, *, padding: str = "valid", stride: int = 1) -> np.ndarray:
    """Convolve x (B, T, C_in) with an ordinary padding, as `seqloom.ops.conv.conv1d` → (B, T', C_out).

    Raises SettingError where a shape doesn't fit, and where "valid" leaves no row.

    >>> conv1d(np.ones((1, 3, 1)), Convolution(np.ones((1, 1, 2))), padding="full").ravel().tolist()
    [1.0, 2.0, 2.0, 1.0]
    """
    if padding not in PADDINGS:
        raise SettingError(f"padding: expected one of {', '.join(PADDINGS)}, got {padding!r}.")
    x = checked("x", x, (None, None, layer.inputs))
    steps, span = x.shape[1], layer.reach
    if padding == "valid" and steps <= span:
        raise SettingError(f"x: a kernel that spans {span + 1} steps doesn't fit into {steps}; give longer sequences.")
    total = max((-(-steps // stride) - 1) * stride + span + 1 - steps, 0)  # zeros of "same"
    left = {"valid": 0, "same": total // 2, "full": span, "causal": span}[padding]
    right = {"valid": 0, "same": total - total // 2, "full": span, "causal": 0}[padding]
    if left or right:
        x = np.pad(x, ((0, 0), (left, right), (0, 0)))
    # Output row t is the causal one of row t + span: the rows before that are its context.
    y = causal_conv(x[:, span:], layer, context=x[:, :span])
    return y[:, ::stride]


def kept_only(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """x (B, T, C) with zeros at the steps that mask (B, T) leaves out."""
    return x if mask is None else np.where(checked_mask(mask, x)[:, :, None], x, np.float32(0))


def normalised(v: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Weight norm: g·v/‖v‖, (C_out, C_in, K) and (C_out, 1, 1) → (C_out, C_in, K): Salimans & Kingma 2016.

    >>> normalised(np.float32([[[3.0, 4.0]]]), np.float32([[[10.0]]])).ravel().tolist()
    [6.0, 8.0]
    """
    wide = v.astype(np.float64)
    length = np.sqrt(np.square(wide).sum(axis=(1, 2), keepdims=True))
    return (wide * (g / length)).astype(np.float32)


def _readable(x: np.ndarray, layer: Convolution, residual: np.ndarray | None, context: np.ndarray | None) -> np.ndarray:
    """a_t = b + Σ_k x_{t−s_k} W_k, then φ, the residual and ψ."""
    steps = x.shape[1]
    a = np.zeros((len(x), steps, layer.outputs), dtype=np.float32)
    for k, matrix in enumerate(layer.matrices()):
        shift = layer.reach - k * layer.dilation
        here = min(shift, steps)  # rows that come from before x
        if context is not None:
            start = layer.reach - shift
            a += matrix.of(np.concatenate([context[:, start : start + here], x[:, : steps - here]], axis=1))
        elif here < steps:
            a[:, here:] += matrix.of(x[:, : steps - here])
    u = layer.phi(a + layer.bias)
    return layer.psi(u if residual is None else u + residual)
