"""Rows of a panel on disk that fit into memory: whole series, evenly taken, or stretches of long ones.

Models are chosen, calibrated and scored on windows of these; a network's training windows, and the statistics that
scale them, are those of all rows (`forecast.stored_rows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..panel import Panel
from ..splits import Split
from .stored import StoredPanel
from .ticks import TickRanges

__all__ = ["SampledPanel", "sample"]

_STRETCH = 4096  # rows of a long series that are taken together
_SHARES = (0.5, 0.25, 0.25)  # of the stretches: training, validation, test


@dataclass(frozen=True, eq=False)
class SampledPanel(Panel):
    """A panel of some of the rows of `stored`, which are split where all its rows are."""

    stored: StoredPanel | None = None
    ranges: TickRanges | None = None

    def bounds(self, split: str | Sequence[str | float] | Split) -> Split:
        """The split of all rows."""
        assert self.stored is not None
        return self.stored.split(split, self.ranges)

    def fingerprint(self) -> str:
        """That of the rows and of all that they were taken from."""
        assert self.stored is not None
        return f"{super().fingerprint()} of {self.stored.fingerprint}"


def sample(stored: StoredPanel, most: int, split: str | Sequence[str | float] | Split = (0.7, 0.15)) -> SampledPanel:
    """About `most` rows of a panel on disk, at least 4,096; all of them where it has no more.

    Series of up to 8,192 rows are taken whole, evenly over their order; of longer ones stretches of 4,096 rows, half of
    them in the training part of `split` and a quarter in each of the others, the last rows of every series that is
    taken among them. The same panel and numbers give the same rows.
    """
    ranges = stored.ticks()
    lengths = np.diff(stored.offsets)
    if len(stored) <= most:
        parts = [(0, len(stored))]
    elif int(lengths.max()) <= 2 * _STRETCH:
        parts = _series(stored.offsets, lengths, most)
    else:
        parts = _stretches(stored, stored.split(split, ranges), ranges, max(4, most // _STRETCH))
    quality = stored.quality
    return replace(_joined(stored, parts), stored=stored, ranges=ranges, quality=quality)


def _series(offsets: np.ndarray, lengths: np.ndarray, most: int) -> list[tuple[int, int]]:
    """The rows of series that are taken whole, evenly over their order."""
    count = max(1, int(len(lengths) * most / max(1, int(offsets[-1]))))
    chosen = np.unique(np.linspace(0, len(lengths) - 1, count).round().astype(np.int64))
    return [(int(offsets[at]), int(offsets[at + 1])) for at in chosen if lengths[at]]


def _stretches(stored: StoredPanel, split: Split, ranges: TickRanges, count: int) -> list[tuple[int, int]]:
    """Stretches of rows of evenly taken series, in order, joined where they meet."""
    offsets = stored.offsets
    parts = [(ranges.first, split.train_end), (split.train_end, split.valid_end), (split.valid_end, ranges.last + 1)]
    numbers = [max(1, round(share * count)) for share in _SHARES]
    series = np.unique(np.linspace(0, len(offsets) - 2, min(len(offsets) - 1, numbers[2])).round().astype(np.int64))
    found = [(max(int(offsets[at]), int(offsets[at + 1]) - _STRETCH), int(offsets[at + 1])) for at in series]
    for (start, end), number in zip(parts, numbers):
        for place in range(number):
            at = int(series[place % len(series)])
            low, high = int(offsets[at]), int(offsets[at + 1])
            tick = start + int((end - start) * (place + 0.5) / number)
            row = low + int(np.searchsorted(stored.tick[low:high], tick))
            first = max(low, min(row, high) - _STRETCH // 2)
            found.append((first, min(high, first + _STRETCH)))
    joined: list[tuple[int, int]] = []
    for first, end in sorted(each for each in found if each[1] > each[0]):
        if joined and first <= joined[-1][1] and not np.isin(first, offsets):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def _joined(stored: StoredPanel, parts: Sequence[tuple[int, int]]) -> SampledPanel:
    """The rows of the ranges as one panel, in memory."""
    rows = np.concatenate([np.arange(first, end) for first, end in parts])
    owner = np.searchsorted(stored.offsets, rows, side="right") - 1
    kept = np.unique(owner)
    pieces = [stored.rows(first, end) for first, end in parts]
    none = np.zeros((len(rows), len(stored.columns)), dtype=bool)
    return SampledPanel(
        values=np.concatenate([piece.values for piece in pieces]),
        columns=stored.columns,
        time=np.concatenate([np.asarray(piece.time) for piece in pieces]) if stored.timed else None,
        tick=np.concatenate([piece.tick for piece in pieces]),
        frequency=stored.frequency,
        ids=tuple(stored.ids[at] for at in kept),
        offsets=np.searchsorted(owner, np.append(kept, len(stored.offsets))),
        filled=none if stored.filled is None else np.concatenate([piece.filled for piece in pieces]),
        zone=stored.zone,
        time_format=stored.time_format,
        fill=stored.fill,
        static=stored.static,
        stored=stored,
    )
