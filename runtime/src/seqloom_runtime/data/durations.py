"""Durations as people write them: "24h", "10min", "5d", or a plain number of rows."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np

from ..errors import SettingError, shown

__all__ = ["MICROSECONDS", "parse_duration"]

MICROSECONDS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 7 * 86_400_000_000,
}
_LONGEST = 100  # characters; Python refuses to read a number of thousands of digits
_CALENDAR = ("b", "mo", "q", "y")
_FORM = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([A-Za-zµ]*)\s*")
_ALIASES = {
    "sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hour": "h", "hours": "h", "hr": "h",
    "day": "d", "days": "d", "week": "w", "weeks": "w", "month": "mo", "months": "mo", "quarter": "q", "quarters": "q",
    "year": "y", "years": "y", "µs": "us",
}  # fmt: skip


def parse_duration(duration: str | int, name: str = "duration") -> int | tuple[Fraction, str]:
    """A number of rows as int, or (amount, unit) with the unit one of us, ms, s, min, h, d, w, b, mo, q, y.

    Raises SettingError where it is neither, or not positive.

    >>> parse_duration("24h"), parse_duration("720")
    ((Fraction(24, 1), 'h'), 720)
    """
    if isinstance(duration, (int, np.integer)) and not isinstance(duration, bool):
        amount, unit = Fraction(int(duration)), ""
    else:
        match = _FORM.fullmatch(duration) if isinstance(duration, str) and len(duration) <= _LONGEST else None
        if match is None:
            raise _refused(duration, name)
        amount, unit = Fraction(match[1]), match[2]
    unit = _ALIASES.get(unit.lower(), unit.lower())
    if unit == "m":
        raise SettingError(f"{name}: the 'm' in {duration!r} could mean minutes or months; write 'min' or 'mo'.")
    if unit and unit not in MICROSECONDS and unit not in _CALENDAR:
        raise _refused(duration, name)
    if amount <= 0:
        raise SettingError(f"{name}: expected a positive duration or number of rows, got {duration!r}.")
    if unit:
        return amount, unit
    if amount.denominator != 1:
        raise SettingError(f"{name}: expected a whole number of rows, got {duration!r}.")
    return int(amount)


def _refused(duration: object, name: str) -> SettingError:
    return SettingError(
        f"{name}: expected a number of rows or a duration such as '24h', '10min', '5d', '2w', '12mo' or '1y', got "
        f"{shown(duration)}."
    )
