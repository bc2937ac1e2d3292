"""The times of a table's rows as places on a regular grid: read, localised, snapped where they lie near it, or put
together to a coarser one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DataError, SettingError, shown
from . import findings as say
from .categories import Words
from .frequency import DAY, Frequency
from .holidays import trading_days
from .localise import localise
from .moments import Moments
from .quality import Finding, Repair
from .resampling import grouped, hows, hows_of_words, refuse_finer, step_grid
from .snapping import Snapped, duration_words, near_frequency, snap
from .table import Table
from .time_columns import named_time, says_date, sheet_days
from .zones import check_zone

__all__ = ["Grid", "Rows", "placed", "timed", "times_of"]

_ENOUGH = 0.9  # of the rows that most steps hold: below, the first and the last one are cut off


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a table in file order: values (R, F), their series (R,) and ids, what was found so far, the words of
    the columns of words, the static columns, the targets and the id column that are named."""

    table: Table
    names: tuple[str, ...]
    values: np.ndarray
    series: np.ndarray
    ids: tuple[str, ...]
    findings: list[Finding]
    repairs: list[Repair]
    words: Words = field(default_factory=dict)
    static: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True, eq=False)
class Grid:
    """What is asked of the times of a table: the arguments of `Panel.from_frame` of these names."""

    zone: str | None
    frequency: Frequency | None
    time_format: str | None
    resample: str | None
    aggregate: str | Mapping[str, str]
    holidays: str | None = None


def timed(table: Table, time: str | Sequence[str] | None, grid: Grid) -> tuple[Table, str | None, Moments | None]:
    """The table with its time as one column, that column's name and its moments; both None where rows are counted."""
    form = grid.time_format
    if form is None and grid.frequency is not None and grid.frequency.kind == "step":
        form = "count"
    found = named_time(table, time, form)
    if found.time is None:
        if form is not None and form != "count":
            raise SettingError(f"time_format: {shown(form)} was given, but no time column was named.")
        return found.table, None, None
    if grid.frequency is not None and form not in (None, "count") and found.moments is None:
        # Further rows of a known grid may be written in another form than the first were, if it is clear by itself.
        plain = found.table.try_moments(found.time)
        if len(found.table.try_moments(found.time, form).bad) and not len(plain.bad) and not plain.question:
            form = None
    moments = found.table.moments(found.time, form) if found.moments is None else found.moments
    if form is None and says_date(found.time) and sheet_days(moments):
        cell = int(moments.values[0])
        raise DataError(
            f"{table.source}, column {shown(found.time)}: {cell} may be a day of a spreadsheet "
            f"({np.datetime64('1899-12-30') + cell}) or count rows; say time_format='excel' or "
            "time_format='count'."
        )
    for what, text in moments.decisions:
        table.decide(what, f"Column {shown(found.time)}: {text}.", found.time, "time_format")
    return found.table, found.time, moments


def placed(
    rows: Rows, time: str | None, moments: Moments | None, grid: Grid
) -> tuple[Rows, np.ndarray, Frequency, str | None]:
    """The rows, which are fewer where they were put together, their ticks (R,), the frequency and the zone."""
    frequency, zone = grid.frequency, grid.zone
    if time is None or moments is None:
        if grid.resample is not None:
            raise SettingError(f"resample: {shown(grid.resample)} needs times; name their column (time=).")
        order = np.argsort(rows.series, kind="stable")
        tick = np.empty(len(rows.series), dtype=np.int64)
        tick[order] = np.arange(len(order))
        return rows, tick - np.searchsorted(rows.series[order], rows.series), frequency or Frequency.steps(), None
    if moments.kind == "counts":
        if grid.resample is not None:
            raise SettingError(f"resample: column {shown(time)} counts rows, so {shown(grid.resample)} has no meaning.")
        return rows, *_counted(rows, time, moments.values, frequency)
    if frequency is not None and frequency.kind == "step":
        raise DataError(
            f"{rows.table.source}: column {shown(time)} holds times, but the known frequency counts rows; "
            "leave the time column out."
        )
    micros, zone = times_of(rows, time, moments, zone)
    if frequency is not None and frequency.zone != zone:
        raise DataError(
            f"{rows.table.source}, column {shown(time)}: the known frequency is "
            f"{'without a zone' if frequency.zone is None else 'of zone ' + frequency.zone}, "
            f"the times are {'without one' if zone is None else 'of ' + zone}."
        )
    if grid.resample is not None:
        return *_resampled(rows, time, micros, zone, grid), zone
    tick, frequency = _on_grid(rows, time, micros, zone, frequency)
    if grid.holidays is not None and grid.frequency is None and frequency.kind == "business":
        times = frequency.times(tick)
        frequency, text = trading_days(frequency, times, grid.holidays)
        if text is not None:
            rows.table.decide("trading-days", text, time, "holidays")
            tick = frequency.ticks(times)
    return rows, tick, frequency, zone


