"""Which column of a table holds the times, or which columns do so together; what `time=` names; and the time that is
found where nothing is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from ..limits import reading
from .cells import kind_of
from .table import Table, repeated
from .time_order import in_steps
from .time_parts import holds_clocks, hour_numbers, joined_moments, part_named, part_numbers
from .times import Moments

__all__ = [
    "COUNTED",
    "TimeColumn",
    "choose_time",
    "named_time",
    "says_date",
    "sheet_days",
    "time_columns_besides",
]

COUNTED = "none"
"""What `time=` takes to have rows counted."""
_TIME_NAMES = re.compile(
    r"(?:decimal[ _.\-]?)?(date|time|timestamp|datetime|year|month|day|hour|period|quarter|week|ds|"
    r"ts|t|index|epoch|unix|datum|zeit|"
    r"zeitpunkt|zeitstempel|jahr|monat|fecha|data|datetime_utc|année|annee|mois)([ _\-].*)?",
    re.IGNORECASE,
)
_TIME_WORDS = re.compile(r"(?:\b|_)(date|time|timestamp|datetime|datum|fecha|day|stamp)(?:\b|_)", re.IGNORECASE)
_CLOCK_NAMES = re.compile(
    r"(?:\b|_)(time|hours?|clock|uhr|uhrzeit|zeit|heure|hora|von|from|start)(?:\b|_)", re.IGNORECASE
)
_HEAD = 100  # rows that are looked at first
_LOOKED_AT = 10_000
_SHARE = 0.8  # of the cells of a time column that must be times; the others are then blamed by their lines
_FEWEST = 3


@dataclass(frozen=True, eq=False)
class TimeColumn:
    """The time of a table: `time` is its column's name, of columns that were joined their names with commas, None where
    rows are counted; `table` has the joined column in place of its parts. `moments` are known where they were joined.
    `several` are other columns that might as well be the time."""

    table: Table
    time: str | None
    moments: Moments | None = None
    several: tuple[str, ...] = ()


def named_time(table: Table, time: str | Sequence[str] | None, form: str | None = None) -> TimeColumn:
    """The time that `time` names: a column, several to join (a list, or one text with commas), "none" or None.

    Raises DataError where there is no such column or a cell doesn't fit, SettingError where the columns make no time.
    """
    if time is None:
        return TimeColumn(table, None)
    if not isinstance(time, str):
        names = [*time]
        if not all(isinstance(name, str) for name in names) or not names:
            raise SettingError(f"time: expected the name of a column or names of several to join, got {shown(time)}.")
        if len(names) == 1:
            return named_time(table, names[0], form)
        return _join(table, names, form)
    if time in table.cells:
        return TimeColumn(table, time)
    if time.strip().lower() == COUNTED:
        table.decide("time", "Rows are counted, as time='none' says.", None, "time")
        return TimeColumn(table, None)
    names = [name.strip() for name in time.split(",")]
    if len(names) > 1:
        return _join(table, names, form)
    table.require(time, "time column")
    raise AssertionError


def _join(table: Table, names: Sequence[str], form: str | None) -> TimeColumn:
    if (twice := repeated(names)) is not None:
        raise SettingError(f"time: {shown(twice)} is named twice.")
    joined = joined_moments(table, names, form)
    name = ",".join(names)
    cells: dict[str, Any] = {}
    for column, values in table.cells.items():
        if column == names[0]:
            cells[name] = joined.moments.values.view("M8[us]")
        elif column not in names:
            cells[column] = values
    table.decide("joined", joined.text, name, "time")
    return TimeColumn(replace(table, cells=cells), name, joined.moments)


def choose_time(table: Table, time: str | Sequence[str] | None = None, time_format: str | None = None) -> TimeColumn:
    """The time that is named, or else the one that the table shows: a column whose cells are times, a date and a clock
    or an hour that belong together, or year, month and day; rows are counted where there is none.

    Raises what `named_time` raises.
    """
    if time is not None:
        return named_time(table, time, time_format)
    with reading(table.source, "table"):
        return _chosen(table, time_format)


def _chosen(table: Table, form: str | None) -> TimeColumn:
    texts, numbers = _candidates(table, form)
    parts = _parts(table)
    named = [name for name in texts if _is_named(name)]
    ranked = named or texts
    if ranked:
        companions = _companions(table, ranked[0], texts, form)
        if companions:
            return _join(table, [ranked[0], *companions], form)
        _say_others(table, ranked[0], [name for name in texts if name != ranked[0]])
        return TimeColumn(table, ranked[0], None, tuple(ranked[1:]))
    if parts:
        return _join(table, parts, form)
    if len(numbers) == 1:
        companions = _companions(table, numbers[0], numbers, form)
        if companions:
            return _join(table, [numbers[0], *companions], form)
        return TimeColumn(table, numbers[0])
    return TimeColumn(table, None, None, tuple(numbers))


def _say_others(table: Table, time: str, others: Sequence[str]) -> None:
    if others:
        listed = ", ".join(map(shown, others[:5])) + (", …" if len(others) > 5 else "")
        verb = "hold times too" if len(others) > 1 else "holds times too"
        text = f"{shown(time)} is taken as the time; {listed} {verb}, and can be named instead (time=)."
        table.decide("time", text, time, "time")


def _candidates(table: Table, form: str | None) -> tuple[list[str], list[str]]:
    """The columns of written times, and those of numbers that are times."""
    texts, numbers = [], []
    for name in table.names:
        named, likely = _is_named(name), _TIME_WORDS.search(name) is not None
        if not (named or likely) and table.holds_small_numbers(name, _HEAD):
            continue
        head = table.head(name, _HEAD)
        if head is None or not len(head.values):
            continue
        if table.is_plain_number(name):
            rising = _rising_epochs(head)
            if likely and sheet_days(head):
                numbers.append(name)  # and is asked about
                continue
            dates = head.kind == "wall" and (named or (likely and _has_many_digits(table, name)))
            if len(head.bad) or not (rising or dates):
                continue
            found = table.try_moments(name)
            # A decimal number in a column of no date's name is a measurement, or the seconds since a start.
            if not len(found.bad) and (rising or not _decimal(found) or re.search("year|date|jahr", name.lower())):
                numbers.append(name)
        elif head.kind != "counts" and _mostly(head) and _mostly(table.try_moments(name, form)):
            texts.append(name)
    return texts, numbers


def sheet_days(moments: Moments) -> bool:
    """Whether numbers may be the days of a spreadsheet, counted from the end of 1899: of 1954 to 2119."""
    values = moments.values
    return moments.kind == "counts" and len(values) > 0 and bool(values.min() >= 20_000 and values.max() < 80_000)


def says_date(name: str) -> bool:
    """Whether a column's name says that it holds dates or times."""
    return _TIME_WORDS.search(name) is not None


