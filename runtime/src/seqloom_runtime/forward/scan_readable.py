"""The readable scan: the loop over time that runs every recurrent cell with every option, in NumPy.

Symbols as in ARCHITECTURE.md, Conventions: σ gate activation, φ activation, ψ output activation, ⊙ element-wise, LN
layer norm with gain, d_x and d_h the variational masks, x̃ = x_t⊙d_x, h̃ = h_{t−1}⊙d_h. A step takes a = LN_x(x̃ W_x) + b
(B, G·H), made for all steps at once, and the state before, h (B, S) and c (B, H) or None; it returns the state after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .activations import activation_of
from .cell import Cell, CellWeights
from .linear import Matrix

__all__ = ["layer_norm", "readable_scan"]

After = tuple[np.ndarray, np.ndarray | None]


def layer_norm(a: np.ndarray, gain: np.ndarray | None, epsilon: float, shift: np.ndarray | None = None) -> np.ndarray:
    """LN(a) over the last axis, with a gain and a shift where they are given: Ba et al., arXiv 1607.06450."""
    # In float64: where all numbers are nearly equal, what is left of them is the rounding of the mean.
    wide = a.astype(np.float64)
    wide -= wide.mean(-1, keepdims=True)
    # The variance over n, not n − 1.
    wide /= np.sqrt(np.square(wide).mean(-1, keepdims=True) + epsilon)
    a = wide.astype(a.dtype)
    a = a if gain is None else a * gain
    return a if shift is None else a + shift


def readable_scan(
    cell: Cell,
    weights: CellWeights,
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray | None,
    mask: np.ndarray | None,
    reverse: bool,
    drops: Any,
    last_only: bool,
) -> tuple[np.ndarray, Any]:
    """As `scan.scan`, for checked arrays; drops: d_x and d_h, or None."""
    if mask is not None:
        x = np.where(mask[:, :, None], x, np.float32(0))  # NaN there must not reach the products
    step = _Step(cell, weights, drops[1])
    a = step.normed(_product(x, drops[0], _blocks(weights.at("w_x"), cell.gates, drops[0])), "gain_x")
    if (bias := weights.get("bias")) is not None:
        a = a + bias
    steps = x.shape[1]
    h, c = h.copy(), None if c is None else c.copy()
    y = None if last_only else np.empty((len(x), steps, weights.width), dtype=np.float32)
    for t in reversed(range(steps)) if reverse else range(steps):
        after_h, after_c = _EQUATIONS[cell.kind](step, a[:, t], h, c)
        keep = None if mask is None else mask[:, t, None]
        h = _stay(h, after_h, cell.zoneout, keep)
        if c is not None and after_c is not None:
            c = _stay(c, after_c, cell.zoneout_cell, keep)
        if y is not None:
            y[:, t] = h
    return (h.copy() if y is None else y), (h if c is None else (h, c))


def _stay(old: np.ndarray, new: np.ndarray, zeta: float, keep: np.ndarray | None) -> np.ndarray:
    """Zoneout's mean, then the mask: s = ζ s_{t−1} + (1−ζ) s', and s_{t−1} itself where the step is masked."""
    if zeta:
        new = zeta * old + (1.0 - zeta) * new
    # Chosen, not multiplied: NaN in a masked step would survive a product with 0.
    return new if keep is None else np.where(keep, new, old)


def _blocks(w: np.ndarray, gates: int, drop: np.ndarray | None) -> list[Matrix]:
    """W (·, G·H) as one matrix for `_product`, or as one for each gate where each drops inputs of its own."""
    per_gate = drop is not None and drop.ndim == 3
    return [Matrix(block.T) for block in (np.split(w, gates, axis=1) if per_gate else [w])]


def _product(v: np.ndarray, drop: np.ndarray | None, blocks: list[Matrix]) -> np.ndarray:
    """(v ⊙ d) W over the last axis; d has one row for all gates (B, ·) or one for each gate (B, G, ·)."""
    if drop is None:
        return blocks[0].of(v)
    between = (1,) * (v.ndim - 2)  # d is constant in time
    if drop.ndim == 2:
        return blocks[0].of(v * drop.reshape(len(drop), *between, -1))
    rows = [drop[:, k].reshape(len(drop), *between, -1) for k in range(len(blocks))]
    return np.concatenate([block.of(v * d) for d, block in zip(rows, blocks)], axis=-1)


class _Step:
    """What a step needs besides its arrays: the cell, its weights, its activations, d_h."""

    def __init__(self, cell: Cell, weights: CellWeights, drop: np.ndarray | None) -> None:
        self.cell, self.get, self.drop, self.hidden = cell, weights.get, drop, weights.hidden
        self.phi = activation_of(cell.activation, weights.get("slope"))
        self.sigma, self.psi = activation_of(cell.gate_activation), activation_of(cell.output_activation)
        w_h, size = weights.at("w_h"), weights.hidden
        self.w_h = _blocks(w_h, cell.gates, drop)
        if cell.kind == "gru" and not cell.reset_after:
            self.w_rz, self.w_n = _blocks(w_h[:, : 2 * size], 2, drop), [Matrix(w_h[:, 2 * size :].T)]
        behind = weights.get("w_out" if cell.feeds_back else "w_p")
        self.behind = None if behind is None else Matrix(behind.T)

    def normed(self, a: np.ndarray, gain: str) -> np.ndarray:
        """LN(a), the identity without layer norm."""
        return layer_norm(a, self.get(gain), self.cell.epsilon) if self.cell.layer_norm else a

    def product_h(self, h: np.ndarray) -> np.ndarray:
        """u = LN_h(h̃ W_h) [+ b_h] of shape (B, G·H)."""
        u = self.normed(_product(h, self.drop, self.w_h), "gain_h")
        return u if self.get("bias_h") is None else u + self.get("bias_h")  # type: ignore[operator]


def _elman(step: _Step, a: np.ndarray, h: np.ndarray, c: np.ndarray | None) -> After:
    """h' = φ(LN_x(x̃ W_x) + LN_h(h̃ W_h) + b)."""
    return step.phi(a + step.product_h(h)), None


