"""What a baseline may look at: the target's past with its gap-free stretches, training rows, and slots of the day."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import DataError, NotFittedError, SettingError

__all__ = ["Baseline", "TargetHistory", "baseline_forecast", "check_origins", "check_season", "check_steps"]


@dataclass(frozen=True, eq=False)
class TargetHistory:
    """The target of one or many series, row by row, as baselines read it; arrays are checked, copied and read-only.

    values: (R,) float64, the target; NaN where it is missing.
    start: (R,) int64, the first row of the gap-free stretch that the row belongs to (stretches never span two series).
    train: (R,) bool, rows that a fit may use.
    slot: (R,) int64 in 0..slots_per_day-1, the row's place in the day, or None where the data has no time of day.
    slots_per_day: number of rows in a day; needed with slot.
    series: (R,) int64 from 0, the series of each row, or None for one series. Fits are made per series; a series
        without a training row is given what was fitted on all series together.

    Raises DataError for wrong shapes, infinite values, or stretches and slots that contradict each other.

    >>> history = TargetHistory.single([1.0, 3.0, 2.0, 5.0], train_rows=3)
    >>> history.rows, history.known.tolist()
    (4, [True, True, True, False])
    """

    values: np.ndarray
    start: np.ndarray
    train: np.ndarray
    slot: np.ndarray | None = None
    slots_per_day: int | None = None
    series: np.ndarray | None = None

    def __post_init__(self) -> None:
        values = _column(self.values, "values", np.float64)
        rows = len(values)
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise DataError(f"values: expected finite numbers or NaN for missing ones, got {values[row]} in row {row}.")
        start = _column(self.start, "start", np.int64, rows)
        train = _column(self.train, "train", np.bool_, rows)
        _check_stretches(start)
        slot = None if self.slot is None else _column(self.slot, "slot", np.int64, rows)
        if slot is not None:
            self._check_slots(slot)
        series = None if self.series is None else _column(self.series, "series", np.int64, rows)
        if series is not None:
            _check_series(series, start)
        for name, array in (("values", values), ("start", start), ("train", train), ("slot", slot), ("series", series)):
            object.__setattr__(self, name, array)

    @classmethod
    def single(cls, values: Any, *, train_rows: int | None = None, slots_per_day: int | None = None) -> TargetHistory:
        """One gap-free series (R,); the first `train_rows` rows (all by default) train, row 0 is slot 0 of the day."""
        values = _column(values, "values", np.float64)
        rows = np.arange(len(values))
        return cls(
            values=values,
            start=np.zeros(len(values), dtype=np.int64),
            train=rows < (len(values) if train_rows is None else train_rows),
            slot=None if slots_per_day is None else rows % slots_per_day,
            slots_per_day=slots_per_day,
        )

    @property
    def rows(self) -> int:
        """Number of rows R."""
        return len(self.values)

    @property
    def known(self) -> np.ndarray:
        """Training rows whose value is there: (R,) bool."""
        return self.train & np.isfinite(self.values)

    @property
    def series_of_row(self) -> np.ndarray:
        """Number of each row's series: (R,) int64, zeros where there is one series."""
        return np.zeros(self.rows, dtype=np.int64) if self.series is None else self.series

    def _check_slots(self, slot: np.ndarray) -> None:
        if self.slots_per_day is None or self.slots_per_day < 1:
            raise DataError(
                f"slots_per_day: slot needs the number of rows in a day (1 or more), got {self.slots_per_day!r}."
            )
        wrong = np.flatnonzero((slot < 0) | (slot >= self.slots_per_day))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(f"slot: expected 0 to {self.slots_per_day - 1}, got {slot[row]} in row {row}.")


class Baseline(ABC):
    """A forecast that a model has to beat: `fit` reads training rows only, `forecast` reads no row after an origin.

    name: the name in tables; parameters: how many numbers were fitted; note: what the last call has to say, or "".
    statistical: whether it goes on by a state from the rows that it was fitted on.
    """

    name: str
    note: str = ""
    statistical: bool = False

    @property
    def parameters(self) -> int:
        """Number of fitted numbers; 0 for a rule without any."""
        return 0

    def fit(self, history: TargetHistory) -> Self:
        """Fit on the training rows of `history` and return self."""
        return self

    def fits(self, series: int) -> bool:
        """Whether that series, by its number in the fitted history, had what a fit needs; a rule needs nothing."""
        return True

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Which origins this baseline can forecast from: (N,) bool; by default those whose value is there."""
        check_steps(steps)
        return np.isfinite(history.values[check_origins(history, origins)])

    def forecast(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Forecast `steps` (K,) rows ahead of each of `origins` (N,): (N, K) float64 in the target's unit.

        An origin is the last known row; steps count rows from 1. Raises DataError where an origin has too little
        history (`usable` says which) and NotFittedError before `fit` where there is something to fit.
        """
        origins, steps = check_origins(history, origins), check_steps(steps)
        short = np.flatnonzero(~self.usable(history, origins, steps))
        if short.size:
            raise DataError(self._too_short(history, int(origins[short[0]]), steps, len(short)))
        return self._forecast(history, origins, steps)

    @abstractmethod
    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray: ...

    @property
    def title(self) -> str:
        """What sentences call it: its name, and the season that it repeats."""
        return repr(self.name)

    def reads(self, steps: Any) -> int:
        """How many rows without a gap, the origin the last, a forecast of `steps` is made of."""
        check_steps(steps)
        return 1

    def _too_short(self, history: TargetHistory, origin: int, steps: np.ndarray, count: int) -> str:
        of_them, them = origins_told(count)
        return (
            f"Baseline {self.title}: the value in row {origin} is missing, so there is nothing to forecast from"
            f"{of_them}; leave {them} out."
        )

    def _not_fitted(self) -> NotFittedError:
        return NotFittedError(f"Baseline {self.name!r} was asked to forecast before fit; call fit(history) first.")


