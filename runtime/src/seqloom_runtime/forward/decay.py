"""GRU-D: gated units whose inputs and state decay towards their means while nothing is measured.

Source: Che et al. (2018), Scientific Reports 8:6085, equations 3 to 14. At a step the body reads, for each of D
columns, side by side: the last value x' that was measured until then, m = 1 where it was measured now, and δ, the time
since it was measured before:

    γ_x = exp(−max(0, w_x ⊙ δ + b_x))         γ_h = exp(−max(0, W_h δ + b_h))
    x̂ = m ⊙ x' + (1 − m) ⊙ γ_x ⊙ x'           h ← γ_h ⊙ h
    r = σ(W_r x̂ + U_r h + V_r m + b_r)        z = σ(W_z x̂ + U_z h + V_z m + b_z)
    n = tanh(W_n x̂ + U_n (r ⊙ h) + V_n m + b_n)
    h = (1 − z) ⊙ h + z ⊙ n
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from .activations import relu, sigmoid
from .arrays import Arrays
from .bodies import Body
from .linear import Linear, Matrix
from .registry import BodyKind, register_body
from .scan import checked, checked_mask
from .spec import BodySpec

__all__ = ["DecayBody"]


class DecayBody(Body):
    """GRU-D over x (B, T, 3 D): the last values, the mask and the times since the last measurement, see the module.

    Raises SettingError where the inputs are not three for each column.
    """

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        if spec.inputs % 3:
            raise SettingError(f"inputs: gru-d reads three numbers for each column, got {spec.inputs} inputs.")
        columns, units = spec.inputs // 3, spec.units
        self.input_rate, self.input_bias = arrays.take("input_rate", columns), arrays.take("input_bias", columns)
        self.state_rate = Linear(arrays.at("state_rate."), columns, units)
        self.read = Linear(arrays.at("read."), 2 * columns, 3 * units)  # W and V of r, z, n
        self.gates = Matrix(arrays.take("gates", 2 * units, units))  # U_r, U_z
        self.candidate = Matrix(arrays.take("candidate", units, units))  # U_n

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, 3 D) → (B, T, units); a masked step leaves the state as it was and repeats it."""
        return self._run(x, mask, self.initial_state(len(x)))[0]

    def carry(self, x: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """The features of a piece, and the state h (B, units) after it."""
        start = self.initial_state(len(x)) if state is None else checked("state", state, (len(x), self.spec.units))
        return self._run(x, None, start)

    def initial_state(self, rows: int) -> np.ndarray:
        """The state at the start of `rows` sequences, zeros (B, units)."""
        return np.zeros((rows, self.spec.units), dtype=np.float32)

    def _run(self, x: np.ndarray, mask: np.ndarray | None, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = checked("x", x, (None, None, self.spec.inputs))
        if mask is not None:
            mask = checked_mask(mask, x)
            x = np.where(mask[:, :, None], x, np.float32(0))  # what stands there, NaN included, must reach nothing
        value, measured, since = np.split(x, 3, axis=2)
        decay_x = np.exp(-relu(self.input_rate * since + self.input_bias))
        seen = value * (measured + (1.0 - measured) * decay_x)
        decay_h = np.exp(-relu(self.state_rate(since)))
        # All that doesn't hang on the state, for all steps at once.
        units = self.spec.units
        read = self.read(np.concatenate([seen, measured], axis=2))
        states = np.empty((*x.shape[:2], units), dtype=np.float32)
        for t in range(x.shape[1]):
            before = decay_h[:, t] * h
            r, z = np.split(sigmoid(read[:, t, : 2 * units] + self.gates.of(before)), 2, axis=1)
            n = np.tanh(read[:, t, 2 * units :] + self.candidate.of(r * before))
            after = before + z * (n - before)
            h = after if mask is None else np.where(mask[:, t, None], after, h)
            states[:, t] = h
        return states, h.copy()


register_body(BodyKind("gru-d", DecayBody, options=("units", "pooling")))
