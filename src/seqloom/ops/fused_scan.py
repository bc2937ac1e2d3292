"""The plain Elman, LSTM and GRU cells as few torch operations a step, with a hand-written gradient.

Layout: time first and batch last, (T, rows, B), so that a block of gates is contiguous and products write in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from seqloom.ops.activations import ACTIVATIONS, LEAK, Activation
from seqloom.ops.again import gradients_again
from seqloom.ops.call import Call, State
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.fused_gradient import LSTM_INSIDE, Tape, gradient, move_blocks
from seqloom.ops.operators import refuses_masks
from seqloom.ops.reference import reference_scan

__all__ = ["FORWARD", "refuses", "run"]

_IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh_,
    "sigmoid": torch.sigmoid_,
    "relu": torch.relu_,
    "leaky_relu": lambda a: functional.leaky_relu_(a, LEAK),
    "elu": functional.elu_,
    "identity": lambda a: a,
}


def refuses(call: Call) -> str | None:
    """Return why this engine can't run the call, or None where it can."""
    cell = call.cell
    for option in ("peephole", "coupled", "layer_norm", "cell_clip", "projection", "zoneout", "zoneout_cell"):
        if getattr(cell, option):
            return f"it has no {option}"
    if not cell.reset_after:
        return "it has no reset_after=False"
    if not cell.plain_activations:
        return "it knows the named activations only"
    if call.training and cell.candidate_dropout:
        return "it has no candidate dropout"
    return refuses_masks(call)


def run(call: Call) -> tuple[Tensor, State]:
    """Run a call that `refuses` answers with None."""
    x, mask, weights = call.x, call.mask, call.weights
    h, c = call.state if isinstance(call.state, tuple) else (call.state, None)
    if mask is not None:
        # Not a product with the mask: 0·NaN is NaN, and padding may hold anything.
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)
    if call.input_mask is not None:
        x = x * call.input_mask.unsqueeze(1)
    if call.reverse:
        x, mask = x.flip(1), None if mask is None else mask.flip(1)
    y, h_last, c_last = _Scan.apply(
        call.cell, call.last_only, x, h, c, call.recurrent_mask, mask, weights.w_x, weights.w_h, weights.bias,
        weights.bias_h,
    )  # pyright: ignore[reportGeneralTypeIssues]  # fmt: skip
    if call.last_only:
        # Two results of one call never share memory: a user may change one in place.
        y = h_last.clone()
    elif call.reverse:
        y = y.flip(1)
    return y, (h_last if c is None else (h_last, c_last))


def _activate(name: Activation) -> Callable[[Tensor], Tensor]:
    """The named activation, writing over its argument."""
    assert isinstance(name, str)
    plain = ACTIVATIONS[name]
    return _IN_PLACE.get(name, lambda a: a.copy_(plain(a)))


def _activate_into(name: Activation) -> Callable[..., Tensor]:
    """The named activation as f(a, out=...)."""
    assert isinstance(name, str)
    plain = ACTIVATIONS[name]
    return torch.tanh if name == "tanh" else lambda a, out: out.copy_(plain(a))


def _input_products(x: Tensor, w_x: Tensor, bias: Tensor | None) -> Tensor:
    """x W_x + b of all steps: x (T, I, B) → (T, G·H, B)."""
    # The same matrix for every step, without a copy of it for each.
    w = w_x.t().contiguous().expand(x.shape[0], -1, -1)
    return torch.bmm(w, x) if bias is None else torch.baddbmm(bias[:, None], w, x)


def _masked(h: Tensor, d: Tensor | None, out: Tensor | None) -> Tensor:
    """h̃ = h⊙d."""
    return h if d is None else torch.mul(h, d, out=out)


class _Given(NamedTuple):
    """What a cell's loop reads: W_h (S, G·H), d_h (S, B), which rows each step keeps, the GRU's b_hn (H, 1)."""

    w_h: Tensor
    d: Tensor | None
    keep: list[Tensor] | None
    bias_hn: Tensor | None


def _elman_forward(cell: Cell, tape: Tape, given: _Given) -> None:
    w_h, d, keep = given.w_h, given.d, given.keep
    phi, w = _activate(cell.activation), w_h.t().contiguous()
    hs = tape.hs.unbind(0)
    scratch = None if d is None else torch.empty_like(hs[0])
    for t, a in enumerate(tape.gates.unbind(0)):
        h, new = hs[t], hs[t + 1]
        phi(torch.addmm(a, w, _masked(h, d, scratch), out=new))
        if keep is not None:
            torch.where(keep[t], new, h, out=new)


def _gru_forward(cell: Cell, tape: Tape, given: _Given) -> None:
    w_h, d, keep, bias_hn = given.w_h, given.d, given.keep, given.bias_hn
    phi, sigma = _activate(cell.activation), _activate(cell.gate_activation)
    size, hs = tape.hs.shape[1], tape.hs.unbind(0)
    w = w_h.t().contiguous()
    w_rz, w_n = w[: 2 * size], w[2 * size :]
    tape.extra = torch.empty_like(tape.hs[1:])
    blocks = (tape.gates[:, : 2 * size], *tape.gates.chunk(3, dim=1))
    scratch = None if d is None else torch.empty_like(hs[0])
    for t, (rz, r, z, n, u) in enumerate(zip(*(b.unbind(0) for b in blocks), tape.extra.unbind(0), strict=True)):
        h, new = hs[t], hs[t + 1]
        h_d = _masked(h, d, scratch)
        sigma(rz.addmm_(w_rz, h_d))
        if bias_hn is None:
            torch.mm(w_n, h_d, out=u)
        else:
            torch.addmm(bias_hn, w_n, h_d, out=u)
        phi(n.addcmul_(r, u))
        torch.lerp(n, h, z, out=new)  # (1 − z)⊙n + z⊙h
        if keep is not None:
            torch.where(keep[t], new, h, out=new)


