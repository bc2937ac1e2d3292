"""The plain Elman, LSTM and GRU cells as few torch operations a step, with a hand-written gradient over the whole sequence.

Layout: time first and batch last, (T, rows, B), so that a block of gates is contiguous and products write in place.

The gradient needs only two or three operations a step. What a gate's pre-activation receives is the gradient of the state times
a factor that depends on the forward pass alone, and those factors are computed for all steps at once. For the GRU, with dh the
gradient of h_t:  da_n = dh⊙(1−z)⊙φ'(a_n),  du_n = da_n⊙r,  da_r = da_n⊙u_n⊙σ'(a_r),  da_z = dh⊙(h_{t−1}−n)⊙σ'(a_z).
A masked step has factors of 0. Weight gradients are sums of products over all steps after the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from seqloom.ops.activations import ACTIVATIONS, LEAK, Activation, slope_from_value
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.reference import State, reference_scan

__all__ = ["fused_scan", "supports"]

_IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh_,
    "sigmoid": torch.sigmoid_,
    "relu": torch.relu_,
    "leaky_relu": lambda a: functional.leaky_relu_(a, LEAK),
    "elu": functional.elu_,
    "identity": lambda a: a,
}


def supports(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    *,
    input_mask: Tensor | None = None,
    recurrent_mask: Tensor | None = None,
    training: bool = False,
    **_: Any,
) -> str | None:
    """Return why this engine can't run the call, or None where it can."""
    for option in ("peephole", "coupled", "layer_norm", "cell_clip", "projection", "zoneout", "zoneout_cell"):
        if getattr(cell, option):
            return f"it has no {option}"
    for option, wanted in (("jordan", cell.kind != "jordan"), ("reset_after=False", cell.reset_after)):
        if not wanted:
            return f"it has no {option}"
    if not cell.plain_activations:
        return "it knows the named activations only"
    if training and cell.candidate_dropout:
        return "it has no candidate dropout"
    for name, value in (("input_mask", input_mask), ("recurrent_mask", recurrent_mask)):
        if value is not None and value.dim() == 3:
            return f"it has no {name} for each gate"
        if value is not None and value.requires_grad:
            return f"it has no gradient for {name}"
    if 0 in x.shape:
        return f"x of shape {tuple(x.shape)} is empty"
    return None


def fused_scan(
    cell: Cell,
    x: Tensor,
    state: State,
    weights: Weights,
    *,
    mask: Tensor | None = None,
    reverse: bool = False,
    input_mask: Tensor | None = None,
    recurrent_mask: Tensor | None = None,
    rng: StepRandom | None = None,
    training: bool = False,
    last_only: bool = False,
) -> tuple[Tensor, State]:
    """Run the cell; arguments and results as `ops.scan.scan`, for calls that `supports` answers with None."""
    h, c = state if isinstance(state, tuple) else (state, None)
    if mask is not None:
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)
    if input_mask is not None:
        x = x * input_mask.unsqueeze(1)
    if reverse:
        x, mask = x.flip(1), None if mask is None else mask.flip(1)
    y, h_last, c_last = _Scan.apply(
        cell, last_only, x, h, c, recurrent_mask, mask, weights.w_x, weights.w_h, weights.bias, weights.bias_h
    )  # pyright: ignore[reportGeneralTypeIssues]
    if last_only:
        y = h_last.clone()
    elif reverse:
        y = y.flip(1)
    return y, (h_last if c is None else (h_last, c_last))


@dataclass
class _Tape:
    """What the forward pass leaves for the gradient; (T, rows, B) each, hs and cs (T+1, H, B) with the initial state first."""

    x: Tensor
    gates: Tensor
    hs: Tensor
    extra: Tensor | None = None  # GRU: u_n; LSTM: φ(c')
    cs: Tensor | None = None


def _activate(name: Activation) -> Callable[[Tensor], Tensor]:
    """The named activation, writing over its argument."""
    assert isinstance(name, str)
    plain = ACTIVATIONS[name]
    return _IN_PLACE.get(name, lambda a: a.copy_(plain(a)))


def _slope(name: Activation) -> Callable[[Tensor], Tensor]:
    assert isinstance(name, str)
    return slope_from_value(name)


def _move(w: Tensor, order: tuple[int, ...]) -> Tensor:
    """The blocks of the last axis in another order: new block k is old block order[k]."""
    blocks = w.chunk(len(order), dim=-1)
    return torch.cat([blocks[k] for k in order], dim=-1)


