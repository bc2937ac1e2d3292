"""From a table to a panel: cells to numbers, times to ticks, repairs, and the report on all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, SettingError, shown
from ..limits import need_memory
from . import findings as say
from .frequency import DAY, Frequency
from .localise import localise
from .panel import Panel
from .quality import Finding, Quality, Repair, summarise
from .repair import carry_forward, drop_duplicates, insert_rows, restore_order, rows_after, stretch_starts
from .table import Table, repeated
from .zones import check_zone

__all__ = ["assemble"]

_ROOM = 34  # bytes for a cell, at most, while a panel is made: four copies of the number and the marks
_LESS = "Give fewer rows or columns (columns=)."


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a table in file order: values (R, F), their series (R,) and ids, and what was found so far."""

    table: Table
    names: tuple[str, ...]
    values: np.ndarray
    series: np.ndarray
    ids: tuple[str, ...]
    findings: list[Finding]
    repairs: list[Repair]


def assemble(
    table: Table,
    *,
    time: str | None,
    id: str | None,
    columns: Sequence[str] | None,
    zone: str | None,
    missing: Sequence[float],
    max_fill: int,
    frequency: Frequency | None,
) -> Panel:
    """The panel of a table; the arguments are those of `Panel.from_frame`."""
    marks = _marks(missing)
    zone = _check_arguments(table, time, zone, max_fill, frequency)
    if not table.rows:
        raise DataError(f"{table.source}: expected rows of data, found none.")
    names = _columns(table, time, id, columns)
    size = table.rows * len(names) * _ROOM
    need_memory(size, f"{table.source}: {table.rows:,} rows of {len(names):,} columns", _LESS, error=DataError)
    values = np.stack([table.numbers(name) for name in names], axis=1)
    _refuse_infinite(table, names, values)
    ids, series = table.labels(id) if id is not None else (("",), np.zeros(table.rows, dtype=np.int64))
    found: list[Finding] = say.sentinels(table, names, values, marks)
    rows = _Rows(table, names, values, series, ids, found, [])
    _name_sentinels(rows, marks)
    for position, name in enumerate(names):
        if np.isnan(values[:, position]).all():
            raise DataError(
                f"{table.source}: column {shown(name)} holds no value at all; leave it out, or name the columns to use "
                "(columns=)."
            )
    tick, frequency, zone = _ticks(rows, time, zone, frequency)
    return _repaired(rows, tick, frequency, zone, int(max_fill))


