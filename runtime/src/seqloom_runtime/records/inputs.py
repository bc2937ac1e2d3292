"""What a network reads of records: by column the last value, whether it is new, and the time since the one before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.irregular.records import Records
from ..data.sequences.ragged import Sequences

__all__ = ["RecordScale", "ages", "carried", "record_inputs"]


@dataclass(frozen=True, eq=False)
class RecordScale:
    """mean and std (D,) of what was measured in the training records; age: their mean time between two measurements.

    A column that no training record holds has mean 0 and deviation 1.
    """

    mean: np.ndarray
    std: np.ndarray
    age: float

    @classmethod
    def of(cls, records: Records) -> RecordScale:
        """From the training records alone."""
        there = ~np.isnan(records.values)
        count = np.maximum(there.sum(axis=0), 1)
        known = np.where(there, records.values, 0.0)
        mean = known.sum(axis=0) / count
        spread = np.sqrt((np.where(there, records.values - mean, 0.0) ** 2).sum(axis=0) / count)
        since = ages(records.values, records.times, records.offsets)
        since = since[since > 0]
        return cls(mean, np.where(spread > 0, spread, 1.0), float(since.mean()) if len(since) else 1.0)


def carried(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(rows, D): the last value that was measured until a row, in its record; NaN before the first.

    >>> carried(np.array([[np.nan], [2.0], [np.nan], [np.nan]]), np.array([0, 3, 4]))[:, 0]
    array([nan,  2.,  2., nan])
    """
    rows = np.arange(len(values))[:, None]
    last = np.where(np.isnan(values), -1, rows)
    last[offsets[:-1]] = offsets[:-1, None]  # nothing is carried from one record into the next
    return np.take_along_axis(values, np.maximum.accumulate(last, axis=0), axis=0)


def ages(values: np.ndarray, times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """δ (rows, D): the time since a column was measured before, or since the record's first row where it never was.

    Che et al. (2018), equation 1: at the first row 0; what is measured at a row itself doesn't count there.

    >>> ages(np.array([[1.0], [np.nan], [3.0]]), np.array([0.0, 2.0, 5.0]), np.array([0, 3]))[:, 0]
    array([0., 2., 5.])
    """
    rows = np.arange(len(values))[:, None]
    before = np.full(values.shape, -1)
    before[1:] = np.where(np.isnan(values[:-1]), -1, rows[:-1])
    before[offsets[:-1]] = offsets[:-1, None]
    return times[:, None] - times[np.maximum.accumulate(before, axis=0)]


def record_inputs(records: Records, scale: RecordScale, gaps: str) -> Sequences:
    """The steps that a network reads, float32: 3 D channels, or with gaps "forward" D, the last values alone.

    Values are standardised, and 0 (the mean) before the first; ages are in mean ages, for "features" as log(1 + δ).
    Nothing of a row comes from a later one.
    """
    names = records.columns
    value = np.nan_to_num((carried(records.values, records.offsets) - scale.mean) / scale.std)
    if gaps == "forward":
        return Sequences(value.astype(np.float32), records.offsets.copy(), names)
    age = ages(records.values, records.times, records.offsets) / scale.age
    if gaps == "features":
        age = np.log1p(age)
    parts = np.concatenate([value, ~np.isnan(records.values), age], axis=1).astype(np.float32)
    channels = (*names, *(f"{name} is new" for name in names), *(f"age of {name}" for name in names))
    return Sequences(parts, records.offsets.copy(), channels)
