"""The examples that word vectors learn from: windows with words drawn beside them, or counts of co-occurrence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seqloom_runtime.data.text import Vocabulary, WordTokenizer
from seqloom_runtime.errors import DataError
from seqloom_runtime.limits import need_memory

__all__ = ["Cooccurrences", "Sampler", "Tokens", "cooccurrences", "pairs_within", "read_tokens", "words_of"]

_POWER = 0.75  # of the frequency by which negatives are drawn (Mikolov et al. 2013, section 2.2)
_CHUNK = 1 << 20  # tokens that are counted at once


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as ids (N,) int32 of a vocabulary, and the number of the line of each, (N,) int32.

    Words outside the vocabulary are left out, so that a window reaches over them.
    """

    ids: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def words_of(lower: bool) -> WordTokenizer:
    """The splitter into words: punctuation out, each character of a script without spaces a word."""
    return WordTokenizer(lower=lower, characters=True)


def read_tokens(lines: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Tokens:
    """The ids of all words of `lines` that the vocabulary has."""
    ids: list[int] = []
    lengths: list[int] = []
    for words in lines:
        found = vocabulary.ids(words, skip=True)
        ids += found
        lengths.append(len(found))
    numbers = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return Tokens(np.array(ids, dtype=np.int32), numbers)


def pairs_within(tokens: Tokens, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places (P,) of centres and of the words in their windows, centres ascending; reach[t] words on each side.

    >>> tokens = Tokens(np.array([5, 6, 7], np.int32), np.array([0, 0, 1], np.int32))
    >>> [places.tolist() for places in pairs_within(tokens, np.array([1, 1, 1]))]
    [[0, 1], [1, 0]]
    """
    centres, contexts = [], []
    for distance in range(1, int(reach.max(initial=0)) + 1):
        if distance >= len(tokens):
            break
        first = np.arange(len(tokens) - distance, dtype=np.int32)
        first = first[tokens.lines[:-distance] == tokens.lines[distance:]]
        second = first + np.int32(distance)
        ahead, back = reach[first] >= distance, reach[second] >= distance
        centres += [first[ahead], second[back]]
        contexts += [second[ahead], first[back]]
    if not centres:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    centre, context = np.concatenate(centres), np.concatenate(contexts)
    order = np.argsort(centre, kind="stable")
    return centre[order], context[order]


class Sampler:
    """Draws the examples of a block of tokens: subsampling of frequent words, window widths, negatives.

    counts: (V,) occurrences. A word of frequency f stays with probability √(t/f) + t/f, t being `subsample` (0 keeps
    all). Negatives are drawn by frequency to the power 0.75.
    """

    def __init__(self, counts: np.ndarray, window: int, negatives: int, subsample: float) -> None:
        self.window, self.negatives = window, negatives
        share = counts / counts.sum()
        self._kept = np.ones(len(counts))
        if subsample:
            self._kept = np.minimum(1.0, np.sqrt(subsample / share) + subsample / share)
        sums = np.cumsum(counts**_POWER)
        self._sums = sums / sums[-1]

    def draw_words(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Words (…) int32 by their frequency to the power 0.75."""
        found = np.searchsorted(self._sums, random.random(shape), side="right")
        return np.minimum(found, len(self._sums) - 1).astype(np.int32)

    def expected(self, tokens: Tokens) -> float:
        """How many tokens stay, on average."""
        return float(self._kept[tokens.ids].sum())

    def examples(
        self, tokens: Tokens, random: np.random.Generator, *, join: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """inputs, starts and targets as `ops.word_vectors.negative_sampling` takes them.

        join: an example for each word, all of its window together (CBOW); otherwise one for each pair (skip-gram), the
        word as input and one of its window as the right one.
        """
        stays = random.random(len(tokens)) < self._kept[tokens.ids]
        tokens = Tokens(tokens.ids[stays], tokens.lines[stays])
        reach = random.integers(1, self.window + 1, len(tokens))
        centres, contexts = pairs_within(tokens, reach)
        if join:
            places, counts = np.unique(centres, return_counts=True)
            starts = np.concatenate([[0], np.cumsum(counts)])
            inputs, right = tokens.ids[contexts], tokens.ids[places]
        else:
            starts = np.arange(len(centres) + 1)
            inputs, right = tokens.ids[centres], tokens.ids[contexts]
        negatives = self.draw_words((len(right), self.negatives), random)
        return inputs, starts, np.concatenate([right[:, None], negatives], axis=1)


@dataclass(frozen=True, eq=False)
class Cooccurrences:
    """The entries of a symmetric table that aren't 0: rows, columns (N,) int32, and values (N,) float32."""

    left: np.ndarray
    right: np.ndarray
    values: np.ndarray


def cooccurrences(tokens: Tokens, words: int, window: int) -> Cooccurrences:
    """How often words stand near each other: 1/d for each pair d ≤ `window` words apart within a line, both ways.

    Raises DataError where no two words stand in one line.

    >>> found = cooccurrences(Tokens(np.array([0, 1, 2], np.int32), np.zeros(3, np.int32)), 3, 2)
    >>> dict(zip(zip(found.left.tolist(), found.right.tolist()), found.values.tolist()))[0, 2]
    0.5
    """
    keys, sums = np.empty(0, np.int64), np.empty(0)
    for start in range(0, len(tokens), _CHUNK):
        stop = start + _CHUNK
        need_memory(
            40 * min(_CHUNK, len(tokens)) * window + 24 * len(keys),
            "window: the counts of co-occurrence",
            "Choose a smaller window, or a max_words or min_count that leaves rare words out.",
        )
        found, weights = [keys], [sums]
        for distance in range(1, window + 1):
            # Pairs whose first word lies in this chunk; the second may lie behind it.
            last = tokens.ids[start + distance : stop + distance].astype(np.int64)
            first = tokens.ids[start : start + len(last)].astype(np.int64)
            same = tokens.lines[start : start + len(last)] == tokens.lines[start + distance : stop + distance]
            low, high = np.minimum(first, last)[same], np.maximum(first, last)[same]
            found.append(low * words + high)
            weights.append(np.full(len(low), 1.0 / distance))
        keys, places = np.unique(np.concatenate(found), return_inverse=True)
        sums = np.bincount(places.ravel(), np.concatenate(weights), len(keys))
    if not len(keys):
        raise DataError("The text holds no two words of the vocabulary in one line; give a longer one.")
    low, high = (keys // words).astype(np.int32), (keys % words).astype(np.int32)
    apart = low != high
    values = np.where(apart, sums, 2 * sums).astype(np.float32)  # on the diagonal both ways are one entry
    return Cooccurrences(
        np.concatenate([low, high[apart]]),
        np.concatenate([high, low[apart]]),
        np.concatenate([values, values[apart]]),
    )