def _check_arguments(
    table: Table, time: str | None, zone: str | None, max_fill: int, frequency: Frequency | None
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


def _columns(table: Table, time: str | None, id: str | None, columns: Sequence[str] | None) -> tuple[str, ...]:
    for name, role in ((time, "time column"), (id, "id column")):
        if name is not None:
            table.require(name, role)
    if time is not None and time == id:
        raise SettingError(f"time and id: expected two different columns, got {shown(time)} for both.")
    if columns is None:
        names = [name for name in table.names if name not in (time, id)]
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


def _refuse_infinite(table: Table, names: tuple[str, ...], values: np.ndarray) -> None:
    bad = np.argwhere(np.isinf(values))
    if len(bad):
        row, column = (int(i) for i in bad[0])
        more = f" ({len(bad):,} such cells in all)" if len(bad) > 1 else ""
        raise DataError(
            f"{table.where(row, names[column])}: expected a finite number, got "
            f"{values[row, column]}{more}; "
            "put the right number there, or leave the cell empty to mark it missing."
        )


def _name_sentinels(rows: _Rows, marks: Sequence[float]) -> None:
    """Turn the cells that hold a value named as missing to NaN, in place."""
    rows.findings.extend(say.missing_cells(rows.table, rows.names, rows.values))
    for mark in marks:
        hits = rows.values == mark
        if hits.any():
            rows.repairs.append(say.named_sentinel(rows.table, rows.names, hits, mark))
            rows.values[hits] = np.nan


def _ticks(
    rows: _Rows, time: str | None, zone: str | None, frequency: Frequency | None
) -> tuple[np.ndarray, Frequency, str | None]:
    """Ticks (R,) of the rows in file order, their frequency, and the zone."""
    if time is None:
        grouped = np.argsort(rows.series, kind="stable")
        tick = np.empty(len(rows.series), dtype=np.int64)
        starts = np.searchsorted(rows.series[grouped], rows.series)
        tick[grouped] = np.arange(len(grouped))
        return tick - starts, frequency or Frequency.steps(), None
    moments = rows.table.moments(time)
    if moments.kind == "counts":
        return _counted(rows, time, moments.values, frequency)
    if frequency is not None and frequency.kind == "step":
        raise DataError(
            f"{rows.table.source}: column {shown(time)} holds times, but the known frequency counts rows; "
            "leave the time column out."
        )
    micros = moments.values
    if moments.kind == "instants":
        carried = rows.table.time_zone(time)
        zone = zone or carried or "UTC"
        if carried is None:
            rows.findings.append(say.instants(rows.table, time, zone))
    elif zone is not None:
        micros = _localised(rows, time, micros, zone)
    times = micros.view("M8[us]")
    if frequency is None:
        try:
            frequency = Frequency.infer(times, check_zone(zone), rows.series)
        except DataError as error:
            raise DataError(f"{rows.table.source}, column {shown(time)}: {error}") from None
    elif frequency.zone != zone:
        raise DataError(
            f"{rows.table.source}, column {shown(time)}: the known frequency is "
            f"{'without a zone' if frequency.zone is None else 'of zone ' + frequency.zone}, "
            f"the times are {'without one' if zone is None else 'of ' + zone}."
        )
    tick, fits = frequency.locate(times)
    if not fits.all():
        raise say.off_grid(rows.table, time, frequency, fits)
    return tick, frequency, zone


def _counted(
    rows: _Rows, time: str, counts: np.ndarray, frequency: Frequency | None
) -> tuple[np.ndarray, Frequency, None]:
    if frequency is not None and frequency.kind != "step":
        raise DataError(
            f"{rows.table.source}: column {shown(time)} holds plain numbers, expected times every {frequency.label}."
        )
    order = np.lexsort((counts, rows.series))
    steps = np.diff(counts[order])[np.diff(rows.series[order]) == 0]
    steps = steps[steps > 0]
    if len(steps) and np.gcd.reduce(steps) > 1:
        raise DataError(
            f"{rows.table.source}: column {shown(time)} holds whole numbers that rise by {int(np.gcd.reduce(steps))}: "
            f"neither times "
            "nor row numbers; write times, or leave the time column out to count rows."
        )
    return counts, frequency or Frequency.steps(), None


def _localised(rows: _Rows, time: str, wall: np.ndarray, zone: str) -> np.ndarray:
    table = rows.table
    local = localise(wall, rows.series, zone)
    if (wall % DAY == wall[0] % DAY).all() and not len(local.unclear):
        return local.instants  # dates, or one hour a day: where the clock skips it, the day still counts
    if len(local.skipped):
        row = int(local.skipped[0])
        raise DataError(
            f"{table.where(row, time)}: {table.cells[time][row]} never showed on the "
            f"clocks of {zone}, which were "
            f"set forward over it ({len(local.skipped):,} such rows); is the zone right, or are the times in "
            f"standard time?"
        )
    if len(local.unclear):
        row = int(local.unclear[0])
        raise DataError(
            f"{table.where(row, time)}: the clocks of {zone} showed "
            f"{table.cells[time][row]} twice, and the order "
            "of the rows doesn't tell which is meant; sort the rows by time, or write times with their UTC offset."
        )
    if len(local.once):
        rows.findings.append(say.repeated_hour(table, time, zone, local.once))
    return local.instants


def _repaired(rows: _Rows, tick: np.ndarray, frequency: Frequency, zone: str | None, max_fill: int) -> Panel:
    table, names = rows.table, rows.names
    order, falls = restore_order(tick, rows.series)
    if len(falls):
        rows.findings.append(say.unsorted(table, falls, len(tick), say.moment(frequency, tick)))
        rows.repairs.append(Repair("sorted", len(falls), "Rows were put in time order."))
    values, tick, series = rows.values[order], tick[order], rows.series[order]
    keep, conflicts = drop_duplicates(values, tick, series)
    if len(conflicts):
        raise say.conflict(table, names, values, order, conflicts, say.moment(frequency, tick), zone)
    if not keep.all():
        rows.findings.append(say.duplicates(table, order[~keep], say.moment(frequency, tick[~keep])))
        rows.repairs.append(
            Repair("dropped", int((~keep).sum()), f"{say.plural(int((~keep).sum()), 'repeated row')} dropped.")
        )
    values, tick, series, order = values[keep], tick[keep], series[keep], order[keep]
    rows.findings.extend(say.constant(table, names, values))
    cells = rows_after(tick, series, max_fill) * len(names)
    less = "Fill shorter gaps (max_fill), or correct the times."
    need_memory(cells * _ROOM, f"{table.source}: filling gaps of up to {max_fill:,} rows", less, error=DataError)
    whole = insert_rows(tick, series, max_fill)
    rows.findings.extend(say.gaps(table, order, whole, say.moment(frequency, tick), max_fill))
    inserted = whole.source < 0
    expanded = np.where(inserted[:, None], np.nan, values[whole.source])
    carried, filled = carry_forward(expanded, stretch_starts(whole.tick, whole.series), max_fill)
    rows.repairs.extend(say.fillings(inserted, filled, np.isnan(carried), whole, max_fill))
    filled |= inserted[:, None]
    lost = np.isnan(values).sum(axis=0)
    label = say.moment(frequency, whole.tick[[whole.tick.argmin(), whole.tick.argmax()]])
    quality = Quality(
        source=table.source if table.source.startswith("/dev/") else table.source.rsplit("/", 1)[-1],
        unit=table.unit,
        rows_read=table.rows,
        rows=len(whole.tick),
        series=len(rows.ids),
        frequency=frequency.label,
        first=label(0),
        last=label(1),
        columns=summarise(names, values, lost, filled.sum(axis=0)),
        findings=tuple(rows.findings),
        repairs=tuple(rows.repairs),
    )
    return Panel(
        values=carried,
        columns=names,
        time=None if frequency.kind == "step" else frequency.times(whole.tick),
        tick=whole.tick,
        frequency=frequency,
        ids=rows.ids,
        offsets=np.searchsorted(whole.series, np.arange(len(rows.ids) + 1)),
        filled=filled,
        zone=zone,
        quality=quality,
    )
