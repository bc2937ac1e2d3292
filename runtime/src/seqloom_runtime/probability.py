"""Numbers of any sign as probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["logistic", "softmax"]


def softmax(logits: Any, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (N, K) of logits (N, K) divided by the temperature: above 1 softens, below 1 sharpens.

    >>> softmax([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """
    z = np.asarray(logits, dtype=np.float64) / temperature
    # Less the maximum, so that exp can't overflow; the ratio is the same.
    z = np.exp(z - z.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


def logistic(logits: Any) -> np.ndarray:
    """σ(o), float64.

    >>> logistic([0.0, -1000.0]).tolist()
    [0.5, 0.0]
    """
    # Through tanh: e^(−o) would overflow for logits far below 0.
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64)))
