"""The language model of the beam search: read from where `language_model` says, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.transcription.language import spelled
from seqloom_runtime.translation.tokens import Tokens

from ..language import LanguageModel

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["check_language", "language_of"]


def language_of(model: Transcriber, symbols: Tokens, notes: list[str]) -> LanguageModel | None:
    """The language model that `language_model` names, loaded and checked; None where there is none."""
    if model.language_model is None:
        return None
    from ..loading import load

    language = load(model.language_model)
    lacking = check_language(language, symbols, model.language_model)
    if lacking:
        notes.append(
            f"The language model has never met {len(lacking)} of {len(spelled(symbols))} tokens, {shown(lacking[0])} "
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
    tokens = spelled(symbols)
    lacking = [token for token in tokens if token not in language.vocabulary_]
    if len(lacking) == len(tokens) or (lacking and language.vocabulary_.unknown_id is None):
        raise SettingError(
            f"language_model: {name} has never met {len(lacking)} of the transcriber's {len(tokens)} tokens, "
            f"{shown(lacking[0])} among them; train it on texts that hold them."
        )
    return lacking
