"""The gradient of the fused scan: two or three operations a step, everything else for a block of steps at once.

What a gate's pre-activation receives is the gradient of the state times a factor that depends on the forward pass
alone, and the factors are computed block-wise. For the GRU, with dh the gradient of h_t:
da_n = dh⊙(1−z)⊙φ'(a_n),  du_n = da_n⊙r,  da_r = da_n⊙u_n⊙σ'(a_r),  da_z = dh⊙(h_{t−1}−n)⊙σ'(a_z).
A masked step has factors of 0. Weight gradients are one product over the steps of a block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqloom.ops.activations import Activation, slope_from_value
from seqloom.ops.cell import Cell
from seqloom_runtime.errors import BackendError

__all__ = ["LSTM_INSIDE", "LSTM_OUTSIDE", "Tape", "gradient", "move_blocks"]

LSTM_INSIDE, LSTM_OUTSIDE = (3, 0, 1, 2), (1, 2, 3, 0)  # i,f,g,o → o,i,f,g needs (3, 0, 1, 2); and back


@dataclass
class Tape:
    """What the forward pass leaves: (T, rows, B) each; hs and cs (T+1, H, B) with the initial state first."""

    x: Tensor
    gates: Tensor
    hs: Tensor
    extra: Tensor | None = None  # GRU: u_n; LSTM: φ(c')
    cs: Tensor | None = None


def move_blocks(w: Tensor, order: tuple[int, ...]) -> Tensor:
    """The blocks of the last axis in another order: new block k is old block order[k]."""
    blocks = w.chunk(len(order), dim=-1)
    return torch.cat([blocks[k] for k in order], dim=-1)


def _slope(name: Activation) -> Callable[[Tensor], Tensor]:
    assert isinstance(name, str)
    return slope_from_value(name)


def _elman_factors(cell: Cell, tape: Tape, block: slice) -> Tensor:
    return _slope(cell.activation)(tape.hs[1:][block])


def _gru_factors(cell: Cell, tape: Tape, block: slice) -> Tensor:
    """The factors of dh in order u_n, a_r, a_z, a_n: (steps, 4H, B)."""
    assert tape.extra is not None
    # In this order the first three blocks are what h̃ W_h received and the last three what x̃ W_x received: no copy.
    r, z, n = tape.gates[block].chunk(3, dim=1)
    phi, sigma = _slope(cell.activation), _slope(cell.gate_activation)
    factors = tape.gates.new_empty(r.shape[0], 4 * r.shape[1], r.shape[2])
    f_u, f_r, f_z, f_n = factors.chunk(4, dim=1)
    torch.mul(phi(n), 1 - z, out=f_n)
    torch.mul(f_n, r, out=f_u)
    torch.mul(f_n, tape.extra[block], out=f_r).mul_(sigma(r))
    torch.sub(tape.hs[block], n, out=f_z).mul_(sigma(z))
    return factors


def _lstm_factors(cell: Cell, tape: Tape, block: slice) -> tuple[Tensor, Tensor]:
    """The factors of dh in a_o and of dc in a_i, a_f, a_g: (steps, 4H, B); and that of dh in c': (steps, H, B)."""
    assert tape.extra is not None
    assert tape.cs is not None
    shown = tape.extra[block]
    o, i, f, g = tape.gates[block].chunk(4, dim=1)
    phi, sigma = _slope(cell.activation), _slope(cell.gate_activation)
    factors = torch.empty_like(tape.gates[block])
    f_o, f_i, f_f, f_g = factors.chunk(4, dim=1)
    torch.mul(sigma(o), shown, out=f_o)
    torch.mul(sigma(i), g, out=f_i)
    torch.mul(sigma(f), tape.cs[block], out=f_f)
    torch.mul(phi(g), i, out=f_g)
    return factors, phi(shown).mul_(o)


class _Sums:
    """Sums over steps and rows that make the weight gradients, added block by block."""

    def __init__(self) -> None:
        self.totals: dict[str, Tensor] = {}

    def add(self, name: str, new: Tensor) -> None:
        """Add to a total."""
        if name in self.totals:
            self.totals[name] += new
        else:
            self.totals[name] = new

    def add_products(self, name: str, v: Tensor, d: Tensor) -> None:
        """Add Σ v_t d_tᵀ over the steps: v (steps, rows, B), d (steps, columns, B) → (rows, columns)."""
        # Steps and rows side by side: one large product instead of one a step.
        left = v.transpose(0, 1).reshape(v.shape[1], -1)
        right = d.transpose(0, 1).reshape(d.shape[1], -1)
        if name in self.totals:
            self.totals[name].addmm_(left, right.t())
        else:
            self.totals[name] = left @ right.t()


_BLOCK_BYTES = 1 << 19  # factors of one block of steps: what fits the second-level cache


