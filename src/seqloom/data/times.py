"""Times as people write them, parsed as whole arrays: ISO forms, dd.mm.yyyy, months, quarters, years, epoch numbers.

The cells of a column share a few shapes ("9999-99-99 99:99" with digits as 9); each shape is matched once and its
digits are then read for all of its rows together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["FIRST_EPOCH", "FORMS", "Moments", "parse_numbers", "parse_texts", "within_years"]

FORMS = (
    "ISO such as 2020-01-31 or 2020-01-31T18:30:00+01:00, 31.01.2020 18:30:00, 2020-01, 2020-Q1, a year, "
    "or epoch seconds or milliseconds"
)
SECOND = 1_000_000
FIRST_EPOCH = 1e8
"""The smallest number that is read as time since 1970: 1973 in seconds."""
_CLOCK = r"(?P<H>9{1,2}):(?P<M>99)(?::(?P<S>99)(?:[.,](?P<f>9{1,9}))?)?"
_OFFSET = r"(?:\s?(?P<z>[Zz]|UTC|(?P<sign>[+\-−])(?P<zh>99)(?::?(?P<zm>99))?))?"
_SHAPES = tuple(
    re.compile(form)
    for form in (
        rf"(?P<Y>9999)(?P<sep>[-/.])(?P<m>9{{1,2}})(?:(?P=sep)(?P<d>9{{1,2}})(?:[T ]\s?{_CLOCK}{_OFFSET})?)?",
        rf"(?P<d>9{{1,2}})\.(?P<m>9{{1,2}})\.(?P<Y>9999)(?:[T ,]\s?{_CLOCK}{_OFFSET})?",
        r"(?P<Y>9999)[- ]?[Qq](?P<q>9)",
        rf"(?P<Y>9999)(?P<m>99)(?P<d>99)[T ](?P<H>99)(?P<M>99)(?:(?P<S>99))?{_OFFSET}",
    )
)
_NUMBER = re.compile(r"[+-]?9+(?:\.9*)?(?:[eE][+-]?9+)?")
# Widths beyond this are no times; the limit keeps a column of long texts from becoming a large matrix.
_LONGEST = 48
_MOST = 2.0**63  # beyond it, int64 holds no such number
_OUTSIDE = "lies outside the years 1 to 9999; correct it, or leave the column out to count rows"


@dataclass(frozen=True, eq=False)
class Moments:
    """Parsed times: `values` (N,) int64 are µs since 1970-01-01 on the wall clock ("wall") or of UTC ("instants"), or
    whole numbers that count rows ("counts"). `bad` are the positions that could not be read, with `reason`; `cell` says
    what the first holds where that can't be asked of the column, as a time that Python has no type for."""

    values: np.ndarray
    kind: str
    bad: np.ndarray
    reason: str = ""
    cell: str | None = None


def parse_texts(texts: Sequence[str | None]) -> Moments:
    """Parse text cells; the first readable cell decides between wall clock, offsets and numbers, the others must agree.

    >>> parse_texts(["31.12.2020 23:50:00"]).values.view("M8[us]")
    array(['2020-12-31T23:50:00.000000'], dtype='datetime64[us]')
    """
    cells = [(text or "").strip() for text in texts]
    if not cells:
        return Moments(np.empty(0, np.int64), "wall", np.empty(0, np.int64))
    longest = max(map(len, cells))
    if longest == 0 or longest > _LONGEST:
        bad = np.array([i for i, cell in enumerate(cells) if not cell or len(cell) > _LONGEST])
        return Moments(np.zeros(len(cells), np.int64), "wall", bad, f"is not a time: expected {FORMS}")
    if "\0" in "".join(cells):  # which NumPy drops from the end of a text
        bad = np.array([i for i, cell in enumerate(cells) if "\0" in cell])
        return Moments(np.zeros(len(cells), np.int64), "wall", bad, f"is not a time: expected {FORMS}")
    codes = np.array(cells, dtype=f"U{longest}").view(np.uint32).reshape(len(cells), longest)
    shapes, which = _shapes_of(codes)
    if _NUMBER.fullmatch(shapes[which[0]]):
        return _numeric_texts(cells, shapes, which)
    values, good, offset = np.zeros(len(cells), np.int64), np.zeros(len(cells), bool), np.zeros(len(cells), bool)
    for number, shape in enumerate(shapes):
        match = next((m for form in _SHAPES if (m := form.fullmatch(shape))), None)
        if match is not None:
            rows = np.flatnonzero(which == number)
            values[rows], good[rows] = _read(match, codes[rows])
            offset[rows] = match.groupdict().get("z") is not None
    if not good.all():
        return Moments(values, "wall", np.flatnonzero(~good), f"is not a time: expected {FORMS}")
    if offset.any() and not offset.all():
        odd = np.flatnonzero(offset != offset[0])
        return Moments(values, "wall", odd, "has a UTC offset where the first row has none, or the reverse")
    return within_years(values.view("M8[us]"), "instants" if offset.any() else "wall")


def within_years(times: np.ndarray, kind: str) -> Moments:
    """Moments of `times` (N,) datetime64 of any unit; bad are those that are missing or outside the years 1 to 9999.

    >>> within_years(np.array(["2020-01-31", "11111-01-01"], dtype="M8[D]"), "wall").bad
    array([1])
    """
    missing = np.isnat(times)
    if np.datetime_data(times.dtype)[0] not in ("ns", "ps", "fs", "as"):  # these end before the year 2263
        low, end = (np.datetime64(day).astype(times.dtype) for day in ("0001-01-01", "10000-01-01"))
        outside = np.flatnonzero((times < low) | (times >= end))
        if len(outside):
            return Moments(np.zeros(len(times), np.int64), kind, outside, _OUTSIDE, str(times[outside[0]]))
    micros = np.ascontiguousarray(times.astype("M8[us]")).view(np.int64)
    return Moments(micros, kind, np.flatnonzero(missing), f"is not a time: expected {FORMS}")


