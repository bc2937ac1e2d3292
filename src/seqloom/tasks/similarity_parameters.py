"""The parameters that similarity alone has: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import LARGEST, Numeric, OneOf
from .parameter import Parameter

__all__ = ["SIAMESE", "SIAMESE_CHANGES", "SIMILARITY"]

SIMILARITY = (
    Parameter(
        "margin",
        Numeric(0, LARGEST, open_low=True),
        0.5,
        "How much further apart than alike sequences the others should lie",
        "Training",
        source="Schroff et al. (2015), arXiv 1503.03832",
    ),
)
"""In the order of the glossary."""

SIAMESE = (
    "model embedding_size units layers bidirectional input_dropout recurrent_dropout between_dropout loss margin"
    " scaling validation_fraction"
)
"""The parameters of `SequenceSimilarity` but those of training, in the order of its signature."""
SIAMESE_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "embedding_size": 32,
        "units": 64,
        "loss": {
            "constraint": OneOf(("triplet", "contrastive")),
            "default": "triplet",
            "help": "Loss of distances: triplet or contrastive",
            "source": "Hermans et al. (2017), arXiv 1703.07737; Hadsell et al. (2006)",
        },
        "scaling": {"constraint": OneOf(("standard", "none")), "default": "standard"},
        "validation_fraction": 0.2,
        "learning_rate": 0.002,
        "batch_size": 64,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""