def gradient(cell: Cell, tape: Tape, inputs: Any, grads: Any, needed: Any) -> tuple[Tensor | None, ...]:
    """Gradients in the order of the inputs, block of steps by block of steps from the end."""
    (x, _, c, d_h, mask, w_x, w_h, bias, bias_h), (dy, dh, dc) = inputs, grads
    back = _Back(cell, tape, w_h, d_h, mask)
    if dy is not None:
        # g[0] is the gradient of the initial state, which is no output.
        back.g[1:] = dy.permute(1, 2, 0)
    if dh is not None:
        back.g[-1] += dh.t()
    if c is not None:
        back.dc = torch.zeros_like(back.g[0]) if dc is None else dc.t().clone(memory_format=torch.contiguous_format)
    inside = LSTM_INSIDE if cell.kind == "lstm" else tuple(range(cell.gates))
    w_in = move_blocks(w_x, inside)
    dx = torch.empty_like(x) if needed[0] else None
    sums = _Sums()
    steps, size, rows = tape.hs.shape[0] - 1, tape.hs.shape[1], tape.hs.shape[2]
    length = max(1, _BLOCK_BYTES // (4 * size * rows * tape.hs.element_size()))
    for stop in range(steps, 0, -length):
        block = slice(max(0, stop - length), stop)
        du, da = back.run(block)
        h_d = tape.hs[block] if back.d is None else tape.hs[block] * back.d
        sums.add_products("w_h", h_d, du)
        if needed[5]:
            sums.add_products("w_x", tape.x[block], da)
        if bias is not None:
            sums.add("bias", da.sum((0, 2)))
        if bias_h is not None:
            sums.add("bias_h", du.sum((0, 2)))
        if dx is not None:
            dx[:, block] = torch.matmul(w_in, da).permute(2, 0, 1)
    # From here on in the orders that the weights have outside.
    a_out = LSTM_OUTSIDE if cell.kind == "lstm" else inside
    u_out = (1, 2, 0) if cell.kind == "gru" else a_out  # du of the GRU comes as n, r, z
    order = {"w_x": a_out, "bias": a_out, "w_h": u_out, "bias_h": u_out}
    found = {name: move_blocks(total, order[name]) for name, total in sums.totals.items()}
    dc_first = None if back.dc is None else back.dc.t()
    weights = (found.get(name) for name in ("w_x", "w_h", "bias", "bias_h"))
    return dx, back.g[0].t(), dc_first, None, None, *weights


class _Back:
    """The loop backwards; g (T+1, H, B) collects the gradient of every h, dc (H, B) is that of the current c."""

    def __init__(self, cell: Cell, tape: Tape, w_h: Tensor, d_h: Tensor | None, mask: Tensor | None):
        # W_h in the order in which du comes: n, r, z of the GRU; o, i, f, g of the LSTM.
        order = {"gru": (2, 0, 1), "lstm": LSTM_INSIDE}.get(cell.kind)
        self.cell, self.tape = cell, tape
        self.w = w_h.contiguous() if order is None else move_blocks(w_h, order)
        self.d = None if d_h is None else d_h.t().contiguous()
        self.skip = None if mask is None else ~mask.t().unsqueeze(1)
        self.g = torch.zeros_like(tape.hs)
        self.dc: Tensor | None = None
        self.scratch = torch.empty_like(self.g[0])

    def run(self, block: slice) -> tuple[Tensor, Tensor]:
        """Go through the block's steps; return du, what h̃ W_h received, and da, what x̃ W_x received."""
        size = self.g.shape[1]
        skip = None if self.skip is None else self.skip[block]
        if self.cell.kind == "lstm":
            factors = self._lstm(block, skip)
            return factors, factors
        if self.cell.kind == "elman":
            factors, kept = _elman_factors(self.cell, self.tape, block), None
            parts = (factors, factors)
        elif self.cell.kind == "gru":
            factors, kept = _gru_factors(self.cell, self.tape, block), self.tape.gates[block, size : 2 * size]
            parts = (factors[:, : 3 * size], factors[:, size:])
        else:
            # A cell that has a loop in `fused_scan` and no gradient here must not run as another one.
            raise BackendError(f"the fused engine has no gradient of the {self.cell.kind} cell.")
        if skip is not None:
            factors.masked_fill_(skip, 0.0)
            kept = skip.to(factors.dtype) if kept is None else kept.masked_fill(skip, 1.0)
        keeps = None if kept is None else kept.unbind(0)
        stacked = factors.unflatten(1, (-1, size)).unbind(0)
        received, gs = parts[0].unbind(0), self.g[block.start : block.stop + 1].unbind(0)
        for t in range(len(received) - 1, -1, -1):
            stacked[t].mul_(gs[t + 1])
            self._pass_on(gs[t], received[t])
            if keeps is not None:  # the part of h_t that is h_{t−1} itself
                gs[t].addcmul_(gs[t + 1], keeps[t])
        return parts

    def _lstm(self, block: slice, skip: Tensor | None) -> Tensor:
        """The same for the LSTM, whose c carries a gradient of its own; gates o, i, f, g."""
        assert self.dc is not None
        size = self.g.shape[1]
        factors, through = _lstm_factors(self.cell, self.tape, block)
        f = self.tape.gates[block, 2 * size : 3 * size]
        keeps = None
        if skip is not None:
            factors.masked_fill_(skip, 0.0)
            through.masked_fill_(skip, 0.0)
            # A masked step hands on c whole.
            f = f.masked_fill(skip, 1.0)
            keeps = skip.to(factors.dtype).unbind(0)
        gs, dc = self.g[block.start : block.stop + 1].unbind(0), self.dc
        of_c = factors[:, size:].unflatten(1, (3, size))
        rows = zip(factors.unbind(0), factors[:, :size].unbind(0), of_c.unbind(0), through.unbind(0), f.unbind(0))
        for t, (received, to_o, to_ifg, to_c, f_t) in reversed(list(enumerate(rows))):
            dc.addcmul_(gs[t + 1], to_c)
            to_o.mul_(gs[t + 1])
            to_ifg.mul_(dc)
            # Last, as from here on it is the gradient of c_{t−1}.
            dc.mul_(f_t)
            self._pass_on(gs[t], received)
            if keeps is not None:
                gs[t].addcmul_(gs[t + 1], keeps[t])
        return factors

    def _pass_on(self, before: Tensor, received: Tensor) -> None:
        """Add to the gradient of h_{t−1} what comes through (h_{t−1}⊙d_h) W_h."""
        if self.d is None:
            before.addmm_(self.w, received)
        else:
            before.addcmul_(torch.mm(self.w, received, out=self.scratch), self.d)