def _products(w_x: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """x W_x + b for all steps: (T, G·H, B)."""
    w = w_x.t().contiguous().expand(x.shape[0], -1, -1)
    return torch.bmm(w, x) if bias is None else torch.baddbmm(bias[:, None], w, x)


def _masked(h: Tensor, d: Tensor | None, out: Tensor | None) -> Tensor:
    """h̃ = h⊙d."""
    return h if d is None else torch.mul(h, d, out=out)


def _elman_forward(cell: Cell, tape: _Tape, w_h: Tensor, d: Tensor | None, keep: list[Tensor] | None) -> None:
    phi, w = _activate(cell.activation), w_h.t().contiguous()
    hs = tape.hs.unbind(0)
    scratch = None if d is None else torch.empty_like(hs[0])
    for t, a in enumerate(tape.gates.unbind(0)):
        h, new = hs[t], hs[t + 1]
        phi(torch.addmm(a, w, _masked(h, d, scratch), out=new))
        if keep is not None:
            torch.where(keep[t], new, h, out=new)


def _elman_factors(cell: Cell, tape: _Tape) -> Tensor:
    return _slope(cell.activation)(tape.hs[1:])


def _gru_forward(
    cell: Cell, tape: _Tape, w_h: Tensor, bias_hn: Tensor | None, d: Tensor | None, keep: list[Tensor] | None
) -> None:
    phi, sigma = _activate(cell.activation), _activate(cell.gate_activation)
    size, hs = tape.hs.shape[1], tape.hs.unbind(0)
    w = w_h.t().contiguous()
    w_rz, w_n = w[: 2 * size], w[2 * size :]
    tape.extra = torch.empty_like(tape.hs[1:])
    blocks = (tape.gates[:, : 2 * size], tape.gates[:, :size], tape.gates[:, size : 2 * size], tape.gates[:, 2 * size :])
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


def _gru_factors(cell: Cell, tape: _Tape) -> Tensor:
    """The factors of dh in order u_n, a_r, a_z, a_n: (T, 4H, B)."""
    assert tape.extra is not None
    r, z, n = tape.gates.chunk(3, dim=1)
    phi, sigma = _slope(cell.activation), _slope(cell.gate_activation)
    factors = tape.gates.new_empty(r.shape[0], 4 * r.shape[1], r.shape[2])
    f_u, f_r, f_z, f_n = factors.chunk(4, dim=1)
    torch.mul(phi(n), 1 - z, out=f_n)
    torch.mul(f_n, r, out=f_u)
    torch.mul(f_n, tape.extra, out=f_r).mul_(sigma(r))
    torch.sub(tape.hs[:-1], n, out=f_z).mul_(sigma(z))
    return factors


def _lstm_forward(cell: Cell, tape: _Tape, w_h: Tensor, d: Tensor | None, keep: list[Tensor] | None) -> None:
    """Gate order inside: o, i, f, g, so that the three σ gates lie together."""
    assert tape.cs is not None
    phi, sigma = _activate(cell.activation), _activate(cell.gate_activation)
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
        torch.mul(o, phi(shown.copy_(c)), out=hs[t + 1])
        if keep is not None:
            torch.where(keep[t], hs[t + 1], hs[t], out=hs[t + 1])
            torch.where(keep[t], cs[t + 1], cs[t], out=cs[t + 1])


def _lstm_factors(cell: Cell, tape: _Tape) -> tuple[Tensor, Tensor]:
    """The factors of dh in a_o and of dc in a_i, a_f, a_g: (T, 4H, B); and the factor of dh in c': (T, H, B)."""
    assert tape.extra is not None
    assert tape.cs is not None
    o, i, f, g = tape.gates.chunk(4, dim=1)
    phi, sigma = _slope(cell.activation), _slope(cell.gate_activation)
    factors = torch.empty_like(tape.gates)
    f_o, f_i, f_f, f_g = factors.chunk(4, dim=1)
    torch.mul(sigma(o), tape.extra, out=f_o)
    torch.mul(sigma(i), g, out=f_i)
    torch.mul(sigma(f), tape.cs[:-1], out=f_f)
    torch.mul(phi(g), i, out=f_g)
    return factors, phi(tape.extra).mul_(o)


def _sum_products(v: Tensor, d: Tensor) -> Tensor:
    """Σ over steps of v_t d_tᵀ: v (T, rows, B), d (T, columns, B) → (rows, columns)."""
    if v.shape[0] * v.shape[1] * d.shape[1] <= 1 << 20:
        return torch.bmm(v, d.transpose(1, 2)).sum(0)
    total = v.new_zeros(v.shape[1], d.shape[1])
    for v_t, d_t in zip(v.unbind(0), d.transpose(1, 2).unbind(0), strict=True):
        total.addmm_(v_t, d_t)
    return total


_LSTM_INSIDE, _LSTM_OUTSIDE = (3, 0, 1, 2), (1, 2, 3, 0)  # i,f,g,o → o,i,f,g needs (3, 0, 1, 2); and back


class _Scan(Function):
    """The recurrence with its gradient. x is already masked and in running order."""

    @staticmethod
    def forward(ctx, cell, last_only, x, h, c, d_h, mask, w_x, w_h, bias, bias_h):  # type: ignore[override]  # noqa: PLR0913
        inputs = (x, h, c, d_h, mask, w_x, w_h, bias, bias_h)
        with torch.no_grad():
            steps, size = x.shape[1], w_h.shape[0]
            if cell.kind == "lstm":
                w_x, w_h = _move(w_x, _LSTM_INSIDE), _move(w_h, _LSTM_INSIDE)
                bias = None if bias is None else _move(bias, _LSTM_INSIDE)
                bias_h = None if bias_h is None else _move(bias_h, _LSTM_INSIDE)
            bias_hn = None
            if bias_h is not None:
                total = bias_h.clone() if bias is None else bias + bias_h
                if cell.kind == "gru":  # that of the candidate stays inside the reset gate
                    bias_hn = bias_h[2 * size :, None]
                    total[2 * size :] -= bias_h[2 * size :]
                bias = total
            x_t = x.permute(1, 2, 0).contiguous()
            tape = _Tape(x_t, _products(w_x, x_t, bias), x.new_empty(steps + 1, size, x.shape[0]))
            tape.hs[0] = h.t()
            keep = None if mask is None else list(mask.t().unsqueeze(1).unbind(0))
            d = None if d_h is None else d_h.t().contiguous()
            if cell.kind == "elman":
                _elman_forward(cell, tape, w_h, d, keep)
            elif cell.kind == "gru":
                _gru_forward(cell, tape, w_h, bias_hn, d, keep)
            else:
                tape.cs = torch.empty_like(tape.hs)
                tape.cs[0] = c.t()
                _lstm_forward(cell, tape, w_h, d, keep)
        ctx.cell, ctx.last_only, ctx.count = cell, last_only, len(inputs)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs, tape.x, tape.gates, tape.hs, tape.extra, tape.cs)
        y = None if last_only else tape.hs[1:].permute(2, 0, 1).contiguous()
        last_c = None if tape.cs is None else tape.cs[-1].t().contiguous()
        return y, tape.hs[-1].t().contiguous(), last_c

    @staticmethod
    def backward(ctx, dy, dh, dc):  # type: ignore[override]
        inputs, arrays = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        if torch.is_grad_enabled():  # someone differentiates again: the readable path can do that
            return (None, None, *_differentiable_gradient(ctx, inputs, (dy, dh, dc)))
        return (None, None, *_gradient(ctx.cell, _Tape(*arrays), inputs, (dy, dh, dc), ctx.needs_input_grad[2:]))


