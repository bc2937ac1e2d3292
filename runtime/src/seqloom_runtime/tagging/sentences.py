"""Sentences as a tagger takes them: lists of words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["sentences_of"]


def sentences_of(value: Any, name: str) -> list[list[str]]:
    """As lists of lists of texts; raises DataError, saying which sentence, where they are none."""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise DataError(f"{name}: expected a list of sentences, each a list of words, got {type(value).__name__}.")
    found = []
    for number, sentence in enumerate(value):
        if isinstance(sentence, str) or not hasattr(sentence, "__iter__"):
            raise DataError(
                f"{name}, sentence {number}: expected a list of words, got {type(sentence).__name__}; split the text "
                "first."
            )
        words = [str(word) if isinstance(word, np.str_) else word for word in sentence]
        if not all(isinstance(word, str) for word in words):
            odd = next(word for word in words if not isinstance(word, str))
            raise DataError(f"{name}, sentence {number}: expected texts, got {odd!r}.")
        found.append(words)
    return found
