"""WordVectors: pretrained vectors in memory, their coverage of a vocabulary, neighbours, and the matrix for a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError, SettingError, shown, suggest
from ...files import write_text
from .vocabulary import Vocabulary

__all__ = ["Coverage", "WordVectors"]


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary has a vector.

    `words` of `of_words` different words; `share` is that fraction, and `occurrences` the fraction of the training
    texts' words (None where the counts are unknown). `missing` are words without one, the most frequent first.
    """

    words: int
    of_words: int
    occurrences: float | None
    missing: tuple[str, ...]

    @property
    def share(self) -> float:
        """Fraction of the different words."""
        return self.words / self.of_words if self.of_words else 0.0

    def __str__(self) -> str:
        texts = "" if self.occurrences is None else f", {self.occurrences:.1%} of the words in the training texts"
        lacking = f"; without one: {', '.join(self.missing[:10])}" if self.missing else ""
        return f"{self.words:,} of {self.of_words:,} words have a vector ({self.share:.1%}{texts}){lacking}"


class WordVectors:
    """N words and their vectors (N, D) float32; words differ.

    >>> vectors = WordVectors(["man", "woman", "king", "queen"], np.array([[1, 0], [1, 1], [3, 0], [3, 3]]))
    >>> vectors.analogy("man", "woman", "king")[0][0], vectors["king"].tolist()
    ('queen', [3.0, 0.0])
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        """Raises DataError for words that repeat and vectors of another shape or that aren't finite."""
        self.words = tuple(words)
        self.vectors = np.asarray(vectors, dtype=np.float32)
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words) or not self.vectors.size:
            raise DataError(
                f"Expected vectors of shape ({len(self.words)}, D), one for each word, got {self.vectors.shape}."
            )
        self._places = {word: place for place, word in enumerate(self.words)}
        if len(self._places) < len(self.words):
            twice = next(word for place, word in enumerate(self.words) if self._places[word] != place)
            raise DataError(f"The word {shown(twice)} has two vectors; each word has one.")
        if not np.isfinite(self.vectors).all():
            place = int(np.argwhere(~np.isfinite(self.vectors))[0, 0])
            raise DataError(f"The vector of {shown(self.words[place])} holds a number that is not finite.")
        self._units: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._places

    def __getitem__(self, word: str) -> np.ndarray:
        return self.vectors[self._place(word)]

    @property
    def width(self) -> int:
        """D, the numbers in a vector."""
        return self.vectors.shape[1]

    # -- neighbours -------------------------------------------------------------------------------------------------

    def nearest(self, word: str | np.ndarray, count: int = 10) -> list[tuple[str, float]]:
        """The `count` words with the highest cosine to a word (left out itself) or to a vector (D,)."""
        if isinstance(word, str):
            return self._closest(self._unit(word), {word}, count)
        vector = np.asarray(word, dtype=np.float64)
        if vector.shape != (self.width,) or not np.isfinite(vector).all():
            raise SettingError(f"word: expected a word or a finite vector ({self.width},), got shape {vector.shape}.")
        return self._closest(vector, set(), count)

    def analogy(self, first: str, second: str, third: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to `third` as `second` is to `first`: the words nearest to second − first + third, these left out.

        The three vectors are brought to length 1 first (Mikolov et al. 2013, 3CosAdd).
        """
        target = self._unit(second) - self._unit(first) + self._unit(third)
        return self._closest(target, {first, second, third}, count)

    def _closest(self, vector: np.ndarray, leave_out: set[str], count: int) -> list[tuple[str, float]]:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise SettingError(f"count: expected a positive whole number, got {shown(count)}.")
        length = np.linalg.norm(vector)
        cosines = self._all_units() @ (vector / length if length else vector).astype(np.float32)
        order = np.argsort(-cosines, kind="stable")[: count + len(leave_out)].tolist()
        chosen = [(self.words[place], float(cosines[place])) for place in order if self.words[place] not in leave_out]
        return chosen[:count]

    def _all_units(self) -> np.ndarray:
        """Vectors of length 1, zeros where a vector is zero."""
        if self._units is None:
            lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
            self._units = self.vectors / np.where(lengths > 0, lengths, 1)
        return self._units

    def _unit(self, word: str) -> np.ndarray:
        return self._all_units()[self._place(word)].astype(np.float64)

    def _place(self, word: str) -> int:
        place = self._places.get(word)
        if place is None:
            near = suggest(word, self.words[:5000])
            raise DataError(f"The word {shown(word)} has no vector among the {len(self):,}.{near}")
        return place

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the text layout of word2vec, which `read_vectors` and other programs read: `N D`, then a word a line.

        Numbers have nine digits, so that reading gives the same float32. Raises DataError for a word with a line end
        or a space in it, OSError where the file can't be written.
        """
        for word in self.words:
            if len(word.split()) != 1 or word != word.strip():
                raise DataError(f"The word {shown(word)} holds white space, which the layout can't tell from its end.")
        lines = [f"{len(self)} {self.width}"]
        lines += [f"{word} {' '.join(f'{x:.9g}' for x in row)}" for word, row in zip(self.words, self.vectors.tolist())]
        write_text(path, "\n".join(lines) + "\n")

    # -- for a model ------------------------------------------------------------------------------------------------

    def coverage(self, vocabulary: Vocabulary, counts: Mapping[str, int] | None = None) -> Coverage:
        """How much of `vocabulary` has a vector; `counts` are the words' occurrences, by default the vocabulary's."""
        counts = vocabulary.counts if counts is None else counts
        own = vocabulary.words[vocabulary.first :]
        missing = [word for word in own if word not in self]
        share = None
        if counts is not None:
            total = sum(counts.get(word, 0) for word in own)
            lacking = sum(counts.get(word, 0) for word in missing)
            share = (total - lacking) / total if total else 0.0
        return Coverage(len(own) - len(missing), len(own), share, tuple(missing[:100]))

    def matrix(self, vocabulary: Vocabulary, seed: int) -> np.ndarray:
        """Rows for the ids of `vocabulary`, (len(vocabulary), D) float32.

        Padding is zeros. Words without a vector, and the unknown word, are drawn from a normal distribution with the
        mean and standard deviation of each column over the words that have one. Raises DataError where none has.
        """
        own = vocabulary.words
        places = [self._places.get(word, -1) if number >= vocabulary.first else -1 for number, word in enumerate(own)]
        if vocabulary.unknown is not None and vocabulary.unknown in self:
            places[vocabulary.first - 1] = self._places[vocabulary.unknown]
        there = np.array(places) >= 0
        if not there.any():
            raise DataError(
                "None of the vocabulary's words has a vector; check that the vectors are of the texts' language and "
                "that both are lower-cased alike."
            )
        known = self.vectors[np.array(places)[there]]
        out = np.empty((len(own), self.width), dtype=np.float32)
        draw = np.random.Generator(np.random.Philox(key=np.array([seed, 0], dtype=np.uint64)))
        noise = draw.standard_normal(out.shape)
        out[:] = known.mean(axis=0, dtype=np.float64) + noise * known.std(axis=0, dtype=np.float64)
        out[there] = known
        if vocabulary.padding:
            out[0] = 0
        return out
