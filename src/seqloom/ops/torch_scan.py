"""The plain cells on torch's own kernels: cuDNN on a CUDA device, oneDNN or ATen on a CPU.

The sums are those of `torch.nn.RNN`, `LSTM` and `GRU`, fed from our layout: matrices transposed, a missing bias as
zeros. Second derivatives are those that torch has: cuDNN has none, so take backend="reference" for them there.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from seqloom.ops.call import Call, State
from seqloom.ops.cell import Weights

__all__ = ["ACTIVATIONS", "refuses", "run"]

# The cells that torch has kernels for, each with the activations of its candidate.
ACTIVATIONS: Mapping[str, tuple[str, ...]] = {"elman": ("tanh", "relu"), "lstm": ("tanh",), "gru": ("tanh",)}


def refuses(call: Call) -> str | None:
    """Return why torch's kernels can't run the call, or None where they can."""
    cell, x = call.cell, call.x
    for option in ("peephole", "coupled", "layer_norm", "cell_clip", "zoneout", "zoneout_cell", "candidate_dropout"):
        if getattr(cell, option):
            return f"torch has no {option}"
    if not cell.reset_after:
        return "torch has no reset_after=False"
    if cell.activation not in ACTIVATIONS[cell.kind]:
        return f"torch's {cell.kind} has no activation {cell.activation!r}"
    if cell.kind != "elman" and cell.gate_activation != "sigmoid":
        return f"torch's {cell.kind} has no gate activation {cell.gate_activation!r}"
    for name, value in (("mask", call.mask), ("recurrent_mask", call.recurrent_mask)):
        if value is not None:
            return f"torch's kernels take no {name}"
    if call.input_mask is not None and call.input_mask.dim() == 3:
        return "torch's kernels take no input_mask for each gate"
    if cell.projection is not None and x.device.type == "cpu":
        return "torch's CPU kernels warn that they run a projection slowly"
    if 0 in x.shape:
        return f"x of shape {tuple(x.shape)} is empty"
    return None


def run(call: Call) -> tuple[Tensor, State]:
    """Run a call that `refuses` answers with None."""
    cell, x, state, weights = call.cell, call.x, call.state, call.weights
    if call.input_mask is not None:
        x = x * call.input_mask[:, None]
    if call.reverse:
        # torch runs backwards only beside a forward direction.
        x = x.flip(1)
    flat = _flat_weights(weights)
    # torch takes two biases or none.
    biased = len(flat) - (weights.w_p is not None) == 4
    common = (biased, 1, 0.0, call.training, False, True)  # layers, dropout, train, bidirectional, batch first
    result: State
    if isinstance(state, tuple):
        # What nn.LSTM itself calls; the module would want parameters of its own.
        y, h, c = torch._VF.lstm(x, (state[0][None], state[1][None]), flat, *common)
        result = (h[0], c[0])
    else:
        kernels = {
            "gru": torch._VF.gru,
            "elman": torch._VF.rnn_relu if cell.activation == "relu" else torch._VF.rnn_tanh,
        }
        y, h = kernels[cell.kind](x, state[None], flat, *common)
        result = h[0]
    if call.last_only:
        # The last that ran, in either direction, as x was turned round; a copy, as y's memory need not stay.
        return y[:, -1].clone(), result
    return (y.flip(1) if call.reverse else y), result


def _flat_weights(weights: Weights) -> list[Tensor]:
    """w_ih (G·H, I), w_hh (G·H, S)[, b_ih, b_hh][, w_hr (P, H)]: torch's order of gates is ours."""
    flat = [weights.w_x.t().contiguous(), weights.w_h.t().contiguous()]
    if weights.bias is not None or weights.bias_h is not None:
        given = weights.bias if weights.bias is not None else weights.bias_h
        assert given is not None
        # One bias of ours is torch's first plus a second of zeros.
        zero = torch.zeros_like(given)
        flat += [zero if weights.bias is None else weights.bias, zero if weights.bias_h is None else weights.bias_h]
    if weights.w_p is not None:
        flat.append(weights.w_p.t().contiguous())
    return flat
