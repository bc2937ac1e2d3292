"""The readable scan: the loop over time that runs every recurrent cell with every option in plain PyTorch. The oracle
for the others.

One step of each cell stands beside its formula in `ops.equations`; here are zoneout (ζ), masks, direction and time.
float32 or float64, any device, differentiable twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqloom.ops.activations import activation_function
from seqloom.ops.call import Call, State
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.equations import Step, normed, product
from seqloom.ops.kinds import kind_of
from seqloom.ops.philox import STREAM_CANDIDATE, STREAM_CELL, STREAM_HIDDEN, events

__all__ = ["State", "reference_scan", "run"]


def _stay(old: Tensor, new: Tensor, zeta: Tensor | float | None, keep: Tensor | None) -> Tensor:
    """Zoneout, then the mask: s = ζ⊙s_{t−1} + (1−ζ)⊙s', and s_{t−1} itself where the step is masked."""
    if zeta is not None:
        new = zeta * old + (1 - zeta) * new
    # Chosen, not multiplied: NaN in a masked step would survive a product with 0.
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

        # Zoneout outside training is its mean, so it has no scale; dropout below is scaled while training instead.
        self.zoneout: Tensor | float | None = cell.zoneout or None
        self.zoneout_cell: Tensor | float | None = cell.zoneout_cell or None
        self.candidate: Tensor | None = None
        if training and cell.zoneout:
            # h has the width of the projection, c that of the cell.
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


def reference_scan(cell: Cell, x: Tensor, state: State, weights: Weights, **options: Any) -> tuple[Tensor, State]:
    """Run the cell over time in plain PyTorch; arguments and results as `ops.scan.scan`, already checked."""
    return run(Call(cell, x, state, weights, **options))


def run(call: Call) -> tuple[Tensor, State]:
    """Run a checked call of any kind of cell, with any of its options."""
    cell, weights, x, mask = call.cell, call.weights, call.x, call.mask
    if mask is not None:
        x = x.masked_fill(~mask.unsqueeze(-1), 0.0)  # so that NaN in padding reaches neither states nor gradients
    h, c = call.state if isinstance(call.state, tuple) else (call.state, None)
    phi, psi = activation_function(cell.activation, weights.slope), activation_function(cell.output_activation)
    step = Step(cell, weights, phi, activation_function(cell.gate_activation), psi, call.recurrent_mask)
    equation = kind_of(cell.kind).step
    # x W_x does not depend on the state: one product for the whole sequence, then one slice for each step.
    a = normed(product(x, call.input_mask, weights.w_x, cell.gates), weights.gain_x, cell)
    a = a if weights.bias is None else a + weights.bias
    slices = a.unbind(1)
    steps = len(slices)
    draws = _Draws(cell, x, (h.shape[1], weights.w_x.shape[1] // cell.gates), call.rng, call.training)
    outputs: list[Tensor] = []
    for t in reversed(range(steps)) if call.reverse else range(steps):
        dropout = None if draws.candidate is None else draws.candidate[:, t]
        h_new, c_new = equation(step, slices[t], h, c, dropout)
        keep = None if mask is None else mask[:, t : t + 1]
        h = _stay(h, h_new, draws.at(draws.zoneout, t), keep)
        if c is not None and c_new is not None:
            c = _stay(c, c_new, draws.at(draws.zoneout_cell, t), keep)
        if not call.last_only:
            outputs.append(h)
    if steps == 0:  # outputs never alias inputs
        h, c = h.clone(), None if c is None else c.clone()
    if call.last_only:
        y = h.clone()
    elif outputs:
        y = torch.stack(outputs[::-1] if call.reverse else outputs, dim=1)
    else:
        y = h.unsqueeze(1)[:, :0] + weights.w_h.sum()  # nothing, but differentiable like every other result
    return y, (h if c is None else (h, c))
