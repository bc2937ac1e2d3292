"""Texts as numbers: one flat array of word ids for all texts, padded only batch by batch.

N texts; a batch holds B of them, T words wide, or for the hierarchical network S sentences of W words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ..data import WordTokenizer

__all__ = [
    "LONGEST_SENTENCE",
    "LONG_NUMBER",
    "SENTENCE_END",
    "EncodedTexts",
    "encode_texts",
    "numbers_by_length",
    "sentences_of",
    "words_read",
]

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+|<br\s*/?>", re.IGNORECASE)
LONG_NUMBER = re.compile(r"\d{3,}")
LONGEST_SENTENCE = 60  # words; a text without full stops would be one sentence, and its batch mostly padding


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Word ids of N texts: those of text n are `ids[offsets[n]:offsets[n + 1]]`.

    With sentences, those of text n begin at `starts[first[n]:first[n + 1]]`, counted in words of the text; else None.
    """

    ids: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray | None = None
    first: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Words of each text, (N,) int64."""
        return np.diff(self.offsets)

    def batch(self, rows: np.ndarray, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """ids (B, T) and lengths (B,) of the texts `rows`; T is the longest's, at least 1, or `width`.

        With sentences ids (B, S, W) and lengths (B, S).
        """
        if self.starts is not None:
            return self._sentences(rows)
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        steps = np.arange(max(1, int(lengths.max(initial=0))) if width is None else width)
        mask = steps < lengths[:, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = self.ids[(self.offsets[rows][:, None] + steps)[mask]]
        return ids, lengths

    def _sentences(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.starts is not None
        assert self.first is not None
        texts = []
        for row in rows.tolist():
            starts = self.starts[self.first[row] : self.first[row + 1]]
            ends = np.append(starts[1:], self.offsets[row + 1] - self.offsets[row])
            texts.append((starts + self.offsets[row], ends - starts))
        most = max(1, max((len(lengths) for _, lengths in texts), default=0))
        counts = np.zeros((len(rows), most), dtype=np.int64)
        begins = np.zeros((len(rows), most), dtype=np.int64)
        for row, (starts, lengths) in enumerate(texts):
            counts[row, : len(lengths)], begins[row, : len(starts)] = lengths, starts
        steps = np.arange(max(1, int(counts.max(initial=0))))
        mask = steps < counts[:, :, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = self.ids[(begins[:, :, None] + steps)[mask]]
        return ids, counts


def encode_texts(
    tokenizer: WordTokenizer, texts: Sequence[str], most: int | None, keep: str, *, sentences: bool = False
) -> EncodedTexts:
    """The words of each text as ids, of longer texts the last or first `most` words (`keep`).

    >>> tokenizer = WordTokenizer().fit(["a b c"])
    >>> encode_texts(tokenizer, ["a b c", "", "c d"], 2, "last").ids.tolist()
    [3, 4, 4, 1]
    """
    if sentences:
        return _encode_sentences(tokenizer, texts, most, keep)
    encoded = [_cut(ids, most, keep) for ids in tokenizer.encode(texts)]
    return EncodedTexts(*_flat(encoded))


def numbers_by_length(texts: Sequence[str]) -> list[str]:
    """Every digit of a number of three digits and more as 0: few long numbers come twice, but their lengths do.

    >>> numbers_by_length(["call 08004423 within 24 hours, win £1000"])
    ['call 00000000 within 24 hours, win £0000']
    """
    return [LONG_NUMBER.sub(lambda found: "0" * len(found[0]), text) for text in texts]


def sentences_of(text: str) -> list[str]:
    """A text cut behind each full stop, question or exclamation mark, at line breaks and at "<br />".

    >>> sentences_of("One. Two? (Three!) four<br />five")
    ['One.', 'Two?', '(Three!', 'four', 'five']
    """
    return [part for part in SENTENCE_END.split(text) if part.strip()]


def words_read(
    tokenizer: WordTokenizer, text: str, most: int | None, keep: str, *, sentences: bool = False
) -> list[list[str]]:
    """The words that the model reads of one text, as they are spelled there, sentence by sentence (else as one)."""
    parts = [tokenizer.tokens(part) for part in (sentences_of(text) if sentences else [text])]
    words = _cut(list(chain.from_iterable(parts)), most, keep)
    if not sentences:
        return [words]
    bounds = _starts(parts, most, keep)
    return [words[start:end] for start, end in zip(bounds, [*bounds[1:], len(words)])]


def _encode_sentences(tokenizer: WordTokenizer, texts: Sequence[str], most: int | None, keep: str) -> EncodedTexts:
    encoded: list[list[int]] = []
    starts: list[list[int]] = []
    for text in texts:
        parts = tokenizer.encode(sentences_of(text))
        encoded.append(_cut(list(chain.from_iterable(parts)), most, keep))
        starts.append(_starts(parts, most, keep))
    begins, first = _flat(starts)
    return EncodedTexts(*_flat(encoded), begins.astype(np.int64), first)


def _starts(parts: Sequence[Sequence[Any]], most: int | None, keep: str) -> list[int]:
    """Where sentences begin in the words that are kept; a long sentence is cut into pieces of 60 words."""
    total = sum(map(len, parts))
    kept = total if most is None else min(total, most)
    skipped = total - kept if keep == "last" else 0
    # Words that are skipped count below 0, so that a sentence cut by the limit begins at word 0.
    starts, place = [], -skipped
    for part in parts:
        starts += range(max(place, 0), min(place + len(part), kept), LONGEST_SENTENCE)
        place += len(part)
    return starts


def _cut(ids: list[Any], most: int | None, keep: str) -> list[Any]:
    if most is None or len(ids) <= most:
        return ids
    return ids[-most:] if keep == "last" else ids[:most]


def _flat(lists: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lists of whole numbers end to end, int32, and where each begins and the last ends."""
    offsets = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, lists), dtype=np.int64, count=len(lists)), out=offsets[1:])
    return np.fromiter(chain.from_iterable(lists), dtype=np.int32, count=int(offsets[-1])), offsets
