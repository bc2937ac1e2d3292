"""CharTokenizer: every character is a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from ...errors import DataError, FormatError, shown
from .tokenizer import Tokenizer, checked_texts, fields, known
from .vocabulary import Vocabulary

__all__ = ["CharTokenizer"]

_PIECE = 1 << 20


class CharTokenizer(Tokenizer):
    """Characters (Unicode code points) by frequency; `unknown` may be any text, None refuses unknown characters.

    >>> tokenizer = CharTokenizer().fit(["banana"])
    >>> tokenizer.encode(["naab"]), tokenizer.decode([3, 2, 4])
    ([[3, 2, 2, 4]], 'nab')
    """

    kind = "characters"

    def __init__(
        self,
        *,
        lower: bool = False,
        max_characters: int | None = None,
        min_count: int = 1,
        unknown: str | None = "\ufffd",
        padding: bool = True,
    ) -> None:
        self.lower = bool(lower)
        self.max_characters, self.min_count = max_characters, min_count
        self.unknown, self.padding = unknown, bool(padding)

    def tokens(self, text: str) -> list[str]:
        """The characters of one text."""
        return list(text.lower() if self.lower else text)

    def fit(self, texts: Iterable[str]) -> Self:
        """Count the characters of `texts` and number them; raises DataError where there is none."""
        vocabulary = Vocabulary.fit(
            (text.lower() if self.lower else text for text in checked_texts(texts)),
            max_words=self.max_characters,
            min_count=self.min_count,
            padding=self.padding,
            unknown=self.unknown,
        )
        if len(vocabulary) == vocabulary.first:
            raise DataError("The texts hold no character that is frequent enough; give texts that are not empty.")
        self.vocabulary_ = vocabulary
        return self

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The character ids of each text; DataError names a character without an id and where it stands."""
        vocabulary, out = self.vocabulary, []
        for place, text in enumerate(checked_texts(texts)):
            if self.lower:
                text = text.lower()
            try:
                out.append(vocabulary.ids(text))
            except DataError:
                raise self._refusal(text, f"text {place}, ") from None
        return out

    def encode_array(self, text: str) -> np.ndarray:
        """The ids of one long text as (len(text),) int64; raises as `encode`."""
        vocabulary = self.vocabulary
        if self.lower:
            text = text.lower()
        table = np.full(0x110000, -1 if vocabulary.unknown_id is None else vocabulary.unknown_id, dtype=np.int64)
        for number, word in enumerate(vocabulary.words):
            if len(word) == 1 and number != vocabulary.padding_id:
                table[ord(word)] = number
        out = np.empty(len(text), dtype=np.int64)
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE].encode("utf-32-le", "surrogatepass")
            out[start : start + _PIECE] = table[np.frombuffer(piece, "<u4")]
        if len(out) and out.min() < 0:
            raise self._refusal(text, "")
        return out

    def decode(self, ids: Iterable[int]) -> str:
        """The characters of `ids`."""
        return "".join(known(ids, self.vocabulary))

    def to_json(self) -> dict[str, Any]:
        """Settings and vocabulary as JSON values."""
        return {"kind": self.kind, "lower": self.lower, "vocabulary": self.vocabulary.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The tokenizer of `to_json`; raises FormatError."""
        lower, words = fields(value, cls.kind, {"lower": bool, "vocabulary": dict})
        vocabulary = Vocabulary.from_json(words)
        if any(len(word) != 1 for word in vocabulary.words[vocabulary.first :]) or len(vocabulary) == vocabulary.first:
            raise FormatError("tokenizer: a character tokenizer's vocabulary holds single characters, at least one.")
        tokenizer = cls(lower=lower, unknown=vocabulary.unknown, padding=vocabulary.padding)
        tokenizer.vocabulary_ = vocabulary
        return tokenizer

    def _refusal(self, text: str, where: str) -> DataError:
        vocabulary = self.vocabulary
        place = next(place for place, character in enumerate(text) if character not in vocabulary)
        spelled = "".join(sorted(vocabulary.words[vocabulary.first :]))
        return DataError(
            f"{where}character {place + 1}: {shown(text[place])} is not among the {len(vocabulary) - vocabulary.first} "
            f"characters of the training texts ({shown(spelled, 102)}); leave it out or replace it."
        )
