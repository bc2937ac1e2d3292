"""The baselines of language models: how often a word comes (unigram), and how often it follows another (bigram)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import FormatError

__all__ = ["BASELINES", "Bigram", "Unigram"]

BASELINES = ("unigram", "bigram")
_PIECE = 1 << 22  # ids that are counted at a time


class Unigram:
    """P(w) = (c(w) + 1) / (N + V): add-one, so that no word is impossible."""

    def __init__(self, probability: np.ndarray) -> None:
        self.probability = probability

    @classmethod
    def fit(cls, ids: np.ndarray, words: int) -> Unigram:
        """Count the tokens `ids` (N,) of a vocabulary of `words`."""
        counts = np.zeros(words)
        for first in range(0, len(ids), _PIECE):  # a text may be larger than memory
            counts += np.bincount(ids[first : first + _PIECE], minlength=words)
        return cls((counts + 1) / (counts.sum() + words))

    def losses(self, before: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """−ln P of each token (N,) after the token before it (N,)."""
        return -np.log(self.probability[ids])

    def distribution(self, before: int) -> np.ndarray:
        """P of every word (V,)."""
        return self.probability

    @property
    def parameters(self) -> int:
        """Numbers that were fitted."""
        return len(self.probability)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` needs."""
        return {"unigram": self.probability}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], words: int) -> Unigram:
        """The inverse of `arrays`; raises FormatError where they aren't those of `words` words."""
        return cls(_probabilities(arrays, "unigram", words))


class Bigram:
    """Interpolated Kneser–Ney of pairs: P(w|v) = max(c(vw) − D, 0)/c(v) + D·n(v·)/c(v) · P₁(w).

    P₁(w) = max(n(·w) − D, 0)/n(··) + D·|{w: n(·w) > 0}|/n(··)/V with n(·w) the number of different words before w,
    n(v·) the number of different words after v, and D = n₁/(n₁ + 2n₂) from the counts of pairs that occur once and
    twice. Source: Chen & Goodman, "An empirical study of smoothing techniques for language modeling", 1999.
    """

    def __init__(self, keys: np.ndarray, weights: np.ndarray, back: np.ndarray, lower: np.ndarray) -> None:
        """keys (P,) sorted v·V + w; weights (P,) their discounted share; back (V,) mass left for `lower` (V,)."""
        self.keys, self.weights, self.back, self.lower = keys, weights, back, lower

    @classmethod
    def fit(cls, ids: np.ndarray, words: int) -> Bigram:
        """Count the pairs of the running text `ids` (N,), N ≥ 1, of a vocabulary of `words`."""
        # A pair is one number, v·V + w: sorted, it is found by bisection, and the pairs after v lie together.
        keys, counts = _pairs(ids, words)
        first, second = (keys // words).astype(np.int32), (keys % words).astype(np.int32)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        # Chen & Goodman's estimate needs both counts; a text that lacks one is too small to tell.
        discount = once / (once + 2 * twice) if once and twice else 0.5
        total = np.bincount(first, counts, minlength=words)
        kinds = np.bincount(first, minlength=words)
        safe = np.maximum(total, 1)
        # After a word that never came before another all mass goes to the lower order.
        back = np.where(total > 0, discount * kinds / safe, 1.0)
        before = np.bincount(second, minlength=words).astype(np.float64)
        seen = max(before.sum(), 1.0)
        spare = discount * (before > 0).sum() / seen if before.any() else 1.0
        lower = np.maximum(before - discount, 0) / seen + spare / words
        return cls(keys, np.maximum(counts - discount, 0) / safe[first], back, lower / lower.sum())

    def losses(self, before: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """−ln P of each token (N,) after the token before it (N,)."""
        wanted = before.astype(np.int64) * len(self.lower) + ids
        place = np.minimum(np.searchsorted(self.keys, wanted), max(len(self.keys) - 1, 0))
        known = self.keys[place] == wanted if len(self.keys) else np.zeros(len(wanted), dtype=bool)
        share = np.where(known, self.weights[place], 0.0) if len(self.keys) else 0.0
        return -np.log(share + self.back[before] * self.lower[ids])

    def distribution(self, before: int) -> np.ndarray:
        """P of every word (V,) after the word `before`."""
        words = len(self.lower)
        found = self.back[before] * self.lower
        start, stop = np.searchsorted(self.keys, [before * words, (before + 1) * words])
        found[self.keys[start:stop] % words] += self.weights[start:stop]
        return found

    @property
    def parameters(self) -> int:
        """Numbers that were fitted."""
        return len(self.keys) + 2 * len(self.lower)

    def arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` needs."""
        return {"keys": self.keys, "weights": self.weights, "back": self.back, "lower": self.lower}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], words: int) -> Bigram:
        """The inverse of `arrays`; raises FormatError where they don't fit together."""
        lower = _probabilities(arrays, "lower", words)
        keys, weights, back = (arrays.get(name) for name in ("keys", "weights", "back"))
        good = (
            keys is not None
            and weights is not None
            and back is not None
            and keys.dtype == np.int64
            and keys.ndim == 1
            and weights.shape == keys.shape
            and back.shape == (words,)
            and weights.dtype == back.dtype == np.float64
            and bool((np.diff(keys) > 0).all())
            and (not len(keys) or (keys[0] >= 0 and keys[-1] < words * words))
            and bool(
                np.isfinite(weights).all() and np.isfinite(back).all() and (weights >= 0).all() and (back > 0).all()
            )
        )
        if not good or keys is None or weights is None or back is None:
            raise FormatError("model.safetensors: the counts of word pairs don't fit together.")
        return cls(keys, weights, back, lower)


def _pairs(ids: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs v·V + w of neighbours, sorted, and how often each comes, counted a piece at a time."""
    keys, counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for first in range(0, len(ids) - 1, _PIECE):
        piece = ids[first : first + _PIECE + 1].astype(np.int64)
        found, times = np.unique(piece[:-1] * words + piece[1:], return_counts=True)
        if not len(keys):
            keys, counts = found, times
            continue
        # Both are sorted: known pairs are found by bisection, the others are put where they belong.
        place = np.searchsorted(keys, found)
        known = keys[np.minimum(place, len(keys) - 1)] == found
        counts[place[known]] += times[known]
        keys = np.insert(keys, place[~known], found[~known])
        counts = np.insert(counts, place[~known], times[~known])
    return keys, counts


def _probabilities(arrays: Mapping[str, np.ndarray], name: str, words: int) -> np.ndarray:
    array = arrays.get(name)
    if array is None or array.shape != (words,) or array.dtype != np.float64 or not (array > 0).all():
        raise FormatError(f"model.safetensors: expected {name!r} with a probability for each of {words} words.")
    return array
