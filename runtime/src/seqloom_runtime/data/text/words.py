"""WordTokenizer: lower-case, punctuation out, split at white space, numbered by frequency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ...errors import DataError, FormatError, SettingError, shown
from .scripts import UNSPACED
from .tokenizer import Tokenizer, checked_texts, fields, known
from .vocabulary import MOST_DISTINCT, Vocabulary

__all__ = ["MARKS", "PUNCTUATION", "WordTokenizer"]

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MARKS = "!?.:/*$£€"
_TAG = re.compile(r"<[/!]?[A-Za-z][^<>]{0,200}>")


class WordTokenizer(Tokenizer):
    """Words between white space, after `lower`-casing and with each character of `filters` replaced by a space.

    The default filters are ASCII punctuation without the apostrophe. Each character of `marks` is a word of its own
    (`MARKS` holds those that tell something), with `characters` also each one of a script that is written without
    spaces (Chinese, Japanese, Thai, …); `strip_tags` takes out HTML tags such as "<br />" first. `max_words` and
    `min_count` limit the vocabulary to the most frequent words; ids go by frequency from 2, after padding 0 and
    `unknown` 1. With `unknown=None` unknown words are left out and ids start at 1.
    `max_distinct` bounds the memory of counting (`count_words`).

    >>> tokenizer = WordTokenizer(unknown=None).fit(["The cat sat on the mat.", "The dog ate my homework."])
    >>> len(tokenizer.vocabulary) - 1, tokenizer.encode(["The dog sat on the sofa."])
    (9, [[1, 6, 3, 4, 1]])
    >>> WordTokenizer(marks=MARKS).tokens("Win £100, now!")
    ['win', '£', '100', 'now', '!']
    """

    kind = "words"

    def __init__(
        self,
        *,
        lower: bool = True,
        filters: str = PUNCTUATION,
        marks: str = "",
        strip_tags: bool = False,
        characters: bool = False,
        max_words: int | None = None,
        min_count: int = 1,
        unknown: str | None = "<unk>",
        padding: bool = True,
        max_distinct: int = MOST_DISTINCT,
    ) -> None:
        for name, given in (("filters", filters), ("marks", marks)):
            if not isinstance(given, str):
                raise SettingError(f"{name}: expected characters as one text, got {shown(given)}.")
        self.lower, self.filters, self.marks, self.strip_tags = bool(lower), filters, marks, bool(strip_tags)
        self.characters: bool = bool(characters)
        self.max_words, self.min_count = max_words, min_count
        self.unknown, self.padding, self.max_distinct = unknown, bool(padding), max_distinct
        self._table = str.maketrans(dict.fromkeys(filters, " ") | {mark: f" {mark} " for mark in marks})

    def tokens(self, text: str) -> list[str]:
        """The words of one text."""
        if self.strip_tags:
            text = _TAG.sub(" ", text)
        if self.lower:
            text = text.lower()
        if self.characters:
            text = UNSPACED.sub(r" \g<0> ", text)
        return text.translate(self._table).split()

    def fit(self, texts: Iterable[str]) -> Self:
        """Count the words of `texts` and number them; raises DataError where there is none."""
        self.vocabulary_ = Vocabulary.fit(
            self._split(texts),
            max_words=self.max_words,
            min_count=self.min_count,
            padding=self.padding,
            unknown=self.unknown,
            max_distinct=self.max_distinct,
        )
        if len(self.vocabulary_) == self.vocabulary_.first:
            self.vocabulary_ = None
            raise DataError(
                f"The texts hold no word that occurs at least {self.min_count} time{'s' * (self.min_count > 1)}; give "
                "texts with words in them, fewer filters or a smaller min_count."
            )
        return self

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The word ids of each text; a text without words gives an empty list."""
        vocabulary = self.vocabulary
        return [vocabulary.ids(words, skip=True) for words in self._split(texts)]

    def decode(self, ids: Iterable[int]) -> str:
        """The words of `ids` with spaces between them."""
        return " ".join(known(ids, self.vocabulary))

    def to_json(self) -> dict[str, Any]:
        """Settings and vocabulary as JSON values."""
        return {
            "kind": self.kind,
            "lower": self.lower,
            "filters": self.filters,
            "marks": self.marks,
            "strip_tags": self.strip_tags,
            **({"characters": True} if self.characters else {}),  # which older files don't have
            "vocabulary": self.vocabulary.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The tokenizer of `to_json`; raises FormatError."""
        kinds = {"lower": bool, "filters": str, "marks": str, "strip_tags": bool, "vocabulary": dict}
        held = isinstance(value, Mapping) and "characters" in value
        lower, filters, marks, strip_tags, words, *characters = fields(
            value, cls.kind, {**kinds, "characters": bool} if held else kinds
        )
        vocabulary = Vocabulary.from_json(words)
        if len(vocabulary) == vocabulary.first:
            raise FormatError("tokenizer: its vocabulary holds no word.")
        tokenizer = cls(
            lower=lower,
            filters=filters,
            marks=marks,
            strip_tags=strip_tags,
            characters=bool(characters and characters[0]),
            unknown=vocabulary.unknown,
            padding=vocabulary.padding,
        )
        tokenizer.vocabulary_ = vocabulary
        return tokenizer

    def _split(self, texts: Iterable[str]) -> Iterator[list[str]]:
        tokens = self.tokens
        return (tokens(text) for text in checked_texts(texts))
