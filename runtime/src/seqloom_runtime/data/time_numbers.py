"""Numbers that are times: epoch seconds to nanoseconds, years, dates and months in one number, decimal years."""

from __future__ import annotations

import numpy as np

from .moments import DAY_MICROS, SECOND, Moments, days_of, within_years
from .time_order import WORDS, settled_by_steps

__all__ = ["FIRST_EPOCH", "parse_numbers"]

FIRST_EPOCH = 1e8
"""The smallest number that is read as time since 1970: 1973 in seconds."""
_MOST = 2.0**63  # beyond it, int64 holds no such number
_COUNT = "; say time='none' to count rows instead"
_SHEET = 25_569  # 1970-01-01 in days of a spreadsheet
_UNITS = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 0}
# How a date and a clock may be written as one number: digits behind the date, and what they are.
_STAMPS = {"yyyymmddhh": (10**2, 10**4, 1), "yyyymmddhhmm": (10**4, 10**2, 1), "yyyymmddhhmmss": (10**6, 1, 1)}


def parse_numbers(numbers: np.ndarray, form: str = "") -> Moments:
    """Read numbers (N,) as years, as dates like 20200131 or months like 202001, as decimal years, as epoch seconds, ms,
    µs or ns by their size, or as counts; `form` "s", "ms", "us", "ns", "excel" or "count" says which.

    >>> parse_numbers(np.array([1577836800])).values.view("M8[us]").astype("M8[D]")
    array(['2020-01-01'], dtype='datetime64[D]')
    """
    numbers = np.asarray(numbers)
    if not np.isfinite(numbers).all():
        return Moments(np.zeros(len(numbers), np.int64), "wall", np.flatnonzero(~np.isfinite(numbers)), "is not a time")
    size = max(abs(float(numbers.min())), abs(float(numbers.max()))) if len(numbers) else 0.0
    if size >= _MOST:
        odd = np.flatnonzero((numbers >= _MOST) | (numbers <= -_MOST))
        return Moments(np.zeros(len(numbers), np.int64), "instants", odd, "is too large for an epoch number")
    whole = numbers.dtype.kind in "iu" or bool((numbers == np.round(numbers)).all())
    if form in _UNITS or (form not in ("count", "excel") and size >= FIRST_EPOCH):
        stamps = _stamps(numbers.astype(np.int64)) if whole and not form else None
        return _epochs(numbers, size, form) if stamps is None else stamps
    if form == "excel":
        return _sheet_days(numbers)
    if not whole:
        found = None if form == "count" else _decimal_years(numbers)
        return _not_whole(numbers) if found is None else found
    numbers = numbers.astype(np.int64)
    found = None if form == "count" or not len(numbers) else _dates(numbers)
    return Moments(numbers, "counts", np.empty(0, np.int64)) if found is None else found


def _sheet_days(numbers: np.ndarray) -> Moments:
    """Days of a spreadsheet, of which day 0 is 1899-12-30; their fractions are times of day, to the millisecond."""
    odd = np.flatnonzero((numbers < 1) | (numbers >= 2_958_466))
    if len(odd):
        return Moments(np.zeros(len(numbers), np.int64), "wall", odd, "is no day of a spreadsheet, from 1 to 2958465")
    milliseconds = np.round((numbers.astype(np.float64) - _SHEET) * 86_400_000).astype(np.int64)
    return Moments(milliseconds * 1_000, "wall", np.empty(0, np.int64))


def _not_whole(numbers: np.ndarray) -> Moments:
    odd = np.flatnonzero(numbers != np.round(numbers))
    reason = "is neither a time nor a whole number that counts rows"
    if numbers.min() >= 20_000 and numbers.max() < 80_000:
        reason += "; say time_format='excel' where it is a day of a spreadsheet"
    return Moments(np.zeros(len(numbers), np.int64), "counts", odd, reason)


def _epochs(numbers: np.ndarray, size: float, form: str) -> Moments:
    scales = ((1e11, 10**6), (1e14, 10**3), (1e17, 1), (np.inf, 0))
    scale = _UNITS[form] if form else next(unit for limit, unit in scales if size < limit)
    if scale and size * scale >= _MOST:
        odd = np.flatnonzero(np.abs(numbers.astype(np.float64)) * scale >= _MOST)
        return Moments(np.zeros(len(numbers), np.int64), "instants", odd, "is too large for an epoch number")
    if numbers.dtype.kind in "iu":
        micros = numbers.astype(np.int64)
        micros = micros * scale if scale else micros // 1000
    else:
        micros = np.round(numbers * (scale or 1e-3)).astype(np.int64)
    return within_years(micros.view("M8[us]"), "instants")


def _wall(micros: np.ndarray, kind: str, text: str) -> Moments:
    return Moments(micros, "wall", np.empty(0, np.int64), decisions=((kind, text),))