def _gradient(cell: Cell, tape: _Tape, inputs: Any, grads: Any, needed: Any) -> tuple[Tensor | None, ...]:
    """Gradients in the order of the inputs."""
    (_, _, _, d_h, mask, w_x, w_h, bias, bias_h), (dy, dh, dc) = inputs, grads
    g = torch.zeros_like(tape.hs)
    if dy is not None:
        g[1:] = dy.permute(1, 2, 0)
    if dh is not None:
        g[-1] += dh.t()
    d = None if d_h is None else d_h.t().contiguous()
    skip = None if mask is None else ~mask.t().unsqueeze(1)
    h_d = tape.hs[:-1] if d is None else tape.hs[:-1] * d
    size = w_h.shape[0]
    dc_first = None
    if cell.kind == "gru":
        factors = _gru_factors(cell, tape)
        z = tape.gates[:, size : 2 * size]
        if skip is not None:
            factors.masked_fill_(skip, 0.0)
            z = z.masked_fill(skip, 1.0)
        _run_back(g, factors, factors[:, : 3 * size], _move(w_h, (2, 0, 1)), d, z)
        da, dw_h = factors[:, size:], _move(_sum_products(h_d, factors[:, : 3 * size]), (1, 2, 0))
        du = _move(factors[:, : 3 * size].sum((0, 2)), (1, 2, 0)) if bias_h is not None else None
    else:
        carry = None if skip is None else skip.to(g.dtype)
        if cell.kind == "elman":
            factors = _elman_factors(cell, tape)
            if skip is not None:
                factors.masked_fill_(skip, 0.0)
            _run_back(g, factors, factors, w_h, d, carry)
        else:
            factors, dc_first = _lstm_back(cell, tape, g, dc, _move(w_h, _LSTM_INSIDE), d, skip, carry)
        da, dw_h, du = factors, _sum_products(h_d, factors), None
    dw_x = _sum_products(tape.x, da) if needed[5] else None
    db = da.sum((0, 2)) if bias is not None or bias_h is not None else None
    if cell.kind == "lstm":
        dw_x, dw_h, db = (None if v is None else _move(v, _LSTM_OUTSIDE) for v in (dw_x, dw_h, db))
        w_x = _move(w_x, _LSTM_INSIDE)
    dx = torch.matmul(w_x, da).permute(2, 0, 1) if needed[0] else None
    db_h = None if bias_h is None else (db if du is None else du)
    dc_out = None if dc_first is None else dc_first.t()
    return dx, g[0].t(), dc_out, None, None, dw_x, dw_h, None if bias is None else db, db_h