def _jordan(step: _Step, a: np.ndarray, h: np.ndarray, c: np.ndarray | None) -> After:
    """hidden = φ(x̃ W_x + (y_{t−1}⊙d_h) U + b), y_t = ψ(hidden V + c); the state h is y."""
    assert step.behind is not None
    out = step.behind.of(step.phi(a + step.product_h(h)))
    bias = step.get("bias_out")
    return step.psi(out if bias is None else out + bias), None


def _gru(step: _Step, a: np.ndarray, h: np.ndarray, c: np.ndarray | None) -> After:
    """r = σ(a_r + u_r), z = σ(a_z + u_z), n = φ(a_n + r⊙u_n), h' = (1−z)⊙n + z⊙h_{t−1}."""
    a_r, a_z, a_n = np.split(a, 3, axis=1)
    if step.cell.reset_after:
        u_r, u_z, u_n = np.split(step.product_h(h), 3, axis=1)
        r, z = step.sigma(a_r + u_r), step.sigma(a_z + u_z)
        n = step.phi(a_n + r * u_n)
    else:
        r, z, n = _gru_reset_before(step, (a_r, a_z, a_n), h)
    return (1.0 - z) * n + z * h, None


def _gru_reset_before(step: _Step, a: tuple[np.ndarray, ...], h: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same r and z; n = φ(a_n + (r⊙h̃) W_hn [+ b_hn])."""
    drop, size, bias = step.drop, step.hidden, step.get("bias_h")
    per_gate = drop is not None and drop.ndim == 3
    gates = _product(h, drop[:, :2] if drop is not None and per_gate else drop, step.w_rz)
    if bias is not None:
        gates = gates + bias[: 2 * size]
    r, z = step.sigma(a[0] + gates[:, :size]), step.sigma(a[1] + gates[:, size:])
    n = _product(r * h, drop[:, 2] if drop is not None and per_gate else drop, step.w_n)
    # Not scaled by r, unlike with reset_after: here the gate acts on the state, before the product.
    return r, z, step.phi(a[2] + (n if bias is None else n + bias[2 * size :]))


def _lstm(step: _Step, a: np.ndarray, h: np.ndarray, c: np.ndarray | None) -> After:
    """i = σ(a_i + p_i⊙c), f = σ(a_f + p_f⊙c), g = φ(a_g), c' = clip(f⊙c + i⊙g), o = σ(a_o + p_o⊙c'),
    h' = (o⊙φ(LN_c(c'))) W_p."""
    cell, peephole = step.cell, step.get("peephole")
    assert c is not None
    # From the end, as coupled cells have no gate i.
    *a_i, a_f, a_g, a_o = np.split(a + step.product_h(h), cell.gates, axis=1)
    if peephole is not None:
        a_f = a_f + peephole[-2] * c
        a_i = [one + peephole[0] * c for one in a_i]
    f = step.sigma(a_f)
    i = step.sigma(a_i[0]) if a_i else 1.0 - f
    after = f * c + i * step.phi(a_g)
    if cell.cell_clip is not None:
        after = np.clip(after, -cell.cell_clip, cell.cell_clip)
    # o looks at the new c, unlike i and f.
    o = step.sigma(a_o if peephole is None else a_o + peephole[-1] * after)
    out = o * step.phi(step.normed(after, "gain_c"))
    return (out if step.behind is None else step.behind.of(out)), after


_EQUATIONS: Mapping[str, Callable[[_Step, np.ndarray, np.ndarray, np.ndarray | None], After]] = {
    "elman": _elman,
    "jordan": _jordan,
    "gru": _gru,
    "lstm": _lstm,
}