def _stamps(numbers: np.ndarray) -> Moments | None:
    """Numbers such as 2020013118 or 20200131183000, where every one is such a date and clock of 1900 to 2199."""
    for name, (tail, scale, _) in _STAMPS.items():
        date, clock = np.divmod(numbers, tail)
        if not (numbers > 0).all() or not ((date >= 19_000_101) & (date <= 21_991_231)).all():
            continue
        days, good = days_of(date // 10_000, date // 100 % 100, date % 100)
        clock = clock * scale  # hhmmss
        hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
        if (good & (hour <= 24) & (minute < 60) & (second < 60) & ((hour < 24) | (clock == 240_000))).all():
            micros = days * DAY_MICROS + ((hour * 60 + minute) * 60 + second) * SECOND
            text = f"numbers such as {int(numbers[0])} are read as {name}; "
            text += "say time_format='s' where they are epoch seconds"
            return _wall(micros, "number-form", text if len(name) == 10 else text.partition(";")[0])
    return None


def _dates(numbers: np.ndarray) -> Moments | None:
    """Whole numbers below those of epochs as years, yyyymmdd, yyyymm, or day, month and year in one number."""
    low, high = int(numbers.min()), int(numbers.max())
    one = np.ones_like(numbers)
    if low >= 1000 and high <= 2999:
        return Moments(days_of(numbers, one, one)[0] * DAY_MICROS, "wall", np.empty(0, np.int64))
    if low >= 150_001 and high <= 219_912:
        days, good = days_of(numbers // 100, numbers % 100, one)
        if good.all():
            text = f"numbers such as {int(numbers[0])} are read as months (yyyymm){_COUNT}"
            return _wall(days * DAY_MICROS, "number-form", text)
    if low >= 10_000_000:
        days, good = days_of(numbers // 10_000, numbers // 100 % 100, numbers % 100)
        if good.all():
            return Moments(days * DAY_MICROS, "wall", np.empty(0, np.int64))
    if low >= 1_011_900 and high <= 31_122_199:
        return _days_in_front(numbers)
    return None


def _days_in_front(numbers: np.ndarray) -> Moments | None:
    first, second, year = numbers // 1_000_000, numbers // 10_000 % 100, numbers % 10_000
    if not ((year >= 1900) & (year <= 2199)).all():
        return None
    readings = {"dmy": days_of(year, second, first), "mdy": days_of(year, first, second)}
    kept = {order: days * DAY_MICROS for order, (days, good) in readings.items() if good.all()}
    if not kept:
        return None
    orders = list(kept)
    which = 0 if len(kept) == 1 else settled_by_steps([*kept.values()])
    cell = f"{int(numbers[0]):08d}"
    if which is None:
        text = (
            f"{cell} may be day first or month first, and neither a number above 12 nor the step of the rows decides; "
        )
        text += "say time_format='dmy' or time_format='mdy'"
        return Moments(kept["dmy"], "wall", np.empty(0, np.int64), question=text)
    text = f"numbers such as {cell} are read as dates, {WORDS[orders[which]]} ({orders[which]}){_COUNT}"
    found = _wall(kept[orders[which]], "number-form", text)
    return Moments(found.values, "wall", found.bad, decisions=found.decisions, form=orders[which])


def _decimal_years(numbers: np.ndarray) -> Moments | None:
    """Years with a fraction that lies at one place of every month, or of every day; None where it does neither."""
    if len(numbers) < 3 or numbers.min() < 1500 or numbers.max() >= 2200 or (np.diff(np.sort(numbers)) <= 0).all():
        return None
    numbers = numbers.astype(np.float64)
    year = np.floor(numbers)
    share = numbers - year
    whole = year.astype(np.int64)
    one = np.ones_like(whole)
    dots = np.round(share * 100)
    if np.abs(share * 100 - dots).max() < 1e-6 and ((dots >= 1) & (dots <= 12)).all() and dots.max() >= 10:
        days = days_of(whole, dots.astype(np.int64), one)[0]
        return _wall(
            days * DAY_MICROS, "number-form", f"numbers such as {numbers[0]:.2f} are read as year.month{_COUNT}"
        )
    phase = _phase(share * 12, 0.08)
    if phase is not None:
        months = np.round(share * 12 - phase).astype(np.int64)
        months = np.clip(months, 0, 12)
        days = days_of(whole + months // 12, months % 12 + 1, one)[0]
        if len(np.unique(days)) == len(np.unique(numbers)):
            text = (
                f"numbers such as {numbers[0]:.10g} are read as decimal years, each the month that it lies in{_COUNT}"
            )
            return _wall(days * DAY_MICROS, "number-form", text)
    start, length = days_of(whole, one, one)[0], days_of(whole + 1, one, one)[0] - days_of(whole, one, one)[0]
    phase = _phase(share * length, 0.25)
    if phase is None:
        return None
    days = start + np.round(share * length - phase).astype(np.int64)
    steps = np.diff(np.unique(days))
    # Seconds since a start, five a second, lie at whole days too, but far apart.
    if len(np.unique(days)) < len(np.unique(numbers)) or np.median(steps) > 31:
        return None
    text = f"numbers such as {numbers[0]:.10g} are read as decimal years, each the day that it lies in{_COUNT}"
    return _wall(days * DAY_MICROS, "number-form", text)


def _phase(places: np.ndarray, most: float) -> float | None:
    """The one fraction that all places lie near, at most `most` away; None where they don't."""
    angle = np.angle(np.exp(2j * np.pi * places).mean()) / (2 * np.pi)
    away = np.abs((places - angle + 0.5) % 1 - 0.5)
    return float(angle % 1 if angle % 1 < 0.97 else angle % 1 - 1) if away.max() <= most else None
