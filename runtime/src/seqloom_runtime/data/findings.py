"""The sentences of the quality report, and the errors about rows, from the arrays that the assembly makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import DataError, shown
from .durations import MICROSECONDS
from .frequency import DAY, Frequency
from .quality import EXAMPLES, Finding, Repair, plural
from .repair import Repaired
from .table import Table
from .zones import instants_to_wall

__all__ = [
    "conflict",
    "constant",
    "duplicates",
    "fillings",
    "gaps",
    "in_series",
    "instants",
    "missing_cells",
    "moment",
    "named_sentinel",
    "off_grid",
    "plural",
    "repeated_hour",
    "sentinels",
    "unsorted",
]

_MARKS = (32767.0, 65535.0, 2147483647.0)


def moment(frequency: Frequency, ticks: np.ndarray) -> Callable[[int], str]:
    """A function that says the time of one of `ticks`, by position: ISO 8601 with the zone's offset, or "step 7"."""

    def label(position: int) -> str:
        if frequency.kind == "step":
            return f"step {int(ticks[position])}"
        time = frequency.times(ticks[position : position + 1])
        wall = instants_to_wall(time.view(np.int64), frequency.zone)
        text = str(
            wall.view("M8[us]")[0].astype(
                "M8[D]" if frequency.kind != "fixed" and not frequency.anchor % DAY else "M8[us]"
            )
        )
        text = text.removesuffix(".000000")
        if frequency.zone is None or "T" not in text:
            return text
        seconds = int((wall - time.view(np.int64))[0]) // 1_000_000
        return f"{text}{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"

    return label


# -- findings -------------------------------------------------------------------------------------------------------


def sentinels(table: Table, names: Sequence[str], values: np.ndarray, named: Sequence[float]) -> list[Finding]:
    """One finding per column and value that looks like a mark for "missing" and wasn't named as one.

    Such a value is made of nines (-9999, 999.9), is the largest of an integer type, or is beyond 1e15, and lies farther
    from the column's other values than these lie apart.
    """
    found = []
    for position, name in enumerate(names):
        column = values[:, position]
        marks = []
        while len(rest := column[~np.isnan(column) & ~np.isin(column, [*marks, *named])]) > 1:
            mark = next((m for m in (float(rest.min()), float(rest.max())) if _is_mark(m) and _is_far(m, rest)), None)
            if mark is None:
                break
            marks.append(mark)
        for mark in marks:
            rows = np.flatnonzero(column == mark)
            where = f"{table.unit} {int(table.numbers_of(rows[:1])[0])}"
            text = (
                f"Column {shown(name)}: {plural(len(rows), 'value')} of {mark:.10g}, first at {where}, far from all "
                f"others, may mark missing "
                f"cells; if so, name {mark:.10g} as missing (missing=)."
            )
            found.append(
                Finding("sentinel", len(rows), text, _examples(table, rows, name, [f"{mark:.10g}"] * len(rows)))
            )
    return found


def _is_mark(value: float) -> bool:
    digits = f"{abs(value):.10g}".replace(".", "").rstrip("0")
    return (len(digits) > 1 and set(digits) == {"9"}) or abs(value) in _MARKS or value == -32768.0 or abs(value) >= 1e15


def _is_far(mark: float, values: np.ndarray) -> bool:
    others = values[values != mark]
    if not len(others):
        return False
    low, high = float(others.min()), float(others.max())
    # In Python floats, where differences of the largest numbers become infinite without a warning.
    return min(abs(mark - low), abs(mark - high)) > max(high - low, 1e-9) and not low <= mark <= high


