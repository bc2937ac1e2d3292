"""The parameters that sequence to sequence alone has: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import Numeric, OneOf
from .parameter import Parameter

__all__ = ["SEQ2SEQ", "SEQ2SEQ_CHANGES", "TRANSLATION"]

TRANSLATION = (
    Parameter(
        "encoder",
        OneOf(("recurrent", "convolutional")),
        "recurrent",
        "What reads the source: a recurrent network, or convolutions over all tokens at once",
        source="Gehring et al. (2017), arXiv 1611.02344",
    ),
    Parameter(
        "scheduled_sampling",
        Numeric(0, 1),
        0.0,
        "Scheduled sampling: share of the decoder's inputs in training that are its own choice; 0 is teacher forcing",
        "Training",
        source="Bengio et al. (2015), arXiv 1506.03099; in parallel as in arXiv 1906.04331",
    ),
    Parameter(
        "beams",
        Numeric(1, 100, whole=True),
        4,
        "Beams of the beam search; 1 is greedy",
        source="Hugging Face: num_beams",
    ),
    Parameter(
        "length_penalty",
        Numeric(0, 10),
        0.6,
        "Length penalty of the beam search: the higher, the longer the texts",
        source="Wu et al. (2016), arXiv 1609.08144, eq. 14",
    ),
)
"""In the order of the glossary."""

SEQ2SEQ = (
    "model level max_words min_count max_length embedding_size units layers bidirectional encoder levels kernel_size"
    " attention dropout input_dropout recurrent_dropout between_dropout scheduled_sampling beams length_penalty"
    " validation_fraction"
)
"""The parameters of `Seq2Seq` but those of training, in the order of its signature."""
SEQ2SEQ_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "level": {
            "constraint": OneOf(("char", "word", "subword"), optional=True),
            "default": None,
            "help": "Tokens: char, word or subword",
            "shown": "word where the words recur, else char",
        },
        "max_words": {"panel": "Data", "shown": "all; subwords 4000"},
        "min_count": {"panel": "Data"},
        "max_length": {"default": 200, "help": "Tokens of a text at most; longer pairs are left out of training"},
        "embedding_size": 64,
        "units": 128,
        "bidirectional": {
            "default": True,
            "help": "Read the source in both directions",
            "flag": "--bidirectional/--forward-only",
        },
        "levels": Parameter("levels", Numeric(1, 30, whole=True), 4, "Convolutions of the convolutional encoder"),
        "kernel_size": {"default": 3, "help": "Tokens that each convolution of the encoder sees"},
        "attention": {
            "constraint": OneOf(("additive", "multiplicative", "none")),
            "default": "additive",
            "help": "Attention over the source: additive, multiplicative or none",
            "source": "Bahdanau et al. (2015), arXiv 1409.0473; Luong et al. (2015), arXiv 1508.04025",
        },
        "dropout": 0.1,
        "validation_fraction": {"constraint": Numeric(0, 1, open_low=True, open_high=True)},
        "learning_rate": 0.002,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""