def parse_numbers(numbers: np.ndarray) -> Moments:
    """Read numbers (N,) as years, as dates like 20200131, as epoch seconds, ms, µs or ns by their size, or as counts.

    >>> parse_numbers(np.array([1577836800])).values.view("M8[us]").astype("M8[D]")
    array(['2020-01-01'], dtype='datetime64[D]')
    """
    none = np.empty(0, np.int64)
    numbers = np.asarray(numbers)
    if not np.isfinite(numbers).all():
        return Moments(np.zeros(len(numbers), np.int64), "wall", np.flatnonzero(~np.isfinite(numbers)), "is not a time")
    size = max(abs(float(numbers.min())), abs(float(numbers.max()))) if len(numbers) else 0.0
    if size >= _MOST:
        odd = np.flatnonzero((numbers >= _MOST) | (numbers <= -_MOST))
        return Moments(np.zeros(len(numbers), np.int64), "instants", odd, "is too large for an epoch number")
    whole = numbers.dtype.kind in "iu" or bool((numbers == np.round(numbers)).all())
    if size >= FIRST_EPOCH:
        scale = next(unit for limit, unit in ((1e11, 10**6), (1e14, 10**3), (1e17, 1), (np.inf, 0)) if size < limit)
        if numbers.dtype.kind in "iu":
            micros = numbers.astype(np.int64)
            micros = micros * scale if scale else micros // 1000
        else:
            micros = np.round(numbers * (scale or 1e-3)).astype(np.int64)
        return within_years(micros.view("M8[us]"), "instants")
    if not whole:
        odd = np.flatnonzero(numbers != np.round(numbers))
        return Moments(
            np.zeros(len(numbers), np.int64), "counts", odd, "is neither a time nor a whole number that counts rows"
        )
    numbers = numbers.astype(np.int64)
    if len(numbers) and numbers.min() >= 1000 and numbers.max() <= 2999:
        return Moments(_days(numbers, np.ones_like(numbers), np.ones_like(numbers))[0] * 86_400 * SECOND, "wall", none)
    if len(numbers) and numbers.min() >= 10_000_000:
        days, good = _days(numbers // 10_000, numbers // 100 % 100, numbers % 100)
        if good.all():
            return Moments(days * 86_400 * SECOND, "wall", none)
    return Moments(numbers, "counts", none)


def _shapes_of(codes: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The distinct shapes (digits as 9) of cells given as code points (N, W), and each cell's shape by number (N,)."""
    masked = np.where((codes >= 48) & (codes <= 57), np.uint32(57), codes)
    if (masked == masked[0]).all():
        return [str(masked[:1].view(f"U{codes.shape[1]}")[0, 0])], np.zeros(len(codes), np.int64)
    shapes, which = np.unique(np.ascontiguousarray(masked).view(f"U{codes.shape[1]}")[:, 0], return_inverse=True)
    return [str(shape) for shape in shapes], which


def _numeric_texts(cells: list[str], shapes: list[str], which: np.ndarray) -> Moments:
    good = np.array([_NUMBER.fullmatch(shape) is not None for shape in shapes])[which]
    if not good.all():
        return Moments(
            np.zeros(len(cells), np.int64), "counts", np.flatnonzero(~good), f"is not a time: expected {FORMS}"
        )
    whole = not any(set(shape) & set(".eE") for shape in shapes) and max(map(len, cells)) < 19
    return parse_numbers(np.array(cells).astype(np.int64 if whole else np.float64))


def _read(match: re.Match[str], codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) int64 µs of cells (N, W) that all have the matched shape, and (N,) bool: whether the time exists."""
    groups = match.groupdict()

    def number(name: str, default: int = 0) -> np.ndarray:
        if groups.get(name) is None:
            return np.full(len(codes), default, dtype=np.int64)
        digits = codes[:, match.start(name) : match.end(name)].astype(np.int64) - 48
        return digits @ 10 ** np.arange(digits.shape[1])[::-1]

    month = number("m", 1)
    good = np.ones(len(codes), dtype=bool)
    if groups.get("q") is not None:
        quarter = number("q")
        good &= (quarter >= 1) & (quarter <= 4)
        month = quarter * 3 - 2
    days, exists = _days(number("Y"), month, number("d", 1))
    hour, minute, second = number("H"), number("M"), number("S")
    good &= exists & (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0) & (second == 0)))
    micros = ((days * 24 + hour) * 60 + minute) * 60 + second
    places = len(groups.get("f") or "")
    fraction = number("f") * 10**6 // 10**places
    offset = (number("zh") * 60 + number("zm")) * 60
    good &= (number("zh") < 24) & (number("zm") < 60)
    sign = 1 if groups.get("sign") == "+" else -1
    return (micros - sign * offset) * SECOND + fraction, good


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970-01-01 and whether the date exists."""
    inside = (month >= 1) & (month <= 12)
    months = (year - 1970) * 12 + np.where(inside, month, 1) - 1
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    length = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64) - first
    return first + day - 1, inside & (day >= 1) & (day <= length) & (year >= 1)