def times_of(rows: Rows, time: str, moments: Moments, zone: str | None) -> tuple[np.ndarray, str | None]:
    """The times (R,) int64 µs of rows that are not counted, and the zone that makes instants of them, if any."""
    micros = moments.values
    if moments.kind == "instants":
        carried = rows.table.time_zone(time)
        zone = zone or carried or "UTC"
        if carried is None:
            rows.findings.append(say.instants(rows.table, time, zone))
    elif zone is not None:
        micros = _localised(rows, time, micros, zone)
    return micros, check_zone(zone)


def _on_grid(
    rows: Rows, time: str, micros: np.ndarray, zone: str | None, known: Frequency | None
) -> tuple[np.ndarray, Frequency]:
    times = micros.view("M8[us]")
    found: Snapped | None = None
    frequency = known
    if frequency is None:
        try:
            frequency = Frequency.infer(times, zone, rows.series)
        except DataError as error:
            found = near_frequency(micros, zone, rows.series)
            if found is None:
                raise DataError(f"{rows.table.source}, column {shown(time)}: {error}") from None
    if frequency is not None:
        tick, fits = frequency.locate(times)
        if fits.all():
            return tick, frequency
        found = snap(frequency, micros)
        if not found.fits.all():
            found = (None if known is not None else near_frequency(micros, zone, rows.series)) or found
    assert found is not None
    if not found.fits.all():
        raise say.off_grid(rows.table, time, found.frequency, found.fits)
    moved, every = found.away > 0, found.frequency.label.removeprefix("1 ")
    rows.table.decide(
        "snapped",
        f"Column {shown(time)}: {say.plural(int(moved.sum()), 'time')} off the grid of one row every "
        f"{every}, by {duration_words(int(found.away.max()))} at most, moved onto it; "
        "rows can be put together instead (resample=).",
        time,
        "resample",
    )
    return found.tick, found.frequency


def _resampled(
    rows: Rows, time: str, micros: np.ndarray, zone: str | None, grid: Grid
) -> tuple[Rows, np.ndarray, Frequency]:
    """The rows put together to one for each step that holds some, their ticks and the frequency."""
    assert grid.resample is not None
    how = hows_of_words(hows(grid.aggregate, rows.names, "aggregate"), rows.names, rows.words)
    frequency = step_grid(grid.resample, micros, zone)
    if grid.frequency is not None:
        if (grid.frequency.kind, grid.frequency.n) != (frequency.kind, frequency.n):
            raise SettingError(f"resample: expected {grid.frequency.label}, as is known, got {shown(grid.resample)}.")
        frequency = grid.frequency
    tick = frequency.locate(micros.view("M8[us]"))[0]
    refuse_finer(grid.resample, frequency.label, tick, rows.series, rows.table.source)
    order = np.lexsort((micros, tick, rows.series))
    tick, series = tick[order], rows.series[order]
    new = np.ones(len(tick), dtype=bool)
    new[1:] = (np.diff(tick) != 0) | (np.diff(series) != 0)
    starts = np.flatnonzero(new)
    values = grouped(rows.values[order], starts, how)
    counts = np.diff(np.append(starts, len(tick)))
    tick, series, first = tick[starts], series[starts], order[starts]
    keep = ~_short_ends(counts, series) if "sum" in how else np.ones(len(starts), dtype=bool)
    _say_resampled(rows, time, how, frequency, counts, keep)
    less = replace(
        rows.table,
        cells={time: frequency.times(tick[keep])},
        rows=int(keep.sum()),
        lines=np.asarray(rows.table.numbers_of(first[keep])),
        counted_in=rows.table.unit,
    )
    fewer = replace(rows, table=less, values=values[keep], series=series[keep])
    return fewer, tick[keep], frequency


def _short_ends(counts: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Which steps (G,) bool are the first or last of their series with fewer rows than most: low sums."""
    if len(counts) < 3:
        return np.zeros(len(counts), dtype=bool)
    ends = np.ones(len(counts), dtype=bool)
    ends[1:-1] = (np.diff(series)[:-1] != 0) | (np.diff(series)[1:] != 0)
    return ends & (counts < _ENOUGH * np.median(counts))


def _say_resampled(
    rows: Rows, time: str, how: list[str], frequency: Frequency, counts: np.ndarray, keep: np.ndarray
) -> None:
    by = how[0] if len(set(how)) == 1 else ", ".join(f"{name} by {word}" for name, word in zip(rows.names[:5], how))
    every, cut = frequency.label.removeprefix("1 "), int((~keep).sum())
    left = f"; {say.plural(cut, 'step')} at the ends with fewer rows than the others left out" if cut else ""
    text = f"{rows.table.rows:,} rows are put together to {int(keep.sum()):,}, one every {every}, by {by}{left}; "
    text += "another way can be named (aggregate=): mean, sum, last, first, min, max, or one by column."
    rows.table.decide("resampled", text, time, "aggregate")
    few = int((counts[keep] < _ENOUGH * np.median(counts)).sum())
    if few:
        text = f"{say.plural(few, 'step')} with fewer rows than most, as some are missing."
        rows.findings.append(Finding("resampled", few, text))


def _counted(
    rows: Rows, time: str, counts: np.ndarray, frequency: Frequency | None
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
    return counts.copy(), frequency or Frequency.steps(), None  # they may be the caller's own array


def _localised(rows: Rows, time: str, wall: np.ndarray, zone: str) -> np.ndarray:
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
