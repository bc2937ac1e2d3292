"""Raw text for language models: words with an end token per line, or characters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ...errors import DataError, SettingError, shown
from ..decisions import Decision
from ..sources import source_name
from .characters import CharTokenizer
from .lines import read_text
from .scripts import unspaced_script
from .spaced import characters_apart, joined_or_kept
from .vocabulary import MOST_DISTINCT, Vocabulary

__all__ = ["Corpus", "chosen_level", "read_corpus", "split_running"]

_FEW_LINES = 10
_WORD = re.compile(r"\S+\s*|\s+")
LEVELS = ("word", "char")


@dataclass(frozen=True, eq=False)
class Corpus:
    """One running text; `source` names it in messages.

    At level "word" tokens are what stands between white space, and `end` follows the words of each line (an empty line
    is an `end` alone). At level "char" tokens are the text's characters, line ends among them.

    >>> Corpus("the cat\\nsat\\n").tokens()
    ['the', 'cat', '<eos>', 'sat', '<eos>']
    """

    text: str
    level: str = "word"
    end: str = "<eos>"
    source: str = "the text"
    decisions: tuple[Decision, ...] = ()

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
    path: str | os.PathLike[str],
    level: str | None = "word",
    *,
    end: str = "<eos>",
    encoding: str = "utf-8",
    join_spaced: bool = True,
) -> Corpus:
    """The text of a file (plain or gzip), a pipe, or standard input ("-").

    `level` None is "char" for a text of a script that has no spaces between words (Chinese, Japanese, Thai, …), else
    "word", but for one whose characters stand with spaces between them; at level "char" those spaces are left out with
    `join_spaced`. The corpus says so in `decisions`. Raises DataError with the line and byte that are not in
    `encoding`.
    """
    said: list[Decision] = []
    text = read_text(path, encoding, said=said)
    chosen, about = chosen_level(text, level)
    text, spaced = joined_or_kept(text, chosen, join_spaced)
    return Corpus(text, chosen, end, source_name(path), (*said, *about, *spaced))


def chosen_level(text: str, level: str | None) -> tuple[str, tuple[Decision, ...]]:
    """The level to read a running text at, and what to say about it; `level` as for `read_corpus`."""
    script = unspaced_script([text]) if level in (None, "word") else None
    if script is None:
        return level or ("char" if characters_apart(text) else "word"), ()
    if level is None:
        said = (
            f"The text has no spaces between words ({script}), so each character is a token; say level='word' "
            "where lines are words."
        )
        return "char", (Decision("level", said, option="level"),)
    said = (
        f"The text has no spaces between words ({script}), so each line is one token; say level='char' for "
        "one token per character."
    )
    return "word", (Decision("level", said, option="level"),)


def split_running(text: str, level: str, fraction: float) -> tuple[str, str, tuple[Decision, ...]]:
    """A text as its first part and its last `fraction`, at a line end at level "word" where there are enough lines, at
    a space where there are few; at any place at level "char". Raises DataError where there are no two tokens.

    >>> split_running("a b c d e f g h i j", "word", 0.2)[:2]
    ('a b c d e f g h ', 'i j')
    """
    said: tuple[Decision, ...] = ()
    pieces: Sequence[str] = text.splitlines(keepends=True) if level == "word" else text
    what = "line" if level == "word" else "character"
    if level == "word" and len(pieces) < _FEW_LINES and len(pieces) * fraction < 1:
        words = _WORD.findall(text)
        if len(words) > len(pieces):
            lines = "one line" if len(pieces) == 1 else f"{len(pieces)} lines"
            sentence = f"The text has {lines}, so its end is split off at a space, not at a line end."
            pieces, what, said = words, "word", (Decision("split", sentence),)
    at = min(len(pieces) - 1, round(len(pieces) * (1 - fraction)))
    if at < 1:
        raise DataError(
            f"the training text: expected at least two {what}s, one of them to validate on, got {len(pieces)}; give "
            "more text or a validation text of its own."
        )
    return "".join(pieces[:at]), "".join(pieces[at:]), said
