"""What `SequenceSimilarity.fit` does once sequences are checked: batches of alike ones, training, embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data.batches import ShuffledOrigins
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.errors import DataError
from seqloom_runtime.similarity import predictor
from seqloom_runtime.similarity.predictor import Resampled

from ...diagnostics import auc
from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..memory import count_weights, refuse_too_large, weights_of
from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from ..sequences.prepared import Scale, scoring_batches
from ..training_parameters import fit_settings
from .network import SiameseNetwork, SiameseSpec, build_siamese, contrastive_loss, distances, triplet_loss

if TYPE_CHECKING:
    from .model import SequenceSimilarity

__all__ = [
    "Embedder",
    "Fitted",
    "Likeness",
    "Resampled",
    "check_memory",
    "learn",
    "pair_area",
    "pair_labels",
    "siamese_spec",
]

_JUDGED = 400  # sequences whose pairs validate


@dataclass(frozen=True, eq=False)
class Embedder:
    """A trained network with the scale of its inputs."""

    network: SiameseNetwork
    scale: Scale

    @property
    def n_parameters(self) -> int:
        """How many weights it has."""
        return weights_of(self.network)

    def embed(self, sequences: Sequences) -> np.ndarray:
        """(N, E) float64, by the runtime; by torch where a user registered the body."""
        spec = self.network.spec
        if not has_form("similarity", spec.name):
            return embedded(self.network, sequences, self.scale)

        def make() -> predictor.Embedder:
            network = predictor.SiameseNetwork(spec.to_json(), network_arrays(self.network))
            return predictor.Embedder(network, self.scale)

        return predictor_of(self, make, self.network).embed(sequences)


def embedded(network: SiameseNetwork, sequences: Sequences, scale: Scale) -> np.ndarray:
    """(N, E) float64, by torch, as training is watched."""
    spec = network.spec
    found = np.empty((len(sequences), spec.embedding_size))
    with torch.no_grad():
        for numbers, x, mask in scoring_batches(sequences, scale, spec.body.output_size):
            found[numbers] = network(x, mask).double().numpy()
    return found


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds.

    model: what embeds. index: the embeddings (N, E) of the training sequences, which `similar` looks among.
    """

    model: Any
    channels: tuple[str, ...]
    index: np.ndarray
    history: History | None
    n_parameters: int
    notes: list[str]


def siamese_spec(model: SequenceSimilarity, channels: int) -> SiameseSpec:
    """The network's shape."""
    return SiameseSpec(
        model.model,
        channels,
        embedding_size=int(model.embedding_size),
        units=int(model.units),
        layers=int(model.layers),
        bidirectional=bool(model.bidirectional),
        input_dropout=float(model.input_dropout),
        recurrent_dropout=float(model.recurrent_dropout),
        between_dropout=float(model.between_dropout),
    )


def check_memory(spec: SiameseSpec, optimizer: str, batch_size: int = 0, steps: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; steps: of the shortest sequence."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_siamese(spec, 0)),
        optimizer,
        grows_with="embedding_size" if spec.embedding_size > spec.units else "units",
        batch_size=batch_size,
        # Every triplet of a batch has a distance.
        row=steps * (spec.channels + spec.body.output_size) + batch_size * batch_size,
    )


class Likeness:
    """What is known of which sequences are alike: labels (N,), or pairs (P, 2) with what each is (P,)."""

    def __init__(
        self,
        count: int,
        labels: np.ndarray | None = None,
        pairs: np.ndarray | None = None,
        same: np.ndarray | None = None,
    ) -> None:
        self.labels, self.pairs, self.same = labels, pairs, same
        self.partners: list[np.ndarray]
        if labels is not None:
            members = {label: np.flatnonzero(labels == label) for label in np.unique(labels).tolist()}
            self.partners = [members[label] for label in labels.tolist()]
            return
        assert pairs is not None
        assert same is not None
        found: list[list[int]] = [[] for _ in range(count)]
        self.known: dict[tuple[int, int], int] = {}
        for (one, other), alike in zip(pairs.tolist(), same.tolist()):
            found[one].append(other)
            found[other].append(one)
            self.known[min(one, other), max(one, other)] = int(alike)
        self.partners = [np.array(own, dtype=np.int64) for own in found]

    def some(self, most: int) -> np.ndarray:
        """The sequences that anything is known of, of more than `most` evenly spread ones."""
        used = np.array([n for n, own in enumerate(self.partners) if len(own)], dtype=np.int64)
        return used if len(used) <= most else used[np.linspace(0, len(used) - 1, most).astype(np.int64)]

    def among(self, numbers: np.ndarray) -> np.ndarray:
        """Alike (B, B) int8 of the sequences of these numbers."""
        if self.labels is not None:
            own = self.labels[numbers]
            return (own[:, None] == own).astype(np.int8)
        found = np.full((len(numbers), len(numbers)), -1, dtype=np.int8)
        for i, one in enumerate(numbers.tolist()):
            for j, other in enumerate(numbers.tolist()):
                found[i, j] = self.known.get((min(one, other), max(one, other)), -1)
        return found


