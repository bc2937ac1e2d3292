"""The readable causal convolution: a sum over taps in plain PyTorch, the oracle for the others; and torch's own one.

B batch, T time, K taps, d dilation, a tap's shift s_k = (K−1−k)·d. float32 or float64, any device, differentiable
twice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom.ops.activations import activation_function
from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.operators import traced
from seqloom.ops.philox import STREAM_CONV, events

__all__ = ["dropout_mask", "finish", "run", "run_torch"]


def run(call: ConvCall) -> Tensor:
    """a_t = b + Σ_k x_{t−s_k} W_k, then `finish`, for a checked call."""
    x, weight, bias = call.x, call.weight, call.bias
    taps = weight.shape[2]
    a = x.new_zeros(x.shape[0], x.shape[1], weight.shape[0])
    for k in range(taps):
        a = a + _shifted(x, call.context, (taps - 1 - k) * call.dilation) @ weight[:, :, k].T
    a = a if bias is None else a + bias
    return finish(a, call)


def _shifted(x: Tensor, context: Tensor | None, shift: int) -> Tensor:
    """Row t is x_{t−shift}, from the context (or zero) where that lies before the first row."""
    # min(shift, T) below would become a constant of the graph, right for this length alone.
    if traced():  # serves sequences of any length
        rows = functional.pad(x, (0, 0, shift, 0)) if context is None else torch.cat([context, x], dim=1)
        return rows[:, rows.shape[1] - x.shape[1] - shift :][:, : x.shape[1]]
    here = min(shift, x.shape[1])  # rows that come from before x
    if context is None:
        return functional.pad(x[:, : x.shape[1] - here], (0, 0, here, 0))
    start = context.shape[1] - shift
    return torch.cat([context[:, start : start + here], x[:, : x.shape[1] - here]], dim=1)


def run_torch(call: ConvCall) -> Tensor:
    """The same by `torch.nn.functional.conv1d` over x with its rows before it."""
    x, weight, bias, dilation, context = call.x, call.weight, call.bias, call.dilation, call.context
    if 0 in x.shape:
        # Nothing to convolve, but x and the weight still get a gradient, of zeros.
        a = x.new_zeros(x.shape[0], x.shape[1], weight.shape[0]) + 0 * weight.sum() + 0 * x.sum()
        return finish(a, call)
    if context is None:  # taps that never reach back into x multiply zeros alone
        if not traced():  # a trace serves longer sequences too
            # Else a kernel that reaches far back would pad a short sequence to its whole span.
            weight = weight[:, :, max(0, weight.shape[2] - 1 - (x.shape[1] - 1) // dilation) :]
        before = (weight.shape[2] - 1) * dilation
        channels_first = functional.pad(x.transpose(1, 2), (before, 0))
    else:
        channels_first = torch.cat([context, x], dim=1).transpose(1, 2)
    a = functional.conv1d(channels_first, weight, bias, dilation=dilation).transpose(1, 2)
    return finish(a, call)


def finish(a: Tensor, call: ConvCall) -> Tensor:
    """y = ψ(D(φ(a)) + residual)."""
    u = activation_function(call.activation)(a)
    if call.dropout:
        assert call.rng is not None
        rows, steps, units = u.shape
        # Drawn by NumPy whatever the device, so that each of them drops the same numbers.
        mask = torch.from_numpy(dropout_mask(call.rng, (rows, steps, units), call.dropout))
        u = u * mask.to(device=u.device, dtype=u.dtype)
    if call.residual is not None:
        # Behind the dropout: the shortcut carries every number.
        u = u + call.residual
    y = activation_function(call.final_activation)(u)
    return y.contiguous()


def dropout_mask(rng: StepRandom, shape: tuple[int, int, int], probability: float) -> np.ndarray:
    """D of shape (B, T, C) in float64: 0 where a number is dropped, 1/(1 − p) elsewhere; stream 3 of `ops.philox`."""
    dropped = events(rng, STREAM_CONV, *shape, probability)
    return np.where(dropped, 0.0, 1.0 / (1.0 - probability))
