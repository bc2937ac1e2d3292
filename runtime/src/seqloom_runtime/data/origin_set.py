"""A set of row numbers as one bit a row, and orders over it that need no list of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import SettingError
from .batches import restored_position

__all__ = ["DrawnOrigins", "OriginSet"]

_BLOCK = 256  # rows whose bits are looked at for one place in the order
_LISTED = 1 << 22  # members up to which the order is the permutation of `ShuffledOrigins`
_ROUNDS = 6


class OriginSet:
    """Row numbers below `rows`, rising, one bit each: 25 MB for 200 million rows.

    >>> found = OriginSet(10)
    >>> found.add(3, np.array([True, False, True, True]))
    >>> len(found), found.take(np.array([2, 0]))
    (3, array([6, 3]))
    """

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros((-(-rows // _BLOCK) * _BLOCK + 8 * _BLOCK) // 8, dtype=np.uint8)
        self._before: np.ndarray | None = None

    def add(self, first: int, members: np.ndarray) -> None:
        """Take row `first` + i where `members` (N,) bool is True at i."""
        packed = np.packbits(np.concatenate([np.zeros(first % 8, dtype=bool), members]))
        self._bits[first // 8 : first // 8 + len(packed)] |= packed
        self._before = None

    def _counts(self) -> np.ndarray:
        if self._before is None:
            counts = np.bitwise_count(self._bits.reshape(-1, _BLOCK // 8)).sum(axis=1, dtype=np.int64)
            self._before = np.concatenate([[0], np.cumsum(counts)])
        return self._before

    def __len__(self) -> int:
        return int(self._counts()[-1])

    @property
    def checksum(self) -> int:
        """CRC-32 of the bits."""
        return zlib.crc32(self._bits.data)

    def take(self, places: np.ndarray) -> np.ndarray:
        """The members at `places` (N,) int64 in rising order: (N,) int64."""
        before = self._counts()
        block = np.searchsorted(before, places, side="right") - 1
        bits = np.unpackbits(self._bits.reshape(-1, _BLOCK // 8)[block], axis=1)
        nth = np.cumsum(bits, axis=1, dtype=np.int16) > (places - before[block]).astype(np.int16)[:, None]
        return block * _BLOCK + nth.argmax(axis=1)


class DrawnOrigins:
    """As `ShuffledOrigins` over an `OriginSet`: batches (batch_size,) int64 of one permutation after another.

    Up to four million members the order is that of `ShuffledOrigins`; beyond it a permutation of which any place is
    computed alone: a Feistel network of six rounds over pairs of numbers, walked until it falls into the range (Black
    and Rogaway 2002), keyed by (seed, epoch).

    >>> found = OriginSet(8)
    >>> found.add(0, np.ones(5, dtype=bool))
    >>> order = DrawnOrigins(found, batch_size=3, seed=0)
    >>> sorted(np.concatenate([next(order), next(order)])[:5].tolist())
    [0, 1, 2, 3, 4]
    """

    def __init__(self, origins: OriginSet, batch_size: int, seed: int, listed: int = _LISTED) -> None:
        self._origins, self._count, self._listed = origins, len(origins), listed
        if not self._count:
            raise SettingError("origins: expected at least one row number, got none.")
        self.batch_size, self.seed = min(int(batch_size), self._count), int(seed)
        self._checksum = origins.checksum
        self._seek(0, 0)

    def __iter__(self) -> DrawnOrigins:
        return self

    def __next__(self) -> np.ndarray:
        parts, missing = [], self.batch_size
        while missing:
            taken = min(missing, self._count - self._position)
            places = np.arange(self._position, self._position + taken)
            parts.append(self._permuted(places) if self._order is None else self._order[places])
            missing -= taken
            self._position += taken
            if self._position == self._count:
                self._seek(self._epoch + 1, 0)
        return self._origins.take(np.concatenate(parts))

    def state(self) -> dict[str, int]:
        """The position in the order, and what identifies the order, as JSON numbers."""
        return {
            "seed": self.seed,
            "epoch": self._epoch,
            "position": self._position,
            "batch_size": self.batch_size,
            "origins": self._count,
            "checksum": self._checksum,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, bitwise; raises FormatError where it is another order's state or out of range."""
        self._seek(*restored_position(self.state(), state, self._count))

    def _seek(self, epoch: int, position: int) -> None:
        draws = np.random.Generator(np.random.Philox(key=np.array([self.seed, epoch], dtype=np.uint64)))
        self._order = draws.permutation(self._count) if self._count <= self._listed else None
        self._keys = draws.integers(0, 2**64, _ROUNDS, dtype=np.uint64) if self._order is None else None
        self._epoch, self._position = epoch, position

    def _permuted(self, places: np.ndarray) -> np.ndarray:
        half = max(1, -(-(self._count - 1).bit_length() // 2))
        mask = np.uint64((1 << half) - 1)
        found, open_ = places.astype(np.uint64), np.arange(len(places))
        while len(open_):
            left, right = found[open_] >> np.uint64(half), found[open_] & mask
            for key in np.asarray(self._keys):
                left, right = right, left ^ (_mixed(right ^ key) & mask)
            found[open_] = (left << np.uint64(half)) | right
            open_ = open_[found[open_] >= self._count]
        return found.astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """Bits of x (N,) uint64 mixed (the finaliser of SplitMix64, Steele and others 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