def missing_cells(table: Table, names: Sequence[str], values: np.ndarray) -> list[Finding]:
    """One finding on the missing cells of all columns."""
    holes = np.isnan(values)
    if not holes.any():
        return []
    places = np.argwhere(holes)[:EXAMPLES]
    rows = table.numbers_of(places[:, 0])
    counts = [(int(c), name) for name, c in zip(names, holes.sum(axis=0)) if c]
    listed = ", ".join(f"{count:,} in {shown(name)}" for count, name in counts[:EXAMPLES]) + (
        ", …" if len(counts) > EXAMPLES else ""
    )
    total = int(holes.sum())
    text = (
        f"{plural(total, 'missing cell')}: {listed}; first at {table.unit} {int(rows[0])}, column "
        f"{shown(names[places[0, 1]])}."
    )
    return [
        Finding(
            "missing", total, text, tuple((int(row), names[int(column)], "") for row, column in zip(rows, places[:, 1]))
        )
    ]


def constant(table: Table, names: Sequence[str], values: np.ndarray) -> list[Finding]:
    """One finding on the columns that hold a single value throughout."""
    found = []
    for position, name in enumerate(names):
        column = values[:, position]
        column = column[~np.isnan(column)]
        if len(column) > 1 and (column == column[0]).all():
            found.append((name, f"{column[0]:.10g}"))
    if not found:
        return []
    listed = ", ".join(f"{shown(name)} (always {value})" for name, value in found[:EXAMPLES]) + (
        ", …" if len(found) > EXAMPLES else ""
    )
    tell = "tells" if len(found) == 1 else "tell"
    text = f"{plural(len(found), 'constant column')}, which {tell} a model nothing: {listed}."
    first = int(table.numbers_of(np.array([0]))[0])
    return [Finding("constant", len(found), text, tuple((first, name, value) for name, value in found[:EXAMPLES]))]


def instants(table: Table, time: str, zone: str) -> Finding:
    """The times carried offsets or counted seconds, so they are instants."""
    return Finding(
        "offsets",
        table.rows,
        f"Column {shown(time)} holds instants (UTC offsets or epoch numbers), read as times of {zone}.",
    )


def repeated_hour(table: Table, time: str, zone: str, rows: np.ndarray) -> Finding:
    """Rows in an hour that the clock showed twice, present only once."""
    cells = [str(table.cells[time][int(row)]) for row in rows[:EXAMPLES]]
    text = (
        f"{plural(len(rows), 'row')} in an hour that the clocks of {zone} showed twice, present only once in the "
        f"table, taken as its "
        f"first showing; the first is {table.place(int(rows[0]))}, {cells[0]}."
    )
    return Finding("repeated-hour", len(rows), text, _examples(table, rows, time, cells))


def unsorted(table: Table, falls: np.ndarray, rows: int, label: Callable[[int], str]) -> Finding:
    """Rows that lie earlier in time than the row before them."""
    if len(falls) == rows - 1:
        text = "The rows run backwards in time."
    else:
        text = (
            f"{plural(len(falls), 'row')} earlier in time than the row before, the first at "
            f"{table.place(int(falls[0]))}."
        )
    return Finding(
        "unsorted", len(falls), text, _examples(table, falls, None, [label(int(row)) for row in falls[:EXAMPLES]])
    )


def duplicates(table: Table, rows: np.ndarray, label: Callable[[int], str]) -> Finding:
    """Rows that repeat another one's time and values."""
    times = [label(position) for position in range(min(len(rows), EXAMPLES))]
    text = (
        f"{plural(len(rows), 'row')} that repeat{'s' if len(rows) == 1 else ''} another exactly, the first at "
        f"{table.place(int(rows[0]))} ({times[0]})."
    )
    return Finding("duplicate", len(rows), text, _examples(table, rows, None, times))


