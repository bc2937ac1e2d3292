"""Pieces of an array put together to matrices of pieces of one length, so that what is worked out for each of very many
series takes a few operations on matrices, with the bits of one piece after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["equal_lengths"]

_MOST = 1 << 21  # numbers of a matrix


def equal_lengths(lengths: np.ndarray, most: int = _MOST) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which pieces (M,) have one length n, and where their numbers stand (M, n), for pieces of `lengths` (S,) that lie
    one behind the other; empty ones come not at all, and no matrix holds more than `most` numbers or one piece.

    >>> [(which.tolist(), at.tolist()) for which, at in equal_lengths(np.array([2, 0, 1, 2]))]
    [([2], [[2]]), ([0, 3], [[0, 1], [3, 4]])]
    """
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(lengths, kind="stable")
    ends = np.flatnonzero(np.diff(lengths[order], append=-1)) + 1
    for begin, end in zip(np.concatenate([[0], ends[:-1]]).tolist(), ends.tolist()):
        length = int(lengths[order[begin]])
        if not length:
            continue
        size = max(1, most // length)
        for at in range(begin, end, size):
            which = order[at : min(at + size, end)]
            yield which, starts[which][:, None] + np.arange(length)
