"""Streams of running text whose batches have varied lengths, so that an epoch isn't cut at the places of the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..batches import restored_position
from .streams import TokenStreams

__all__ = ["VariedBatch", "VariedStreams"]

_HALVED = 0.05  # probability that a batch is about half as long
_SPREAD = 5 / 70  # standard deviation of the lengths, and the shortest one, in windows


class VariedBatch(NamedTuple):
    """As `TokenBatch`; `learning_rate_factor` is the batch's length in windows, by which its step is smaller."""

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool
    learning_rate_factor: float


class VariedStreams(TokenStreams):
    """As `TokenStreams`, in batches of about `steps` tokens: drawn anew for each epoch from `seed` and its number.

    A length is normal around `steps`, or with probability 0.05 around half of it, with a standard deviation of
    steps/14; all of an epoch are then stretched by one factor, so that it has as many batches as without. Each of the
    N − 1 next tokens is scored once per epoch. Source: Merity et al., arXiv 1708.02182, section 5.1, where the number
    of batches varies instead.

    >>> batches = VariedStreams(np.arange(400), streams=1, steps=50, seed=0)
    >>> [next(batches).inputs.shape[1] for _ in range(len(batches))]
    [58, 56, 28, 31, 51, 61, 56, 58]
    """

    def __init__(self, ids: np.ndarray, streams: int, steps: int, *, seed: int) -> None:
        """Raises SettingError as `TokenStreams`."""
        super().__init__(ids, streams, steps)
        self.seed = int(seed)
        self._cuts: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))

    def __next__(self) -> VariedBatch:  # type: ignore[override]  # a batch with one field more
        order = self._order
        cuts = self._cuts_of(order.epoch)
        first, last = int(cuts[order.position]), int(cuts[order.position + 1])
        inputs, targets, fresh = self._batch(order.between(first, last), order.position == 0)
        order.advance()
        return VariedBatch(inputs, targets, fresh, (last - first) / order.steps)

    def state(self) -> dict[str, int]:
        """As `TokenStreams`, with the seed."""
        return super().state() | {"seed": self.seed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `TokenStreams`."""
        restored_position(self.state(), state)
        self._order.restore({name: value for name, value in state.items() if name not in ("checksum", "seed")})

    def _cuts_of(self, epoch: int) -> np.ndarray:
        """Where the batches of an epoch begin in each stream, and the stream's length, (batches + 1,)."""
        if self._cuts[0] != epoch:
            self._cuts = (epoch, self._drawn(epoch))
        return self._cuts[1]

    def _drawn(self, epoch: int) -> np.ndarray:
        steps, length, count = self._order.steps, self._order.length, len(self)
        random = np.random.default_rng([self.seed, epoch])
        middle = np.where(random.random(count) < _HALVED, steps / 2, steps)
        drawn = np.maximum(random.normal(middle, _SPREAD * steps), max(1.0, _SPREAD * steps))
        numbers = np.arange(1, count + 1)
        cuts = np.rint(np.cumsum(drawn) / drawn.sum() * length).astype(np.int64)
        # At least one token in each batch, from the front and then from the back.
        cuts = np.maximum.accumulate(cuts - numbers) + numbers
        cuts = np.minimum(np.maximum(cuts, numbers), length - (count - numbers))
        return np.concatenate([[0], cuts])
