"""`SimilarityPredictor`: embeddings of sequences, and the nearest ones of a new sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.sequences.ragged import Sequences
from ..errors import DataError
from ..sequences.blocks import outputs_of
from ..sequences.reading import check_channels
from ..sequences.scale import Scale
from ..untrained import Predictor
from .network import SiameseNetwork

__all__ = ["Embedder", "Resampled", "SimilarityPredictor", "between"]

_AT_ONCE = 256


class Resampled:
    """The baseline: sequences brought to `length` steps by linear interpolation, scaled, and laid out flat."""

    n_parameters = 0

    def __init__(self, length: int, scale: Scale) -> None:
        self.length, self.scale = length, scale

    def embed(self, sequences: Sequences) -> np.ndarray:
        """(N, length · C) float64."""
        found = np.empty((len(sequences), self.length, sequences.width))
        at = np.linspace(0, 1, self.length)
        for number, values in enumerate(sequences):
            own = np.linspace(0, 1, len(values)) if len(values) > 1 else np.zeros(1)
            scaled = self.scale.scaled(values).astype(np.float64)
            for channel in range(sequences.width):
                found[number, :, channel] = np.interp(at, own, scaled[:, channel])
        return found.reshape(len(sequences), -1)


class Embedder:
    """A trained network with the scale of its inputs."""

    def __init__(self, network: SiameseNetwork, scale: Scale) -> None:
        self.network, self.scale = network, scale

    def embed(self, sequences: Sequences) -> np.ndarray:
        """(N, E) float64."""
        network = self.network
        return outputs_of(network, sequences, self.scale, (network.shape.embedding_size, False), network.width)


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityPredictor(Predictor):
    """Puts sequences that are alike near each other. index: the embeddings (N, E) of the training sequences."""

    model: Any
    channels: tuple[str, ...]
    index: np.ndarray
    notes: Sequence[str] = field(default=())

    def embed(self, X: Any) -> np.ndarray:
        """What stands for each sequence, (N, E) float64; the nearer two of them, the more alike."""
        return self.model.embed(self.read(X))

    def similar(self, X: Any, count: int = 5, among: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest sequences of each: their numbers and distances, (N, count), the nearest first.

        among: sequences to look among, by default those of the training, a sequence of them is then its own nearest.
        Raises DataError where there are fewer than `count`.
        """
        embedded = self.embed(X)
        index = self.index if among is None else self.embed(among)
        if not 1 <= int(count) <= len(index):
            raise DataError(f"count: expected 1 to {len(index):,}, as many sequences as there are, got {count}.")
        numbers, found = [], []
        for first in range(0, len(embedded), _AT_ONCE):
            distance = between(embedded[first : first + _AT_ONCE], index)
            order = np.argsort(distance, axis=1, kind="stable")[:, : int(count)]
            numbers.append(order)
            found.append(np.take_along_axis(distance, order, axis=1))
        return np.concatenate(numbers), np.concatenate(found)

    def read(self, X: Any) -> Sequences:
        """The sequences, of the channels that `fit` saw; raises DataError for others."""
        sequences = Sequences.make(X)
        check_channels(sequences, self.channels, "X")
        return sequences


def between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The Euclidean distance (N, M) of each of (N, E) to each of (M, E)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.sqrt(np.maximum(squared, 0.0))
