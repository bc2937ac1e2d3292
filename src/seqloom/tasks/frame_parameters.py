"""The parameters that the prediction of frames alone has: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import Numeric, OneOf
from .parameter import Parameter

__all__ = ["FRAMES", "FRAMES_CHANGES", "FRAME_PREDICTOR"]

_FRAMES = Numeric(1, 10_000, whole=True)

FRAMES = (
    Parameter(
        "patch_size",
        Numeric(1, 16, whole=True),
        2,
        "Side of the squares of pixels that the network reads as one place",
        "Models",
        source="Shi et al. (2015), arXiv 1506.04214, section 4.1",
    ),
    Parameter(
        "reach",
        Numeric(0, 16, whole=True),
        3,
        "How many pixels something moves from a frame to the next, at most; 0: the network is shown no motion",
        "Models",
        source="Finn et al. (2016), arXiv 1605.07157, dynamic neural advection",
    ),
)
"""In the order of the glossary."""

FRAME_PREDICTOR = "model lookback horizon units layers kernel_size patch_size reach loss validation_fraction"
"""The parameters of `FramePredictor` but those of training, in the order of its signature."""
FRAMES_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "model": "conv-gru",
        "lookback": {
            "constraint": _FRAMES,
            "default": 6,
            "help": "Lookback: frames that the models see",
            "unit": "N",
            "shown": "",
        },
        "horizon": {
            "constraint": _FRAMES,
            "default": 3,
            "help": "Horizon: frames ahead that are predicted",
            "unit": "N",
            "shown": "",
        },
        "kernel_size": {
            "constraint": Numeric(1, 31, whole=True),
            "default": 3,
            "help": "Kernel size of the recurrent convolutions, odd",
        },
        "loss": {"constraint": OneOf(("mse", "mae")), "help": "Training loss, of frames from 0 to 1"},
        "validation_fraction": {"constraint": Numeric(0, 1, open_low=True, open_high=True), "default": 0.1},
        "batch_size": 16,
        "learning_rate": 0.002,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""
