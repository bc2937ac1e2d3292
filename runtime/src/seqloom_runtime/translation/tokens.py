"""Texts as tokens and back: characters, words with their punctuation apart, or subwords."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from ..data.text import SubwordTokenizer, Vocabulary
from ..errors import DataError, FormatError

__all__ = ["LEVELS", "Tokens", "level_for"]

LEVELS = ("char", "word", "subword")
_SUBWORDS = 4000  # where no size is given
_JOINED = "￭"  # before a piece that stands behind another without a space
_PIECES = re.compile(r"\w+|[^\w\s]")
_RECURS, _WORDS = 5.0, 2.0


class Tokens:
    """One side's tokens: texts to ids, of `vocabulary`, and ids to texts.

    >>> tokens = Tokens.fit(["I'm cold.", "You're cold."], "word")
    >>> tokens.split("I'm cold."), tokens.text(tokens.ids("You're  cold."))
    (['I', "￭'", '￭m', 'cold', '￭.'], "You're cold.")
    """

    _kinds: ClassVar = {"char": list, "word": lambda text: _words(text)}

    def __init__(self, level: str, vocabulary: Vocabulary, subwords: SubwordTokenizer | None = None) -> None:
        self.level, self.vocabulary, self.subwords = level, vocabulary, subwords

    @classmethod
    def fit(cls, texts: Sequence[str], level: str, max_words: int | None = None, min_count: int = 1) -> Self:
        """The tokens of `texts`; max_words: the most frequent ones, of subwords how many there are."""
        if level == "subword":
            subwords = SubwordTokenizer(size=max(256, max_words or _SUBWORDS)).fit(texts)
            return cls(level, subwords.vocabulary, subwords)
        split = cls._kinds[level]
        return cls(level, Vocabulary.fit([split(text) for text in texts], max_words=max_words, min_count=min_count))

    @property
    def unknown(self) -> int | None:
        """The id of the unknown token; None where nothing is unknown."""
        return self.vocabulary.unknown_id

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return self.subwords.tokens(text) if self.subwords is not None else self._kinds[self.level](text)

    def ids(self, text: str) -> list[int]:
        """Their numbers."""
        return self.subwords.encode([text])[0] if self.subwords is not None else self.vocabulary.ids(self.split(text))

    def text(self, ids: Sequence[int]) -> str:
        """The text of numbers."""
        return self.subwords.decode(ids) if self.subwords is not None else self.joined(self.vocabulary.spell(ids))

    def joined(self, tokens: Sequence[str]) -> str:
        """The text of tokens that are no subwords."""
        if self.level == "char":
            return "".join(tokens)
        pieces: list[str] = []
        for token in tokens:
            if len(token) > 1 and token[0] == _JOINED and pieces:
                pieces[-1] += token[1:]
            else:
                pieces.append(token.removeprefix(_JOINED) or token)
        return " ".join(pieces)

    def plain(self, tokens: Sequence[str]) -> list[str]:
        """Tokens as they are drawn: without the mark of those that join the one before."""
        return [token.removeprefix(_JOINED) or token for token in tokens] if self.level == "word" else list(tokens)

    def to_json(self) -> dict[str, Any]:
        """The tokens as JSON values."""
        held = self.vocabulary if self.subwords is None else self.subwords
        return {"level": self.level, "tokens": held.to_json()}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The tokens of `to_json`; raises FormatError where `value` is none."""
        if not isinstance(value, dict) or set(value) != {"level", "tokens"} or value["level"] not in LEVELS:
            raise FormatError(f"tokens: expected 'level', one of {', '.join(LEVELS)}, and 'tokens'.")
        if value["level"] == "subword":
            subwords = SubwordTokenizer.from_json(value["tokens"])
            return cls("subword", subwords.vocabulary, subwords)
        vocabulary = Vocabulary.from_json(value["tokens"])
        if not vocabulary.padding or vocabulary.unknown_id is None:
            raise FormatError("tokens: expected padding and an unknown token.")
        return cls(value["level"], vocabulary)


def level_for(sources: Sequence[str], targets: Sequence[str]) -> tuple[str, str]:
    """Words where on both sides they recur, five times in the mean, and texts have two; else characters; and why.

    >>> level_for(["1+2", "3+4"], ["3", "7"])[0], level_for(["a cat", "a dog"] * 9, ["un chat", "un chien"] * 9)[0]
    ('char', 'word')
    """
    recurring = True
    for side in (sources, targets):
        words = [word for text in side for word in _words(text)]
        recurring = recurring and len(words) >= _RECURS * len(set(words)) and len(words) >= _WORDS * len(side)
    level, why = ("word", "recur") if recurring else ("char", "seldom recur")
    other = "char" if recurring else "word"
    return (
        level,
        f"Tokens are {'words' if recurring else 'characters'}, as the words {why}; say level='{other}' for the other.",
    )


def _words(text: str) -> list[str]:
    found = []
    for word in text.split():
        pieces = _PIECES.findall(word)
        found += [piece if n == 0 else _JOINED + piece for n, piece in enumerate(pieces)]
    return found


def refuse_empty(texts: Sequence[str], what: str) -> None:
    """Raise DataError, saying which, for a text without anything but white space."""
    for number, text in enumerate(texts):
        if not text.strip():
            raise DataError(f"{what}, text {number}: expected a text, it is empty; leave it out.")
