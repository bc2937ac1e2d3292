"""Chronological splits: where the training part ends, where validation ends, and which windows fall into which part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SettingError

if TYPE_CHECKING:
    from .panel import Panel

__all__ = ["Split", "SplitOrigins", "counts_of"]

_FORM = "expected fractions such as '0.7,0.15' or row counts such as '26000,13000'"


@dataclass(frozen=True)
class Split:
    """Two ticks of a panel's grid: training is before `train_end`, validation before `valid_end`, test after it."""

    train_end: int
    valid_end: int

    def __post_init__(self) -> None:
        if self.train_end >= self.valid_end:
            raise SettingError(
                f"split: expected the validation part to end after the training part, got ends at ticks "
                f"{self.train_end} (training) and {self.valid_end} (validation)."
            )

    @classmethod
    def make(cls, panel: Panel, split: str | Sequence[str | float] | Split) -> Split:
        """The split of `panel` by two fractions of, or two counts of, its distinct ticks in time order.

        `split` is (training, validation) as numbers or text; the rest of the rows is the test part. Fractions must
        leave rows for it; row counts may use every row, which leaves no test part. Several series are cut at the same
        times.
        Raises SettingError, saying what is wrong with the numbers or by how many rows they miss.

        >>> from seqloom.data import Panel
        >>> Split.make(Panel.from_numpy(np.arange(10.0)), "0.6,0.2")
        Split(train_end=6, valid_end=8)
        """
        if isinstance(split, Split):
            return split
        if (bounds := getattr(panel, "bounds", None)) is not None:  # of a sample, which is split where all rows are
            return bounds(split)
        ticks = panel.ticks
        train, valid = counts_of(split, len(ticks))
        end = int(ticks[-1]) + 1
        return cls(int(ticks[train]), int(ticks[train + valid]) if train + valid < len(ticks) else end)

    def part_rows(self, panel: Panel) -> dict[str, int]:
        """How many distinct ticks of `panel` each part holds."""
        ticks = panel.ticks
        train, both = np.searchsorted(ticks, [self.train_end, self.valid_end]).tolist()
        return {"training": train, "validation": both - train, "test": len(ticks) - both}


@dataclass(frozen=True, eq=False)
class SplitOrigins:
    """Origins (int64 row numbers, rising) of the windows whose targets all lie inside one part.

    `lost` counts windows with targets on both sides of a boundary: "training to validation" and "validation to test".
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    lost: dict[str, int] = field(default_factory=dict)


def counts_of(split: str | Sequence[str | float], rows: int) -> tuple[int, int]:
    """The rows of the training and of the validation part, of `rows` distinct ticks; raises SettingError."""
    parts = split.split(",") if isinstance(split, str) else list(split)
    if len(parts) != 2 or any(isinstance(part, str) and not part.strip() for part in parts):
        raise SettingError(f"split: {_FORM}, two numbers (training, validation), got {split!r}.")
    numbers = [_number(part, split) for part in parts]
    if min(numbers) <= 0:
        raise SettingError(f"split: {_FORM}, both above zero, got {split!r}.")
    if all(isinstance(number, int) for number in numbers):
        train, valid = (int(number) for number in numbers)
        if train + valid > rows:
            raise SettingError(
                f"split: {train} rows to train on and {valid} to validate on make {train + valid}, but the data has "
                f"{rows} rows, {train + valid - rows} too few; give smaller counts, or fractions such as '0.7,0.15'."
            )
        return train, valid
    if any(isinstance(number, int) for number in numbers):
        raise SettingError(f"split: {_FORM}, not a mixture of the two, got {split!r}.")
    if sum(numbers) >= 1 - 1e-9:
        raise SettingError(f"split: expected fractions with a sum below 1, as the rest is for testing, got {split!r}.")
    ends = [math.floor(share * rows + 1e-6) for share in (numbers[0], sum(numbers))]
    train, valid = ends[0], ends[1] - ends[0]
    for name, count in (("training", train), ("validation", valid)):
        if count < 1:
            raise SettingError(
                f"split: {split!r} of {rows} rows leaves no row for {name}; give a larger share or more data."
            )
    return train, valid


def _number(part: str | float, split: object) -> float:
    """An int for a count of rows, a float for a fraction."""
    value: object = part
    if isinstance(part, str):
        try:
            value = float(part)
        except ValueError:
            raise SettingError(f"split: {_FORM}, got {part.strip()!r} in {split!r}.") from None
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not math.isfinite(value)
    ):
        raise SettingError(f"split: {_FORM}, got {part!r} in {split!r}.")
    if float(value).is_integer():
        return int(value)
    if value > 1:
        raise SettingError(
            f"split: {_FORM}, got {part!r} in {split!r}, which is neither a fraction nor a whole number of rows."
        )
    return float(value)