def _lstm_forward(cell: Cell, tape: Tape, given: _Given) -> None:
    """Gate order inside: o, i, f, g, so that the three σ gates lie together."""
    assert tape.cs is not None
    w_h, d, keep = given.w_h, given.d, given.keep
    # φ twice: over g in place, and over c into an array of its own, as c is carried on.
    phi, sigma, show = _activate(cell.activation), _activate(cell.gate_activation), _activate_into(cell.activation)
    size, hs, cs = tape.hs.shape[1], tape.hs.unbind(0), tape.cs.unbind(0)
    w = w_h.t().contiguous()
    tape.extra = torch.empty_like(tape.hs[1:])
    blocks = [tape.gates, tape.gates[:, : 3 * size], *tape.gates.chunk(4, dim=1)]
    scratch = None if d is None else torch.empty_like(hs[0])
    rows = zip(*(b.unbind(0) for b in blocks), tape.extra.unbind(0), strict=True)
    for t, (a, oif, o, i, f, g, shown) in enumerate(rows):
        a.addmm_(w, _masked(hs[t], d, scratch))
        sigma(oif)
        phi(g)
        c = torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
        torch.mul(o, show(c, out=shown), out=hs[t + 1])
        if keep is not None:
            torch.where(keep[t], hs[t + 1], hs[t], out=hs[t + 1])
            torch.where(keep[t], cs[t + 1], cs[t], out=cs[t + 1])


# The cells of this engine, each with its loop; their gradients are in the table of `ops.fused_gradient`.
FORWARD: Mapping[str, Callable[[Cell, Tape, _Given], None]] = {
    "elman": _elman_forward,
    "lstm": _lstm_forward,
    "gru": _gru_forward,
}


def _copy(t: Tensor) -> Tensor:
    """A contiguous copy, also where the layout would allow a view: outputs never share memory with the tape."""
    return t.clone(memory_format=torch.contiguous_format)


class _Scan(Function):
    """The recurrence with its gradient. x is already masked and in running order."""

    @staticmethod
    def forward(ctx, cell, last_only, x, h, c, d_h, mask, w_x, w_h, bias, bias_h):  # type: ignore[override]  # torch declares *args: any names fit
        inputs = (x, h, c, d_h, mask, w_x, w_h, bias, bias_h)
        with torch.no_grad():
            size = w_h.shape[0]
            if cell.kind == "lstm":
                w_x, w_h = move_blocks(w_x, LSTM_INSIDE), move_blocks(w_h, LSTM_INSIDE)
                # Weights come and gradients go in the order i, f, g, o; only the loop has the other.
                bias = None if bias is None else move_blocks(bias, LSTM_INSIDE)
                bias_h = None if bias_h is None else move_blocks(bias_h, LSTM_INSIDE)
            bias_hn = None
            if bias_h is not None:
                outside = bias_h
                if cell.kind == "gru":  # the candidate's stays inside the reset gate
                    bias_hn = bias_h[2 * size :, None]
                    outside = torch.cat([bias_h[: 2 * size], torch.zeros_like(bias_h[2 * size :])])
                bias = outside if bias is None else bias + outside
            x_t = x.permute(1, 2, 0).contiguous()
            tape = Tape(x_t, _input_products(x_t, w_x, bias), x.new_empty(x.shape[1] + 1, size, x.shape[0]))
            # The tape holds the initial state as well: step t reads entry t and writes t + 1.
            tape.hs[0] = h.t()
            keep = None if mask is None else list(mask.t().unsqueeze(1).unbind(0))
            d = None if d_h is None else d_h.t().contiguous()
            if c is not None:
                tape.cs = torch.empty_like(tape.hs)
                tape.cs[0] = c.t()
            FORWARD[cell.kind](cell, tape, _Given(w_h, d, keep, bias_hn))
        ctx.cell, ctx.last_only, ctx.count = cell, last_only, len(inputs)
        # A result without a gradient is None then, not an array of zeros to be added.
        ctx.set_materialize_grads(False)
        # So that autograd notices an in-place change of an input before the backward pass.
        ctx.save_for_backward(*inputs, tape.x, tape.gates, tape.hs, tape.extra, tape.cs)
        y = None if last_only else _copy(tape.hs[1:].permute(2, 0, 1))
        return y, _copy(tape.hs[-1].t()), None if tape.cs is None else _copy(tape.cs[-1].t())

    @staticmethod
    def backward(ctx, dy, dh, dc):  # type: ignore[override]  # torch declares *args: any names fit
        inputs, arrays = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        if torch.is_grad_enabled():  # someone differentiates again: the readable path can do that
            return (None, None, *_differentiable_gradient(ctx, inputs, (dy, dh, dc)))
        return (None, None, *gradient(ctx.cell, Tape(*arrays), inputs, (dy, dh, dc), ctx.needs_input_grad[2:]))


def _differentiable_gradient(ctx: Any, inputs: Any, grads: Any) -> list[Tensor | None]:
    """The same gradients as a differentiable function of the inputs, through the readable scan."""

    def run(given: list[Any]) -> list[Tensor | None]:
        x, h, c, d_h, mask, w_x, w_h, bias, bias_h = given
        y, last = reference_scan(
            ctx.cell, x, h if c is None else (h, c), Weights(w_x, w_h, bias, bias_h), mask=mask, recurrent_mask=d_h,
            last_only=ctx.last_only,
        )  # fmt: skip
        return [None if ctx.last_only else y, *(last if isinstance(last, tuple) else (last, None))]

    return gradients_again(run, inputs, grads, ctx.needs_input_grad[2:])
