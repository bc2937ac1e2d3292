"""Lists of unequal length to one array: padding and truncation, on either side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal

import numpy as np

from ...errors import SettingError, shown

__all__ = ["pad_sequences"]

Side = Literal["before", "after"]


def pad_sequences(
    sequences: Sequence[Sequence[int] | np.ndarray],
    length: int | None = None,
    *,
    padding: Side = "after",
    truncation: Side = "before",
    value: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Ids (B, T) int64 and mask (B, T) bool, true where there is a token.

    T is `length`, or that of the longest sequence, at least 1. A longer sequence is cut `truncation` what is kept: the
    default "before" keeps its last tokens. `padding` is where `value` fills up a shorter one. Raises SettingError.

    >>> ids, mask = pad_sequences([[1, 2, 3], [4]], 2)
    >>> ids.tolist(), mask.tolist()
    ([[2, 3], [4, 0]], [[True, True], [True, False]])
    """
    for name, side in (("padding", padding), ("truncation", truncation)):
        if side not in ("before", "after"):
            raise SettingError(f"{name}: expected 'before' or 'after', got {shown(side)}.")
    if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 1):
        raise SettingError(f"length: expected a positive whole number or None, got {shown(length)}.")
    if length is not None:
        cut = slice(-length, None) if truncation == "before" else slice(length)
        sequences = [sequence if len(sequence) <= length else sequence[cut] for sequence in sequences]
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    width = length or max(1, int(lengths.max(initial=1)))
    steps = np.arange(width)
    if padding == "after":
        mask = steps < lengths[:, None]
    else:
        mask = steps >= width - lengths[:, None]
    ids = np.full(mask.shape, value, dtype=np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(sequences), dtype=np.int64, count=int(lengths.sum()))
    return ids, mask
