"""Times that are spread over several columns: a date and a clock, a date and an hour, or year, month, day and hour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from .cells import is_missing, kind_of
from .moments import DAY_MICROS, SECOND, days_of
from .table import Table
from .time_cells import byte_matrix, shapes_of
from .time_forms import CLOCK_ALONE
from .time_words import MONTHS
from .times import Moments, parse_texts

__all__ = ["PARTS", "holds_clocks", "hour_numbers", "joined_moments", "part_named", "part_numbers"]

_HOUR = 3_600 * SECOND
_HEAD = 100  # cells that are looked at first
PARTS = {
    "year": "year yr yyyy yy jahr annee année año ano anno jaar",
    "month": "month mo mon mm mth monat mois mes mese mês maand",
    "day": "day dy dd dom tag jour dia día giorno dag dayofmonth mday",
    "doy": "doy yday jday dayofyear julian julianday",
    "quarter": "quarter qtr q quartal trimestre",
    "week": "week wk kw isoweek weekofyear woche semaine semana",
    "hour": "hour hr hh h he hhmm hrmn hourending stunde heure hora ora uur hod hourofday",
    "minute": "minute min mi minuten minuto",
    "second": "second sec ss s seconds",
}
_NAMES = {name: part for part, names in PARTS.items() for name in names.split()}
_FROM_ONE = " Hours go from 1 to 24: 1 is the hour from 0:00."
_EPOCH = "1970-01-01"
_RANGES = {
    "year": (1500, 2199), "month": (1, 12), "day": (1, 31), "doy": (1, 366), "quarter": (1, 4), "week": (1, 53),
    "hour": (0, 24), "minute": (0, 59), "second": (0, 59),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Joined:
    """Moments of several columns, and what to say of how they were joined."""

    moments: Moments
    text: str


def part_named(name: str) -> str | None:
    """The part of a time that a column's name says it holds ("year", "hour", …), or None.

    >>> part_named("Hour"), part_named("Day of Year"), part_named("load")
    ('hour', 'doy', None)
    """
    return _NAMES.get(re.sub(r"[^a-zà-ÿ]", "", name.lower()))


def hour_numbers(table: Table, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """A column as hours and minutes (R,) int64, of hours from 0 to 24 or clocks as 1330; None where it is neither."""
    try:
        numbers = table.numbers(name)
    except DataError:
        return None
    if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any() or numbers.min() < 0:
        return None
    whole = numbers.astype(np.int64)
    hour, minute = (whole, 0 * whole) if whole.max() <= 24 else np.divmod(whole, 100)
    return (hour, minute) if (hour * 60 + minute).max() <= 1440 and minute.max() < 60 else None


def part_numbers(table: Table, name: str, part: str) -> np.ndarray | None:
    """A column as the numbers (R,) int64 of one part of a time, with months by name too; None where a cell is none."""
    column = table.cells[name]
    try:
        numbers = table.numbers(name)
    except DataError:
        if part != "month" or isinstance(column, np.ndarray):
            return None
        words = [MONTHS.get(str(cell).strip().rstrip(".").lower().encode(), 0) for cell in column.to_list()]
        numbers = np.array(words, dtype=np.float64)
    low, high = _RANGES[part]
    good = np.isfinite(numbers)
    if not good.all() or (numbers != np.round(numbers)).any() or numbers.min() < low or numbers.max() > high:
        return None
    return numbers.astype(np.int64)


def holds_clocks(table: Table, name: str) -> bool:
    """Whether every cell of a text column is a time of day without a date, such as 13:30 or 1:30 PM, or an interval of
    two."""
    column = table.cells[name]
    if isinstance(column, np.ndarray) or kind_of(column) not in ("text", "times of day"):
        return False
    return len(column) > 0 and _all_clocks(column.head(_HEAD)) and (len(column) <= _HEAD or _all_clocks(column))


def _all_clocks(column: Any) -> bool:
    cells = byte_matrix(_starts(_series(column)))
    return not cells.odd.any() and all(CLOCK_ALONE.fullmatch(shape) for shape in shapes_of(cells.codes)[0])


def _texts(column: Any) -> list[str]:
    return ["" if is_missing(cell) else str(cell).strip() for cell in column.to_list()]


def _starts(clocks: Any) -> Any:
    """The starts of intervals of clocks, such as 00:00-00:15; the same object where there are none."""
    if isinstance(clocks, list):
        if not any("-" in clock or "–" in clock for clock in clocks):
            return clocks
        return [re.split(r" ?[-–] ?", clock, maxsplit=1)[0] for clock in clocks]
    return clocks.str.replace(r" ?[-–].*", "") if clocks.str.contains("[-–]").any() else clocks


def joined_moments(table: Table, names: Sequence[str], form: str | None = None) -> Joined:
    """The moments of several columns that make a time together.

    Raises DataError with the place of a cell that doesn't fit, SettingError where the columns make no time.
    """
    for name in names:
        table.require(name, "time column")
    parts = {part: name for name in names if (part := part_named(name)) is not None}
    if len(parts) == len(names) and "year" in parts:
        return _of_numbers(table, parts)
    date = names[0]
    if len(names) < 2:
        raise SettingError(f"time: expected the names of at least two columns to join, got {shown(date)}.")
    if len(names) == 2 and holds_clocks(table, names[1]):
        return _date_and_clock(table, date, names[1], form)
    hours = [part_named(name) or ("hour" if place == 1 else "minute") for place, name in enumerate(names)][1:]
    clocks = any(holds_clocks(table, name) for name in names[1:])
    if clocks or hours != ["hour", "minute", "second"][: len(hours)]:
        raise SettingError(
            f"time: expected a date and a clock, a date and an hour, or year, month, day and hour, got the columns "
            f"{', '.join(map(shown, names))}."
        )
    return _date_and_hours(table, date, dict(zip(hours, names[1:])), form)


def _date_and_clock(table: Table, date: str, clock: str, form: str | None) -> Joined:
    column = table.cells[date]
    clocks = _series(table.cells[clock])
    starts = _starts(clocks)
    said = () if starts is clocks else (("interval", "each is an interval, of which the start is the time"),)
    together = _is_text(column) and _has_clock(form)
    # Read as one text each, so that the order of day and month is decided by all of the time.
    front = _series(column) if together else _EPOCH
    found = parse_texts(_with_blank(front, starts), form if together else None)
    if not len(found.bad):
        if found.question:
            raise DataError(f"{table.source}, column {shown(date)}: {found.question}.")
        if not together:
            found = _plus(table.moments(date, form), found.values)
        found = replace(found, decisions=(*found.decisions, *said))
        return Joined(found, _said(table, date, clock))
    row = int(found.bad[0])
    table.moments(date, form)  # which blames its own cell where that is the odd one
    cell = shown(str(table.cells[clock][row]))
    raise DataError(f"{table.where(row, clock)}: expected a time of day, got {cell}; correct it.")


def _date_and_hours(table: Table, date: str, names: dict[str, str], form: str | None) -> Joined:
    clocks = hour_numbers(table, names["hour"])
    found = {part: _numbers_of(table, name, part) for part, name in names.items() if part != "hour" or clocks is None}
    hour, minutes = (found["hour"], 0 * found["hour"]) if clocks is None else clocks
    from_one = _from_one(hour) and not minutes.any()
    minutes = (hour - from_one) * 60 + minutes + found.get("minute", 0)
    rest = found.get("second", 0 * hour) * SECOND
    said = _said(table, date, *names.values()) + (_FROM_ONE if from_one else "")
    column = table.cells[date]
    if _is_text(column) and _has_clock(form):
        known = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1441)]
        moments = parse_texts(_with_blank(_series(column), _picked(known, minutes)), form)
        if not len(moments.bad) and moments.kind != "counts":
            if moments.question:
                raise DataError(f"{table.source}, column {shown(date)}: {moments.question}.")
            return Joined(_plus(moments, rest), said)
    return Joined(_plus(table.moments(date, form), minutes * 60 * SECOND + rest), said)


def _is_text(column: Any) -> bool:
    return not isinstance(column, np.ndarray) and kind_of(column) == "text"


def _has_clock(form: str | None) -> bool:
    """Whether a form may be of a date with a clock behind: any but a pattern without hours."""
    return form is None or "%" not in form or re.search("%-?[HIklTRr]", form) is not None


def _from_one(hour: np.ndarray) -> bool:
    return int(hour.min()) >= 1 and int(hour.max()) == 24


def _series(column: Any) -> Any:
    """The cells of a column as text: a polars Series where polars holds them, else a list."""
    native = column.to_native()
    if type(native).__module__.startswith("polars") and type(native.dtype).__name__ == "String":
        return native.fill_null("").str.strip_chars()
    return _texts(column)


def _with_blank(front: Any, behind: Any) -> Any:
    """Texts with a blank between, row by row; `front` may be one text for all."""
    if not isinstance(behind, list):
        if isinstance(front, list):
            behind = behind.to_list()
        else:
            return front + " " + behind
    front = [front] * len(behind) if isinstance(front, str) else front if isinstance(front, list) else front.to_list()
    return [f"{one} {two}" for one, two in zip(front, behind)]


def _picked(known: list[str], which: np.ndarray) -> Any:
    try:
        import polars as pl
    except ImportError:
        return [known[place] for place in which.tolist()]
    return pl.Series(known).gather(which)


def _plus(days: Moments, clock: np.ndarray) -> Moments:
    if days.kind == "counts":
        raise SettingError("time: expected a column of dates to join with a clock, got one of plain numbers.")
    return Moments(days.values + clock, days.kind, days.bad, "", None, days.decisions, days.question, days.form)


def _of_numbers(table: Table, names: dict[str, str]) -> Joined:
    found = {part: _numbers_of(table, name, part) for part, name in names.items()}
    year = found["year"]
    one = np.ones_like(year)
    if "doy" in found:
        days, good = days_of(year, one, one)
        days = days + found["doy"] - 1
    elif "week" in found and "month" not in found:
        fourth, good = days_of(year, one, one * 4)
        days = fourth - (fourth + 3) % 7 + (found["week"] - 1) * 7
    else:
        month = found["quarter"] * 3 - 2 if "quarter" in found and "month" not in found else found.get("month", one)
        days, good = days_of(year, month, found.get("day", one))
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        cells = ", ".join(str(int(found[part][row])) for part in names)
        raise DataError(f"{table.where(row, names.get('day', names['year']))}: {cells} is no date; correct it.")
    clock = found.get("hour", 0 * one) * _HOUR
    from_one = "hour" in found and _from_one(found["hour"])
    clock = clock - from_one * _HOUR
    clock = clock + found.get("minute", 0 * one) * 60 * SECOND + found.get("second", 0 * one) * SECOND
    said = _said(table, *names.values()) + (_FROM_ONE if from_one else "")
    return Joined(Moments(days * DAY_MICROS + clock, "wall", np.empty(0, np.int64)), said)


def _numbers_of(table: Table, name: str, part: str) -> np.ndarray:
    numbers = part_numbers(table, name, part)
    if numbers is not None:
        return numbers
    low, high = _RANGES[part]
    values = table.numbers(name)  # which blames a cell that is no number
    odd = ~((values >= low) & (values <= high) & (values == np.round(values)))
    row = int(np.flatnonzero(odd)[0])
    raise DataError(
        f"{table.where(row, name)}: expected the {part} of a time, a whole number from {low} to {high}, got "
        f"{'an empty cell' if np.isnan(values[row]) else f'{values[row]:.10g}'}; correct it."
    )


def _said(table: Table, *names: str) -> str:
    listed = ", ".join(map(shown, names[:-1])) + f" and {shown(names[-1])}"
    return f"Columns {listed} are joined to one time; another column can be named (time=)."
