"""`SequenceSimilarity`: sequences and which of them are alike in, the nearest ones of a new sequence out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from seqloom_runtime.data.sequences import Sequences, class_labels
from seqloom_runtime.errors import DataError, SettingError
from seqloom_runtime.sequences.reading import check_channels
from seqloom_runtime.similarity.folder import BASELINE
from seqloom_runtime.similarity.predictor import SimilarityPredictor, between

from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..networks import names_for
from ..parameters import constraints_of
from ..sequences.splitting import hold_out
from ..training_parameters import TrainingParameters
from .learning import Likeness, check_memory, learn, pair_area, pair_labels, siamese_spec
from .network import NETWORKS

__all__ = ["BASELINES", "SequenceSimilarity"]

BASELINES = (BASELINE,)
_MOST_PAIRS = 3_000  # sequences whose pairs are scored: 4.5 million
_AT_ONCE = 256


class _Learned:
    """What `fit` sets."""

    model_: Any
    channels_: tuple[str, ...]
    index_: np.ndarray
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceSimilarity(_Learned, TrainingParameters, Estimator):
    """Puts sequences that are alike near each other: a Siamese recurrent network, which reads both of a pair alike.

    model: rnn, gru or lstm; or the baseline euclidean: the distance of the sequences themselves, brought to one length.
    embedding_size: numbers that stand for a sequence. units, layers, bidirectional, input_dropout, recurrent_dropout,
        between_dropout: of the recurrent layers.
    loss: triplet (all of a batch that are not right yet) or contrastive (all pairs of a batch). margin: how much
        further apart the others should lie; distances of embeddings lie between 0 and 2.
    scaling: "standard" brings each channel to mean 0 and standard deviation 1 over the training sequences, or "none".
    validation_fraction: of the sequences (of the pairs), drawn by the seed, that choose the best epoch by the AUC of
        their pairs, where `fit` gets no `valid`; with 0 the training loss chooses.
    The other parameters are those of training (`seqloom.training.FitSettings`).

    >>> draw = np.random.default_rng(0)
    >>> waves = [np.sin(np.arange(20) * (0.3 + 0.4 * (n % 2)) + draw.uniform(0, 6)) for n in range(60)]
    >>> model = SequenceSimilarity(units=8, embedding_size=4, epochs=4, learning_rate=0.02)
    >>> numbers, distances = model.fit(waves, np.arange(60) % 2).similar(waves[:2], 3)
    >>> numbers.shape, bool((numbers[:, 0] == [0, 1]).all())
    ((2, 3), True)
    """

    _fitted: ClassVar[str] = "model_"
    _constraints = constraints_of("SequenceSimilarity", model=OneOf(names_for("similarity", after=BASELINES)))

    model: str = "gru"
    embedding_size: int = 32
    units: int = 64
    layers: int = 1
    bidirectional: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    loss: str = "triplet"
    margin: float = 0.5
    scaling: str = "standard"
    validation_fraction: float = 0.2
    learning_rate: float = 0.002
    batch_size: int = 64
    schedule: str = "cosine"

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        pairs: Any = None,
        valid: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from sequences, as `SequenceClassifier` takes them, and what is known of them: labels `y` (N,), those
        of one label being alike, or `pairs`, a list of (i, j, 1 if alike else 0).

        `valid`, a pair (X, y), chooses the best epoch. directory, resume, on_event: of `seqloom.training.fit`. Raises
        DataError for data that can't be used, SettingError for parameters out of range.
        """
        self._check_parameters()
        self._forget()
        sequences = Sequences.make(X)
        if (y is None) == (pairs is None):
            raise SettingError("y, pairs: give one of them, labels or pairs.")
        if y is not None:
            train, held = self._labelled(sequences, y, valid)
        else:
            if valid is not None:
                raise SettingError("valid: with pairs a share of these validates (validation_fraction); leave it out.")
            train, held = self._paired(sequences, pairs)
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        return self

    def embed(self, X: Any) -> np.ndarray:
        """What stands for each sequence, (N, E) float64; the nearer two of them, the more alike."""
        return self._predictor.embed(X)

    def similar(self, X: Any, count: int = 5, among: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest sequences of each: their numbers and distances, (N, count), the nearest first.

        among: sequences to look among, by default those of the training, a sequence of them is then its own nearest.
        Raises DataError where there are fewer than `count`.
        """
        return self._predictor.similar(X, count, among)

    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """AUC of all pairs (is a pair of one label nearer than one of two?), and of each sequence whether the nearest
        of the others has its label (recall at 1), or one of the five nearest (recall at 5).

        Raises DataError as `fit`, and where there are fewer than two labels or no label twice.
        """
        sequences = self._predictor.read(X)
        labels = class_labels(y, len(sequences))
        classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        if len(classes) < 2 or sizes.max() < 2:
            raise DataError("y: expected at least two labels, and one of them at least twice.")
        embedded = self.model_.embed(sequences)
        some = np.arange(len(embedded))
        if len(some) > _MOST_PAIRS:
            some = np.sort(np.random.default_rng(derive_seed(0, "scored pairs")).permutation(some)[:_MOST_PAIRS])
        area = pair_area(embedded[some], (codes[some][:, None] == codes[some]).astype(np.int8))
        hits, nearest = _hits(embedded, codes, min(5, len(embedded) - 1))
        counted = sizes[codes] > 1  # of a label that is there once no other can be found
        scores = {
            "auc": area,
            "recall_at_1": float(hits[counted, 0].mean()),
            "recall_at_5": float(hits[counted].any(axis=1).mean()),
        }
        columns = {
            "row": np.arange(len(embedded)),
            "actual": np.array([str(label) for label in labels.tolist()], dtype=object),
            "predicted": np.array([str(label) for label in labels[nearest].tolist()], dtype=object),
            "nearest": nearest,
        }
        facts = {"sequences": len(embedded), "labels": len(classes), "pairs scored": len(some) * (len(some) - 1) // 2}
        return Evaluation(scores, predictions=columns, details={"facts": facts})

    def _labelled(self, sequences: Sequences, y: Any, valid: Any) -> tuple[Any, Any]:
        labels = class_labels(y, len(sequences))
        codes = np.unique(labels, return_inverse=True)[1]
        if valid is not None:
            if not isinstance(valid, (tuple, list)) or len(valid) != 2:
                raise SettingError(f"valid: expected a pair (X, y), got {type(valid).__name__}.")
            other = Sequences.make(valid[0], what="valid X")
            check_channels(other, sequences.channels, "valid X")
            own = np.unique(class_labels(valid[1], len(other), what="valid y"), return_inverse=True)[1]
            held = other, Likeness(len(other), own)
        else:
            kept, out = hold_out(len(sequences), float(self.validation_fraction), int(self.seed), codes)
            held = (sequences.take(out), Likeness(len(out), codes[out])) if len(out) else None
            sequences, codes = sequences.take(kept), codes[kept]
        if len(np.unique(codes)) < 2 or len(np.unique(codes)) == len(codes):
            raise DataError("y: expected at least two labels, and one of them at least twice.")
        return (sequences, Likeness(len(sequences), codes)), held

    def _paired(self, sequences: Sequences, pairs: Any) -> tuple[Any, Any]:
        found, same = pair_labels(pairs, len(sequences))
        kept, out = hold_out(len(found), float(self.validation_fraction), int(self.seed), same)
        count = len(sequences)
        held = (sequences, Likeness(count, pairs=found[out], same=same[out])) if len(out) else None
        return (sequences, Likeness(count, pairs=found[kept], same=same[kept])), held

    @property
    def _predictor(self) -> SimilarityPredictor:
        """What predicts, as the runtime has it."""
        self._check_fitted()
        return SimilarityPredictor(self.model_, self.channels_, self.index_, self.notes_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            check_memory(siamese_spec(self, 1), self.optimizer)


def _hits(embedded: np.ndarray, codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of the `count` nearest others has the label (N, count), and the nearest (N,)."""
    hits, nearest = np.zeros((len(codes), count), dtype=bool), np.zeros(len(codes), dtype=np.int64)
    for first in range(0, len(codes), _AT_ONCE):
        distance = between(embedded[first : first + _AT_ONCE], embedded)
        rows = np.arange(len(distance))
        distance[rows, first + rows] = np.inf
        order = np.argsort(distance, axis=1, kind="stable")[:, :count]
        hits[first : first + len(rows)] = codes[order] == codes[first : first + len(rows), None]
        nearest[first : first + len(rows)] = order[:, 0]
    return hits, nearest
