"""`Sequences`: numeric sequences of equal or unequal length as one contiguous array, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import DataError

__all__ = ["Sequences"]

_LONG = 4  # a sequence with this many times more channels than steps is probably turned round


@dataclass(frozen=True, eq=False)
class Sequences:
    """N sequences of C channels; sequence n is `values[offsets[n] : offsets[n + 1]]`, (T_n, C).

    `values` (rows, C) is of the number type that came in; `offsets` (N + 1,) int64 rises from 0 to the number of rows.
    `channels` names the columns; `equal` says whether all are equally long. Both arrays are read-only. `picture` is
    (height, width) where each sequence is the pixels of a picture, row by row.
    """

    values: np.ndarray
    offsets: np.ndarray
    channels: tuple[str, ...] = ()
    picture: tuple[int, int] | None = None
    lengths: np.ndarray = field(init=False)
    equal: bool = field(init=False)

    def __post_init__(self) -> None:
        """Check what the arrays must fulfil among themselves; raises DataError."""
        values, offsets = self.values, self.offsets
        good = values.ndim == 2 and offsets.ndim == 1 and len(offsets) >= 1 and offsets.dtype == np.int64
        if not good or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 1).any():
            raise DataError(
                f"Expected values (rows, channels) and offsets that rise from 0 to the number of rows, got values "
                f"{values.shape} and {len(offsets)} offsets."
            )
        names = self.channels or tuple(f"channel_{i}" for i in range(values.shape[1]))
        if len(names) != values.shape[1] or len(set(names)) != len(names):
            raise DataError(f"channels: expected {values.shape[1]} different names, got {list(names)}.")
        object.__setattr__(self, "channels", tuple(names))
        lengths = np.diff(offsets)
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "equal", not len(lengths) or bool((lengths == lengths[0]).all()))
        for array in (values, offsets):
            array.flags.writeable = False

    @classmethod
    def make(cls, data: Any, *, what: str = "X", channels: Sequence[str] = ()) -> Sequences:
        """Sequences from an array (N, T, C), or (N, T) of one channel, or a list of arrays (T_n, C) or (T_n,).

        `what` names the data in messages. Raises DataError where there is no sequence, one is empty, they don't agree
        on their channels, or hold anything but finite numbers: with the sequence, step and channel, all from 0.

        >>> Sequences.make([[1.0, 2.0], [3.0, 4.0, 5.0]]).lengths
        array([2, 3])
        """
        if isinstance(data, Sequences):
            return data
        if isinstance(data, (list, tuple)) or (isinstance(data, np.ndarray) and data.dtype.kind == "O"):
            made = cls._from_list(list(data), what, tuple(channels))
        else:
            made = cls._from_array(_numbers(data, what), what, tuple(channels))
        made.check_finite(what)
        return made

    @classmethod
    def _from_array(cls, array: np.ndarray, what: str, channels: tuple[str, ...]) -> Sequences:
        if array.ndim not in (2, 3):
            raise DataError(
                f"{what}: expected an array (sequences, steps, channels), or (sequences, steps) of one channel, or a "
                f"list of arrays (steps, channels), got shape {array.shape}."
            )
        if not array.size:
            raise DataError(f"{what}: expected at least one sequence, step and channel, got shape {array.shape}.")
        count, steps = array.shape[:2]
        wide = array.reshape(count * steps, -1)
        if steps == 1 and wide.shape[1] > 1:
            raise DataError(
                f"{what}: expected (sequences, steps, channels), got shape {array.shape}: sequences of 1 step with "
                f"{wide.shape[1]} channels. If channels stand first, pass {what}.transpose(0, 2, 1)."
            )
        return cls(np.ascontiguousarray(wide), np.arange(count + 1, dtype=np.int64) * steps, channels)

    @classmethod
    def _from_list(cls, items: Sequence[Any], what: str, channels: tuple[str, ...]) -> Sequences:
        if not len(items):
            raise DataError(f"{what}: expected at least one sequence, got an empty list.")
        arrays = [_numbers(item, f"{what}[{n}]") for n, item in enumerate(items)]
        for n, array in enumerate(arrays):
            if array.ndim not in (1, 2):
                raise DataError(f"{what}[{n}]: expected an array (steps, channels), got shape {array.shape}.")
            if not array.size:
                raise DataError(f"{what}[{n}]: the sequence is empty, shape {array.shape}; leave it out.")
        arrays = [array[:, None] if array.ndim == 1 else array for array in arrays]
        widths = np.array([array.shape[1] for array in arrays])
        odd = np.flatnonzero(widths != widths[0])
        if len(odd):
            n, heights = int(odd[0]), {len(array) for array in arrays}
            hint = ""
            if len(heights) == 1:
                hint = f" All have {heights.pop()} rows: if channels stand first, pass the transposed arrays (a.T)."
            raise DataError(
                f"{what}[{n}]: expected {widths[0]} channels, as in {what}[0], got {widths[n]}; every sequence is "
                f"(steps, channels).{hint}"
            )
        offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])]).astype(np.int64)
        return cls(np.concatenate(arrays), offsets, channels)

    def check_finite(self, what: str = "X") -> None:
        """Raise DataError with the place of the first value that is NaN or infinite."""
        if self.values.dtype.kind != "f":
            return
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            row, channel = (int(i) for i in bad[0])
            n = int(np.searchsorted(self.offsets, row, side="right")) - 1
            raise DataError(
                f"{what}: expected finite numbers, got {self.values[row, channel]} in sequence {n}, step "
                f"{row - int(self.offsets[n])}, channel {self.channels[channel]!r} ({len(bad):,} such values, counted "
                "from 0); fill them or leave the sequence out."
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, n: int) -> np.ndarray:
        if not -len(self) <= n < len(self):
            raise IndexError(f"there are {len(self)} sequences, none of number {n}")
        n %= len(self)
        return self.values[self.offsets[n] : self.offsets[n + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[n] for n in range(len(self)))

    @property
    def width(self) -> int:
        """C, the number of channels."""
        return self.values.shape[1]

    def take(self, numbers: np.ndarray) -> Sequences:
        """The sequences of these numbers, in this order."""
        numbers = np.asarray(numbers)
        if self.equal and len(self):
            steps = int(self.lengths[0])
            values = self.values.reshape(len(self), steps, -1)[numbers].reshape(len(numbers) * steps, -1)
            return Sequences(values, np.arange(len(numbers) + 1, dtype=np.int64) * steps, self.channels, self.picture)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[numbers])]).astype(np.int64)
        return Sequences(self.values[self.rows(numbers)], offsets, self.channels, self.picture)

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """The rows (int64) in `values` of the sequences of these numbers, one after the other."""
        lengths = self.lengths[numbers]
        starts = np.repeat(self.offsets[numbers] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        return starts + np.arange(int(lengths.sum()))

    def padded(self, numbers: np.ndarray, side: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """A batch: (B, T, C), T the longest of these, zeros after the end of a shorter one; and the mask (B, T) bool.

        The mask is None where all are equally long. `side` (rows, …) is gathered in place of `values`.
        """
        source = self.values if side is None else side
        lengths = self.lengths[numbers]
        longest = int(lengths.max())
        if self.equal:
            return source.reshape(len(self), longest, *source.shape[1:])[numbers], None
        if (lengths == longest).all():
            return source[self.offsets[numbers][:, None] + np.arange(longest)], None
        mask = np.arange(longest) < lengths[:, None]
        batch = np.zeros((len(lengths), longest, *source.shape[1:]), dtype=source.dtype)
        batch[mask] = source[self.rows(numbers)]
        return batch, mask

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and population standard deviation (C,) float64 over all steps; 1 where a channel is constant."""
        first = self.values[0].astype(np.float64)
        total, squares = np.zeros((2, self.width))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(self.values), _CHUNK):
                total += (self.values[start : start + _CHUNK] - first).sum(axis=0, dtype=np.float64)
            mean = total / len(self.values)
            for start in range(0, len(self.values), _CHUNK):
                squares += np.square(self.values[start : start + _CHUNK] - first - mean).sum(axis=0)
            std = np.sqrt(squares / len(self.values))
        if not np.isfinite(std).all():
            name = self.channels[int(np.flatnonzero(~np.isfinite(std))[0])]
            raise DataError(f"Channel {name!r} holds values too large to standardise; scale them down.")
        return first + mean, np.where(std > 0, std, 1.0)

    def turned_round(self) -> bool:
        """Whether every sequence has many more channels than steps, as when channels stand first by mistake."""
        return self.width > _LONG * int(self.lengths.max()) and self.width >= _WIDE

    def fingerprint(self) -> str:
        """SHA-256 of values, lengths and number type."""
        digest = hashlib.sha256(f"{self.values.dtype.str} {self.values.shape}".encode())
        digest.update(self.offsets.tobytes())
        digest.update(np.ascontiguousarray(self.values).data)
        return digest.hexdigest()


_CHUNK = 1 << 18  # rows at a time, so that statistics in float64 need no copy of everything
_WIDE = 16


def _numbers(data: Any, what: str) -> np.ndarray:
    """An array of real numbers; raises DataError for anything else."""
    if hasattr(data, "detach"):
        data = data.detach().cpu()
    try:
        array = np.asarray(data)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{what}: expected an array of numbers, got {type(data).__name__} of "
            f"{'steps of unequal width, or of objects' if array.dtype.kind == 'O' else array.dtype}."
        )
    return array.astype(np.uint8) if array.dtype.kind == "b" else array
