"""What `FramePredictor.fit` does once films are checked: windows of frames, scaled; a baseline or the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data import ShuffledOrigins
from seqloom_runtime.data.films import Films
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError
from seqloom_runtime.frames import network as runtime
from seqloom_runtime.frames.predictor import Ahead, NetworkAhead, predicted, windows_of
from seqloom_runtime.pixel_range import Range

from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..memory import count_weights, refuse_too_large, weights_of
from ..predictor import predictor_of
from ..saved_fields import network_arrays
from ..training_parameters import fit_settings
from .network import FrameNetwork, FrameSpec, build_frame_network
from .simple import Advection, Persistence, fit_advection

if TYPE_CHECKING:
    from .model import FramePredictor

__all__ = ["Fitted", "ahead_of", "check_memory", "frame_spec", "learn", "split_films"]

_MATCHED = 100  # training windows that choose how the advection is matched
_JUDGED = 500  # validation windows after each epoch


def split_films(films: Films, fraction: float, seed: int, span: int) -> tuple[Films, Films]:
    """A random `fraction` of the films apart; of a single film its end, behind the rest."""
    if len(films) > 1:
        kept, held, _ = split_examples(len(films), fraction, 0.0, seed=derive_seed(seed, "validation films"))
        return films.take(kept), films.take(held)
    length = int(films.lengths[0])
    cut = length - max(span, round(fraction * length))
    if cut < span:
        raise DataError(
            f"The training data: expected a film of at least {2 * span} frames to train and validate on, got {length}."
        )
    return films.between(0, cut), films.between(cut, length)


def frame_spec(model: FramePredictor, size: tuple[int, int, int]) -> FrameSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    return FrameSpec(
        name=model.model,
        height=size[0],
        width=size[1],
        channels=size[2],
        units=int(model.units),
        layers=int(model.layers),
        kernel_size=int(model.kernel_size),
        patch_size=int(model.patch_size),
        reach=int(model.reach),
    )


def check_memory(spec: FrameSpec, optimizer: str, batch_size: int = 0, steps: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; steps: frames of a window."""
    places, pixels = spec.places[0] * spec.places[1], spec.height * spec.width
    row = steps * (places * spec.units * (2 + 5 * spec.layers) + pixels * (spec.ways + 2 + 2 * spec.channels))
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_frame_network(spec, 0)),
        optimizer,
        grows_with="units",
        batch_size=batch_size,
        row=row,
    )


