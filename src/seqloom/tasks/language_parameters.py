"""The parameters that language models alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from .constraints import MOST_ROWS, AnyOf, Boolean, Numeric, OneOf
from .parameter import Parameter

__all__ = ["LANGUAGE"]

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
        "scoring",
        OneOf(("tokens", "last-word")),
        "tokens",
        "What is scored: tokens (all of them) or last-word (of each line, a passage of its own)",
        "Task",
        flag="--score",
        source="Paperno et al. (2016), LAMBADA, arXiv 1606.06031",
    ),
)
"""In the order of the glossary."""
