"""The language model of the beam search: how likely each token is after those before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..forward.adaptive import log_softmax
from ..language import LanguagePredictor
from ..language.ngrams import Bigram, Unigram
from ..translation.tokens import Tokens
from .decoding import Prefix, Scorer

__all__ = ["scorer", "spelled"]

_ENDS = {"word": "<eos>", "char": "\n"}


def spelled(symbols: Tokens) -> list[str]:
    """The tokens as texts, those behind blank and unknown."""
    words = symbols.vocabulary.words
    return symbols.plain(words[symbols.vocabulary.first :])


def scorer(language: LanguagePredictor, symbols: Tokens) -> Scorer:
    """ln P of the next token and of the end, for one sound: each prefix is read once, from the state of the one before.

    A token that the language model never met has the probability of its unknown word.
    """
    vocabulary, model = language.vocabulary_, language.predicts
    first = symbols.vocabulary.first
    ids = np.array([vocabulary.id(token) for token in spelled(symbols)], dtype=np.int64)
    end = vocabulary.id(_ENDS[language.level]) if _ENDS[language.level] in vocabulary else None
    known: dict[Prefix, tuple[np.ndarray, Any]] = {}

    def read(token: int, state: Any) -> tuple[np.ndarray, Any]:
        if isinstance(model, (Unigram, Bigram)):
            return np.log(model.distribution(token)), None
        features, state = model.features(np.array([[token]]), state)
        return log_softmax(model.logits(features[0, 0]).astype(np.float64)), state

    def score(prefix: Prefix) -> tuple[np.ndarray, float]:
        found = known.get(prefix)
        if found is None:
            if prefix:
                if prefix[:-1] not in known:
                    score(prefix[:-1])
                found = read(int(ids[prefix[-1] - first]), known[prefix[:-1]][1])
            else:
                found = read(language.start_, None)
            known[prefix] = found
        p = np.full(first + len(ids), -np.inf)
        p[first:] = found[0][ids]
        return p, 0.0 if end is None else float(found[0][end])

    return score