def origins_told(count: int) -> tuple[str, str]:
    """How many origins a sentence on one of them is true of, behind it, and what to call them.

    >>> origins_told(1), origins_told(1200)
    (('', 'this origin'), (' (1,200 such origins)', 'these origins'))
    """
    return ("", "this origin") if count == 1 else (f" ({count:,} such origins)", "these origins")


def check_origins(history: TargetHistory, origins: Any) -> np.ndarray:
    """Return `origins` as (N,) int64; raises DataError for other shapes and SettingError for rows outside."""
    rows = np.asarray(origins)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise DataError(f"origins: expected whole row numbers of shape (N,), got {rows.dtype} of shape {rows.shape}.")
    outside = np.flatnonzero((rows < 0) | (rows >= history.rows))
    if outside.size:
        raise SettingError(f"origins: the history has rows 0 to {history.rows - 1}, got row {rows[outside[0]]}.")
    return rows.astype(np.int64)


def check_steps(steps: Any) -> np.ndarray:
    """Return `steps` as (K,) int64; raises SettingError where they are not whole numbers of rows from 1."""
    ahead = np.asarray(steps)
    if ahead.ndim != 1 or not ahead.size or not np.issubdtype(ahead.dtype, np.integer) or (ahead < 1).any():
        raise SettingError(f"steps: expected whole numbers of rows ahead, 1 or more, of shape (K,), got {steps!r}.")
    return ahead.astype(np.int64)


def check_season(season: Any) -> float:
    """Return `season` as a float; raises SettingError where it is not a finite number of rows of at least 1."""
    if isinstance(season, bool) or not isinstance(season, (int, float, np.integer, np.floating)):
        raise SettingError(f"season: expected a number of rows, got {season!r}.")
    if not np.isfinite(season) or season < 1:
        raise SettingError(f"season: expected a number of rows of at least 1, got {season}.")
    return float(season)


def _column(values: Any, name: str, kind: Any, rows: int | None = None) -> np.ndarray:
    if isinstance(values, (str, bytes)) or not isinstance(values, (np.ndarray, Sequence)):
        raise DataError(f"{name}: expected an array of shape (R,), got {type(values).__name__}.")
    array = values if isinstance(values, np.ndarray) and not values.flags.writeable else np.array(values)
    wanted = "(R,)" if rows is None else f"({rows},)"
    if array.ndim != 1 or (rows is not None and len(array) != rows):
        raise DataError(f"{name}: expected shape {wanted}, got {array.shape}.")
    if not len(array):
        raise DataError(f"{name}: expected at least one row, got none.")
    # A float column as row numbers would be cut to whole ones in silence.
    if not np.can_cast(array.dtype, kind, casting="same_kind"):
        raise DataError(f"{name}: expected {np.dtype(kind).name}, got {array.dtype}.")
    array = np.ascontiguousarray(array, dtype=kind).view()
    # Baselines keep slices of it: a caller who changed them later would change a fitted baseline.
    array.flags.writeable = False
    return array


def _check_stretches(start: np.ndarray) -> None:
    known = np.zeros(len(start), dtype=bool)
    known[1:] = start[1:] == start[:-1]
    wrong = np.flatnonzero(~known)
    wrong = wrong[start[wrong] != wrong]
    if wrong.size:
        at = int(wrong[0])
        raise DataError(
            f"start: row {at} says that its stretch begins at row {start[at]}; expected {at} (a new stretch) "
            "or the same as the row before."
        )


def _check_series(series: np.ndarray, start: np.ndarray) -> None:
    wrong = np.flatnonzero((series < 0) | (series != series[start]))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"series: row {row} has series {series[row]}; expected a number from 0 that is the same in all rows "
            "of a gap-free stretch."
        )


def baseline_forecast(baseline: Baseline, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(N, K) forecasts; NaN where an origin has too little history for this baseline."""
    result = np.full((len(origins), len(steps)), np.nan)
    usable = baseline.usable(history, origins, steps)
    if usable.any():
        result[usable] = baseline.forecast(history, origins[usable], steps)
    return result
