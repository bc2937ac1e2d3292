"""The regular grid that the rows of a panel lie on: steps, seconds to weeks, business days, months, quarters, years.

Row positions are integers (ticks); a `Frequency` turns times into ticks and back, exactly, through leap years, month
ends and daylight saving. Times are NumPy datetime64[us]: UTC instants where the frequency has a zone, else wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError, FormatError, SettingError, shown
from .calendar_days import from_business, is_weekday, month_of, month_start, to_business
from .durations import MICROSECONDS, parse_duration
from .inference import infer_frequency
from .zones import check_zone, instants_to_wall, wall_to_instants

__all__ = ["Frequency"]

DAY = MICROSECONDS["d"]
_MOST_CLOSED = 20_000  # days that a grid leaves out
KINDS = ("step", "fixed", "day", "business", "month")


@dataclass(frozen=True)
class Frequency:
    """A grid of times: tick k lies k·n units after tick 0, which lies at `anchor`.

    `kind` and its unit: "step" (row numbers, no time), "fixed" (microseconds), "day" (calendar days, 23 to 25 hours
    long where a zone's clock changes), "business" (Monday to Friday), "month" (months; 3 is a quarter, 12 a year).
    `anchor`: int µs since 1970-01-01 of tick 0, an instant for "fixed" and wall clock for the calendar kinds, whose
    time of day it sets. `day`: day of the month for "month", cut to the month's length, so 31 means the month's end.
    `closed`: days since 1970-01-01, rising and Monday to Friday, that a "business" grid leaves out: holidays.

    >>> monthly = Frequency.infer(np.array(["2023-12-31", "2024-01-31", "2024-02-29"], dtype="M8[us]"))
    >>> monthly.label, monthly.times(np.array([3]))[0].astype("M8[D]"), monthly.rows("1y")
    ('1 month', np.datetime64('2024-03-31'), 12)
    """

    kind: str
    n: int = 1
    anchor: int = 0
    day: int = 1
    zone: str | None = None
    closed: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingError(f"frequency: expected one of {', '.join(KINDS)}, got {shown(self.kind)}.")
        if not isinstance(self.n, int) or self.n < 1 or not 1 <= self.day <= 31:
            raise SettingError(
                f"frequency: expected n >= 1 and a day of the month, got n={shown(self.n)}, day={shown(self.day)}."
            )
        if self.kind == "business" and not is_weekday(np.array([self.anchor // DAY]))[0]:
            raise SettingError("frequency: a business-day grid can't start on a Saturday or Sunday.")
        check_zone(self.zone)
        days = np.array(self.closed, dtype=np.int64)
        if len(days) and not (
            self.kind == "business"
            and (np.diff(days) > 0).all()
            and is_weekday(days).all()
            and len(days) <= _MOST_CLOSED
        ):
            raise SettingError("frequency: expected rising weekdays in `closed`, of a business-day grid alone.")

    # -- making one -------------------------------------------------------------------------------------------------

    @classmethod
    def steps(cls) -> Frequency:
        """Row numbers without time."""
        return cls("step")

    @classmethod
    def infer(cls, times: np.ndarray, zone: str | None = None, series: np.ndarray | None = None) -> Frequency:
        """The frequency of `times` (N,) datetime64 in any order, from the commonest difference between neighbours.

        `series` (N,) int64 names the series of each time; differences are taken within one. Raises DataError where
        there are no two different times or where fewer than half of the times fit the commonest difference.
        """
        return infer_frequency(cls, _micros(times), check_zone(zone), series)

    # -- ticks and times --------------------------------------------------------------------------------------------

    def times(self, ticks: np.ndarray) -> np.ndarray:
        """Times (N,) datetime64[us] of `ticks` (N,) int64; raises SettingError for steps, which have no time."""
        if self.kind == "step":
            raise SettingError("This data has no time, only row numbers, so its ticks have no times.")
        ticks = np.asarray(ticks, dtype=np.int64)
        if self.kind == "fixed":
            return (self.anchor + ticks * self.n).view("M8[us]")
        start, clock = divmod(self.anchor, DAY)
        if self.kind == "day":
            days = start + ticks * self.n
        elif self.kind == "business":
            days = self._open_day(self._open_number(np.array([start]))[0] + ticks * self.n)
        else:
            months = month_of(np.array([start]))[0] + ticks * self.n
            first, length = month_start(months), month_start(months + 1) - month_start(months)
            days = first + np.minimum(self.day, length) - 1
        return wall_to_instants(days * DAY + clock, self.zone).view("M8[us]")

    def locate(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ticks (N,) int64 of `times` (N,), rounded down, and (N,) bool: whether each time lies exactly on the grid."""
        if self.kind == "step":
            ticks = np.asarray(times)
            if ticks.dtype.kind not in "iu":
                raise DataError(
                    f"Expected row numbers, as this frequency counts steps, got values of type {ticks.dtype}."
                )
            ticks = ticks.astype(np.int64)
            return ticks, np.ones(len(ticks), dtype=bool)
        micros = _micros(times)
        if self.kind == "fixed":
            ticks, rest = np.divmod(micros - self.anchor, self.n)
            return ticks, rest == 0
        days = instants_to_wall(micros, self.zone) // DAY
        start = np.array([self.anchor // DAY])
        if self.kind == "day":
            ticks = (days - start) // self.n
        elif self.kind == "business":
            ticks = (self._open_number(days) - self._open_number(start)[0]) // self.n
        else:
            ticks = (month_of(days) - month_of(start)) // self.n
        return ticks, self.times(ticks) == micros.view("M8[us]")

    def ticks(self, times: np.ndarray) -> np.ndarray:
        """Ticks (N,) int64 of `times` (N,) datetime64; raises DataError where a time lies off the grid."""
        ticks, fits = self.locate(times)
        if not fits.all():
            first = int(np.flatnonzero(~fits)[0])
            raise DataError(
                f"{np.count_nonzero(~fits)} of {len(fits)} times lie off the grid of {self.label}, the first is "
                f"{times[first]} (position {first})."
            )
        return ticks

    def rows(self, duration: str | int, name: str = "duration") -> int:
        """The rows that `duration` lasts: a count, or a text such as "24h", "10min", "5d", "2w", "12mo", "1y".

        On business days "1w" is 5 rows and "3b" three business days. Raises SettingError for zero, negative, not a
        whole number of rows, or a duration where there is no time.

        >>> Frequency("fixed", 600_000_000).rows("5d", "lookback")
        720
        """
        parsed = parse_duration(duration, name)
        if isinstance(parsed, int):
            return parsed
        if self.kind == "step":
            raise SettingError(
                f"{name}: {shown(duration)} is a duration, but the data has no time column; give a number of rows."
            )
        amount, unit = parsed
        if self.kind == "month":
            months = {"mo": 1, "q": 3, "y": 12}.get(unit)
            rows = None if months is None else amount * months / self.n
        elif unit in MICROSECONDS:
            size = self.n if self.kind == "fixed" else self.n * DAY
            rows = amount * MICROSECONDS[unit] / size
            rows = rows * 5 / 7 if self.kind == "business" else rows
        else:
            rows = amount / self.n if self.kind == "business" and unit == "b" else None
        if rows is None or rows.denominator != 1:
            units = {
                "month": "months ('12mo'), quarters ('4q'), years ('1y')",
                "business": "weeks ('1w'), business days ('3b')",
            }
            offer = units.get(self.kind, "a multiple of it")
            raise SettingError(
                f"{name}: {shown(duration)} is not a whole number of rows of {self.label}; give {offer} or a "
                "number of rows."
            )
        return int(rows)

    def _open_number(self, days: np.ndarray) -> np.ndarray:
        """Business days that are not closed before each day; a closed one counts as the open one before it."""
        numbers = to_business(days)
        if not self.closed:
            return numbers
        closed = to_business(np.array(self.closed))
        return numbers - np.searchsorted(closed, numbers, "right")

    def _open_day(self, numbers: np.ndarray) -> np.ndarray:
        """The way back of `_open_number`."""
        if self.closed:
            closed = to_business(np.array(self.closed))
            numbers = numbers + np.searchsorted(closed - np.arange(1, len(closed) + 1), numbers, "left")
        return from_business(numbers)

    # -- saying it --------------------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The step in words, such as "10 minutes", "1 day", "1 business day", "1 quarter" or "1 step"."""
        if self.kind == "month":
            for size, unit in ((12, "year"), (3, "quarter"), (1, "month")):
                if self.n % size == 0:
                    return _count(self.n // size, unit)
        if self.kind == "day":
            return _count(self.n // 7, "week") if self.n % 7 == 0 else _count(self.n, "day")
        if self.kind == "fixed":
            names = {"d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}
            for key, unit in names.items():
                if self.n % MICROSECONDS[key] == 0 and (key != "d" or self.n == DAY):
                    return _count(self.n // MICROSECONDS[key], unit)
        return _count(self.n, "business day" if self.kind == "business" else "step")

    @property
    def slots_per_day(self) -> int | None:
        """How many rows a day of 24 hours holds, where that is a whole number of two or more; else None."""
        whole = self.kind == "fixed" and self.n < DAY and DAY % self.n == 0
        return DAY // self.n if whole else None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, for `from_json`."""
        fields = {"kind": self.kind, "n": self.n, "anchor": self.anchor, "day": self.day, "zone": self.zone}
        return fields | ({"closed": list(self.closed)} if self.closed else {})

    @classmethod
    def from_json(cls, fields: Any) -> Frequency:
        """The frequency of `to_json`; raises FormatError where the fields are others or don't fit."""
        kinds = {"kind": str, "n": int, "anchor": int, "day": int, "zone": (str, type(None))}
        good = isinstance(fields, dict) and set(fields) - {"closed"} == set(kinds)
        closed = fields.get("closed", []) if good else []
        good = good and isinstance(closed, list) and len(closed) <= _MOST_CLOSED
        good = good and all(type(day) is int and abs(day) < 10**6 for day in closed)
        if not good or not all(isinstance(fields[k], t) and not isinstance(fields[k], bool) for k, t in kinds.items()):
            raise FormatError(f"frequency: expected the fields {', '.join(kinds)}, got {shown(fields)}.")
        try:
            return cls(**{**fields, "closed": tuple(closed)})
        except SettingError as error:
            raise FormatError(str(error)) from None


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _micros(times: np.ndarray) -> np.ndarray:
    times = np.asarray(times)
    if times.dtype.kind != "M":
        raise DataError(f"Expected times (datetime64), got values of type {times.dtype}.")
    if np.isnat(times).any():
        raise DataError(
            f"Expected a time in every row, got none (NaT) at position {int(np.flatnonzero(np.isnat(times))[0])}."
        )
    return np.ascontiguousarray(times.astype("M8[us]")).view(np.int64)
