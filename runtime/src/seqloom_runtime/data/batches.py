"""The order in which windows are drawn: shuffled without end and resumable for training, in sequence for scoring."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import FormatError, SettingError, shown

__all__ = ["SequentialOrigins", "ShuffledOrigins", "restored_position"]


class ShuffledOrigins:
    """An endless iterator of batches, (batch_size,) int64, walking through one permutation of `origins` after another.

    The permutation of epoch e is a pure function of (seed, e), so any position is reached without replaying the ones
    before it. A batch that reaches an epoch's end goes on with the next epoch, so every batch has exactly `batch_size`
    origins, or all of them where there are fewer. Raises SettingError for no origins or numbers out of range.

    >>> batches = ShuffledOrigins(np.arange(5), batch_size=3, seed=0)
    >>> first_epoch = np.concatenate([next(batches), next(batches)])[:5]
    >>> sorted(first_epoch.tolist()), batches.state()["epoch"]
    ([0, 1, 2, 3, 4], 1)
    """

    def __init__(self, origins: np.ndarray, batch_size: int, seed: int) -> None:
        self._origins = _checked(origins, batch_size)
        if not 0 <= seed < 2**64:
            raise SettingError(f"seed: expected a whole number from 0 to 2**64 - 1, got {seed!r}.")
        self.batch_size = min(int(batch_size), len(self._origins))
        self.seed = int(seed)
        self._checksum = zlib.crc32(self._origins.tobytes())
        self._seek(0, 0)

    def __iter__(self) -> ShuffledOrigins:
        return self

    def __next__(self) -> np.ndarray:
        batch = np.empty(self.batch_size, dtype=np.int64)
        got = 0
        while got < len(batch):
            part = self._order[self._position : self._position + len(batch) - got]
            batch[got : got + len(part)] = self._origins[part]
            got += len(part)
            self._position += len(part)
            if self._position == len(self._order):
                self._seek(self._epoch + 1, 0)
        return batch

    def state(self) -> dict[str, int]:
        """The position in the order, and what identifies the order, as JSON numbers."""
        return {
            "seed": self.seed,
            "epoch": self._epoch,
            "position": self._position,
            "batch_size": self.batch_size,
            "origins": len(self._origins),
            "checksum": self._checksum,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, bitwise; raises FormatError where it is another order's state or out of range."""
        self._seek(*restored_position(self.state(), state, len(self._origins)))

    def _seek(self, epoch: int, position: int) -> None:
        key = np.array([self.seed, epoch], dtype=np.uint64)
        self._order = np.random.Generator(np.random.Philox(key=key)).permutation(len(self._origins))
        self._epoch, self._position = epoch, position


class SequentialOrigins:
    """`origins` in order, `batch_size` at a time, the last batch shorter; may be walked through again and again.

    >>> [batch.tolist() for batch in SequentialOrigins(np.arange(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, origins: np.ndarray, batch_size: int) -> None:
        self._origins = _checked(origins, batch_size)
        self.batch_size = int(batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self._origins), self.batch_size):
            yield self._origins[start : start + self.batch_size]

    def __len__(self) -> int:
        return -(-len(self._origins) // self.batch_size)


def restored_position(mine: Mapping[str, int], state: Mapping[str, Any], places: int | None = None) -> tuple[int, int]:
    """(epoch, position) of a saved order; raises FormatError where it differs from `mine` in anything else.

    So it does where the position is none of the `places` of an epoch.
    """
    if set(state) != set(mine) or not all(type(value) is int for value in state.values()):
        raise FormatError(
            f"Expected the batch order's state with whole numbers {', '.join(mine)}, got {shown(dict(state))}."
        )
    for name, value in mine.items():
        if name not in ("epoch", "position") and state[name] != value:
            raise FormatError(
                f"The saved batch order has {name} {shown(state[name])}, this one {value}: data or settings changed, "
                "so it can't go on."
            )
    epoch, position = state["epoch"], state["position"]
    if places is not None and not (epoch >= 0 and 0 <= position < places):
        raise FormatError(
            f"The saved batch order stands at epoch {shown(epoch)}, position {shown(position)}: out of range."
        )
    return epoch, position


def _checked(origins: np.ndarray, batch_size: int) -> np.ndarray:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise SettingError(f"batch_size: expected a positive whole number, got {batch_size!r}.")
    origins = np.asarray(origins)
    if origins.ndim != 1 or not len(origins) or origins.dtype.kind not in "iu":
        raise SettingError(
            f"origins: expected at least one row number in one axis, got shape {origins.shape} of {origins.dtype}."
        )
    origins = origins.astype(np.int64)
    origins.flags.writeable = False
    return origins
