"""The readable scan: every recurrent cell with every option in plain PyTorch, beside its formula. The oracle for the
others.

Symbols as in ARCHITECTURE.md, Conventions: σ gate activation, φ activation, ⊙ element-wise, LN layer norm with gain,
d_x and d_h the variational masks, ζ zoneout, x̃ = x_t⊙d_x, h̃ = h_{t−1}⊙d_h. float32 or float64, any device,
differentiable twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom.ops.activations import activation_function
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.philox import STREAM_CANDIDATE, STREAM_CELL, STREAM_HIDDEN, events

__all__ = ["State", "reference_scan"]

State = Tensor | tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Step:
    """What one step may need besides its arrays."""

    cell: Cell
    weights: Weights
    phi: Callable[[Tensor], Tensor]
    sigma: Callable[[Tensor], Tensor]
    recurrent_mask: Tensor | None  # d_h: (B, S), or (B, G, S) with a mask for each gate

    def product_h(self, h: Tensor) -> Tensor:
        """u = LN_h(h̃ W_h) [+ b_h] of shape (B, G·H)."""
        u = _product(h, self.recurrent_mask, self.weights.w_h, self.cell.gates)
        u = _norm(u, self.weights.gain_h, self.cell)
        return u if self.weights.bias_h is None else u + self.weights.bias_h


def _product(v: Tensor, mask: Tensor | None, w: Tensor, gates: int) -> Tensor:
    """(v ⊙ d) W over the last axis; d has one row for all gates (B, ·) or one for each gate (B, G, ·)."""
    if mask is None:
        return v @ w
    between = (1,) * (v.dim() - 2)  # d is constant in time
    if mask.dim() == 2:
        return (v * mask.view(mask.shape[0], *between, mask.shape[1])) @ w
    blocks = w.chunk(gates, dim=1)
    rows = [mask[:, k].reshape(mask.shape[0], *between, mask.shape[2]) for k in range(gates)]
    return torch.cat([(v * d) @ block for d, block in zip(rows, blocks, strict=True)], dim=-1)


def _norm(a: Tensor, gain: Tensor | None, cell: Cell) -> Tensor:
    """LN(a) over the last axis with a gain and no shift; the identity without layer norm."""
    if not cell.layer_norm:
        return a
    return functional.layer_norm(a, a.shape[-1:], gain, None, cell.epsilon)


def _elman(step: _Step, a: Tensor, h: Tensor) -> Tensor:
    """h' = φ(LN_x(x̃ W_x) + LN_h(h̃ W_h) + b)."""
    return step.phi(a + step.product_h(h))


def _jordan(step: _Step, a: Tensor, y: Tensor, psi: Callable[[Tensor], Tensor]) -> Tensor:
    """h' = φ(x̃ W_x + (y_{t−1}⊙d_h) U + b), y_t = ψ(h' V + c)."""
    hidden = step.phi(a + step.product_h(y))
    assert step.weights.w_out is not None
    out = hidden @ step.weights.w_out
    return psi(out if step.weights.bias_out is None else out + step.weights.bias_out)


def _gru(step: _Step, a: Tensor, h: Tensor, dropout: Tensor | None) -> Tensor:
    """r = σ(a_r + u_r), z = σ(a_z + u_z), n = φ(a_n + r⊙u_n)⊙d_g, h' = (1−z)⊙n + z⊙h_{t−1}."""
    a_r, a_z, a_n = a.chunk(3, dim=1)
    if step.cell.reset_after:
        u_r, u_z, u_n = step.product_h(h).chunk(3, dim=1)
        r, z = step.sigma(a_r + u_r), step.sigma(a_z + u_z)
        n = step.phi(a_n + r * u_n)
    else:
        r, z, n = _gru_reset_before(step, a_r, a_z, a_n, h)
    if dropout is not None:
        n = n * dropout
    return (1 - z) * n + z * h


