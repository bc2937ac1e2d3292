"""From a table to a panel: cells to numbers, times to ticks, repairs, and the report on all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from ..limits import need_memory
from . import findings as say
from .categories import MISSING, read_categories
from .extremes import refuse_extremes
from .filling import FILLS, fill_holes, fill_season
from .frequency import Frequency
from .id_hints import id_that_tells_apart
from .kinds import columns_of_values
from .quality import Finding, Quality, Repair, summarise
from .repair import drop_duplicates, in_order, insert_rows, restore_order, rows_after, stretch_starts
from .resampling import grouped, hows_of_words
from .row_times import Grid, Rows, placed, timed
from .rows_ahead import rows_ahead, said_of_ahead
from .series_names import with_series_names
from .static import carry_static, check_asked, described, find_static
from .table import Table, repeated
from .time_columns import time_columns_besides
from .unnamed_time import check_unnamed_time
from .zones import check_zone

__all__ = ["ColumnRoles", "assemble"]

DUPLICATES = ("mean", "first", "last", "sum")
_ROOM = 34  # bytes for a cell, at most, while a panel is made: four copies of the number and the marks
_ROW = 50  # bytes for a row beside its cells: its series, times, tick and place, some of them twice
_LESS = (
    "Give fewer rows or columns (columns=), or Parquet files as a panel on disk (store_panel; --cache of a command)."
)


@dataclass(frozen=True)
class ColumnRoles:
    """What the caller says of the columns: those to read as words, those of one value within each series, and those
    that must hold numbers, whatever their cells are like."""

    categories: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


NO_ROLES = ColumnRoles()


def assemble(
    table: Table,
    *,
    time: str | Sequence[str] | None,
    id: str | Sequence[str] | None,
    columns: Sequence[str] | None,
    zone: str | None,
    missing: Sequence[float],
    max_fill: int,
    frequency: Frequency | None,
    time_format: str | None = None,
    resample: str | None = None,
    aggregate: str | Mapping[str, str] = "mean",
    duplicates: str | None = None,
    holidays: str | None = None,
    fill: str = "carry",
    season: int | float | str | None = None,
    keep: Sequence[str] = (),
    look: bool = False,
    roles: ColumnRoles = NO_ROLES,
) -> dict[str, Any]:
    """The fields of the panel of a table; the arguments are those of `Panel.from_frame`.

    look: whether nobody has looked for a column of times yet, where none is named.
    """
    marks = _marks(missing)
    zone = _check_arguments(table, time, zone, max_fill, frequency)
    if duplicates is not None and duplicates not in DUPLICATES:
        raise SettingError(f"duplicates: expected one of {', '.join(DUPLICATES)}, got {shown(duplicates)}.")
    if fill not in FILLS:
        raise SettingError(f"fill: expected one of {', '.join(FILLS)}, got {shown(fill)}.")
    if not table.rows:
        raise DataError(f"{table.source}: expected rows of data, found none.")
    grid = Grid(zone, frequency, time_format, resample, aggregate, holidays)
    if time is not None and id is not None and time == id:
        raise SettingError(f"time and id: expected two different columns, got {shown(time)} for both.")
    table, id = with_series_names(table, id)
    table, named, moments = timed(table, time, grid)
    keep = (*keep, *roles.categories, *roles.static)
    names = _columns(table, named, id, columns, keep)
    if look and time is None and frequency is None:
        check_unnamed_time(table, columns, keep)
    check_asked(roles.static, id)
    asked, named_words = set(keep), set(roles.categories)
    read = read_categories(table, names, named=named_words, asked=asked, without=set(roles.targets), marks=marks)
    size = table.rows * (len(names) * _ROOM + _ROW)
    need_memory(size, f"{table.source}: {table.rows:,} rows of {len(names):,} columns", _LESS, error=DataError)
    values = np.empty((table.rows, len(names)))
    for at, name in enumerate(names):  # one column at a time, as all of them at once are a second table
        values[:, at] = table.numbers(name) if name not in read else read[name][1]
    refuse_extremes(table, names, values, marks)
    names, values = _without_empty(table, names, values, marks, keep if columns is None else names)
    ids, series = table.labels(id) if id is not None else (("",), np.zeros(table.rows, dtype=np.int64))
    words = {name: found_words for name, (found_words, _) in read.items() if name in set(names)}
    del read
    found: list[Finding] = say.sentinels(table, *_numbers(names, values, words), marks)
    static = find_static(names, values, series, ids, words, set(roles.static), table.where)
    if (said := described(static, roles.static)) is not None:
        table.decide(said.what, said.text, said.column, said.option)
    rows = Rows(table, names, values, series, ids, found, [], words, static, roles.targets, id)
    _name_sentinels(rows, marks)
    rows, tick, frequency, zone = placed(rows, named, moments, grid)
    form = moments.form if moments is not None and moments.form else time_format
    holes = _Holes(int(max_fill), fill, fill_season(fill, season, frequency))
    if fill == "season" and season is None:
        text = (
            f"Holes take the value {holes.season:,} rows before, as that is the usual season of rows of "
            f"{frequency.label}; another can be named (season=)."
        )
        table.decide("season", text, None, "season")
    return _repaired(rows, tick, frequency, zone, holes, duplicates, form, table.rows)


def _check_arguments(
    table: Table, time: str | Sequence[str] | None, zone: str | None, max_fill: int, frequency: Frequency | None
) -> str | None:
    """The zone to use; raises where the arguments don't go together."""
    if isinstance(max_fill, bool) or not isinstance(max_fill, (int, np.integer)) or max_fill < 0:
        raise SettingError(f"max_fill: expected a number of rows from 0, got {shown(max_fill)}.")
    if frequency is not None:
        if zone is not None and frequency.zone is not None and zone != frequency.zone:
            raise SettingError(f"zone: the known frequency is of zone {frequency.zone!r}, got {zone!r}.")
        if frequency.kind != "step" and time is None:
            raise DataError(
                f"{table.source}: expected a time column, as the known frequency is {frequency.label}; name it with "
                "time=."
            )
        zone = frequency.zone if zone is None else zone
    elif zone is not None and time is None:
        raise SettingError(f"zone: {zone!r} was given, but no time column was named.")
    return check_zone(zone)