def gaps(
    table: Table,
    order: np.ndarray,
    whole: Repaired,
    label: Callable[[int], str],
    max_fill: int,
    series: np.ndarray,
    ids: Sequence[str],
) -> list[Finding]:
    """One finding on short gaps, one on long ones; examples are the rows before the largest gaps. series: (R,) number
    of each row's series in `ids`."""
    found = []
    for pieces, long in ((whole.short, False), (whole.long, True)):
        if not len(pieces):
            continue
        largest = pieces[np.argsort(-pieces[:, 1], kind="stable")][:EXAMPLES]
        at, count = (int(n) for n in largest[0])
        limit = f" of more than {max_fill} rows" if long else ""
        text = (
            f"{plural(len(pieces), 'gap')}{limit}, {plural(int(pieces[:, 1].sum()), 'row')} missing in all"
            f"{in_series(pieces, series, ids)}; "
            f"the largest, of {plural(count, 'row')}, after {table.place(int(order[at]))} ({label(at)})."
        )
        examples = tuple(
            (int(number), None, f"{int(missing)} after {label(int(row))}")
            for number, (row, missing) in zip(table.numbers_of(order[largest[:, 0]]), largest)
        )
        found.append(Finding("gap", len(pieces), text, examples))
    return found


def in_series(pieces: np.ndarray, series: np.ndarray, ids: Sequence[str]) -> str:
    """In which series the gaps (G, 2) are: the two with the largest by name, and how many others; "" of one series."""
    if len(ids) < 2:
        return ""
    largest = series[pieces[np.argsort(-pieces[:, 1], kind="stable"), 0]]
    _, first = np.unique(largest, return_index=True)
    named = [shown(ids[number]) for number in largest[np.sort(first)[:2]].tolist()]
    others = len(first) - len(named)
    return (
        f" in series {', '.join(named)} and {others:,} other{'s' * (others > 1)}"
        if others
        else (f" in series {' and '.join(named)}")
    )


def _examples(
    table: Table, rows: np.ndarray, column: str | None, values: Sequence[str]
) -> tuple[tuple[int, str | None, str], ...]:
    return tuple((int(number), column, value) for number, value in zip(table.numbers_of(rows[:EXAMPLES]), values))


# -- repairs --------------------------------------------------------------------------------------------------------


def named_sentinel(table: Table, names: Sequence[str], hits: np.ndarray, mark: float) -> Repair:
    """Cells that held a value named as missing."""
    counts = [(int(c), name) for name, c in zip(names, hits.sum(axis=0)) if c]
    listed = ", ".join(f"{count:,} in {shown(name)}" for count, name in counts[:EXAMPLES]) + (
        ", …" if len(counts) > EXAMPLES else ""
    )
    first = int(np.flatnonzero(hits.any(axis=1))[0])
    count = int(hits.sum())
    text = f"{plural(count, 'cell')} of {mark:.10g} taken as missing: {listed}; first at {table.place(first)}."
    return Repair("sentinel", count, text)


def filled_with(fill: str, season: int) -> tuple[str, str]:
    """What stands in one inserted row or filled cell, and in several, in words; empty where nothing does."""
    if fill == "none":
        return "", ""
    ways = {
        "carry": ("the last value before", "the last values before"),
        "interpolate": ("a value on the line between its neighbours", "values on the lines between their neighbours"),
        "season": (f"the value {season} rows before", f"the values {season} rows before"),
    }
    return ways[fill]


def fillings(
    inserted: np.ndarray,
    filled: np.ndarray,
    holes: np.ndarray,
    ahead: np.ndarray,
    whole: Repaired,
    max_fill: int,
    how: tuple[str, str],
    where: str,
) -> list[Repair]:
    """What was inserted, what was filled with what (`how`: of one cell, of several), and what stays missing, `where`
    long gaps do; cells `ahead` (R, F) are neither."""
    repairs = []
    rows = int(inserted.sum())
    cells = int((filled & ~ahead)[~inserted].sum())
    left = int((holes & ~ahead).sum())
    if rows:
        text = (
            f"{plural(rows, 'row')} inserted in {plural(len(whole.short), 'gap')} of at most {max_fill} rows, with "
            f"{how[1] or 'no values'}, and marked."
        )
        repairs.append(Repair("inserted", rows, text))
    if cells:
        text = f"{plural(cells, 'missing cell')} filled with {how[0]}, at most {max_fill} rows back, and marked."
        repairs.append(Repair("filled", cells, text))
    if left:
        text = f"{plural(left, 'cell')} left missing: no value within {max_fill} rows before; no window reads them."
        if not how[0]:
            text = (
                f"{plural(left, 'cell')} left missing (fill='none'): networks read the training mean and a flag there."
            )
        repairs.append(Repair("left", left, text))
    if len(whole.long):
        missing = int(whole.long[:, 1].sum())
        text = f"{plural(len(whole.long), 'gap')} of {plural(missing, 'row')} in all left open{where}"
        text += "; no window crosses one."
        repairs.append(Repair("left", missing, text))
    return repairs


