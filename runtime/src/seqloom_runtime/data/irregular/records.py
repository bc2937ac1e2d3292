"""`Records`: measurements of several columns at irregular times with gaps, one record per patient, device or site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import DataError, shown
from ..decisions import Decision

__all__ = ["Records"]


@dataclass(frozen=True, eq=False)
class Records:
    """N records of D columns; record n is the rows `offsets[n] : offsets[n + 1]`.

    values (rows, D) float64, NaN where nothing was measured. times (rows,) float64, rising within a record, in `unit`
    ("h", or "" for the table's own numbers). ids (N,) and columns (D,) are names.
    target: None; with `every_step` (rows,) float64, 1 where the event comes within `horizon`, 0 where it doesn't, NaN
    where a row doesn't count; else (N,) of 0 and 1. onset (N,): time of the event, NaN where there is none.
    label: the column of the target; classes: what 0 and 1 stand for. decisions: what was decided on reading.
    """

    values: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    target: np.ndarray | None = None
    every_step: bool = False
    onset: np.ndarray | None = None
    unit: str = ""
    horizon: float | None = None
    label: str = ""
    classes: tuple[str, str] = ("0", "1")
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check what the arrays must fulfil among themselves; raises DataError."""
        values, times, offsets = self.values, self.times, self.offsets
        good = values.ndim == 2 and times.shape == (len(values),) and offsets.ndim == 1 and len(offsets) > 1
        good = good and values.dtype == times.dtype == np.float64 and offsets.dtype == np.int64
        good = good and offsets[0] == 0 and offsets[-1] == len(values) and not (np.diff(offsets) < 1).any()
        if not good or len(self.ids) != len(offsets) - 1 or len(self.columns) != values.shape[1] or not self.columns:
            raise DataError(
                f"Expected values (rows, columns), times (rows,) and offsets that rise from 0 to the number of rows, "
                f"with a name for each record and column, got {values.shape}, {times.shape} and {len(offsets)} offsets."
            )
        if len(set(self.ids)) != len(self.ids) or len(set(self.columns)) != len(self.columns):
            raise DataError("Expected different names of records and of columns.")
        if np.isinf(values).any() or not np.isfinite(times).all():
            raise DataError("Expected finite numbers, or NaN where nothing was measured, and finite times.")
        backwards = np.flatnonzero((np.diff(times) <= 0) & (np.diff(self.record_of) == 0))
        if len(backwards):
            row = int(backwards[0]) + 1
            raise DataError(
                f"times: expected rising times in each record, {times[row]:g} follows {times[row - 1]:g} in record "
                f"{shown(self.ids[int(self.record_of[row])])}."
            )
        count = len(values) if self.every_step else len(self.ids)
        if self.target is not None and self.target.shape != (count,):
            raise DataError(f"target: expected {count} numbers, got an array of shape {self.target.shape}.")
        if self.onset is not None and self.onset.shape != (len(self.ids),):
            raise DataError(f"onset: expected a time for each record or NaN, got shape {self.onset.shape}.")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(times (T,), values (T, D)) of each record."""
        for start, end in zip(self.offsets[:-1], self.offsets[1:]):
            yield self.times[start:end], self.values[start:end]

    @property
    def lengths(self) -> np.ndarray:
        """T_n (N,), the rows of each record."""
        return np.diff(self.offsets)

    @property
    def record_of(self) -> np.ndarray:
        """(rows,) which record a row belongs to."""
        return np.repeat(np.arange(len(self.ids)), self.lengths)

    def positive(self) -> np.ndarray:
        """(N,) bool: the record's label is 1, or its event comes; DataError where nothing is to be predicted."""
        if self.target is None:
            raise DataError("records: nothing says what is to be predicted; name a label or an event.")
        if self.every_step:
            return np.maximum.reduceat(np.nan_to_num(self.target), self.offsets[:-1]) > 0
        return self.target > 0

    def take(self, numbers: np.ndarray) -> Records:
        """The records of these numbers, in this order."""
        numbers = np.asarray(numbers, dtype=np.int64)
        rows = np.concatenate([np.arange(int(self.offsets[n]), int(self.offsets[n + 1])) for n in numbers.tolist()])
        target = self.target
        if target is not None:
            target = target[rows if self.every_step else numbers]
        return replace(
            self,
            values=self.values[rows],
            times=self.times[rows],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[numbers])]).astype(np.int64),
            ids=tuple(self.ids[n] for n in numbers),
            target=target,
            onset=None if self.onset is None else self.onset[numbers],
        )

    def fingerprint(self) -> str:
        """SHA-256 of everything that a model learns from."""
        digest = hashlib.sha256(f"{self.columns} {self.every_step} {self.unit} {self.horizon}".encode())
        for array in (self.values, self.times, self.offsets, self.target, self.onset):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
