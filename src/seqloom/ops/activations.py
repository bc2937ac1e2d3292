"""Activation functions by name: the function, and its slope written in terms of its own value.

| name | f(a) | f'(a) from y = f(a) |
|---|---|---|
| tanh | (eᵃ − e⁻ᵃ)/(eᵃ + e⁻ᵃ) | 1 − y² |
| sigmoid | 1/(1 + e⁻ᵃ) | y(1 − y) |
| relu | max(a, 0) | [y > 0] |
| leaky_relu | max(a, 0) + 0.01·min(a, 0) | 1 or 0.01 |
| elu | a, or eᵃ − 1 below 0 | 1 or y + 1 |
| softsign | a/(1 + abs(a)) | (1 − abs(y))² |
| softplus | ln(1 + eᵃ) | 1 − e⁻ʸ |
| identity | a | 1 |
| hard_sigmoid | clip(a/6 + 1/2, 0, 1), as PyTorch, ONNX's HardSwish and Keras 3 have it | 1/6 inside |
| hard_sigmoid_02 | clip(0.2·a + 1/2, 0, 1), as Keras 2 and ONNX's HardSigmoid have it | 0.2 inside |

`prelu` (a learned slope for each unit below 0) and any Python callable that maps a tensor to a tensor of the same shape
are accepted where a `Cell` takes an activation; only the reference path runs them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.errors import SettingError, suggest

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "activation_function",
    "activation_name",
    "check_activation",
    "slope_from_value",
]

Activation = str | Callable[[Tensor], Tensor]

# torch's default for leaky_relu, so that a network taken from there keeps its outputs.
LEAK = 0.01  # slope of leaky_relu below zero


def hard_sigmoid(a: Tensor) -> Tensor:
    """clip(a/6 + 1/2, 0, 1)."""
    return (a / 6 + 0.5).clamp(0.0, 1.0)


def hard_sigmoid_02(a: Tensor) -> Tensor:
    """clip(0.2·a + 1/2, 0, 1)."""
    return (0.2 * a + 0.5).clamp(0.0, 1.0)


def softplus(a: Tensor) -> Tensor:
    """ln(1 + eᵃ), exact on both sides (torch's own is cut to the identity above 20)."""
    return torch.logaddexp(a, torch.zeros((), dtype=a.dtype, device=a.device))


# The two hard sigmoids stay apart: weights trained with one slope give other outputs under the other.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky_relu": lambda a: functional.leaky_relu(a, LEAK),
    "elu": functional.elu,
    "softsign": functional.softsign,
    "softplus": softplus,
    "identity": lambda a: a,
    "hard_sigmoid": hard_sigmoid,
    "hard_sigmoid_02": hard_sigmoid_02,
}

# Of y, not of a: the backward passes keep activated gates and states only, half of what both would take.
_SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
    "relu": lambda y: (y > 0).to(y.dtype),
    "leaky_relu": lambda y: torch.where(y > 0, torch.ones_like(y), torch.full_like(y, LEAK)),
    "elu": lambda y: torch.where(y > 0, torch.ones_like(y), y + 1),
    # f'(a) = 1/(1 + |a|)², and 1 − |y| = 1/(1 + |a|).
    "softsign": lambda y: (1 - y.abs()).square(),
    # expm1, as 1 − e⁻ʸ would lose its digits where y is small.
    "softplus": lambda y: -torch.expm1(-y),
    "identity": torch.ones_like,
    "hard_sigmoid": lambda y: ((y > 0) & (y < 1)).to(y.dtype) / 6,
    "hard_sigmoid_02": lambda y: ((y > 0) & (y < 1)).to(y.dtype) * 0.2,
}


def check_activation(value: object, setting: str, *, learned: bool = False) -> None:
    """Raise `SettingError` unless `value` is a known name (`prelu` only with `learned`) or a callable."""
    if callable(value):
        return
    names = [*ACTIVATIONS, "prelu"] if learned else list(ACTIVATIONS)
    if not isinstance(value, str) or value not in names:
        near = suggest(value, names) if isinstance(value, str) else ""
        raise SettingError(f"{setting} must be a callable or one of {', '.join(names)}, not {value!r}.{near}")


def activation_name(value: Activation) -> str | None:
    """Return the name of a named activation, None for a callable and for `prelu`."""
    return value if isinstance(value, str) and value in ACTIVATIONS else None


def activation_function(value: Activation, slope: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """Return the function for a name or a callable; `slope` (H) is what `prelu` multiplies values below zero with.

    >>> activation_function("relu")(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if value == "prelu":
        if slope is None:
            raise SettingError("activation 'prelu' needs weights.slope, one number for each unit; it is None.")
        return lambda a: torch.where(a > 0, a, a * slope)
    return value if callable(value) else ACTIVATIONS[value]


def slope_from_value(name: str) -> Callable[[Tensor], Tensor]:
    """Return f'(a) as a function of y = f(a) for a named activation (see the table at the top of this file)."""
    return _SLOPES[name]
