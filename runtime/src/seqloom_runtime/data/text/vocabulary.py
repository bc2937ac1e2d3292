"""Vocabulary: the words that a model knows, and the number of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Self

from ...errors import DataError, FormatError, SettingError, shown, suggest
from ...limits import memory_left

__all__ = ["MOST_DISTINCT", "Vocabulary", "count_words"]

MOST_DISTINCT = 5_000_000  # about 0.9 GB of strings and counts
_PAD = "<pad>"


class Vocabulary:
    """Ids of words: 0 is padding, 1 the unknown word, then the words, the most frequent first.

    Without `padding` ids start one lower; with `unknown=None` there is no id for unknown words. Padding has no
    spelling: a text that holds "<pad>" never becomes padding. A text that holds the spelling of the unknown word
    means the unknown word. `counts`, where the vocabulary was made from texts, are the words' occurrences in them.

    >>> vocabulary = Vocabulary.fit([["the", "cat", "sat"], ["the", "dog"]])
    >>> len(vocabulary), vocabulary.ids(["the", "dog", "flew"]), vocabulary.words[:3]
    (6, [2, 5, 1], ('<pad>', '<unk>', 'the'))
    """

    def __init__(
        self,
        words: Iterable[str],
        *,
        padding: bool = True,
        unknown: str | None = "<unk>",
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Number `words` in the order given; raises DataError for one that comes twice or is no text."""
        own = tuple(words)
        for position, word in enumerate(own):
            if type(word) is not str:
                raise DataError(f"Vocabulary: expected words as text, word {position} is {shown(word)}.")
        if unknown is not None and type(unknown) is not str:
            raise SettingError(f"unknown: expected the spelling of the unknown word or None, got {shown(unknown)}.")
        special = ([_PAD] if padding else []) + ([] if unknown is None else [unknown])
        self.words: tuple[str, ...] = (*special, *own)
        self.padding, self.unknown = bool(padding), unknown
        self.first = len(special)
        self._ids = {word: number for number, word in enumerate(own, self.first)}
        if len(self._ids) < len(own) or unknown in self._ids:
            seen = {unknown}
            twice = next(word for word in own if word in seen or seen.add(word))
            raise DataError(f"Vocabulary: the word {shown(twice)} comes twice; each word has one id.")
        if unknown is not None:
            self._ids[unknown] = self.first - 1
        _refuse_surrogates(self.words)
        self.counts = None if counts is None else {word: int(counts.get(word, 0)) for word in own}

    @classmethod
    def fit(
        cls,
        sentences: Iterable[Sequence[str]],
        *,
        max_words: int | None = None,
        min_count: int = 1,
        padding: bool = True,
        unknown: str | None = "<unk>",
        max_distinct: int = MOST_DISTINCT,
    ) -> Self:
        """The vocabulary of lists of words; parameters as for `from_counts` and `count_words`."""
        counts = count_words(sentences, max_words=max_words, max_distinct=max_distinct)
        return cls.from_counts(counts, max_words=max_words, min_count=min_count, padding=padding, unknown=unknown)

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        max_words: int | None = None,
        min_count: int = 1,
        padding: bool = True,
        unknown: str | None = "<unk>",
    ) -> Self:
        """The `max_words` most frequent words with at least `min_count` occurrences, equals in the mapping's order.

        Padding and the unknown word don't count towards `max_words`. Raises SettingError for limits out of range.
        """
        for name, value in (("max_words", max_words), ("min_count", min_count)):
            if value is None and name == "max_words":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"{name}: expected a positive whole number, got {shown(value)}.")
        order = sorted(
            ((word, count) for word, count in counts.items() if count >= min_count and word != unknown),
            key=lambda item: -item[1],
        )
        kept = dict(islice(order, max_words))
        return cls(kept, padding=padding, unknown=unknown, counts=kept)

    # -- looking up -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # how Python spells: not hashable

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} ids: {', '.join(map(repr, self.words[:6]))}{', …' if len(self) > 6 else ''})"

    @property
    def padding_id(self) -> int | None:
        """0, or None without padding."""
        return 0 if self.padding else None

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown word, None where there is none."""
        return None if self.unknown is None else self.first - 1

    def ids(self, words: Iterable[str], *, skip: bool = False) -> list[int]:
        """The id of each word; unknown words become the unknown id.

        Where the vocabulary has no unknown word, `skip` leaves unknown ones out; otherwise DataError names the first.
        """
        get = self._ids.get
        unknown = self.unknown_id
        if unknown is not None:
            return [get(word, unknown) for word in words]
        if skip:
            return [number for word in words if (number := get(word)) is not None]
        try:
            return [self._ids[word] for word in words]
        except KeyError as error:
            word = str(error.args[0])
            raise DataError(
                f"The word {shown(word)} is not among the {len(self._ids):,} that the vocabulary knows."
                f"{suggest(word, self.words[:5000])}"
            ) from None

    def id(self, word: str) -> int:
        """The id of one word, as `ids`."""
        return self.ids([word])[0]

    def spell(self, ids: Iterable[int]) -> list[str]:
        """The word of each id; raises DataError for a number that is no id."""
        words = self.words
        out: list[str] = []
        for number in ids:
            if not 0 <= number < len(words):
                raise DataError(f"Expected ids from 0 to {len(words) - 1}, got {number}.")
            out.append(words[number])
        return out

    # -- size -------------------------------------------------------------------------------------------------------

    def refuse_if_too_large(self, bytes_per_word: int, available: int | None = None) -> None:
        """Raise SettingError, naming the limit to set, where this many words need more memory than there is.

        `bytes_per_word` counts every array with a row per word (weights, gradient, the optimizer's moments).
        `available` is in bytes, by default what the machine has free.
        """
        if available is None:
            available = memory_left()
        if len(self) * bytes_per_word > available:
            most = max(1, available // bytes_per_word - self.first)
            raise SettingError(
                f"A vocabulary of {len(self):,} words at {bytes_per_word:,} bytes a word needs "
                f"{len(self) * bytes_per_word / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free: set max_words to "
                f"{most:,} or less, or a min_count that leaves rare words out."
            )

    # -- files ------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as JSON values; counts are left out."""
        return {"words": list(self.words[self.first :]), "padding": self.padding, "unknown": self.unknown}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The vocabulary of `to_json`; raises FormatError where `value` is none."""
        if not isinstance(value, dict) or set(value) != {"words", "padding", "unknown"}:
            raise FormatError("vocabulary: expected an object with 'words', 'padding' and 'unknown'.")
        words, padding, unknown = value["words"], value["padding"], value["unknown"]
        if not isinstance(words, list) or not isinstance(padding, bool):
            raise FormatError("vocabulary: expected a list of words, and true or false for 'padding'.")
        try:
            return cls(words, padding=padding, unknown=unknown)
        except (DataError, SettingError) as error:
            raise FormatError(f"vocabulary: {error}") from None


def count_words(
    sentences: Iterable[Sequence[str]], *, max_words: int | None = None, max_distinct: int = MOST_DISTINCT
) -> dict[str, int]:
    """Occurrences of each word, in order of first appearance.

    More than `max_distinct` different words don't fit: with `max_words` (at most half of it) the rarest half is
    dropped while counting, so the counts of words near the limit become approximate; without it DataError says what to
    set.
    """
    counts: Counter[str] = Counter()
    for words in sentences:
        counts.update(words)
        if len(counts) > max_distinct:
            if max_words is None or max_words > max_distinct // 2:
                raise DataError(
                    f"The texts hold more than {max_distinct:,} different words, too many to count in memory: set "
                    f"max_words to {max_distinct // 2:,} or less, so that the rarest are dropped while counting, or "
                    "split the texts into characters or subwords."
                )
            order = sorted(counts.items(), key=lambda item: -item[1])[: max_distinct // 2]
            keep = {word for word, _ in order}
            counts = Counter({word: count for word, count in counts.items() if word in keep})
    return counts


def _refuse_surrogates(words: Sequence[str]) -> None:
    """Raise DataError for half a surrogate pair, which no file can hold."""
    try:
        "".join(words).encode("utf-8")
    except UnicodeEncodeError:
        for word in words:
            if any(0xD800 <= ord(character) <= 0xDFFF for character in word):
                raise DataError(
                    f"The word {shown(word)} holds half of a surrogate pair, which is no character; repair the text."
                ) from None
