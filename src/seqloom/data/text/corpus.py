"""Raw text for language models: words with an end token per line, or characters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ...errors import DataError, SettingError, shown
from ..sources import source_name
from .characters import CharTokenizer
from .lines import read_text
from .vocabulary import MOST_DISTINCT, Vocabulary

__all__ = ["Corpus", "read_corpus"]

LEVELS = ("word", "char")


@dataclass(frozen=True, eq=False)
class Corpus:
    """One running text; `source` names it in messages.

    At level "word" tokens are what stands between white space, and `end` follows the words of each line (an empty line
    is an `end` alone), so characters written with spaces between them are read as words. At level "char" tokens are the
    text's characters, line ends among them.

    >>> Corpus("the cat\\nsat\\n").tokens()
    ['the', 'cat', '<eos>', 'sat', '<eos>']
    """

    text: str
    level: str = "word"
    end: str = "<eos>"
    source: str = "the text"

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise SettingError(f"level: expected one of {', '.join(LEVELS)}, got {shown(self.level)}.")

    def lines(self) -> Iterator[list[str]]:
        """The tokens of each line; at level "char" pieces of the text."""
        if self.level == "char":
            yield from (list(self.text[at : at + 65536]) for at in range(0, len(self.text), 65536))
            return
        start, size = 0, len(self.text)
        while start < size:
            stop = self.text.find("\n", start)
            words = self.text[start : size if stop < 0 else stop].split()
            if stop >= 0 or words:  # white space after the last line end is no line
                yield [*words, self.end]
            start = size if stop < 0 else stop + 1

    def tokens(self) -> list[str]:
        """All tokens in order."""
        return list(chain.from_iterable(self.lines()))

    def vocabulary(
        self,
        *,
        max_words: int | None = None,
        min_count: int = 1,
        unknown: str | None = "<unk>",
        padding: bool = False,
        max_distinct: int = MOST_DISTINCT,
    ) -> Vocabulary:
        """The vocabulary of this text, parameters as for `Vocabulary.fit`; raises DataError for a text of no token."""
        found = Vocabulary.fit(
            self.lines(),
            max_words=max_words,
            min_count=min_count,
            unknown=unknown,
            padding=padding,
            max_distinct=max_distinct,
        )
        if len(found) == found.first:
            raise DataError(f"{self.source}: expected text, found no token in it that is frequent enough.")
        return found

    def encode(self, vocabulary: Vocabulary) -> np.ndarray:
        """The ids of all tokens, (N,) int64; DataError names an unknown token where there is no unknown id."""
        if self.level == "char":
            tokenizer = CharTokenizer(unknown=vocabulary.unknown, padding=vocabulary.padding)
            tokenizer.vocabulary_ = vocabulary
            try:
                return tokenizer.encode_array(self.text)
            except DataError as error:
                raise DataError(f"{self.source}, {error}") from None
        pieces: list[np.ndarray] = []
        for number, words in enumerate(self.lines(), 1):
            try:
                pieces.append(np.array(vocabulary.ids(words), dtype=np.int64))
            except DataError as error:
                raise DataError(f"{self.source}, line {number}: {error}") from None
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def read_corpus(
    path: str | os.PathLike[str], level: str = "word", *, end: str = "<eos>", encoding: str = "utf-8"
) -> Corpus:
    """The text of a file (plain or gzip), a pipe, or standard input ("-").

    Raises DataError with the line and byte that are not in `encoding`.
    """
    return Corpus(read_text(path, encoding), level, end, source_name(path))