def _is_named(name: str) -> bool:
    return _TIME_NAMES.fullmatch(name.strip(" <>[](){}#*\"'")) is not None


def _has_many_digits(table: Table, name: str) -> bool:
    """Whether a column of numbers starts with a whole date, as 20200131, which few other numbers look like."""
    return len(str(table.cells[name][0]).strip().split(".")[0]) >= 8


def _decimal(moments: Moments) -> bool:
    return any("decimal years" in text for _, text in moments.decisions)


def _mostly(moments: Moments) -> bool:
    good = len(moments.values) - len(moments.bad)
    return not len(moments.bad) or (good >= _FEWEST and good >= _SHARE * len(moments.values))


def _rising_epochs(head: Moments) -> bool:
    steps = np.diff(head.values)
    return head.kind == "instants" and bool((steps >= 0).all()) and bool((steps > 0).any())


def _companions(table: Table, date: str, times: Sequence[str], form: str | None) -> list[str]:
    """The columns that belong to a column of dates: a clock, or hour and minute. Dates that repeat need one."""
    moments = table.try_moments(date, form)
    if moments.kind != "wall" or len(moments.bad) or (moments.values % 86_400_000_000).any():
        return []
    if len(np.unique(moments.values)) == len(moments.values):
        return []
    for name in table.names:
        clock = name not in times and holds_clocks(table, name) and _splits(table, moments, name)
        # Numbers with two decimals look like clocks with a point, and are some only where all of them are.
        sure = not clock or not table.is_plain_number(name) or _joins(table, [date, name], form)
        if clock and sure and (_CLOCK_NAMES.search(name) or _makes_steps(table, [date, name], form)):
            return [name]
    hours = [name for name in table.names if name not in times and (part_named(name) == "hour" or _is_clock_name(name))]
    hours = [name for name in hours if hour_numbers(table, name) is not None]
    if len(hours) == 1:
        minutes = [name for name in table.names if part_named(name) == "minute"]
        if len(minutes) == 1 and part_numbers(table, minutes[0], "minute") is not None:
            hours += minutes
        # Rows of several series repeat their dates too, beside any number from 0 to 24.
        return hours if _makes_steps(table, [date, *hours], form) else []
    return []


def _is_clock_name(name: str) -> bool:
    return name.strip(" <>").lower() in (
        "time",
        "clock",
        "uhrzeit",
        "zeit",
        "heure",
        "hora",
        "time utc",
        "time_utc",
        "utc",
    )


def _makes_steps(table: Table, names: Sequence[str], form: str | None) -> bool:
    try:
        return in_steps(joined_moments(table, names, form).moments.values)
    except DataError:  # which says more where the columns are read in the end
        return True


def _joins(table: Table, names: Sequence[str], form: str | None) -> bool:
    try:
        joined_moments(table, names, form)
    except DataError:
        return False
    return True


def _splits(table: Table, dates: Moments, clock: str) -> bool:
    """Whether a clock tells apart rows of one date, as it does where the rows are of different times."""
    days = dates.values[:_LOOKED_AT]
    pairs = {(day, str(cell)) for day, cell in zip(days.tolist(), table.cells[clock].head(_LOOKED_AT).to_list())}
    return len(pairs) > len(np.unique(days))


def _parts(table: Table) -> list[str]:
    """The columns of year and month (or day of the year, quarter, week), day, hour, minute that the names say."""
    found: dict[str, str] = {}
    for name in table.names:
        part = part_named(name)
        if part is None:
            continue
        if part in found:
            return []
        if part_numbers(table, name, part) is not None:
            found[part] = name
    if "year" not in found:
        return []
    for chain in (("month", "day", "hour", "minute", "second"), ("doy", "hour", "minute"), ("week",), ("quarter",)):
        used = []
        for part in chain:
            if part not in found:
                break
            used.append(found[part])
        if used:
            return [found["year"], *used]
    return []


def time_columns_besides(table: Table, time: str | None, names: Sequence[str]) -> list[str]:
    """Which of `names` hold times where another column is the time, or none is: what no model takes as numbers."""
    found = []
    for name in names:
        column = table.cells[name]
        if isinstance(column, np.ndarray):
            timed = column.dtype.kind == "M"
        else:
            kind = kind_of(column)
            timed = kind == "time"
            if kind == "text" and not table.is_plain_number(name):
                head = table.head(name, _HEAD)
                timed = head is not None and head.kind != "counts" and not len(head.bad) and len(head.values) > 0
                timed = timed or holds_clocks(table, name)
        if timed:
            found.append(name)
    return found
