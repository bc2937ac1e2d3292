"""Activation functions by name, in NumPy: f(a) for an array, a new array of its type.

The formulas are those of ARCHITECTURE.md and of the table in `seqloom.ops.activations`. prelu has a learned slope for
each unit and is asked for with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import SettingError, shown, suggest

__all__ = ["ACTIVATIONS", "CODES", "LEAK", "Activation", "activation_of", "relu", "sigmoid", "softmax", "softplus"]

Activation = Callable[[np.ndarray], np.ndarray]

LEAK = 0.01
"""The slope of leaky_relu below zero."""


def sigmoid(a: np.ndarray) -> np.ndarray:
    """1/(1 + e⁻ᵃ), with all its digits on both sides.

    >>> sigmoid(np.array([-200.0, 0.0, 200.0], dtype=np.float32)).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(a))  # at most 1, so that nothing overflows
    return np.where(a >= 0, 1.0, small) / (1.0 + small)


def relu(a: np.ndarray) -> np.ndarray:
    """max(a, 0)."""
    return np.maximum(a, a.dtype.type(0))


def softplus(a: np.ndarray) -> np.ndarray:
    """ln(1 + eᵃ)."""
    return np.logaddexp(a, a.dtype.type(0))


def softmax(a: np.ndarray, axis: int = -1) -> np.ndarray:
    """eᵃ / Σ eᵃ along an axis; −∞ gives 0, unless all are.

    >>> softmax(np.array([0.0, -np.inf, 0.0])).tolist()
    [0.5, 0.0, 0.5]
    """
    weights = np.exp(a - a.max(axis=axis, keepdims=True))
    # One after the other, so that zeros behind the last change nothing, as they would a pairwise sum.
    total = np.take(np.cumsum(weights, axis=axis, dtype=np.float64), [-1], axis=axis)
    return weights / total.astype(weights.dtype)


def _hard(slope: float) -> Activation:
    return lambda a: np.clip(a * slope + 0.5, 0.0, 1.0)


ACTIVATIONS: Mapping[str, Activation] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    # The larger of the two, as the slope is between 0 and 1.
    "leaky_relu": lambda a: np.maximum(a, LEAK * a),
    # Both branches are worked out, and expm1 of a large number would overflow with a warning.
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, a.dtype.type(0)))),
    "softsign": lambda a: a / (1.0 + np.abs(a)),
    "softplus": softplus,
    "identity": lambda a: a,
    "hard_sigmoid": lambda a: np.clip(a / 6 + 0.5, 0.0, 1.0),
    "hard_sigmoid_02": _hard(0.2),
}
CODES = tuple(ACTIVATIONS)
"""The order of the C++ enumeration Activation."""


def activation_of(name: str, slope: np.ndarray | None = None) -> Activation:
    """The function of that name; slope (H) is what prelu multiplies values below zero with.

    >>> activation_of("prelu", np.array([0.5]))(np.array([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    """
    if name == "prelu" and slope is not None:
        return lambda a: np.where(a > 0, a, a * slope)
    if name not in ACTIVATIONS:
        raise SettingError(
            f"activation: expected one of {', '.join(ACTIVATIONS)}, got {shown(name)}.{suggest(str(name), ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]
