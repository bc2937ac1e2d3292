"""Tables whose times stand across: years in the rows and months or quarters in the columns, or a column for each date.
They are put into rows, one for each time, with one column of values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from ..limits import need_memory
from .cell_forms import MISSING_MARKS, MISSING_WORDS, TIME, form_of
from .cells import kind_of
from .id_hints import id_that_tells_apart
from .moments import DAY_MICROS, days_of
from .table import Table
from .time_columns import choose_time
from .time_parts import part_named, part_numbers
from .time_words import MONTHS
from .times import parse_texts

__all__ = ["VALUE", "in_rows"]

VALUE = "value"
"""The column of what stood in the columns of times."""
_FEWEST = 3  # columns of dates
_QUARTER = re.compile(r"q(?:uarter|uartal|tr)?[ ._-]?([1-4])|([1-4])\.? ?(?:q|quarter|quartal|qtr)\.?", re.IGNORECASE)
_SUMS = re.compile(
    r"annual|ann|year|total|sum|mean|average|avg|min|max|jahr|summe|mittel|année|annee|j-d|d-n|djf|mam|jja|son|q[1-4]|h[12]"
    r"|(?:annual|yearly|year|total) .*|.* (?:total|mean|average|avg)",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:1[5-9]|2[01])\d\d")
_MONTH = re.compile(r"(?:1[5-9]|2[01])\d\d(?:0[1-9]|1[0-2])")
_DAY = re.compile(r"(?:day|tag|d|jour)?[ _.-]?0?(\d{1,2})", re.IGNORECASE)
NEVER = np.iinfo(np.int64).min
"""The time of a day that no month has, such as the 30th of February."""
_ROOM = 60  # bytes of a cell while it is moved


@dataclass(frozen=True, eq=False)
class _Across:
    """What stands across: the columns `heads` (H,) in order, the time (R, H) in µs of each of their cells, the column
    of the table that the times take the place of (None: there is none), the others that stay, those that are left out,
    and how all this is told."""

    heads: list[str]
    times: np.ndarray
    key: str | None
    kept: list[str]
    left: list[str]
    told: str


def in_rows(table: Table, asked: bool | None) -> Table:
    """The table with the times that stand across put into rows, and it is said; the same table where none do, or where
    `asked` is False. Raises SettingError where it is True and none do."""
    if asked not in (None, True, False):
        raise SettingError(f"unfold: expected True, False or None (find out), got {shown(asked)}.")
    if asked is False:
        return table
    found = _months(table) or _days(table) or _years(table) or _dates(table)
    if found is None:
        if asked:
            raise SettingError(
                f"unfold: {table.source} has no columns that are named for the months, quarters or dates of its rows; "
                "leave it out."
            )
        return table
    return _long(table, found)


def _months(table: Table) -> _Across | None:
    """Years in the rows, and a column for each month or quarter."""
    for size, named in ((12, _month_named), (4, _quarter_named)):
        heads = [name for name in table.names if named(name) is not None]
        if [named(name) for name in heads] != list(range(1, size + 1)):
            continue
        rest = [name for name in table.names if name not in heads]
        keys = [name for name in rest if part_named(name) == "year"] or rest[:1]
        year = part_numbers(table, keys[0], "year") if len(keys) == 1 else None
        if year is None or not table.rows:
            continue
        kept = _ids(table, rest, keys[0], year)
        if kept is None:
            continue
        month = np.arange(size) * (12 // size) + 1
        one = np.ones(size, dtype=np.int64)
        days = np.stack([days_of(np.full(size, y), month, one)[0] for y in year.tolist()])
        noun = "month" if size == 12 else "quarter"
        told = f"Columns {shown(heads[0])} to {shown(heads[-1])} are the {noun}s of the years in {shown(keys[0])}"
        left = [name for name in rest if name not in (keys[0], *kept)]
        return _Across(heads, days * DAY_MICROS, keys[0], kept, left, told)
    return None


def _month_named(name: str) -> int | None:
    return MONTHS.get(name.strip(" .").lower().encode())


def _quarter_named(name: str) -> int | None:
    match = _QUARTER.fullmatch(name.strip())
    return None if match is None else int(match[1] or match[2])


def _ids(table: Table, rest: Sequence[str], key: str, years: np.ndarray) -> list[str] | None:
    """The columns that name the series where years come more than once; None where nothing does."""
    if len(np.unique(years)) == len(years):
        return []
    others = {name: table.cells[name] for name in rest if name != key and not _SUMS.fullmatch(name.strip())}
    if not others:
        return None
    part = replace(table, cells=others)
    found = id_that_tells_apart(part, years, np.zeros(table.rows, dtype=np.int64), least=1.0)
    return None if found is None else found.split(",") if found not in others else [found]


def _days(table: Table) -> _Across | None:
    """A year and a month in the rows, and a column for each day."""
    heads = [name for name in table.names if _day_named(name) is not None]
    rest = [name for name in table.names if name not in heads]
    if [_day_named(name) for name in heads] != list(range(1, 32)):
        return None
    parts = {part_named(name): name for name in rest}
    if not {"year", "month"} <= set(parts):
        return None
    year, month = (part_numbers(table, parts[part], part) for part in ("year", "month"))
    if year is None or month is None:
        return None
    keys = [parts["year"], parts["month"]]
    kept = _ids(table, [name for name in rest if name not in keys], keys[0], year * 12 + month)
    if kept is None:
        return None
    day = np.arange(1, 32)
    each = [days_of(np.full(31, y), np.full(31, m), day) for y, m in zip(year.tolist(), month.tolist())]
    times = np.stack([np.where(good, days * DAY_MICROS, NEVER) for days, good in each])
    named = " and ".join(map(shown, keys))
    told = f"Columns {shown(heads[0])} to {shown(heads[-1])} are the days of the months in {named}"
    return _Across(heads, times, None, kept, [name for name in rest if name not in (*keys, *kept)], told)


def _day_named(name: str) -> int | None:
    match = _DAY.fullmatch(name.strip())
    return None if match is None else int(match[1])


def _years(table: Table) -> _Across | None:
    """Months in the rows, and a column for each year."""
    heads = [name for name in table.names if _YEAR.fullmatch(name.strip())]
    rest = [name for name in table.names if name not in heads]
    if len(heads) < 2 or not rest or (np.diff([int(name) for name in heads]) != 1).any():
        return None
    if part_named(rest[0]) != "month" and not _holds_texts(table, rest[0]):
        return None
    month = part_numbers(table, rest[0], "month")
    if month is None or len(np.unique(month)) < table.rows or table.rows > 12 or table.rows < 2:
        return None
    one = np.ones(len(heads), dtype=np.int64)
    year = np.array([int(name) for name in heads])
    days = np.stack([days_of(year, one * m, one)[0] for m in month.tolist()])
    told = f"Columns {shown(heads[0])} to {shown(heads[-1])} are years, of the months in {shown(rest[0])}"
    return _Across(heads, days * DAY_MICROS, rest[0], [], rest[1:], told)


def _dates(table: Table) -> _Across | None:
    """A column for each date, month or year, and a row for each series, which words tell apart."""
    heads = [name for name in table.names if _dated(name)]
    rest = [name for name in table.names if name not in heads]
    # A row of numbers under numbers may be anything.
    if len(heads) < _FEWEST or not any(_holds_texts(table, name) for name in rest):
        return None
    if not all(_holds_numbers(table, name) for name in heads):
        return None
    times = _times_of(heads)
    if times is None or choose_time(replace(table, cells={name: table.cells[name] for name in rest})).time is not None:
        return None
    told = f"Columns {shown(heads[0])} to {shown(heads[-1])} are times, and each row is a series"
    return _Across(heads, np.tile(times, (table.rows, 1)), None, rest, [], told)


def _dated(name: str) -> bool:
    text = name.strip()
    return form_of(text) == TIME or _YEAR.fullmatch(text) is not None or _MONTH.fullmatch(text) is not None


def _times_of(heads: Sequence[str]) -> np.ndarray | None:
    """The times (H,) in µs of names in which each is later than the one before; None where they are no such times, or
    nothing decides which."""
    found = parse_texts([head.strip() for head in heads])
    if found.kind != "wall" or len(found.bad) or found.question:
        return None
    return found.values if (np.diff(found.values) > 0).all() else None


def _holds_numbers(table: Table, name: str) -> bool:
    if isinstance(table.cells[name], np.ndarray):
        return table.cells[name].dtype.kind in "iuf"
    return table.kind(name) in ("number", "constant", "empty", "flag", "index")


def _holds_texts(table: Table, name: str) -> bool:
    column = table.cells[name]
    return not isinstance(column, np.ndarray) and kind_of(column) == "text" and not table.is_plain_number(name)


def _long(table: Table, found: _Across) -> Table:
    import narwhals as nw
    import polars as pl

    rows, across = table.rows, len(found.heads)
    size = _ROOM * rows * across * (2 + len(found.kept))
    need_memory(size, f"{table.source}: {rows * across:,} cells", "Give a part of the table.", error=DataError)
    texts, empty = _values(table, found.heads)
    times = found.times.reshape(-1)
    odd = np.flatnonzero(~empty & (times == NEVER))
    if len(odd):
        row, head = divmod(int(odd[0]), across)
        raise DataError(f"{table.where(row, found.heads[head])}: expected an empty cell, as there is no such day.")
    held = np.flatnonzero(~empty)
    # What comes before the first value and behind the last is not there yet: next year's months, or the table's edge.
    inside = np.zeros(len(times), dtype=bool)
    if len(held):
        inside = (times >= times[held].min()) & (times <= times[held].max())
    kept = np.flatnonzero(inside)
    value, time = (_free(name, found.kept) for name in (VALUE, found.key or "date"))
    row = kept // across
    cells: dict[str, Any] = {time: times[kept].view("M8[us]")}
    for name in found.kept:
        column = table.texts(name)
        if isinstance(column, np.ndarray):
            cells[name] = column[row]
        else:
            native = column.to_native()
            taken = native.gather(row) if isinstance(native, pl.Series) else pl.Series(column.to_list()).gather(row)
            cells[name] = nw.from_native(taken, series_only=True)
    cells[value] = nw.from_native(texts.gather(kept), series_only=True)
    long = replace(
        table,
        cells=cells,
        rows=len(kept),
        lines=np.asarray(table.numbers_of(row)),
        counted_in=table.unit,
        written=None,
        files=(),
        seen={},
        decisions=[*table.decisions],
    )
    text = f"{found.told}: they are put into rows, with the times in {shown(time)} and the values in {shown(value)}"
    if found.left:
        listed = ", ".join(map(shown, found.left[:5])) + (", …" if len(found.left) > 5 else "")
        text += f", without {listed}"
    long.decide("unfolded", f"{text}; say unfold=False to read the table as it stands.", time, "unfold")
    return long


def _values(table: Table, heads: Sequence[str]) -> tuple[Any, np.ndarray]:
    """The cells of the columns `heads`, row by row, as polars texts (R·H,), and which of them hold nothing."""
    import polars as pl

    columns = []
    for name in heads:
        column = table.texts(name)
        if isinstance(column, np.ndarray):
            columns.append(
                pl.Series([str(cell) if cell == cell else None for cell in column.tolist()], dtype=pl.String)
            )
        else:
            native = column.to_native()
            series = native if isinstance(native, pl.Series) else pl.Series(column.to_list())
            columns.append(series.cast(pl.String))
    order = np.arange(table.rows * len(heads)).reshape(len(heads), table.rows).T.reshape(-1)
    texts = pl.concat(columns).gather(order)
    gone = [*MISSING_WORDS, *MISSING_MARKS, *(mark.lower() for mark in table.missing)]
    empty = texts.is_null() | texts.fill_null("").str.strip_chars().str.to_lowercase().is_in(gone)
    return texts, empty.to_numpy()


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
