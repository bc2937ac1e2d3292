"""The parameters that transcription alone has: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .cell_parameters import CELL
from .constraints import AnyOf, Boolean, Numeric, OneOf, Text
from .parameter import Parameter

__all__ = ["TRANSCRIBER", "TRANSCRIBER_CHANGES", "TRANSCRIPTION"]

TRANSCRIPTION = (
    Parameter(
        "sample_rate",
        Numeric(1_000, 384_000, whole=True, optional=True),
        None,
        "Samples a second that every sound must have",
        "Data",
        shown="that of the first sound",
        source="librosa: load(sr=)",
    ),
    Parameter(
        "convert_rate",
        Boolean(),
        False,
        "Convert sounds of another sample rate",
        "Data",
        source="librosa: resample; scipy.signal.resample_poly",
    ),
    Parameter("mels", Numeric(3, 512, whole=True), 40, "Mel bands of a frame", "Data", source="Kaldi: --num-mel-bins"),
    Parameter(
        "frame_shift",
        Numeric(0.001, 1.0),
        0.01,
        "Seconds from one frame to the next; each looks at 25 ms",
        "Data",
        source="Kaldi: --frame-shift",
    ),
    Parameter(
        "band_mask",
        Numeric(0, 512, whole=True),
        8,
        "Bands that training hides, twice at a time, at most; never more than a third of them",
        "Training",
        source="SpecAugment, Park et al. (2019), arXiv 1904.08779: F",
    ),
    Parameter(
        "frame_mask",
        Numeric(0, 10_000, whole=True),
        10,
        "Frames that training hides, twice at a time, at most; never more than a fifth of them",
        "Training",
        source="SpecAugment, Park et al. (2019), arXiv 1904.08779: T",
    ),
    Parameter(
        "language_model",
        Text("the path of a run or model folder of a language model", optional=True),
        None,
        "Language model of the beam search: a run of seqloom lm with the same tokens",
        unit="RUN",
        shown="none",
        source="Hannun et al. (2014), arXiv 1408.2873",
    ),
    Parameter(
        "language_weight",
        Numeric(0, 100),
        0.3,
        "Weight of the language model in the beam search",
        source="Hannun et al. (2014), arXiv 1408.2873: alpha",
    ),
    Parameter(
        "token_bonus",
        Numeric(-100, 100),
        0.0,
        "Bonus for each token of a text in the beam search",
        source="Hannun et al. (2014), arXiv 1408.2873: beta",
    ),
)
"""In the order of the glossary."""

TRANSCRIBER = (
    "model level sample_rate convert_rate mels frame_shift channels kernel_size pool_size units layers bidirectional"
    f" dropout input_dropout recurrent_dropout between_dropout {' '.join(CELL)} band_mask frame_mask beams"
    " language_model language_weight token_bonus validation_fraction"
)
"""The parameters of `Transcriber` but those of training, in the order of its signature."""
TRANSCRIBER_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "model": "conv-gru",
        "level": {
            "constraint": OneOf(("char", "word"), optional=True),
            "default": None,
            "help": "Tokens: char or word",
            "shown": "word where at most 100 words recur, else char",
        },
        "channels": {
            "constraint": AnyOf(Numeric(1, 100_000, whole=True), "a list of widths, one for each convolution", least=1),
            "default": (48, 64, 64),
            "help": "Channels of each convolution of conv-gru",
        },
        "pool_size": {
            "default": 2,
            "help": "Max-pooling between two convolutions of conv-gru, in frames",
        },
        "units": 96,
        "bidirectional": {
            "default": True,
            "help": "Read the sound in both directions",
            "flag": "--bidirectional/--forward-only",
        },
        "dropout": 0.1,
        "beams": {
            "constraint": Numeric(1, 100, whole=True, optional=True),
            "default": None,
            "help": "Beams of the prefix beam search; 1 is greedy without a language model",
            "shown": "8, or 1 where that errs less on validation",
        },
        "validation_fraction": {"constraint": Numeric(0, 1, open_low=True, open_high=True)},
        "batch_size": 16,
        "learning_rate": 0.003,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""
