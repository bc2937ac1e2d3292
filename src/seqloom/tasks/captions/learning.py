"""What `Captioner.fit` does once pictures and texts are checked: keep them, or train the network; and writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.captions.nearest import Nearest
from seqloom_runtime.captions.predictor import AT_ONCE, BARRED
from seqloom_runtime.data import ShuffledOrigins
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError
from seqloom_runtime.pixel_range import Range
from seqloom_runtime.translation.texts import same
from seqloom_runtime.translation.tokens import Tokens
from seqloom_runtime.writing import Written

from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..memory import count_weights, refuse_too_large, weights_of
from ..training_parameters import fit_settings
from ..translation.decoding import searched
from ..translation.learning import padded
from .network import CaptionNetwork, CaptionSpec, build_caption_network

if TYPE_CHECKING:
    from .model import Captioner

__all__ = ["Fitted", "caption_spec", "check_memory", "learn", "most_written", "split_pictures", "write"]

Pictures = tuple[np.ndarray, list[str]]
_JUDGED = 500  # validation pictures that are written of after each epoch
_LONGER = 10  # tokens beyond the longest caption of training that one may have


def split_pictures(data: Pictures, fraction: float, seed: int) -> tuple[Pictures, Pictures]:
    """A random `fraction` of the pictures apart; DataError where there are too few."""
    kept, held, _ = split_examples(len(data[0]), fraction, 0.0, seed=derive_seed(seed, "validation pictures"))

    def take(places: np.ndarray) -> Pictures:
        return data[0][places], [data[1][i] for i in places]

    return take(kept), take(held)


def caption_spec(model: Captioner, size: tuple[int, int, int], targets: int) -> CaptionSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    return CaptionSpec(
        name=model.model,
        size=size,
        targets=targets,
        channels=tuple(int(width) for width in model.channels),
        kernel_size=int(model.kernel_size),
        embedding_size=int(model.embedding_size),
        units=int(model.units),
        layers=int(model.layers),
        attention=model.attention,
        dropout=float(model.dropout),
        scheduled_sampling=float(model.scheduled_sampling),
    )


def most_written(model: Captioner) -> int:
    """Tokens that a caption may have at the very most."""
    return int(model.max_length) + _LONGER


def check_memory(spec: CaptionSpec, optimizer: str, batch_size: int = 0, steps: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; steps: tokens of a caption."""
    pixels, row, (tall, wide) = spec.size[0] * spec.size[1], 0, spec.places
    for level, width in enumerate(spec.channels, 1):
        row += width * max(1, pixels >> (2 * level))
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_caption_network(spec, 0)),
        optimizer,
        grows_with="units" if spec.units > max(spec.channels) else "channels",
        batch_size=batch_size,
        row=row + steps * (spec.embedding_size + 2 * spec.units + spec.targets + tall * wide),
    )


class _Batches(DrawnBatches):
    """Training batches without end, in an order that resumes: pictures, then targets as `padded` gives them."""

    def __init__(
        self, pictures: np.ndarray, targets: list[list[int]], end: int, scale: Range, size: int, seed: int
    ) -> None:
        self._pictures, self._targets, self._end, self._scale = pictures, targets, end, scale
        super().__init__(ShuffledOrigins(np.arange(len(pictures)), size, seed))

    def __next__(self) -> tuple[Tensor, Tensor, Tensor]:
        return _batch(self._pictures, self._targets, next(self._order), self._end, self._scale)


