"""The language model of the beam search: a `LanguageModel` that says how likely each token is after those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.translation.tokens import Tokens

from ..language import LanguageModel
from ..language.network import LanguageNetwork
from .decoding import Prefix, Scorer

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["check_language", "language_of", "scorer"]

_ENDS = {"word": "<eos>", "char": "\n"}


def language_of(model: Transcriber, symbols: Tokens, notes: list[str]) -> LanguageModel | None:
    """The language model that `language_model` names, loaded and checked; None where there is none."""
    if model.language_model is None:
        return None
    from ..loading import load

    language = load(model.language_model)
    lacking = check_language(language, symbols, model.language_model)
    if lacking:
        notes.append(
            f"The language model has never met {len(lacking)} of {len(_spelled(symbols))} tokens, {shown(lacking[0])} "
            "among them; each has the probability of its unknown token."
        )
    return language


def check_language(language: Any, symbols: Tokens, name: str) -> list[str]:
    """The tokens that it has never met; raises SettingError for a model of another kind or level, or without any."""
    if not isinstance(language, LanguageModel):
        raise SettingError(f"language_model: expected a LanguageModel, {name} holds a {type(language).__name__}.")
    if language.level != symbols.level:
        raise SettingError(
            f"language_model: expected one of {symbols.level} tokens, as the transcriber's, {name} has "
            f"{language.level} tokens; train it with level={symbols.level!r}, or say level={language.level!r}."
        )
    tokens = _spelled(symbols)
    lacking = [token for token in tokens if token not in language.vocabulary_]
    if len(lacking) == len(tokens) or (lacking and language.vocabulary_.unknown_id is None):
        raise SettingError(
            f"language_model: {name} has never met {len(lacking)} of the transcriber's {len(tokens)} tokens, "
            f"{shown(lacking[0])} among them; train it on texts that hold them."
        )
    return lacking


def _spelled(symbols: Tokens) -> list[str]:
    """The tokens as texts, those behind blank and unknown."""
    words = symbols.vocabulary.words
    return symbols.plain(words[symbols.vocabulary.first :])


def scorer(language: LanguageModel, symbols: Tokens) -> Scorer:
    """ln P of the next token and of the end, for one sound: each prefix is read once, from the state of the one before.

    A token that the language model never met has the probability of its unknown word.
    """
    vocabulary, model = language.vocabulary_, language.model_
    first = symbols.vocabulary.first
    ids = np.array([vocabulary.id(token) for token in _spelled(symbols)], dtype=np.int64)
    end = vocabulary.id(_ENDS[language.level]) if _ENDS[language.level] in vocabulary else None
    known: dict[Prefix, tuple[np.ndarray, Any]] = {}

    def read(token: int, state: Any) -> tuple[np.ndarray, Any]:
        if not isinstance(model, LanguageNetwork):
            return np.log(model.distribution(token)), None
        with torch.no_grad():
            features, state = model.features(torch.tensor([[token]]), state)
            return torch.log_softmax(model.logits(features[0, 0]).double(), dim=0).numpy(), state

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