# -- refusals -------------------------------------------------------------------------------------------------------


def off_grid(table: Table, time: str, frequency: Frequency, fits: np.ndarray) -> DataError:
    """Times that lie between the ticks of the grid."""
    rows = np.flatnonzero(~fits)
    cell = str(table.cells[time][int(rows[0])])
    hint = ""
    if frequency.zone not in (None, "UTC") and frequency.kind == "fixed" and frequency.n > 3_600_000_000:
        hint = (
            " Where the clock is set, steps of more than an hour are irregular; without the zone they may be regular."
        )
    return DataError(
        f"{table.where(int(rows[0]), time)}: {cell} does not lie on the grid of one row every "
        f"{frequency.label} "
        f"({plural(len(rows), 'such row')}); correct the time, remove the row, or say "
        f"resample='{_step_words(frequency)}' to put the rows of each step "
        f"together.{hint}"
    )


def conflict(
    table: Table,
    names: Sequence[str],
    values: np.ndarray,
    order: np.ndarray,
    pairs: np.ndarray,
    label: Callable[[int], str],
    zone: str | None,
    id: str | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
) -> DataError:
    """Two rows for one time that differ; `id` is what may tell them apart, `words` those of columns of words."""
    first, second = (int(i) for i in pairs[0])
    here, there = values[first], values[second]
    differ = np.flatnonzero(~((here == there) | (np.isnan(here) & np.isnan(there)))).tolist()
    column = next((at for at in differ if names[at] not in (words or ())), differ[0])
    one, other = (_cell(values[column], (words or {}).get(names[column])) for values in (here, there))
    numbers = sorted(int(n) for n in table.numbers_of(order[[first, second]]))
    text = label(first)
    hint = (
        "remove one of them, say duplicates='mean' (or first, last, sum), or name the id column (id=) "
        "if they belong to different series"
    )
    clock_change = zone is None and all(_may_be_set_back(label(int(a))) for a, _ in pairs)
    if clock_change:
        hint = (
            "if this is the hour that clocks show twice in autumn, name the time zone (zone=), else remove one of "
            "them or say duplicates='mean' (or first, last, sum)"
        )
    if id is not None:
        named = "columns name" if "," in id else "column names"
        hint = (
            f"if the {named} the series, say id={id!r}, which tells all rows of a time apart. Only where they "
            "measure one and the same series again, duplicates='mean' puts them together"
        )
    more = f" ({len(pairs):,} such pairs)" if len(pairs) > 1 else ""
    return DataError(
        f"{table.source}: {table.unit}s {numbers[0]} and {numbers[1]} hold different values for one time, {text}, "
        f"for example "
        f"{one} and {other} in column {shown(names[column])}{more}; {hint}."
    )


def _cell(value: float, words: Sequence[str] | None) -> str:
    if words is None:
        return f"{value:.10g}"
    return "an empty cell" if value < 0 else shown(words[int(value)])


def _step_words(frequency: Frequency) -> str:
    """The step of a grid as it is typed, such as "10min"."""
    for unit, size in reversed(MICROSECONDS.items()):
        if frequency.kind == "fixed" and frequency.n % size == 0:
            return f"{frequency.n // size}{unit}"
    return f"{frequency.n}{'mo' if frequency.kind == 'month' else 'd'}"


def _may_be_set_back(text: str) -> bool:
    if "T" not in text:
        return False
    time = np.datetime64(text)
    month = int(time.astype("M8[M]").astype(np.int64)) % 12 + 1
    return int(text.split("T")[1][:2]) <= 3 and month in (2, 3, 4, 9, 10, 11)
