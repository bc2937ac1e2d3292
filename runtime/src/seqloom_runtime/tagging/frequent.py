"""The tagger's baseline: each word's most frequent tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["FrequentTags"]


class FrequentTags:
    """The tag that a word had most often in training; of words without a count, the most frequent tag of words that
    came once, else of all."""

    def __init__(self, tag: np.ndarray) -> None:
        """tag: (V,) int64, the tag's number for each word id."""
        self.tag = tag

    @classmethod
    def fit(cls, ids: Sequence[Sequence[int]], tags: Sequence[Sequence[int]], words: int, kinds: int) -> FrequentTags:
        """Count sentences of word ids with their tags (−1 for none), V = `words` and K = `kinds`."""
        flat = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in ids])
        marks = np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in tags])
        flat, marks = flat[marks >= 0], marks[marks >= 0]
        counts = np.zeros((words, kinds), dtype=np.int64)
        np.add.at(counts, (flat, marks), 1)
        total = counts.sum(axis=1)
        # A new word is more like those that came once (names, say) than like the frequent ones.
        rare = counts[total == 1].sum(axis=0)
        unseen = int((rare if rare.any() else counts.sum(axis=0)).argmax())
        return cls(np.where(total > 0, counts.argmax(axis=1), unseen))

    def best(self, ids: Sequence[int]) -> list[int]:
        """The tag of each word of a sentence."""
        return self.tag[np.asarray(ids, dtype=np.int64)].tolist()