def _marks(missing: Sequence[float] | float) -> list[float]:
    marks = [missing] if isinstance(missing, (int, float)) else list(missing)
    for mark in marks:
        if isinstance(mark, bool) or not isinstance(mark, (int, float, np.integer, np.floating)):
            raise SettingError(f"missing: expected numbers that mark missing cells, such as -9999, got {shown(mark)}.")
    return [float(mark) for mark in marks]


def _columns(
    table: Table, time: str | None, id: str | None, columns: Sequence[str] | None, keep: Sequence[str]
) -> tuple[str, ...]:
    for name, role in ((time, "time column"), (id, "id column")):
        if name is not None:
            table.require(name, role)
    if columns is None:
        names = columns_of_values(table, time, id, keep) or [name for name in table.names if name not in (time, id)]
        names = _without_times(table, time, names, keep)
        if not names:
            raise DataError(f"{table.source}: expected at least one column of numbers besides time and id, found none.")
        return tuple(names)
    if isinstance(columns, str):
        raise SettingError(f"columns: expected a list of names, got the text {shown(columns)}.")
    columns = list(columns)
    if (twice := repeated(columns)) is not None:
        raise SettingError(f"columns: {shown(twice)} is named twice.")
    for name in columns:
        table.require(name)
        if name in (time, id):
            raise SettingError(
                f"columns: {shown(name)} is the {'time' if name == time else 'id'} column, so it "
                "can't be a value column too."
            )
    if not columns:
        raise SettingError("columns: expected at least one name, got none.")
    return tuple(columns)


