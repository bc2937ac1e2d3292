"""Running text in batches: streams for stateful training, and overlapping windows scored on their last part."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ...errors import SettingError, shown
from ..batches import SequentialOrigins, ShuffledOrigins, restored_position

__all__ = ["UNSCORED", "StreamOrder", "TokenBatch", "TokenStreams", "TokenWindows"]

UNSCORED = -1
_PIECE = 1 << 20  # ids


class TokenBatch(NamedTuple):
    """`inputs` and `targets` (B, T) int64: the next token, −1 where none is scored.

    `fresh` says that a carried state must be reset before this batch.
    """

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool


class StreamOrder:
    """An endless iterator of positions (streams, at most steps) int64 into `rows` consecutive rows.

    The rows are cut into `streams` pieces of equal length, side by side, and read `steps` at a time, so row j of batch
    n + 1 continues row j of batch n. −1 stands where a piece has ended (the last one may be shorter). `len` is the
    number of batches in an epoch; `position` 0 is the start of one, where a carried state must be reset.

    >>> order = StreamOrder(7, streams=2, steps=3)
    >>> [next(order).tolist() for _ in range(len(order))]
    [[[0, 1, 2], [4, 5, 6]], [[3], [-1]]]
    """

    def __init__(self, rows: int, streams: int, steps: int, *, shuffle: bool = False) -> None:
        """Raises SettingError for numbers out of range, more streams than rows, and `shuffle`."""
        if shuffle:
            raise SettingError(
                "shuffle: streams can't be shuffled, because row j of each batch continues row j of the batch before "
                "and the state carried over belongs to that row; use overlapping windows to train in random order."
            )
        _check_whole(rows=rows, streams=streams, steps=steps)
        if streams > rows:
            raise SettingError(f"streams: {rows:,} rows can't be cut into {streams:,} streams; use fewer.")
        self.rows, self.streams, self.steps = int(rows), int(streams), int(steps)
        self._length = -(-self.rows // self.streams)
        self._starts = np.arange(self.streams, dtype=np.int64)[:, None] * self._length
        self.epoch, self.position = 0, 0

    def __iter__(self) -> StreamOrder:
        return self

    def __len__(self) -> int:
        return -(-self._length // self.steps)

    def __next__(self) -> np.ndarray:
        batch = self.at(self.position)
        self.advance()
        return batch

    @property
    def length(self) -> int:
        """Rows of the longest piece."""
        return self._length

    def advance(self) -> None:
        """Go on to the next batch."""
        self.position += 1
        if self.position == len(self):
            self.epoch, self.position = self.epoch + 1, 0

    def at(self, position: int) -> np.ndarray:
        """The batch at `position` of an epoch."""
        return self.between(position * self.steps, (position + 1) * self.steps)

    def between(self, first: int, last: int) -> np.ndarray:
        """The positions of the steps `first` up to `last` of every piece, as far as they go."""
        steps = np.arange(first, min(last, self._length))
        found = self._starts + steps
        found[found >= self.rows] = -1
        return found

    def state(self) -> dict[str, int]:
        """The position in the order, and what identifies the order, as JSON numbers."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "rows": self.rows,
            "streams": self.streams,
            "steps": self.steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises FormatError where it is another order's state or out of range."""
        self.epoch, self.position = restored_position(self.state(), state, len(self))


