"""Pure functions on arrays: recurrent scans, convolutions, window gathers, and the dispatch to their native twins.

Names load on first use, so that the parts that need no torch don't wait for it. The scan itself is
`from seqloom.ops.scan import scan`: the module carries the name `seqloom.ops.scan`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqloom.ops.activations import ACTIVATIONS
    from seqloom.ops.cell import Cell, StepRandom, Weights
    from seqloom.ops.conv import causal_conv, conv1d
    from seqloom.ops.losses import mse_loss
    from seqloom.ops.reference import reference_scan
    from seqloom.ops.scan import explain

_HOME = {
    "ACTIVATIONS": "activations",
    "Cell": "cell",
    "StepRandom": "cell",
    "Weights": "cell",
    "causal_conv": "conv",
    "conv1d": "conv",
    "explain": "scan",
    "mse_loss": "losses",
    "reference_scan": "reference",
}

__all__ = [
    "ACTIVATIONS",
    "Cell",
    "StepRandom",
    "Weights",
    "causal_conv",
    "conv1d",
    "explain",
    "mse_loss",
    "reference_scan",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOME:
        raise AttributeError(f"module 'seqloom.ops' has no attribute {name!r}")
    return getattr(import_module(f"seqloom.ops.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
