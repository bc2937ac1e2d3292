"""The parameters that language models alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from seqloom_runtime.limits import LARGEST

from .constraints import MOST_ROWS, AnyOf, Boolean, Numeric, OneOf
from .parameter import Parameter

__all__ = ["ADAPTING", "AWD", "LANGUAGE", "RECIPES"]

_CACHE = "Grave et al. (2017), arXiv 1612.04426"
_AWD = "Merity et al. (2017), arXiv 1708.02182"

LANGUAGE = (
    Parameter(
        "join_spaced",
        Boolean(),
        True,
        "Read characters written with spaces between them, as PTB's, without the spaces",
        "Data",
        flag="--join-spaced/--keep-spaces",
    ),
    Parameter(
        "softmax",
        OneOf(("full", "adaptive")),
        "full",
        "Softmax over the vocabulary: full, or adaptive (clusters of rarer words, for large vocabularies, untied)",
        source="PyTorch: torch.nn.AdaptiveLogSoftmaxWithLoss; Grave et al. (2017), arXiv 1609.04309",
    ),
    Parameter(
        "cutoffs",
        AnyOf(Numeric(1, MOST_ROWS, whole=True), "a list of numbers of words", optional=True, least=1),
        None,
        "Cutoffs of the adaptive softmax: the most frequent words up to each are a cluster",
        unit="N,M,…",
        shown="7.5 % and 22.5 % of the words",
        source="PyTorch: cutoffs",
    ),
    Parameter(
        "hidden_dropout",
        Numeric(0, 1, open_high=True, optional=True),
        None,
        "Variational dropout between recurrent layers, one mask per sequence",
        shown="as --input-dropout",
        source=f"dropouth of AWD-LSTM, {_AWD}",
    ),
    Parameter(
        "activation_penalty",
        Numeric(0, LARGEST),
        0.0,
        "Activation regularisation (AR): penalty on the squared features",
        "Training",
        source="Merity et al. (2017), arXiv 1708.01009",
    ),
    Parameter(
        "temporal_penalty",
        Numeric(0, LARGEST),
        0.0,
        "Temporal activation regularisation (TAR): penalty on the squared change of the features between steps",
        "Training",
        source="Merity et al. (2017), arXiv 1708.01009",
    ),
    Parameter(
        "vary_window",
        Boolean(),
        False,
        "Draw the length of each batch around the window, the learning rate in proportion",
        "Training",
        source=f"variable length backpropagation, {_AWD}",
    ),
    Parameter(
        "averaging_patience",
        Numeric(0, 10**6, whole=True),
        5,
        "Average the weights (nt-asgd) once the validation loss is above its lowest of all but the last N epochs",
        "Training",
        source=f"non-monotone interval, {_AWD}",
    ),
    Parameter(
        "scoring",
        OneOf(("tokens", "last-word")),
        "tokens",
        "What is scored: tokens (all of them) or last-word (of each line, a passage of its own)",
        "Task",
        flag="--score",
        source="Paperno et al. (2016), LAMBADA, arXiv 1606.06031",
    ),
    Parameter(
        "cache",
        Numeric(0, 10**6, whole=True),
        0,
        "Neural cache: tokens read last that scoring mixes in",
        "Task",
        shown="none",
        source=_CACHE,
    ),
    Parameter("cache_weight", Numeric(0, 1), 0.1, "Share of the neural cache in the mixture", "Task", source=_CACHE),
    Parameter(
        "cache_flatness",
        Numeric(0, LARGEST),
        1.0,
        "What the neural cache's likenesses are multiplied by",
        "Task",
        source=_CACHE,
    ),
    Parameter(
        "dynamic_rate",
        Numeric(0, LARGEST),
        0.0,
        "Dynamic evaluation: learning rate with which each window, once scored, moves the weights",
        "Task",
        shown="none",
        source="Krause et al. (2018), arXiv 1709.07432",
    ),
)
"""In the order of the glossary."""

ADAPTING = ("cache", "cache_weight", "cache_flatness", "dynamic_rate")
"""What adapts to a text while it is scored."""

AWD: Mapping[str, Any] = MappingProxyType(
    {
        "units": 1150,
        "layers": 3,
        "embedding_size": 400,
        "tied": True,
        "embedding_dropout": 0.1,
        "input_dropout": 0.4,
        "recurrent_dropout": 0.0,
        "between_dropout": 0.0,
        "weight_dropout": 0.5,
        "output_dropout": 0.4,
        "hidden_dropout": 0.25,
        "activation_penalty": 2.0,
        "temporal_penalty": 1.0,
        "window": 70,
        "vary_window": True,
        "epochs": 500,
        "batch_size": 20,
        "optimizer": "nt-asgd",
        "averaging_patience": 5,
        "learning_rate": 30.0,
        "weight_decay": 1.2e-6,
        "clip_norm": 0.25,
        "schedule": "constant",
    }
)
"""AWD-LSTM's parameters on the words of the Penn Treebank, as its program has them: arXiv 1708.02182."""

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType({"awd": AWD})
"""Published sets of parameters by name."""
