"""One step of each recurrent cell in plain PyTorch, beside its formula: what the reference engine runs.

Symbols as in ARCHITECTURE.md, Conventions: σ gate activation, φ activation, ψ output activation, ⊙ element-wise, LN
layer norm with gain, d_x and d_h the variational masks, x̃ = x_t⊙d_x, h̃ = h_{t−1}⊙d_h. Every step takes

    step  the cell, its weights, its activations, d_h
    a     LN_x(x̃ W_x) + b of this step, (B, G·H): it hangs on the inputs alone, and is made for all steps at once
    h, c  the state before, (B, S) and (B, H); c is None for a cell that carries one tensor
    d_g   the candidate's dropout, (B, H), or None

and returns the state after, (h', c'). Zoneout and the mask come afterwards, alike for every cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from seqloom.ops.cell import Cell, Weights

__all__ = ["Step", "elman", "gru", "jordan", "lstm", "normed", "product"]


@dataclass(frozen=True)
class Step:
    """What a step may need besides its arrays."""

    cell: Cell
    weights: Weights
    phi: Callable[[Tensor], Tensor]
    sigma: Callable[[Tensor], Tensor]
    psi: Callable[[Tensor], Tensor]
    recurrent_mask: Tensor | None  # d_h: (B, S), or (B, G, S) with a mask for each gate

    def product_h(self, h: Tensor) -> Tensor:
        """u = LN_h(h̃ W_h) [+ b_h] of shape (B, G·H)."""
        u = product(h, self.recurrent_mask, self.weights.w_h, self.cell.gates)
        # Norm before bias: b_h is the shift that a norm without one leaves out.
        u = normed(u, self.weights.gain_h, self.cell)
        return u if self.weights.bias_h is None else u + self.weights.bias_h


def product(v: Tensor, mask: Tensor | None, w: Tensor, gates: int) -> Tensor:
    """(v ⊙ d) W over the last axis; d has one row for all gates (B, ·) or one for each gate (B, G, ·)."""
    if mask is None:
        return v @ w
    between = (1,) * (v.dim() - 2)  # d is constant in time
    if mask.dim() == 2:
        return (v * mask.view(mask.shape[0], *between, mask.shape[1])) @ w
    # A product for each gate: every gate sees inputs dropped by a mask of its own.
    blocks = w.chunk(gates, dim=1)
    rows = [mask[:, k].reshape(mask.shape[0], *between, mask.shape[2]) for k in range(gates)]
    return torch.cat([(v * d) @ block for d, block in zip(rows, blocks, strict=True)], dim=-1)


def normed(a: Tensor, gain: Tensor | None, cell: Cell) -> Tensor:
    """LN(a) over the last axis with a gain and no shift; the identity without layer norm."""
    if not cell.layer_norm:
        return a
    # Ba et al., arXiv 1607.06450; no shift, as the bias that follows is one.
    return functional.layer_norm(a, a.shape[-1:], gain, None, cell.epsilon)


def elman(step: Step, a: Tensor, h: Tensor, c: Tensor | None, d_g: Tensor | None) -> tuple[Tensor, None]:
    """h' = φ(LN_x(x̃ W_x) + LN_h(h̃ W_h) + b)."""
    return step.phi(a + step.product_h(h)), None


def jordan(step: Step, a: Tensor, h: Tensor, c: Tensor | None, d_g: Tensor | None) -> tuple[Tensor, None]:
    """hidden = φ(x̃ W_x + (y_{t−1}⊙d_h) U + b), y_t = ψ(hidden V + c); the state h is y."""
    hidden = step.phi(a + step.product_h(h))
    assert step.weights.w_out is not None
    out = hidden @ step.weights.w_out
    return step.psi(out if step.weights.bias_out is None else out + step.weights.bias_out), None


def gru(step: Step, a: Tensor, h: Tensor, c: Tensor | None, d_g: Tensor | None) -> tuple[Tensor, None]:
    """r = σ(a_r + u_r), z = σ(a_z + u_z), n = φ(a_n + r⊙u_n)⊙d_g, h' = (1−z)⊙n + z⊙h_{t−1}."""
    a_r, a_z, a_n = a.chunk(3, dim=1)
    if step.cell.reset_after:
        u_r, u_z, u_n = step.product_h(h).chunk(3, dim=1)
        r, z = step.sigma(a_r + u_r), step.sigma(a_z + u_z)
        n = step.phi(a_n + r * u_n)
    else:
        r, z, n = _gru_reset_before(step, a_r, a_z, a_n, h)
    if d_g is not None:
        n = n * d_g
    # z keeps the old state, as in Cho et al., torch and Keras; others write 1 − z there.
    return (1 - z) * n + z * h, None


def _gru_reset_before(step: Step, a_r: Tensor, a_z: Tensor, a_n: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same r and z; n = φ(a_n + (r⊙h̃) W_hn [+ b_hn])."""
    weights, mask, size = step.weights, step.recurrent_mask, a_r.shape[1]
    # No layer norm on this road: `Cell` refuses it with reset_after=False.
    per_gate = mask is not None and mask.dim() == 3
    gates = product(h, mask[:, :2] if mask is not None and per_gate else mask, weights.w_h[:, : 2 * size], 2)
    if weights.bias_h is not None:
        gates = gates + weights.bias_h[: 2 * size]
    r, z = step.sigma(a_r + gates[:, :size]), step.sigma(a_z + gates[:, size:])
    candidate = product(r * h, mask[:, 2] if mask is not None and per_gate else mask, weights.w_h[:, 2 * size :], 1)
    if weights.bias_h is not None:
        # Not scaled by r, unlike with reset_after: here the gate acts on the state, before the product.
        candidate = candidate + weights.bias_h[2 * size :]
    return r, z, step.phi(a_n + candidate)


def lstm(step: Step, a: Tensor, h: Tensor, c: Tensor | None, d_g: Tensor | None) -> tuple[Tensor, Tensor]:
    """One step of the LSTM.

    i = σ(a_i + p_i⊙c), f = σ(a_f + p_f⊙c), g = φ(a_g)⊙d_g, c' = clip(f⊙c + i⊙g), o = σ(a_o + p_o⊙c'),
    h' = (o⊙φ(LN_c(c'))) W_p.
    """
    cell, weights = step.cell, step.weights
    assert c is not None
    a = a + step.product_h(h)
    if cell.coupled:
        a_f, a_g, a_o = a.chunk(3, dim=1)
        a_i = None
    else:
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    p_i = p_f = p_o = None
    if weights.peephole is not None:
        # Coupled cells have no p_i, as they have no a_i.
        *p_i_or_none, p_f, p_o = weights.peephole.unbind(0)
        p_i = p_i_or_none[0] if p_i_or_none else None
    f = step.sigma(a_f if p_f is None else a_f + p_f * c)
    if a_i is None:
        i = 1 - f
    else:
        i = step.sigma(a_i if p_i is None else a_i + p_i * c)
    g = step.phi(a_g)
    if d_g is not None:
        # The candidate alone: what c already remembers is never dropped (Semeniuta et al., arXiv 1603.05118).
        g = g * d_g
    c_new = f * c + i * g
    if cell.cell_clip is not None:
        c_new = c_new.clamp(-cell.cell_clip, cell.cell_clip)
    # o looks at the new c, unlike i and f (Gers et al., 2002).
    o = step.sigma(a_o if p_o is None else a_o + p_o * c_new)
    # The norm shows c to the output only: the c that is carried on stays as it is (Ba et al.).
    h_new = o * step.phi(normed(c_new, weights.gain_c, cell))
    return (h_new if weights.w_p is None else h_new @ weights.w_p), c_new
