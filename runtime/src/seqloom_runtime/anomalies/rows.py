"""A panel's rows as detectors read them: standardised, with what is known, in stretches without a gap.

R rows, F columns, W windows of T rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..data import Panel, Standardizer
from ..errors import DataError

__all__ = ["Rows", "in_chunks", "starts_of"]


@dataclass(frozen=True, eq=False)
class Rows:
    """values: (R, F) float64, standardised, 0 where unknown. known: (R, F) bool, measured and not filled in by a
    repair. tick: (R,) int64. stretches: (first, behind the last) of the rows that follow one another without a gap."""

    values: np.ndarray
    known: np.ndarray
    tick: np.ndarray
    stretches: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, panel: Panel, scaler: Standardizer) -> Rows:
        """The rows of a panel with the scaler's columns; raises DataError for a series that the scaler doesn't know."""
        known = np.isfinite(panel.values) & ~panel.filled
        series = None
        if scaler.per_series:
            places = {name: place for place, name in enumerate(scaler.ids)}
            strange = [name for name in panel.ids if name not in places]
            if strange:
                raise DataError(
                    f"The series {strange[0]!r} was not among those of the fit; fit again with it, or leave it out."
                )
            series = np.array([places[name] for name in panel.ids])[panel.series_index]
        values = scaler.transform(np.where(known, panel.values, np.nan), series)
        broken = np.flatnonzero(np.diff(panel.tick) != 1) + 1
        ends = np.unique(np.concatenate([[0], broken, panel.offsets, [len(panel)]])).tolist()
        stretches = tuple((a, b) for a, b in pairwise(ends) if b > a)
        return cls(np.where(known, values, 0.0), known, panel.tick, stretches)

    def __len__(self) -> int:
        return len(self.tick)

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """The windows that begin at `starts` (W,): values (W, T, F) float32."""
        return self.values[starts[:, None] + np.arange(length)].astype(np.float32)

    def part(self, chosen: np.ndarray) -> Rows:
        """The rows of the mask `chosen` (R,) bool."""
        kept = np.flatnonzero(chosen)
        stretches: list[tuple[int, int]] = []
        for first, end in self.stretches:
            a, b = np.searchsorted(kept, [first, end]).tolist()
            own = kept[a:b]
            cuts = [a, *(np.flatnonzero(np.diff(own) != 1) + a + 1).tolist(), b]
            stretches += [(x, y) for x, y in pairwise(cuts) if y > x]
        return Rows(self.values[kept], self.known[kept], self.tick[kept], tuple(stretches))


def starts_of(rows: Rows, length: int, most: int | None = None) -> np.ndarray:
    """Where windows of `length` rows without a gap begin (W,) int64; of more than `most` evenly spread ones."""
    found = [np.arange(first, end - length + 1) for first, end in rows.stretches if end - first >= length]
    starts = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    if most is not None and len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).astype(np.int64)]
    return starts


def in_chunks(starts: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """`starts` a few at a time."""
    for first in range(0, len(starts), size):
        yield starts[first : first + size]