class _Batches(DrawnBatches):
    """Training batches (B, L + K, Y, X, C) of windows without end, in an order that resumes."""

    def __init__(self, films: Films, span: int, scale: Range, size: int, seed: int) -> None:
        self._films, self._span, self._scale = films, span, scale
        super().__init__(ShuffledOrigins(films.starts(span), size, seed))

    def __next__(self) -> Tensor:
        return torch.from_numpy(self._scale.scaled(windows_of(self._films, next(self._order), self._span)))


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the frames' size and range, what predicts, how it was trained, and what to say of it.

    plain: whether frames came without an axis of channels.
    """

    size: tuple[int, int, int]
    plain: bool
    range: Range
    model: Persistence | Advection | FrameNetwork
    history: History | None
    n_parameters: int
    notes: list[str]


def learn(model: FramePredictor, train: Films, held: Films, checkpoints: Checkpointing) -> Fitted:
    """Match the motion of the training windows, or train the network on them."""
    lookback, ahead = int(model.lookback), int(model.horizon)
    span, notes = lookback + ahead, list[str]()
    starts = train.starts(span)
    _refuse_short(train, span, "training", notes)
    _refuse_short(held, span, "validation", notes)
    scale = Range(float(train.frames.min()), float(train.frames.max()))
    if scale.low == scale.high:
        raise DataError(f"The training data: every pixel of every frame is {scale.low:g}; there is nothing to learn.")
    if model.model == "persistence":
        return Fitted(train.size, train.plain, scale, Persistence(), None, 0, notes)
    if model.model == "advection":
        own = starts[np.linspace(0, len(starts) - 1, min(_MATCHED, len(starts))).astype(int)]
        found = fit_advection(windows_of(train, own, span).astype(np.float32), lookback, int(model.reach))
        notes.append(
            f"advection: frames are matched in {found.blocks} × {found.blocks} parts, up to {found.reach} pixels, "
            "of 1, 2 and 4 parts a side those of the lowest error on training windows."
        )
        return Fitted(train.size, train.plain, scale, found, None, 0, notes)
    spec = frame_spec(model, train.size)
    check_memory(spec, model.optimizer, min(int(model.batch_size), len(starts)), span)
    seed, kind = int(model.seed), str(model.loss)
    network = build_frame_network(spec, derive_seed(seed, spec.name, "weights"))
    batches = _Batches(train, span, scale, int(model.batch_size), derive_seed(seed, spec.name, "batches"))
    judged = _judged(held.starts(span), seed)
    if len(judged) < len(held.starts(span)):
        notes.append(f"The epoch was chosen by {_JUDGED} of the {len(held.starts(span)):,} validation windows.")

    def loss(module: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(module, FrameNetwork)
        return module.loss(batch, ahead, kind)

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(model, len(starts)),
        validate=lambda module: _judge(module, held, judged, scale, lookback, ahead, kind),
        signature={
            "network": spec.to_json(),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([train, held, lookback, ahead]),
        },
    )
    return Fitted(train.size, train.plain, scale, network.eval(), history, weights_of(network), notes)


def _refuse_short(films: Films, span: int, part: str, notes: list[str]) -> None:
    short = int((films.lengths < span).sum())
    if short == len(films):
        raise DataError(
            f"The {part} data: expected a film of at least {span} frames (lookback + horizon), the longest has "
            f"{films.lengths.max()}; set a smaller lookback or horizon."
        )
    if short:
        notes.append(f"{short:,} of {len(films):,} {part} films are shorter than lookback + horizon and were left out.")


def _judged(starts: np.ndarray, seed: int) -> np.ndarray:
    if len(starts) <= _JUDGED:
        return starts
    drawn = np.random.default_rng(derive_seed(seed, "judged windows")).permutation(len(starts))[:_JUDGED]
    return starts[np.sort(drawn)]


def _judge(
    module: Any, films: Films, starts: np.ndarray, scale: Range, lookback: int, ahead: int, kind: str
) -> dict[str, float]:
    """The loss and the root mean squared error, of the frames ahead alone, the latter in the frames' unit."""
    total, squared, count = 0.0, 0.0, 0
    for windows, found in predicted(_ByTorch(module, scale), films, starts, lookback, ahead):
        error = scale.scaled(found) - scale.scaled(windows[:, lookback:])
        total += float(np.square(error).sum() if kind == "mse" else np.abs(error).sum())
        squared, count = squared + float(np.square(error).sum()), count + error.size
    return {"loss": total / count, "rmse": (squared / count) ** 0.5 * (scale.high - scale.low)}


class _ByTorch:
    """A network as training leaves it after an epoch, which predicts by torch."""

    def __init__(self, module: FrameNetwork, scale: Range) -> None:
        self._module, self._scale = module, scale

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        was_training = self._module.training
        self._module.eval()
        with torch.no_grad():
            found = self._module(torch.from_numpy(self._scale.scaled(frames)), count)[:, frames.shape[1] - 1 :].numpy()
        self._module.train(was_training)
        return self._scale.restored(found)


def ahead_of(model: Persistence | Advection | FrameNetwork, scale: Range) -> Ahead:
    """What predicts for a fitted model: the runtime's network, or the baseline."""
    if not isinstance(model, FrameNetwork):
        return model

    def make() -> NetworkAhead:
        return NetworkAhead(runtime.FrameNetwork(model.spec.to_json(), network_arrays(model)), scale)

    return predictor_of(model, make, model)
