"""The simple forecasts that every model has to beat.

All of them are vectorised over origins, read no row after an origin, and are fitted on training rows only.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..errors import DataError, SettingError
from .target_history import Baseline, TargetHistory, check_origins, check_season, check_steps, origins_told

__all__ = ["DampedNaive", "Drift", "Mean", "Naive", "SeasonalNaive", "SeasonalWeek", "week_beside"]


class Naive(Baseline):
    """The last known value, at every step: f = y_t.

    >>> Naive().forecast(TargetHistory.single([1.0, 4.0, 2.0]), [1, 2], [1, 5]).tolist()
    [[4.0, 4.0], [2.0, 2.0]]
    """

    name = "naive"

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return np.repeat(history.values[origins, None], len(steps), axis=1)


class SeasonalNaive(Baseline):
    """The value of the last whole number of seasons ago: f = y_{t+h-k·m} with the smallest k that does not look ahead.

    season: m in rows, at least 1, not necessarily whole; between two rows the value is interpolated linearly, and
    both rows lie at or before the origin. An origin needs a season of history in its gap-free stretch.

    >>> SeasonalNaive(2.5).forecast(TargetHistory.single([1.0, 4.0, 2.0]), [2], [1, 2, 3, 5]).tolist()
    [[2.5, 3.0, 1.0, 2.0]]
    """

    name = "seasonal"

    def __init__(self, season: float) -> None:
        self.season = check_season(season)

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins with a season of values in their gap-free stretch: (N,) bool."""
        origins, steps = check_origins(history, origins), check_steps(steps)
        lower, upper, part = self._rows(origins, steps)
        inside = lower >= history.start[origins, None]
        # Rows before the first are refused by `inside`; the maximum only keeps NumPy from counting them from the end.
        there = np.isfinite(history.values[np.maximum(lower, 0)])
        there &= np.isfinite(history.values[np.maximum(upper, 0)]) | (part == 0)
        return (inside & there).all(axis=1)

    def _rows(self, origins: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The two rows (N, K) around t + h - k·m, and how far between them it lies (K,)."""
        # The subtracted 1e-9 keeps k at h / m where rounding lifts an exact quotient; back is then 0, the origin.
        seasons = np.ceil(steps / self.season - 1e-9)
        back = np.maximum(seasons * self.season - steps, 0.0)
        back = np.where(np.abs(back - np.rint(back)) < 1e-9, np.rint(back), back)
        rows_back = np.ceil(back).astype(np.int64)
        # Rounded away from the origin, so that of the two rows around a broken season neither lies after it.
        lower = origins[:, None] - rows_back
        part = rows_back - back
        return lower, lower + (part > 0), part

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        lower, upper, part = self._rows(origins, steps)
        return history.values[lower] * (1 - part) + history.values[upper] * part

    @property
    def title(self) -> str:
        """Its name and its season."""
        return f"{self.name!r} with a season of {self.season:g} row{'' if self.season == 1 else 's'}"

    def reads(self, steps: Any) -> int:
        """Rows back to the oldest value that is repeated."""
        return 1 - int(self._rows(np.array([0]), check_steps(steps))[0].min())

    def _too_short(self, history: TargetHistory, origin: int, steps: np.ndarray, count: int) -> str:
        need, have = self.reads(steps), origin - int(history.start[origin]) + 1
        what = (
            f"needs {need} rows of gap-free history up to row {origin}, {need - have} more than there are"
            if need > have
            else f"would repeat a missing value for row {origin}"
        )
        of_them, them = origins_told(count)
        return f"Baseline {self.title} {what}{of_them}; use a shorter season or leave {them} out."


def week_beside(season: float | None) -> int | None:
    """The rows of a week, where a season of so many rows may be a day: from 24 rows on, dividing the minutes of a day.

    >>> week_beside(24), week_beside(48.0), week_beside(12), week_beside(52.18)
    (168, 336, None, None)
    """
    day = 0 if season is None else round(season)
    return 7 * day if season == day >= 24 and _DAY % day == 0 else None


_DAY = 24 * 60
_PIECE = 1 << 18  # rows


class SeasonalWeek(SeasonalNaive):
    """The value a week ago, for rows within a day: as `SeasonalNaive` with a season of seven days.

    season: the rows of a day. Raises SettingError where so many rows can't be a day (`week_beside`).
    """

    name = "seasonal-week"

    def __init__(self, season: float) -> None:
        week = week_beside(check_season(season))
        if week is None:
            raise SettingError(
                "season: 'seasonal-week' needs the rows of a day, such as 24 of hours or 48 of half hours, got "
                f"{season:g}."
            )
        super().__init__(week)


class Drift(Baseline):
    """The straight line through the first and the last known value: f = y_t + h (y_t - y_s) / (t - s).

    s is the first row with a value in the gap-free stretch that holds the origin t, so the line never crosses a gap;
    at t = s it is level.

    >>> Drift().forecast(TargetHistory.single([1.0, 9.0, 3.0]), [0, 2], [1, 2]).tolist()
    [[1.0, 1.0], [4.0, 5.0]]
    """

    name = "drift"

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        first, there = history.start[origins], np.isfinite(history.values)
        if not there[first].all():
            # The running minimum from the back gives for each row the next one that has a value.
            known = np.where(there, np.arange(history.rows), history.rows)
            first = np.minimum.accumulate(known[::-1])[::-1][first]
        last_value, distance = history.values[origins], origins - first
        # At the first row the numerator is 0 already, and so must the slope be.
        slope = (last_value - history.values[first]) / np.maximum(distance, 1)
        return last_value[:, None] + slope[:, None] * steps


class Mean(Baseline):
    """The mean of the training rows, per series.

    >>> fitted = Mean().fit(TargetHistory.single([1.0, 3.0, 50.0], train_rows=2))
    >>> fitted.forecast(TargetHistory.single([9.0]), [0], [1]).tolist()
    [[2.0]]
    """

    name = "mean"

    def __init__(self) -> None:
        self._levels: np.ndarray | None = None
        self._count = 0

    @property
    def parameters(self) -> int:
        """One mean per series that had training rows."""
        return self._count

    def fit(self, history: TargetHistory) -> Self:
        """Take the mean of the training rows; raises DataError where there is none."""
        self._count = int(np.count_nonzero(np.bincount(history.series_of_row[history.known])))
        self._levels = _means(history, np.zeros(history.rows, dtype=np.int64), 1)[:, 0]
        return self

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Every origin: (N,) bool."""
        check_steps(steps)
        return np.ones(len(check_origins(history, origins)), dtype=bool)

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        if self._levels is None:
            raise self._not_fitted()
        series = _fitted_series(history, origins, len(self._levels) - 1)
        return np.repeat(self._levels[series, None], len(steps), axis=1)


class DampedNaive(Baseline):
    """The last value, shrunk towards the training mean at the target's time of day.

    f = m(s(t+h)) + rho_h (y_t - m(s(t))), where s is the slot of the day, s(t+h) = s(t) + h modulo the slots per day
    (clock changes are not followed), m(s) the mean of the training rows in that slot (of all training rows where the
    slot has none or the data no time of day), and rho_h the least-squares slope of y_{t+h} - m on y_t - m over pairs
    of training rows in one gap-free stretch, clipped to [0, 1]; 0 where no such pair exists. All per series.

    >>> history = TargetHistory.single([1.0, 2.0, 3.0, 4.0, 100.0], train_rows=4)
    >>> DampedNaive().fit(history).forecast(history, [3], [1]).round(3).tolist()
    [[3.182]]
    """

    name = "damped-persistence"

    def __init__(self) -> None:
        self._levels: np.ndarray | None = None
        self._slots, self._kept = 1, np.empty(0, dtype=np.int64)
        self._deviation = np.empty(0)
        self._start = np.empty(0, dtype=np.int64)
        self._series = np.empty(0, dtype=np.int64)
        self._slopes: dict[int, np.ndarray] = {}
        self._fitted_means = 0

    @property
    def parameters(self) -> int:
        """One mean per slot (and series) with training rows, and one slope per step (and series) forecast so far."""
        series = 0 if self._levels is None else max(len(self._levels) - 1, 1)
        return self._fitted_means + series * len(self._slopes)

    def fit(self, history: TargetHistory) -> Self:
        """Take the means; a step's slope follows when it is first forecast. Raises DataError without training rows."""
        slots = 1 if history.slot is None else int(history.slots_per_day or 1)
        slot = np.zeros(history.rows, dtype=np.int64) if history.slot is None else history.slot
        known, series = history.known, history.series_of_row
        # A day of rows a microsecond apart has 86,400,000,000 slots: those with a training row have a column each, all
        # others share the last one.
        self._slots, self._kept = slots, np.unique(slot[known])
        column = self._column(slot)
        # A new fit must forget the slopes of the old one.
        self._levels, self._slopes = _means(history, column, len(self._kept) + 1), {}
        self._fitted_means = len(np.unique(series[known] * slots + slot[known]))
        # Only training rows are kept for the slopes: what comes later must not reach them, whenever they are worked
        # out.
        last = int(np.flatnonzero(known)[-1]) + 1
        deviation = np.where(known, history.values - self._levels[series, column], np.nan)
        self._deviation, self._start, self._series = deviation[:last], history.start[:last].copy(), series[:last].copy()
        return self

    def _column(self, slot: np.ndarray) -> np.ndarray:
        """The column of the fitted means for each slot of the day; the last one where none has training rows."""
        column = np.searchsorted(self._kept, slot)
        held = np.append(self._kept, -1)[column] == slot
        return np.where(held, column, len(self._kept))

    def slopes(self, steps: Any) -> np.ndarray:
        """rho for each step: (series + 1, K), the last row fitted on all series together."""
        if self._levels is None:
            raise self._not_fitted()
        for step in check_steps(steps).tolist():
            if step not in self._slopes:
                self._slopes[step] = self._slope(step, len(self._levels) - 1)
        return np.stack([self._slopes[step] for step in check_steps(steps).tolist()], axis=1)

    def _pieces(self) -> list[tuple[int, int]]:
        """The rows in pieces (first, end) of whole series, about a quarter of a million each."""
        ends = np.append(np.flatnonzero(np.diff(self._series)) + 1, len(self._series))
        found, first = [], 0
        while first < len(self._series):
            at = np.searchsorted(ends, first + _PIECE, side="right") - 1
            end = int(ends[max(at, np.searchsorted(ends, first, side="right"))])
            found.append((first, end))
            first = end
        return found

    def _slope(self, step: int, count: int) -> np.ndarray:
        cross, size = np.zeros(count), np.zeros(count)
        for first, end in self._pieces():
            before = max(end - step, first)  # a pair lies within one series, and so within one piece
            now, later = self._deviation[first:before], self._deviation[first + step : end]
            # The stretch of the later row begins at or before the earlier one, so no gap lies between them.
            pair = np.isfinite(now) & np.isfinite(later) & (self._start[first + step : end] <= np.arange(first, before))
            series = self._series[first:before]
            with np.errstate(invalid="ignore"):
                cross += np.bincount(series, weights=np.where(pair, now * later, 0.0), minlength=count)
                size += np.bincount(series, weights=np.where(pair, now * now, 0.0), minlength=count)
        cross, size = np.append(cross, cross.sum()), np.append(size, size.sum())
        slope = np.divide(cross, size, out=np.zeros(count + 1), where=size > 0)
        # A series that has no pair of its own takes the slope of all series together.
        slope[:-1][size[:-1] == 0] = slope[-1]
        # A slope outside would swing beyond the last value or against it, which on few pairs is noise.
        return np.clip(slope, 0.0, 1.0)

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        if self._levels is None:
            raise self._not_fitted()
        slots = self._slots
        if slots > 1 and (history.slot is None or history.slots_per_day != slots):
            raise DataError(
                f"slot: the baseline {self.name!r} was fitted with {slots} slots per day, but this history has "
                f"{history.slots_per_day if history.slot is not None else 'none'}."
            )
        slot = np.zeros(len(origins), dtype=np.int64) if slots == 1 or history.slot is None else history.slot[origins]
        series = _fitted_series(history, origins, len(self._levels) - 1)
        # By counting slots: the target's clock time is not in the history, and a clock change moves two days a year.
        usual_then = self._levels[series[:, None], self._column((slot[:, None] + steps) % slots)]
        deviation = history.values[origins] - self._levels[series, self._column(slot)]
        return usual_then + self.slopes(steps)[series] * deviation[:, None]


def _means(history: TargetHistory, group: np.ndarray, groups: int) -> np.ndarray:
    """Training mean per series and group: (series + 1, groups); the last row is of all series together.

    An empty group takes its series' mean, a series without training rows the means of all series together.
    """
    known = history.known
    if not known.any():
        raise DataError("train: no training row has a value, so there is no training mean.")
    series, value, group = history.series_of_row[known], history.values[known], group[known]
    count = int(history.series_of_row.max()) + 1

    def mean_by(index: np.ndarray, size: int) -> np.ndarray:
        number = np.bincount(index, minlength=size)
        return np.divide(
            np.bincount(index, weights=value, minlength=size), number, out=np.full(size, np.nan), where=number > 0
        )

    together = mean_by(group, groups)
    together = np.where(np.isfinite(together), together, value.mean())
    each = mean_by(series * groups + group, count * groups).reshape(count, groups)
    overall = mean_by(series, count)[:, None]
    each = np.where(np.isfinite(each), each, overall)
    return np.vstack([np.where(np.isfinite(each), each, together), together])


def _fitted_series(history: TargetHistory, origins: np.ndarray, count: int) -> np.ndarray:
    """Row of the fitted tables for each origin: its series, or the last row where the fit did not know the series."""
    series = history.series_of_row[origins]
    return np.where(series < count, series, count)
