"""The parameters that captions alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import WIDTH, AnyOf, Numeric, OneOf

__all__ = ["CAPTIONER", "CAPTIONER_CHANGES"]

CAPTIONER = (
    "model level max_words min_count max_length channels kernel_size embedding_size units layers attention dropout"
    " scheduled_sampling beams length_penalty validation_fraction"
)
"""The parameters of `Captioner` but those of training, in the order of its signature."""
CAPTIONER_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "max_words": {"panel": "Data"},
        "min_count": {"panel": "Data"},
        "max_length": {"default": 60, "help": "Tokens of a caption at most; longer ones are left out of training"},
        "channels": {
            "constraint": AnyOf(WIDTH, "a list of one or more", least=1),
            "default": (16, 32, 64),
            "help": "Channels of each convolution of stride 2 over the picture",
        },
        "kernel_size": {"constraint": Numeric(1, 31, whole=True), "default": 3, "help": "Kernel size, odd"},
        "embedding_size": 32,
        "units": 96,
        "attention": {
            "constraint": OneOf(("additive", "multiplicative", "none")),
            "default": "additive",
            "help": "Attention over the places of the picture: additive, multiplicative or none",
            "source": "Xu et al. (2015), arXiv 1502.03044; Bahdanau et al. (2015), arXiv 1409.0473",
        },
        "dropout": 0.1,
        "validation_fraction": {"constraint": Numeric(0, 1, open_low=True, open_high=True)},
        "learning_rate": 0.002,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""