class _Batches(DrawnBatches):
    """Half of a batch is drawn, the other half are partners of these, drawn anew each time."""

    def __init__(self, sequences: Sequences, likeness: Likeness, scale: Scale, size: int, seed: int) -> None:
        self._sequences, self._likeness, self._scale, self._seed = sequences, likeness, scale, seed
        super().__init__(ShuffledOrigins(likeness.some(len(sequences)), max(1, size // 2), seed))

    def __next__(self) -> tuple[Tensor, Tensor | None, Tensor]:
        state = self._order.state()
        # Of the place in the order, so that a checkpoint goes on with the same partners.
        key = np.array([self._seed, (state["epoch"] << 32) + state["position"]], dtype=np.uint64)
        draw = np.random.Generator(np.random.Philox(key=key))
        first = next(self._order)
        others = [int(draw.choice(self._likeness.partners[n])) for n in first.tolist()]
        numbers = np.unique(np.concatenate([first, np.array(others, dtype=np.int64)]))
        x, mask = self._sequences.padded(numbers)
        scaled = self._scale.scaled(x)
        if mask is not None:
            scaled[~mask] = 0.0
        alike = torch.from_numpy(self._likeness.among(numbers))
        return torch.from_numpy(scaled), None if mask is None else torch.from_numpy(mask), alike


def learn(
    model: SequenceSimilarity,
    train: tuple[Sequences, Likeness],
    held: tuple[Sequences, Likeness] | None,
    checkpoints: Checkpointing,
) -> Fitted:
    """Keep the sequences as they are, or train the network; then embed those of the training."""
    sequences, likeness = train
    scale = Scale(*sequences.moments()) if model.scaling == "standard" else Scale()
    history, notes = None, [f"{len(sequences):,} sequences train the model."]
    found: Resampled | Embedder
    if model.model == "euclidean":
        found = Resampled(int(sequences.lengths.max()), scale)
    else:
        network, history = _train(model, sequences, likeness, scale, held, checkpoints)
        found = Embedder(network, scale)
    return Fitted(found, sequences.channels, found.embed(sequences), history, found.n_parameters, notes)


def _train(
    model: SequenceSimilarity,
    sequences: Sequences,
    likeness: Likeness,
    scale: Scale,
    held: tuple[Sequences, Likeness] | None,
    checkpoints: Checkpointing,
) -> tuple[SiameseNetwork, History]:
    spec, seed, size = siamese_spec(model, sequences.width), int(model.seed), int(model.batch_size)
    check_memory(spec, model.optimizer, min(size, 2 * len(sequences)), int(sequences.lengths.min()))
    network = build_siamese(spec, derive_seed(seed, spec.name, "weights"))
    batches = _Batches(sequences, likeness, scale, size, derive_seed(seed, spec.name, "batches"))
    margin = float(model.margin)
    of = triplet_loss if model.loss == "triplet" else contrastive_loss

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor | None, Tensor]) -> Tensor:
        x, mask, alike = batch
        return of(distances(module(x, mask)), alike, margin)

    def validate(module: nn.Module) -> dict[str, float]:
        assert held is not None
        assert isinstance(module, SiameseNetwork)
        numbers = held[1].some(_JUDGED)
        found = embedded(module, held[0].take(numbers), scale)
        alike = held[1].among(numbers)
        with torch.no_grad():
            value = of(distances(torch.from_numpy(found)), torch.from_numpy(alike), margin).item()
        area = pair_area(found, alike)
        return {"error": 1 - area + 1e-3 * min(value, 10.0), "auc": area, "loss": value}

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(model, len(sequences), monitor="loss" if held is None else "error"),
        validate=None if held is None else validate,
        signature={
            "network": spec.to_json(),
            "loss": [model.loss, margin],
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([_arrays(part) for part in ((sequences, likeness), held) if part is not None]),
        },
    )
    return network.eval(), history


def _arrays(part: tuple[Sequences, Likeness]) -> list[Any]:
    sequences, likeness = part
    return [sequences.values, sequences.offsets, likeness.labels, likeness.pairs, likeness.same]


def pair_labels(pairs: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i, j, alike) as numbers (P, 2) and truth (P,); raises DataError for what is none, or out of range."""
    try:
        found = np.asarray([[int(value) for value in pair] for pair in pairs], dtype=np.int64)
    except (TypeError, ValueError):
        found = np.zeros((0, 0), dtype=np.int64)
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise DataError("pairs: expected a list of (i, j, alike), numbers of two sequences and 1 or 0.")
    odd = np.flatnonzero((found[:, :2] < 0).any(1) | (found[:, :2] >= count).any(1) | (found[:, 0] == found[:, 1]))
    if len(odd):
        raise DataError(
            f"pairs[{odd[0]}]: expected two different sequences from 0 to {count - 1}, got "
            f"{found[odd[0], :2].tolist()}."
        )
    if not np.isin(found[:, 2], (0, 1)).all() or len(np.unique(found[:, 2])) < 2:
        raise DataError("pairs: expected 1 for sequences that are alike and 0 for others, at least one of each.")
    return found[:, :2], found[:, 2]


def pair_area(embedded: np.ndarray, alike: np.ndarray) -> float:
    """The probability that a pair that is alike lies nearer than one that isn't; 0.5 where there are none of either."""
    i, j = np.triu_indices(len(embedded), 1)
    kept = alike[i, j] >= 0
    i, j = i[kept], j[kept]
    truth = alike[i, j] == 1
    if truth.all() or not truth.any():
        return 0.5
    squared = (embedded**2).sum(axis=1)
    between = squared[:, None] + squared - 2 * embedded @ embedded.T
    return auc(truth, -between[i, j])