def _batch(
    pictures: np.ndarray, targets: list[list[int]], places: np.ndarray, end: int, scale: Range
) -> tuple[Tensor, Tensor, Tensor]:
    own = [targets[i] for i in places]
    _, _, before, after = padded(own, own, end)
    return torch.from_numpy(scale.scaled(pictures[places])), before, after


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the pictures' size and range, the tokens, what writes, how it was trained, and what to say.

    longest: tokens that a caption may have, its end among them.
    """

    size: tuple[int, int, int]
    range: Range
    target: Tokens
    longest: int
    model: Nearest | CaptionNetwork
    history: History | None
    n_parameters: int
    notes: list[str]


def learn(model: Captioner, train: Pictures, held: Pictures, checkpoints: Checkpointing) -> Fitted:
    """Make tokens of the training texts, then keep the pictures or train the network."""
    notes: list[str] = []
    most = None if model.max_words is None else int(model.max_words)
    target = Tokens.fit(train[1], model.level, most, int(model.min_count))
    targets = [target.ids(text) for text in train[1]]
    size = (train[0].shape[1], train[0].shape[2], train[0].shape[3])
    scale = Range(float(train[0].min()), float(train[0].max()))
    if scale.low == scale.high:
        raise DataError(f"The training data: every pixel of every picture is {scale.low:g}; there is nothing to read.")
    if model.model == "nearest":
        longest = max(map(len, targets)) + 1
        kept = Nearest.fit(scale.scaled(train[0]), train[1])
        return Fitted(size, scale, target, longest, kept, None, kept.pictures.size, notes)
    train, targets = _short(train, targets, int(model.max_length), notes)
    longest = max(map(len, targets)) + _LONGER
    spec = caption_spec(model, size, len(target.vocabulary))
    check_memory(spec, model.optimizer, min(int(model.batch_size), len(targets)), longest)
    seed = int(model.seed)
    network = build_caption_network(spec, derive_seed(seed, spec.name, "weights"))
    batches = _Batches(
        train[0], targets, network.end, scale, int(model.batch_size), derive_seed(seed, spec.name, "batches")
    )
    judged = _judged(held, seed)
    if len(judged[0]) < len(held[0]):
        notes.append(f"The epoch was chosen by {_JUDGED} of the {len(held[0]):,} validation pictures.")

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        assert isinstance(module, CaptionNetwork)
        return module.loss(*batch)

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(model, len(targets), monitor="error"),
        validate=_Judge(target, judged, scale, longest),
        signature={
            "network": spec.to_json(),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([train, judged]),
        },
    )
    return Fitted(size, scale, target, longest, network.eval(), history, weights_of(network), notes)


def _short(train: Pictures, targets: list[list[int]], most: int, notes: list[str]) -> tuple[Pictures, list[list[int]]]:
    """The pictures whose text is not longer than `most`, and a note of the others; DataError where none is left."""
    kept = [i for i, target in enumerate(targets) if len(target) <= most]
    if not kept:
        raise DataError(
            f"The training data: every text has more than {most} tokens, the shortest {min(map(len, targets))}; set "
            "max_length higher."
        )
    left = len(targets) - len(kept)
    if not left:
        return train, targets
    notes.append(
        f"{left:,} of {len(targets):,} training texts have more than {most} tokens and were left out; max_length sets "
        "the limit."
    )
    return (train[0][kept], [train[1][i] for i in kept]), [targets[i] for i in kept]


def _judged(held: Pictures, seed: int) -> Pictures:
    if len(held[0]) <= _JUDGED:
        return held
    drawn = np.sort(np.random.default_rng(derive_seed(seed, "judged pictures")).permutation(len(held[0]))[:_JUDGED])
    return held[0][drawn], [held[1][i] for i in drawn]


class _Judge:
    """What validation says of a network: the share of texts that are not written exactly, greedily, and the loss."""

    def __init__(self, target: Tokens, held: Pictures, scale: Range, longest: int) -> None:
        self.target, self.held, self.scale, self.longest = target, held, scale, longest
        self.targets = [target.ids(text) for text in held[1]]

    def __call__(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, CaptionNetwork)
        written = write(module, self.held[0], self.scale, self.longest)
        found = [self.target.text(text.ids) for text in written]
        right = sum(same(a, b) for a, b in zip(self.held[1], found)) / len(found)
        loss = self._loss(module)
        # Of two epochs with as many right the one with the lower loss is kept; it never outweighs a text.
        return {"error": (1 - right) + 1e-3 * min(loss, 100.0) / len(found), "exact_match": right, "loss": loss}

    def _loss(self, network: CaptionNetwork) -> float:
        total, count = 0.0, 0
        with torch.no_grad():
            for first in range(0, len(self.targets), AT_ONCE):
                places = np.arange(first, min(first + AT_ONCE, len(self.targets)))
                whole = _batch(self.held[0], self.targets, places, network.end, self.scale)
                tokens = int((whole[2] >= 0).sum())
                total, count = total + network.loss(*whole).item() * tokens, count + tokens
        return total / count


def write(network: CaptionNetwork, pictures: np.ndarray, scale: Range, longest: int) -> list[Written]:
    """The text of each picture (N, Y, X, C), greedily and by torch, as training is watched."""
    found: list[Any] = []
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for first in range(0, len(pictures), AT_ONCE):
            read = network.encode(torch.from_numpy(scale.scaled(pictures[first : first + AT_ONCE])))
            found += searched(network, read, BARRED, beams=1, strength=0.0, longest=longest)
    network.train(was_training)
    return found
