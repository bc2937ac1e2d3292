"""GRU-D: gated units whose inputs and state decay towards their means while nothing is measured.

Source: Che et al. (2018), Recurrent neural networks for multivariate time series with missing values, Scientific
Reports 8:6085, equations 3 to 14. At a step the body reads, for each of D columns, side by side: the last value x'
that was measured until then (standardised, so that its mean is 0; 0 before the first), m = 1 where it was measured
now, and δ, the time since it was measured before:

    γ_x = exp(−max(0, w_x ⊙ δ + b_x))         γ_h = exp(−max(0, W_h δ + b_h))
    x̂ = m ⊙ x' + (1 − m) ⊙ γ_x ⊙ x'           h ← γ_h ⊙ h
    r = σ(W_r x̂ + U_r h + V_r m + b_r)        z = σ(W_z x̂ + U_z h + V_z m + b_z)
    n = tanh(W_n x̂ + U_n (r ⊙ h) + V_n m + b_n)
    h = (1 − z) ⊙ h + z ⊙ n
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError

from ...nn.initialisers import orthogonal
from .body import Body, Seed
from .heads import seeded_linear
from .registry import body_kind, register_body
from .spec import BodySpec

__all__ = ["DecayBody"]


class DecayBody(Body):
    """GRU-D over x (B, T, 3 D): the last values, the mask and the times since the last measurement, see the module.

    Raises SettingError where the inputs are not three for each column.
    """

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        if spec.inputs % 3:
            raise SettingError(f"inputs: gru-d reads three numbers for each column, got {spec.inputs} inputs.")
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        columns, units = spec.inputs // 3, spec.units
        # Rates of decay begin at 0 with a gradient on the side that decays: max(0, ·) would be dead below 0.
        self.input_rate = nn.Parameter(torch.empty(columns).uniform_(0.0, 0.2, generator=generator))
        self.input_bias = nn.Parameter(torch.zeros(columns))
        self.state_rate = seeded_linear(columns, units, generator)
        nn.init.uniform_(self.state_rate.weight, 0.0, 0.2 / columns, generator=generator)
        self.read = seeded_linear(2 * columns, 3 * units, generator)  # W and V of r, z, n
        self.gates = _orthogonal(2, units, generator)  # U_r, U_z
        self.candidate = _orthogonal(1, units, generator)  # U_n

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, 3 D) → (B, T, units); a masked step leaves the state as it was and repeats it."""
        return self._run(x, mask, x.new_zeros(len(x), self.spec.units))[0]

    def carry(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The features of a piece, and the state h (B, units) after it."""
        return self._run(x, None, x.new_zeros(len(x), self.spec.units) if state is None else state)

    def _run(self, x: Tensor, mask: Tensor | None, h: Tensor) -> tuple[Tensor, Tensor]:
        if mask is not None:
            x = torch.where(mask[:, :, None], x, 0.0)  # what stands there, NaN included, must reach nothing
        value, measured, since = x.chunk(3, dim=2)
        decay_x = torch.exp(-torch.relu(self.input_rate * since + self.input_bias))
        seen = value * (measured + (1.0 - measured) * decay_x)
        decay_h = torch.exp(-torch.relu(self.state_rate(since)))
        # All that doesn't hang on the state, for all steps at once.
        from_r_z, from_n = self.read(torch.cat([seen, measured], dim=2)).split(
            [2 * self.spec.units, self.spec.units], dim=2
        )
        states = []
        for t in range(x.shape[1]):
            before = decay_h[:, t] * h
            r, z = torch.sigmoid(from_r_z[:, t] + before @ self.gates.T).chunk(2, dim=1)
            n = torch.tanh(from_n[:, t] + (r * before) @ self.candidate.T)
            after = before + z * (n - before)
            h = after if mask is None else torch.where(mask[:, t, None], after, h)
            states.append(h)
        if not states:
            return x.new_zeros(len(x), 0, self.spec.units), h
        return torch.stack(states, dim=1), h


def _orthogonal(blocks: int, units: int, generator: torch.Generator) -> nn.Parameter:
    """(blocks · units, units), each block orthogonal, as recurrent weights begin elsewhere in the library."""
    weights = torch.empty(blocks * units, units)
    for block in weights.split(units):
        orthogonal(block, generator)
    return nn.Parameter(weights)


register_body(
    body_kind(
        "gru-d",
        "gated units whose inputs and state decay while nothing is measured (GRU-D)",
        "records with gaps at irregular times",
        DecayBody,
    )
)