def _gru_reset_before(step: _Step, a_r: Tensor, a_z: Tensor, a_n: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same r and z; n = φ(a_n + (r⊙h̃) W_hn [+ b_hn])."""
    weights, mask, size = step.weights, step.recurrent_mask, a_r.shape[1]
    per_gate = mask is not None and mask.dim() == 3
    gates = _product(h, mask[:, :2] if mask is not None and per_gate else mask, weights.w_h[:, : 2 * size], 2)
    if weights.bias_h is not None:
        gates = gates + weights.bias_h[: 2 * size]
    r, z = step.sigma(a_r + gates[:, :size]), step.sigma(a_z + gates[:, size:])
    candidate = _product(r * h, mask[:, 2] if mask is not None and per_gate else mask, weights.w_h[:, 2 * size :], 1)
    if weights.bias_h is not None:
        candidate = candidate + weights.bias_h[2 * size :]
    return r, z, step.phi(a_n + candidate)


def _lstm(step: _Step, a: Tensor, h: Tensor, c: Tensor, dropout: Tensor | None) -> tuple[Tensor, Tensor]:
    """One step of the LSTM.

    i = σ(a_i + p_i⊙c), f = σ(a_f + p_f⊙c), g = φ(a_g)⊙d_g, c' = clip(f⊙c + i⊙g), o = σ(a_o + p_o⊙c'),
    h' = (o⊙φ(LN_c(c'))) W_p.
    """
    cell, weights = step.cell, step.weights
    a = a + step.product_h(h)
    if cell.coupled:
        a_f, a_g, a_o = a.chunk(3, dim=1)
        a_i = None
    else:
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    p_i = p_f = p_o = None
    if weights.peephole is not None:
        *p_i_or_none, p_f, p_o = weights.peephole.unbind(0)
        p_i = p_i_or_none[0] if p_i_or_none else None
    f = step.sigma(a_f if p_f is None else a_f + p_f * c)
    if a_i is None:
        i = 1 - f
    else:
        i = step.sigma(a_i if p_i is None else a_i + p_i * c)
    g = step.phi(a_g)
    if dropout is not None:
        g = g * dropout
    c_new = f * c + i * g
    if cell.cell_clip is not None:
        c_new = c_new.clamp(-cell.cell_clip, cell.cell_clip)
    o = step.sigma(a_o if p_o is None else a_o + p_o * c_new)
    h_new = o * step.phi(_norm(c_new, weights.gain_c, cell))
    return (h_new if weights.w_p is None else h_new @ weights.w_p), c_new


def _stay(old: Tensor, new: Tensor, zeta: Tensor | float | None, keep: Tensor | None) -> Tensor:
    """Zoneout, then the mask: s = ζ⊙s_{t−1} + (1−ζ)⊙s', and s_{t−1} itself where the step is masked."""
    if zeta is not None:
        new = zeta * old + (1 - zeta) * new
    return new if keep is None else torch.where(keep, new, old)


class _Draws:
    """The random numbers of all steps of one scan: ζ for h and c, the candidate's dropout; means outside training."""

    def __init__(self, cell: Cell, like: Tensor, sizes: tuple[int, int], random: StepRandom | None, training: bool):
        rows, steps = like.shape[:2]
        width, hidden = sizes

        def draw(stream: int, units: int, probability: float) -> Tensor:
            assert random is not None
            drawn: np.ndarray = events(random, stream, rows, steps, units, probability)
            return torch.from_numpy(drawn).to(device=like.device, dtype=like.dtype)

        self.zoneout: Tensor | float | None = cell.zoneout or None
        self.zoneout_cell: Tensor | float | None = cell.zoneout_cell or None
        self.candidate: Tensor | None = None
        if training and cell.zoneout:
            self.zoneout = draw(STREAM_HIDDEN, width, cell.zoneout)
        if training and cell.zoneout_cell:
            self.zoneout_cell = draw(STREAM_CELL, hidden, cell.zoneout_cell)
        if training and cell.candidate_dropout:
            dropped = draw(STREAM_CANDIDATE, hidden, cell.candidate_dropout)
            self.candidate = (1 - dropped) / (1 - cell.candidate_dropout)

    @staticmethod
    def at(value: Tensor | float | None, t: int) -> Tensor | float | None:
        """The draw of step t, or the mean."""
        return value[:, t] if isinstance(value, Tensor) else value


def reference_scan(
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
    """Run the cell over time in plain PyTorch; arguments and results as `ops.scan.scan`, already checked."""
    if mask is not None:
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)  # so that NaN in padding reaches neither states nor gradients
    h, c = state if isinstance(state, tuple) else (state, None)
    phi = activation_function(cell.activation, weights.slope)
    psi = activation_function(cell.output_activation)
    step = _Step(cell, weights, phi, activation_function(cell.gate_activation), recurrent_mask)
    # x W_x does not depend on the state: one product for the whole sequence, then one slice for each step.
    a = _norm(_product(x, input_mask, weights.w_x, cell.gates), weights.gain_x, cell)
    a = a if weights.bias is None else a + weights.bias
    slices = a.unbind(1)
    steps = len(slices)
    draws = _Draws(cell, x, (h.shape[1], weights.w_x.shape[1] // cell.gates), rng, training)
    outputs: list[Tensor] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        dropout = None if draws.candidate is None else draws.candidate[:, t]
        c_new = None
        if c is not None:
            h_new, c_new = _lstm(step, slices[t], h, c, dropout)
        elif cell.kind == "gru":
            h_new = _gru(step, slices[t], h, dropout)
        elif cell.kind == "elman":
            h_new = _elman(step, slices[t], h)
        else:
            h_new = _jordan(step, slices[t], h, psi)
        keep = None if mask is None else mask[:, t : t + 1]
        h = _stay(h, h_new, draws.at(draws.zoneout, t), keep)
        if c is not None and c_new is not None:
            c = _stay(c, c_new, draws.at(draws.zoneout_cell, t), keep)
        if not last_only:
            outputs.append(h)
    if steps == 0:  # outputs never alias inputs
        h, c = h.clone(), None if c is None else c.clone()
    if last_only:
        y = h.clone()
    elif outputs:
        y = torch.stack(outputs[::-1] if reverse else outputs, dim=1)
    else:
        y = h.unsqueeze(1)[:, :0] + weights.w_h.sum()  # nothing, but differentiable like every other result
    return y, (h if c is None else (h, c))