def _numbers(
    names: tuple[str, ...], values: np.ndarray, words: Mapping[str, Any]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The columns (R, F) that hold no words, by name and value."""
    kept = [at for at, name in enumerate(names) if name not in words]
    return (names, values) if len(kept) == len(names) else (tuple(names[at] for at in kept), values[:, kept])


def _without_times(table: Table, time: str | None, names: list[str], keep: Sequence[str]) -> list[str]:
    """The names but those of further columns of times, which are left out, and it is said."""
    others = time_columns_besides(table, time, names)
    others = [name for name in others if name not in keep]
    kept = [name for name in names if name not in others]
    if not others or not kept:
        return names
    listed = ", ".join(map(shown, others[:5])) + (", …" if len(others) > 5 else "")
    why = "rows are counted and no model reads times as numbers"
    if time is not None:
        why = f"{shown(time)} is the time and no model reads a second one"
    table.decide("left-out", f"{listed}: left out, as {why}.", None, "time")
    return kept


def _without_empty(
    table: Table, names: tuple[str, ...], values: np.ndarray, marks: Sequence[float], keep: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The columns (F,) and their values (R, F) without those that hold no value, which is said; raises DataError for
    one in `keep`, which was named, and where no other column is left."""
    if table.piece:
        return names, values
    held = np.flatnonzero(~(np.isnan(values) | np.isin(values, marks)).all(axis=0))
    if len(held) == len(names):
        return names, values
    kept = tuple(names[at] for at in held.tolist())
    gone = [name for name in names if name not in kept]
    named = [name for name in gone if name in keep] or ([] if kept else gone)
    if named:
        raise DataError(
            f"{table.source}: column {shown(named[0])} holds no value at all; leave it out, or name the columns to use "
            "(columns=)."
        )
    for name in gone:
        text = f"Column {shown(name)} holds no value at all: it is left out; nothing need be done."
        table.decide("left out", text, name)
    return kept, np.ascontiguousarray(values[:, held])


def _name_sentinels(rows: Rows, marks: Sequence[float]) -> None:
    """Turn the cells that hold a value named as missing to NaN, in place."""
    words = np.array([name in rows.words for name in rows.names])
    missing = np.where(words & (rows.values == MISSING), np.nan, rows.values) if words.any() else rows.values
    rows.findings.extend(say.missing_cells(rows.table, rows.names, missing))
    for mark in marks:
        hits = (rows.values == mark) & ~words
        if hits.any():
            rows.repairs.append(say.named_sentinel(rows.table, rows.names, hits, mark))
            rows.values[hits] = np.nan


def _merged(
    rows: Rows, values: np.ndarray, tick: np.ndarray, series: np.ndarray, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """The ordered rows with those that share a time put together at the first of them, and which (R,) bool stay."""
    again = np.zeros(len(tick), dtype=bool)
    again[1:] = (np.diff(tick) == 0) & (np.diff(series) == 0)
    if not again.any():
        return values, ~again
    starts = np.flatnonzero(~again)
    merged = values.copy()
    merged[starts] = grouped(values, starts, hows_of_words([how] * len(rows.names), rows.names, rows.words))
    count = int(again.sum())
    what = "kept" if how in ("first", "last") else "taken"
    text = f"{say.plural(count, 'row')} of a time that another row has too: the {how} of them is {what} (duplicates=)."
    rows.repairs.append(Repair("merged", count, text))
    return merged, ~again


def _in_order(
    rows: Rows, tick: np.ndarray, frequency: Frequency, zone: str | None, duplicates: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values (N, F), ticks, series and positions (N,) of the rows in order of time, one for each time of a series."""
    table, unordered = rows.table, tick
    order, falls = restore_order(tick, rows.series)
    if len(falls):
        rows.findings.append(say.unsorted(table, falls, len(tick), say.moment(frequency, tick)))
        rows.repairs.append(Repair("sorted", len(falls), "Rows were put in time order."))
    values, series = rows.values, rows.series
    if not in_order(tick, series):
        values, tick, series = values[order], tick[order], series[order]
    if duplicates is not None:
        values, keep = _merged(rows, values, tick, series, duplicates)
        values, tick, series, order = values[keep], tick[keep], series[keep], order[keep]
    keep, conflicts = drop_duplicates(values, tick, series)
    if len(conflicts):
        more = id_that_tells_apart(table, unordered, rows.series)
        id = more if more is None or rows.id is None else f"{rows.id},{more}"
        raise say.conflict(
            table, rows.names, values, order, conflicts, say.moment(frequency, tick), zone, id, rows.words
        )
    if not keep.all():
        rows.findings.append(say.duplicates(table, order[~keep], say.moment(frequency, tick[~keep])))
        rows.repairs.append(
            Repair("dropped", int((~keep).sum()), f"{say.plural(int((~keep).sum()), 'repeated row')} dropped.")
        )
    if keep.all():
        return values, tick, series, order
    return values[keep], tick[keep], series[keep], order[keep]


@dataclass(frozen=True)
class _Holes:
    """How holes are filled: up to so many rows, with what, and the season in rows where it is a season's value."""

    max_fill: int
    fill: str
    season: int


def _holed(rows: Rows, values: np.ndarray) -> bool:
    """Whether a cell of the values (R, F) is missing, or holds the code of a missing word."""
    words = [place for place, name in enumerate(rows.names) if name in rows.words]
    return bool(np.isnan(values).any()) or any(bool((values[:, at] == MISSING).any()) for at in words)


def _filled(rows: Rows, expanded: np.ndarray, starts: np.ndarray, holes: _Holes) -> tuple[np.ndarray, np.ndarray]:
    """Values (R, F) with short holes filled, and where (R, F); words are carried, as nothing lies between two."""
    carried, filled = fill_holes(expanded, starts, holes.max_fill, holes.fill, holes.season)
    at = [place for place, name in enumerate(rows.names) if name in rows.words]
    if at:
        carried[:, at], filled[:, at] = fill_holes(expanded[:, at], starts, holes.max_fill)
    return carried, filled


def _repaired(
    rows: Rows,
    tick: np.ndarray,
    frequency: Frequency,
    zone: str | None,
    holes: _Holes,
    duplicates: str | None,
    form: str | None,
    read: int,
) -> dict[str, Any]:
    table, names, max_fill = rows.table, rows.names, holes.max_fill
    values, tick, series, order = _in_order(rows, tick, frequency, zone, duplicates)
    rows.findings.extend(say.constant(table, *_numbers(names, values, rows.words)))
    cells = rows_after(tick, series, max_fill) * len(names)
    less = "Fill shorter gaps (max_fill), or correct the times."
    need_memory(cells * _ROOM, f"{table.source}: filling gaps of up to {max_fill:,} rows", less, error=DataError)
    whole = insert_rows(tick, series, max_fill)
    rows.findings.extend(say.gaps(table, order, whole, say.moment(frequency, tick), max_fill, series, rows.ids))
    inserted, static = whole.source < 0, set(rows.static)
    if inserted.any() or _holed(rows, values):
        expanded = np.where(inserted[:, None], np.nan, values[whole.source])
        carried, filled = _filled(rows, expanded, stretch_starts(whole.tick, whole.series), holes)
        ahead = rows_ahead(expanded, whole.series, names, rows.targets, max_fill, static)
    else:  # nothing to fill, so that the values stay as they are, without a copy
        carried = values
        filled, ahead = np.zeros(values.shape, dtype=bool), np.zeros(values.shape, dtype=bool)
    how = say.filled_with(holes.fill, holes.season)
    where = say.in_series(whole.long, series, rows.ids)
    rows.repairs.extend(said_of_ahead(ahead, names, rows.targets))
    rows.repairs.extend(say.fillings(inserted, filled, np.isnan(carried), ahead, whole, max_fill, how, where))
    filled |= inserted[:, None]
    told = filled & ~ahead if rows.targets else filled
    if carried is not values:
        at = [place for place, name in enumerate(names) if name in static]
        carry_static(carried, whole.series, at, [MISSING if name in rows.words else np.nan for name in rows.static])
    lost = np.isnan(values).sum(axis=0)
    label = say.moment(frequency, whole.tick[[whole.tick.argmin(), whole.tick.argmax()]])
    quality = Quality(
        source=table.source if table.source.startswith("/dev/") else table.source.rsplit("/", 1)[-1],
        unit=table.unit,
        rows_read=read,
        rows=len(whole.tick),
        series=len(rows.ids),
        frequency=frequency.label,
        first=label(0),
        last=label(1),
        columns=summarise(names, values, lost, told.sum(axis=0), rows.words),
        findings=tuple(rows.findings),
        repairs=tuple(rows.repairs),
        decisions=tuple(table.decisions),
    )
    return {
        "values": carried,
        "columns": names,
        "time": None if frequency.kind == "step" else frequency.times(whole.tick),
        "tick": whole.tick,
        "frequency": frequency,
        "ids": rows.ids,
        "offsets": np.searchsorted(whole.series, np.arange(len(rows.ids) + 1)),
        "filled": filled,
        "zone": zone,
        "quality": quality,
        "time_format": form,
        "fill": holes.fill,
        "words": rows.words,
        "static": rows.static,
    }
