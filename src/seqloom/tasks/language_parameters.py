"""The parameters that language models alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from .constraints import Boolean, OneOf
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
