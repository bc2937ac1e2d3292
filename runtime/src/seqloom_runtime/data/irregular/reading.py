"""Tables of records: a row for each time of each record, a column for each measurement, empty where there was none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ..extremes import refuse_extremes
from ..sequences.columns import label_cells
from ..sequences.files import said, table_from
from ..table import Table
from ..time_columns import named_time
from .onsets import within_horizon
from .record_times import RecordTimes, horizon_in, times_of
from .records import Records

__all__ = ["read_records", "records_from"]

_NAMED = 5


def read_records(
    path: Any,
    *,
    id: str,
    time: str,
    value_columns: Sequence[str] | None = None,
    label: str | None = None,
    event: str | None = None,
    horizon: str | float | None = None,
    time_format: str | None = None,
    missing: Sequence[str] = (),
    **form: Any,
) -> Records:
    """Records from a table in long form: a file, several files, a database URL, or a data frame.

    id, time: the columns that name the record and order its rows; times are dates, hours and minutes since a start
    ("31:07"), or plain numbers. value_columns: the measurements, empty cells are gaps; without them all columns of
    numbers. label: a column of two values, one for each record. event: a column that is 1 where the event happens, or
    holds its time in every row of the record; then `horizon` says how far ahead is asked at every row. `missing` are
    marks of a gap beside the usual ones; `form` says how the table is written, as for `read_table`.
    Raises DataError with the place for what can't be used, SettingError for choices that don't go together.
    """
    if label is not None and event is not None:
        raise SettingError("label: a record has a label or an event, not both; leave one of label and event out.")
    if event is not None and horizon is None:
        raise SettingError("horizon: say how far ahead the event is asked for, such as 6h.")
    if horizon is not None and event is None:
        raise SettingError("horizon: it belongs to an event; name its column (event).")
    form = said(form)
    if missing:
        form["missing"] = tuple(map(str, missing))
    if isinstance(path, (str, os.PathLike)) or (isinstance(path, (list, tuple)) and len(path)):
        table = table_from(path, form, (id, *(value_columns or ())))
    else:
        table = Table.from_frame(path)
    return records_from(table, id, time, value_columns, label, event, horizon, time_format)


def records_from(
    table: Table,
    id: str,
    time: str,
    value_columns: Sequence[str] | None = None,
    label: str | None = None,
    event: str | None = None,
    horizon: str | float | None = None,
    time_format: str | None = None,
) -> Records:
    """`read_records` of a table that is read already."""
    for name in (*(value_columns or ()), *(name for name in (id, label, event) if name is not None)):
        table.require(name)
    chosen = named_time(table, time, time_format)
    if chosen.time is None:
        raise DataError(f"{table.source}: expected the column of times (time=); records have rows at irregular times.")
    table, time = chosen.table, chosen.time
    names, record = table.labels(id)
    nameless = [n for n, name in enumerate(names) if not name.strip()]
    if nameless:
        row = int(np.flatnonzero(record == nameless[0])[0])
        raise DataError(f"{table.where(row, id)}: expected the name of a record, the cell is empty.")
    columns = _value_columns(table, value_columns, (id, time, label, event))
    if not value_columns:
        listed = ", ".join(map(shown, columns[:_NAMED])) + (", …" if len(columns) > _NAMED else "")
        text = f"All other columns are read as measurements: {listed}; name those that are (value_columns=)."
        table.decide("measurements", text, None, "value_columns")
    found = times_of(table, time, time_format, chosen.moments)
    order = np.argsort(record, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(record, minlength=len(names)))]).astype(np.int64)
    _refuse_order(table, time, names, record, found.values, order)
    values = np.stack([_measured(table, name) for name in columns], axis=1)[order]
    _refuse_empty(table, names, values, offsets, columns, order)
    first = offsets[:-1]
    start = found.values[order][first] if found.kind == "written" else np.zeros(len(names))
    times = found.values[order] - np.repeat(start, np.diff(offsets))
    made = Records(values, times, offsets, tuple(columns), names, unit=found.unit, decisions=table.decisions)
    if label is not None:
        made = _labelled(table, made, label, order)
    if event is not None:
        assert horizon is not None
        made = _with_event(table, made, event, horizon, found, start, order, time_format)
    return made


def _value_columns(table: Table, wanted: Sequence[str] | None, others: Sequence[str | None]) -> list[str]:
    clash = [name for name in wanted or () if name in others]
    if clash:
        raise SettingError(f"value_columns: {shown(clash[0])} is the id, time, label or event; leave it out.")
    if wanted and len(set(wanted)) < len(wanted):
        raise SettingError(f"value_columns: expected each column once, got {', '.join(wanted)}.")
    columns = list(wanted or [name for name in table.names if name not in others])
    if not columns:
        raise DataError(f"{table.source}: expected at least one column of values beside id, time, label and event.")
    return columns


def _measured(table: Table, name: str) -> np.ndarray:
    values = np.asarray(table.numbers(name), dtype=np.float64)
    refuse_extremes(table, [name], values[:, None])
    return values


def _refuse_order(
    table: Table, time: str, names: Sequence[str], record: np.ndarray, times: np.ndarray, order: np.ndarray
) -> None:
    """Raise DataError where the rows of a record go back in time, or two stand at one time."""
    steps = np.diff(times[order])
    bad = np.flatnonzero((np.diff(record[order]) == 0) & (steps <= 0))
    if not len(bad):
        return
    before, row = int(order[bad[0]]), int(order[bad[0] + 1])
    name, cells = shown(names[record[row]]), table.texts(time)
    if steps[bad[0]] == 0:
        raise DataError(
            f"{table.where(row, time)}: record {name} has two rows at the same time, {shown(str(cells[row]))}, the "
            f"other in {table.place(before)}; join them into one."
        )
    raise DataError(
        f"{table.where(row, time)}: the times of record {name} go back, {shown(str(cells[row]))} comes after "
        f"{shown(str(cells[before]))} in {table.place(before)}; sort the rows of each record by time."
    )


def _refuse_empty(
    table: Table,
    names: Sequence[str],
    values: np.ndarray,
    offsets: np.ndarray,
    columns: Sequence[str],
    order: np.ndarray,
) -> None:
    """Raise DataError for a record without any value, and for a column without one in any record."""
    there = ~np.isnan(values)
    some = np.logical_or.reduceat(there.any(axis=1), offsets[:-1])
    empty = np.flatnonzero(~some)
    if len(empty):
        row = int(order[offsets[empty[0]]])
        listed = ", ".join(shown(names[n]) for n in empty[:_NAMED]) + (", …" if len(empty) > _NAMED else "")
        raise DataError(
            f"{table.source}, {table.place(row)}: record {shown(names[empty[0]])} has no value in any of "
            f"{', '.join(columns[:_NAMED])}{', …' if len(columns) > _NAMED else ''}; leave out records without values "
            f"({len(empty):,} of {len(names):,}: {listed})."
        )
    blank = np.flatnonzero(~there.any(axis=0))
    if len(blank):
        raise DataError(f"{table.source}: column {shown(columns[blank[0]])} holds no value; leave it out.")


def _labelled(table: Table, made: Records, label: str, order: np.ndarray) -> Records:
    """The records with a label of two values each, which is the same in all rows of a record."""
    cells = label_cells(table, label)[order]
    first = cells[made.offsets[:-1]]
    changed = np.flatnonzero(cells != np.repeat(first, made.lengths))
    if len(changed):
        row = int(order[changed[0]])
        raise DataError(
            f"{table.where(row, label)}: expected one label for the whole of record "
            f"{shown(made.ids[int(made.record_of[changed[0]])])}, it changes here from "
            f"{shown(str(first[int(made.record_of[changed[0]])]))} to {shown(str(cells[changed[0]]))}; where it says "
            "when something happens, it is an event (event=)."
        )
    classes = np.unique(first)
    if len(classes) != 2:
        listed = ", ".join(str(value) for value in classes[:_NAMED]) + (", …" if len(classes) > _NAMED else "")
        raise DataError(
            f"{table.source}, column {shown(label)}: expected two different labels over the records, found "
            f"{len(classes)} ({listed}); of more classes, read regular sequences without value_columns."
        )
    words = tuple(_word(value) for value in classes.tolist())
    table.decide("label", f"The probability is that of {label} = {words[1]}; {words[0]} is the other.", label)
    return replace(made, target=(first == classes[1]).astype(np.float64), label=label, classes=(words[0], words[1]))


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _with_event(
    table: Table,
    made: Records,
    event: str,
    horizon: str | float,
    found: RecordTimes,
    start: np.ndarray,
    order: np.ndarray,
    time_format: str | None,
) -> Records:
    """The records with the question, at every row, whether the event comes within the horizon."""
    ahead = horizon_in(horizon, found.unit)
    marks = _marks(table, event)
    onset = np.full(len(made), np.nan)
    if marks is not None:
        marked = np.flatnonzero(marks[order] == 1)
        record, place = np.unique(made.record_of[marked], return_index=True)
        onset[record] = made.times[marked[place]]
        said_by = f"Column {shown(event)} is 1 where the event happens; the first 1 of a record is its onset"
    else:
        onset = _event_times(table, made, event, found, order, time_format) - start
        said_by = f"Column {shown(event)} holds the time of the event"
    _refuse_early(table, made, event, onset, order)
    target = within_horizon(made.times, made.offsets, onset, ahead)
    asked, unknown = int((~np.isnan(target)).sum()), int((np.isnan(target) & ~_after(made, onset)).sum())
    text = f"{said_by}: {int((~np.isnan(onset)).sum()):,} of {len(made):,} records have one. {asked:,} rows are asked"
    text += f"; {unknown:,} whose horizon reaches past the end of a record without an event are not" if unknown else ""
    table.decide("event", f"{text}.", event)
    if not asked:
        raise DataError(
            f"{table.source}: no row can be asked, as every record without an event is shorter than the horizon of "
            f"{ahead:g}{' h' if found.unit else ''} and none with one has a row before it; give a shorter horizon."
        )
    return replace(
        made,
        target=target,
        every_step=True,
        onset=onset,
        horizon=ahead,
        label=event,
        classes=("no event", "event"),
    )


def _after(made: Records, onset: np.ndarray) -> np.ndarray:
    return made.times >= np.nan_to_num(np.repeat(onset, made.lengths), nan=np.inf)


def _marks(table: Table, event: str) -> np.ndarray | None:
    """A column of 0, 1 and empty cells (rows,), or None where it holds times."""
    truths = table.truths(event)
    if truths is not None:
        return truths
    try:
        values = np.asarray(table.numbers(event), dtype=np.float64)
    except DataError:
        return None
    return values if np.isin(values[~np.isnan(values)], (0.0, 1.0)).all() else None


def _event_times(
    table: Table, made: Records, event: str, found: RecordTimes, order: np.ndarray, time_format: str | None
) -> np.ndarray:
    """The time of each record's event (N,), NaN where its cells are empty; the same in all of its rows."""
    read = times_of(table, event, time_format, gaps=True)
    if read.unit != found.unit or (read.kind == "clock") != (found.kind == "clock"):
        raise DataError(
            f"{table.source}, column {shown(event)}: expected 0 and 1, or times written as those of the records are; "
            "these are of another kind."
        )
    cells = read.values[order]
    first = np.repeat(cells[made.offsets[:-1]], made.lengths)
    changed = np.flatnonzero((cells != first) & ~(np.isnan(cells) & np.isnan(first)))
    if len(changed):
        raise DataError(
            f"{table.where(int(order[changed[0]]), event)}: expected the time of the event in every row of record "
            f"{shown(made.ids[int(made.record_of[changed[0]])])}, it changes here; or 0 and 1, where the event happens."
        )
    return cells[made.offsets[:-1]]


def _refuse_early(table: Table, made: Records, event: str, onset: np.ndarray, order: np.ndarray) -> None:
    """Raise DataError for an event that comes with or before a record's first row, which nothing precedes."""
    first = made.times[made.offsets[:-1]]
    early = np.flatnonzero(onset <= first)
    if len(early):
        n = int(early[0])
        row, more = int(order[made.offsets[n]]), f" ({len(early):,} such records)" if len(early) > 1 else ""
        when = "at" if onset[n] == first[n] else "before"
        raise DataError(
            f"{table.where(row, event)}: the event of record {shown(made.ids[n])} comes {when} its first row, so that "
            f"nothing precedes it; leave the record out, or correct its time{more}."
        )