class TokenStreams:
    """An endless iterator of `TokenBatch` over running text, for training with a carried state.

    `ids` (N,) are read as `streams` pieces side by side, `steps` tokens at a time (`StreamOrder`); each of the N − 1
    next tokens is scored once per epoch. `fresh` is true in the first batch of each epoch.

    >>> batches = TokenStreams(np.arange(9), streams=2, steps=3)
    >>> inputs, targets, fresh = next(batches)
    >>> inputs.tolist(), targets.tolist(), fresh, next(batches).targets.tolist()
    ([[0, 1, 2], [4, 5, 6]], [[1, 2, 3], [5, 6, 7]], True, [[4], [8]])
    """

    def __init__(self, ids: np.ndarray, streams: int, steps: int, *, shuffle: bool = False) -> None:
        """Raises SettingError for a text of fewer than two tokens, and as `StreamOrder`."""
        self._ids = _checked_ids(ids)
        self._order = StreamOrder(len(self._ids) - 1, streams, steps, shuffle=shuffle)
        self._checksum = _checksum(self._ids)

    def __iter__(self) -> TokenStreams:
        return self

    def __len__(self) -> int:
        return len(self._order)

    def __next__(self) -> TokenBatch:
        fresh = self._order.position == 0
        return self._batch(next(self._order), fresh)

    def once(self) -> Iterator[TokenBatch]:
        """One epoch from its start, without moving the iterator: for scoring."""
        return (self._batch(self._order.at(number), number == 0) for number in range(len(self._order)))

    def state(self) -> dict[str, int]:
        """The position, as `StreamOrder`, with a checksum of the text."""
        return self._order.state() | {"checksum": self._checksum}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, bitwise; raises FormatError where text or settings differ."""
        restored_position(self.state(), state)
        self._order.restore({name: value for name, value in state.items() if name != "checksum"})

    def _batch(self, positions: np.ndarray, fresh: bool) -> TokenBatch:
        ended = positions < 0
        inputs, targets = (self._ids[places].astype(np.int64, copy=False) for places in (positions, positions + 1))
        return TokenBatch(inputs, np.where(ended, UNSCORED, targets), fresh)


class TokenWindows:
    """An endless iterator of `TokenBatch` over overlapping windows of `length` tokens, scored on the last `scored`.

    Windows start every `scored` tokens. The first window is scored whole and the last one ends with the text, scored
    where no other window is, so each of the N − 1 next tokens is scored once per epoch. With `seed` training windows
    come in random order (a permutation per epoch, `ShuffledOrigins`), without it in the text's order.

    >>> batches = TokenWindows(np.arange(8), length=4, scored=2, batch_size=9)
    >>> [batch.targets.tolist() for batch in batches.once()]
    [[[1, 2, 3, 4], [-1, -1, 5, 6], [-1, -1, -1, 7]]]
    """

    def __init__(self, ids: np.ndarray, length: int, scored: int, batch_size: int, *, seed: int | None = None) -> None:
        """Raises SettingError for a text of fewer than two tokens and for numbers out of range."""
        self._ids = _checked_ids(ids)
        _check_whole(length=length, scored=scored, batch_size=batch_size)
        if scored > length:
            raise SettingError(f"scored: expected at most the window's length of {length}, got {scored}.")
        rows = len(self._ids) - 1
        self.length, self.scored, self.seed = min(int(length), rows), int(scored), seed
        self._starts = np.arange(0, max(1, rows - self.length + 1), self.scored)
        if self._starts[-1] + self.length < rows:
            self._starts = np.append(self._starts, rows - self.length)
        self._scored_from = np.concatenate([[0], self._starts[:-1] + self.length])
        windows = np.arange(len(self._starts))
        self._in_order = SequentialOrigins(windows, batch_size)
        self._shuffled = None if seed is None else ShuffledOrigins(windows, batch_size, seed)
        self._checksum = _checksum(self._ids)
        self._epoch, self._position = 0, 0

    def __iter__(self) -> TokenWindows:
        return self

    def __len__(self) -> int:
        return len(self._in_order)

    def __next__(self) -> TokenBatch:
        if self._shuffled is not None:
            return self._batch(next(self._shuffled))
        size = self._in_order.batch_size
        batch = self._batch(np.arange(self._position * size, min((self._position + 1) * size, len(self._starts))))
        self._position += 1
        if self._position == len(self):
            self._epoch, self._position = self._epoch + 1, 0
        return batch

    def once(self) -> Iterator[TokenBatch]:
        """All windows in the text's order, without moving the iterator: for scoring."""
        return (self._batch(windows) for windows in self._in_order)

    def state(self) -> dict[str, int]:
        """The position in the order, and what identifies text and order, as JSON numbers."""
        if self._shuffled is None:
            order = {"epoch": self._epoch, "position": self._position, "batch_size": self._in_order.batch_size}
        else:
            order = self._shuffled.state()
        return {"length": self.length, "scored": self.scored, "text": self._checksum} | order

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`, bitwise; raises FormatError where text or settings differ or it is out of range."""
        if self._shuffled is None:
            self._epoch, self._position = restored_position(self.state(), state, len(self))
        else:
            restored_position(self.state(), state)
            self._shuffled.restore({name: state[name] for name in self._shuffled.state()})

    def _batch(self, windows: np.ndarray) -> TokenBatch:
        at = self._starts[windows][:, None] + np.arange(self.length)
        known = at >= self._scored_from[windows][:, None]
        inputs, targets = (self._ids[places].astype(np.int64, copy=False) for places in (at, at + 1))
        return TokenBatch(inputs, np.where(known, targets, UNSCORED), True)


def _checked_ids(ids: np.ndarray) -> np.ndarray:
    ids = ids if isinstance(ids, np.memmap) else np.asarray(ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise SettingError(f"ids: expected token ids in one axis, got shape {ids.shape} of {ids.dtype}.")
    if len(ids) < 2:
        raise SettingError(f"ids: expected a text of at least two tokens, got {len(ids)}.")
    if isinstance(ids, np.memmap):
        return ids  # larger than memory, perhaps: a batch alone becomes int64
    ids = ids.astype(np.int64)
    ids.flags.writeable = False
    return ids


def _checksum(ids: np.ndarray) -> int:
    """CRC-32 of the ids as int64, a piece at a time."""
    found = 0
    for first in range(0, len(ids), _PIECE):
        found = zlib.crc32(ids[first : first + _PIECE].astype(np.int64, copy=False).tobytes(), found)
    return found


def _check_whole(**numbers: int) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            _refuse(name, number)


def _refuse(name: str, number: object) -> NoReturn:
    raise SettingError(f"{name}: expected a positive whole number, got {shown(number)}.")
