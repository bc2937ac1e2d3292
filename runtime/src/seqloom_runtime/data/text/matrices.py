"""Texts as rows of a matrix with a column per word: presence, counts, frequencies, tf-idf; and one-hot steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np

from ...errors import DataError, FormatError, NotFittedError, SettingError, shown, suggest
from ...limits import memory_left

__all__ = ["MODES", "SparseRows", "WordMatrix", "one_hot"]

MODES = ("binary", "count", "frequency", "tfidf", "tfidf-log")


@dataclass(frozen=True, eq=False)
class SparseRows:
    """A matrix (N, width) as the numbers that aren't zero, by rows.

    Row i holds `values[indptr[i]:indptr[i + 1]]` float32 in the columns `indices[…]`, which rise.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    width: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def rows(self) -> np.ndarray:
        """The row (nnz,) of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def dense(self) -> np.ndarray:
        """The whole matrix (N, width) float32; raises DataError where it is larger than the free memory."""
        free = memory_left()
        if len(self) * self.width * 4 > free:
            raise DataError(
                f"A matrix of {len(self):,} texts by {self.width:,} words needs {len(self) * self.width * 4 / 1e9:.1f} "
                f"GB, and {free / 1e9:.1f} GB are free: set max_words to {max(1, free // (4 * len(self))):,} or less, "
                "or stay with the sparse rows."
            )
        out = np.zeros((len(self), self.width), dtype=np.float32)
        out[self.rows, self.indices] = self.values
        return out


class WordMatrix:
    """Texts, as lists of word ids, to rows with a column per id.

    With c the occurrences of a word in a text of n words, N training texts and df of them with the word:
    "binary" 1; "count" c; "frequency" c / n; "tfidf" c·(ln((1 + N) / (1 + df)) + 1), the row then divided by its
    Euclidean norm (scikit-learn's); "tfidf-log" (1 + ln c)·ln(1 + N / (1 + df)) (Keras's). N and df come from the
    training texts given to `fit`.

    >>> WordMatrix("count").fit([[1, 2, 1]], width=4).transform([[2, 3, 2], []]).dense().tolist()
    [[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, mode: str = "binary") -> None:
        """Raises SettingError for another mode."""
        if mode not in MODES:
            raise SettingError(
                f"mode: expected one of {', '.join(MODES)}, got {shown(mode)}.{suggest(str(mode), MODES)}"
            )
        self.mode = mode
        self.weights_: np.ndarray | None = None

    def fit(self, sequences: Sequence[Sequence[int]], width: int) -> Self:
        """Take the number of columns, ids 0 to width − 1, and for tf-idf the weight of each word."""
        found = _counted(sequences, width)
        texts, documents = len(found), np.bincount(found.indices, minlength=width)
        if self.mode == "tfidf":
            self.weights_ = np.log((1 + texts) / (1 + documents)) + 1
        elif self.mode == "tfidf-log":
            self.weights_ = np.log(1 + texts / (1 + documents))
        else:
            self.weights_ = np.ones(width)
        return self

    def transform(self, sequences: Sequence[Sequence[int]]) -> SparseRows:
        """The rows of these texts; an empty text gives a row of zeros. Raises DataError for an id out of range."""
        if self.weights_ is None:
            raise NotFittedError("This WordMatrix has no columns yet; call fit(sequences, width) first.")
        found = _counted(sequences, len(self.weights_))
        counts = found.values.astype(np.float64)
        if self.mode == "binary":
            values = np.ones(len(counts))
        elif self.mode == "frequency":
            lengths = np.fromiter(map(len, sequences), dtype=np.float64, count=len(sequences))
            values = counts / lengths[found.rows]
        elif self.mode == "tfidf-log":
            values = (1 + np.log(counts)) * self.weights_[found.indices]
        else:
            values = counts * self.weights_[found.indices]
        if self.mode == "tfidf":
            norms = np.sqrt(np.bincount(found.rows, values**2, minlength=len(found)))
            values = values / norms[found.rows]
        return SparseRows(found.indptr, found.indices, values.astype(np.float32), found.width)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The weight of each word (width,) float64, for a safetensors file; the mode is a JSON value."""
        if self.weights_ is None:
            raise NotFittedError("This WordMatrix has no columns yet; call fit(sequences, width) first.")
        return {"weights": self.weights_.copy()}

    @classmethod
    def from_arrays(cls, mode: Any, arrays: Mapping[str, np.ndarray]) -> Self:
        """The matrix of `to_arrays`; raises FormatError."""
        weights = arrays.get("weights")
        if mode not in MODES or set(arrays) != {"weights"} or weights is None:
            raise FormatError(f"word matrix: expected a mode of {', '.join(MODES)} and the array 'weights'.")
        if weights.dtype != np.float64 or weights.ndim != 1 or not len(weights) or not np.isfinite(weights).all():
            raise FormatError(
                f"word matrix: expected finite weights (width,) float64, got {weights.dtype} {weights.shape}."
            )
        matrix = cls(mode)
        matrix.weights_ = weights.copy()
        return matrix


def one_hot(ids: np.ndarray, width: int, mask: np.ndarray | None = None) -> np.ndarray:
    """Ids (B, T) as (B, T, width) float32 with a 1 in the id's column, and zeros where `mask` (B, T) is false.

    >>> one_hot(np.array([[2, 0]]), 3, np.array([[True, False]])).tolist()
    [[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]
    """
    _check_width(width)
    ids = np.asarray(ids)
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or (mask is not None and np.shape(mask) != ids.shape):
        raise SettingError(
            f"ids: expected whole numbers (B, T) and a mask of the same shape, got {ids.shape} of {ids.dtype}"
            f"{'' if mask is None else f' and {np.shape(mask)}'}."
        )
    _check_range(ids, width)
    out = np.zeros((*ids.shape, width), dtype=np.float32)
    rows, steps = np.indices(ids.shape) if mask is None else np.nonzero(mask)
    out[rows, steps, ids[rows, steps]] = 1
    return out


def _counted(sequences: Sequence[Sequence[int]], width: int) -> SparseRows:
    """Occurrences of each id in each sequence."""
    _check_width(width)
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    ids = np.fromiter(chain.from_iterable(sequences), dtype=np.int64, count=int(lengths.sum()))
    _check_range(ids, width)
    places, counts = np.unique(np.repeat(np.arange(len(lengths)), lengths) * width + ids, return_counts=True)
    rows, columns = np.divmod(places, width)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(lengths)))])
    return SparseRows(indptr, columns, counts.astype(np.float32), width)


def _check_width(width: int) -> None:
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
        raise SettingError(f"width: expected the positive number of ids, got {shown(width)}.")


def _check_range(ids: np.ndarray, width: int) -> None:
    if ids.size and not 0 <= ids.min() <= ids.max() < width:
        wrong = ids[(ids < 0) | (ids >= width)].ravel()[0]
        raise DataError(f"Expected ids from 0 to {width - 1}, got {wrong}.")