def _run_back(g: Tensor, factors: Tensor, products: Tensor, w: Tensor, d: Tensor | None, carry: Tensor | None) -> None:
    """Backwards over time: turn the factors into gate gradients and add to g what flows to the step before.

    g (T+1, H, B) enters with the gradient of the outputs; products is the part of the factors that met h̃ through w (S, rows);
    carry (T, ·, B) is the part of h_t that is h_{t−1} itself.
    """
    size = g.shape[1]
    steps = factors.shape[0]
    stacked = factors.view(steps, -1, size, factors.shape[2]).unbind(0)
    parts, gs = products.unbind(0), g.unbind(0)
    carries = None if carry is None else carry.unbind(0)
    w = w.contiguous()
    scratch = None if d is None else torch.empty_like(gs[0])
    for t in range(steps - 1, -1, -1):
        dh, before = gs[t + 1], gs[t]
        stacked[t].mul_(dh)
        if d is None:
            before.addmm_(w, parts[t])
        else:
            before.addcmul_(torch.mm(w, parts[t], out=scratch), d)
        if carries is not None:
            before.addcmul_(dh, carries[t])


def _lstm_back(
    cell: Cell, tape: _Tape, g: Tensor, dc: Tensor | None, w: Tensor, d: Tensor | None, skip: Tensor | None, carry: Any
) -> tuple[Tensor, Tensor]:
    """The same for the LSTM, whose c carries a gradient of its own; returns the gate gradients and that of the first c."""
    factors, through = _lstm_factors(cell, tape)
    steps, size, rows = through.shape
    f = tape.gates[:, 2 * size : 3 * size]
    if skip is not None:
        factors.masked_fill_(skip, 0.0)
        through.masked_fill_(skip, 0.0)
        f = f.masked_fill(skip, 1.0)
    dc_now = torch.zeros_like(g[0]) if dc is None else dc.t().clone(memory_format=torch.contiguous_format)
    gs, whole, of_h = g.unbind(0), factors.unbind(0), factors[:, :size].unbind(0)
    of_c = factors[:, size:].unflatten(1, (3, size)).unbind(0)
    scratch = torch.empty_like(gs[0])
    for t in range(steps - 1, -1, -1):
        dh, before = gs[t + 1], gs[t]
        dc_now.addcmul_(dh, through[t])
        of_h[t].mul_(dh)
        of_c[t].mul_(dc_now)
        dc_now.mul_(f[t])
        if d is None:
            before.addmm_(w, whole[t])
        else:
            before.addcmul_(torch.mm(w, whole[t], out=scratch), d)
        if carry is not None:
            before.addcmul_(dh, carry[t])
    return factors, dc_now


def _differentiable_gradient(ctx: Any, inputs: Any, grads: Any) -> tuple[Tensor | None, ...]:
    """The same gradients as a differentiable function of the inputs, through the readable scan."""
    x, h, c, d_h, mask, w_x, w_h, bias, bias_h = inputs
    state = h if c is None else (h, c)
    weights = Weights(w_x, w_h, bias, bias_h)
    y, last = reference_scan(ctx.cell, x, state, weights, mask=mask, recurrent_mask=d_h, last_only=ctx.last_only)
    results = [None if ctx.last_only else y, *(last if isinstance(last, tuple) else (last, None))]
    pairs = [(r, g) for r, g in zip(results, grads, strict=True) if r is not None and g is not None]
    wanted = [i for i, needs in enumerate(ctx.needs_input_grad[2:]) if needs]
    found = torch.autograd.grad(
        [r for r, _ in pairs], [inputs[i] for i in wanted], [g for _, g in pairs], create_graph=True, allow_unused=True
    )
    out: list[Tensor | None] = [None] * len(inputs)
    for i, gradient in zip(wanted, found, strict=True):
        out[i] = gradient
    return tuple(out)
