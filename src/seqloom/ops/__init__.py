"""Pure functions on arrays: recurrent scans, convolutions, window gathers, and the dispatch to their native twins.

Names load on first use, so that the parts that need no torch don't wait for it. The scan itself is
`from seqloom.ops.scan import scan`: the module carries the name `seqloom.ops.scan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
