"""Batches of texts of like length: little padding, every text once per epoch, an order that resumes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import SettingError, shown
from ..batches import restored_position

__all__ = ["LengthBuckets", "LengthSorted"]


class LengthBuckets:
    """An endless iterator of batches, (at most batch_size,) int64 positions of sequences of like length.

    An epoch is a permutation cut into pools of `pool` batches; each pool is sorted by length and cut into batches, and
    the batches are drawn in random order. Every sequence comes once per epoch; one batch of each epoch may be smaller.
    `len` is the number of batches in an epoch. The order is a pure function of (seed, epoch), so any position is
    reached without replaying the ones before it. `pool=1` gives plain shuffling.

    >>> batches = LengthBuckets([3, 9, 3, 9, 3], batch_size=2, seed=0, pool=3)
    >>> sorted(np.concatenate([next(batches) for _ in range(len(batches))]).tolist())
    [0, 1, 2, 3, 4]
    """

    def __init__(self, lengths: Sequence[int] | np.ndarray, batch_size: int, seed: int, *, pool: int = 50) -> None:
        """Raises SettingError for no sequences or numbers out of range."""
        self._lengths = _checked(lengths, batch_size=batch_size, pool=pool)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise SettingError(f"seed: expected a whole number from 0 to 2**64 - 1, got {shown(seed)}.")
        self.batch_size, self.pool, self.seed = int(batch_size), int(pool), int(seed)
        self._checksum = zlib.crc32(self._lengths.tobytes())
        self._seek(0, 0)

    def __iter__(self) -> LengthBuckets:
        return self

    def __len__(self) -> int:
        return -(-len(self._lengths) // self.batch_size)

    def __next__(self) -> np.ndarray:
        batch = self._batches[self._position].copy()
        if self._position + 1 == len(self):
            self._seek(self._epoch + 1, 0)
        else:
            self._position += 1
        return batch

    def state(self) -> dict[str, int]:
        """The position in the order, and what identifies the order, as JSON numbers."""
        return {
            "seed": self.seed,
            "epoch": self._epoch,
            "position": self._position,
            "batch_size": self.batch_size,
            "pool": self.pool,
            "sequences": len(self._lengths),
            "checksum": self._checksum,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, bitwise; raises FormatError where it is another order's state or out of range."""
        self._seek(*restored_position(self.state(), state, len(self)))

    def _seek(self, epoch: int, position: int) -> None:
        draw = np.random.Generator(np.random.Philox(key=np.array([self.seed, epoch], dtype=np.uint64)))
        order = draw.permutation(len(self._lengths))
        batches: list[np.ndarray] = []
        for start in range(0, len(order), self.pool * self.batch_size):
            part = order[start : start + self.pool * self.batch_size]
            part = part[np.argsort(self._lengths[part], kind="stable")]
            batches += [part[cut : cut + self.batch_size] for cut in range(0, len(part), self.batch_size)]
        self._batches = [batches[number] for number in draw.permutation(len(batches))]
        self._epoch, self._position = epoch, position


class LengthSorted:
    """All positions once, the longest sequences first, `batch_size` at a time: for scoring without much padding.

    >>> [batch.tolist() for batch in LengthSorted([3, 9, 1, 9], batch_size=3)]
    [[1, 3, 0], [2]]
    """

    def __init__(self, lengths: Sequence[int] | np.ndarray, batch_size: int) -> None:
        """Raises SettingError for no sequences or a wrong `batch_size`."""
        self._order = np.argsort(-_checked(lengths, batch_size=batch_size), kind="stable")
        self.batch_size = int(batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self._order), self.batch_size):
            yield self._order[start : start + self.batch_size].copy()

    def __len__(self) -> int:
        return -(-len(self._order) // self.batch_size)


def _checked(lengths: Sequence[int] | np.ndarray, **numbers: int) -> np.ndarray:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            raise SettingError(f"{name}: expected a positive whole number, got {shown(number)}.")
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or not len(lengths) or lengths.dtype.kind not in "iu":
        raise SettingError(
            f"lengths: expected the length of at least one sequence, got shape {lengths.shape} of {lengths.dtype}."
        )
    return lengths.astype(np.int64)
