"""GRU-D in float64 NumPy, one row and one step at a time, straight from Che et al. (2018), equations 3 to 14."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["gru_d"]


def gru_d(weights: Mapping[str, np.ndarray], x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """x (B, T, 3 D) of last values, measured or not, and times since; → states (B, T, H)."""
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    columns, units = x.shape[2] // 3, w["candidate"].shape[0]
    u_r, u_z = w["gates"][:units], w["gates"][units:]
    found = np.zeros((len(x), x.shape[1], units))
    for b, row in enumerate(x.astype(np.float64)):
        h = np.zeros(units)
        for t, step in enumerate(row):
            if mask is None or mask[b, t]:
                last, m, delta = step[:columns], step[columns : 2 * columns], step[2 * columns :]
                gamma_x = np.exp(-np.maximum(0.0, w["input_rate"] * delta + w["input_bias"]))
                gamma_h = np.exp(-np.maximum(0.0, w["state_rate.weight"] @ delta + w["state_rate.bias"]))
                seen = np.where(m > 0, last, gamma_x * last)
                h = gamma_h * h
                read = w["read.weight"] @ np.concatenate([seen, m]) + w["read.bias"]
                r = 1 / (1 + np.exp(-(read[:units] + u_r @ h)))
                z = 1 / (1 + np.exp(-(read[units : 2 * units] + u_z @ h)))
                n = np.tanh(read[2 * units :] + w["candidate"] @ (r * h))
                h = (1 - z) * h + z * n
            found[b, t] = h
    return found
