"""Tables drawn at random in the forms that people write them in, with what they hold: dates in any order, clocks,
separators, decimal and thousands marks, lines before and behind, units, ids."""

from __future__ import annotations

import datetime as dt
import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqloom.data import Panel, read_table
from seqloom.errors import SeqloomError
from seqloom_runtime.data.time_columns import choose_time

__all__ = ["Drawn", "draw_table", "read_as"]

_LONG = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
_SHORT = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
}
_STEPS = {
    "15min": dt.timedelta(minutes=15),
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
    "week": dt.timedelta(days=7),
}
_BEFORE = (["Export of the meter"], ["# a comment"], ["Meter 7", "Place: here", ""])
_MARKS = ("", "", "-", "NA", "n/a", "#N/A", ".", "?", "null", "—")


@dataclass
class Drawn:
    """A table as text, and what it holds: `times` (N,), `values` (N,) by column and series, `id` the column of the
    names of the series. `how` tells what was drawn."""

    text: str
    times: list[dt.datetime]
    values: dict[str, dict[str, list[float]]]
    id: str | None
    how: dict[str, Any] = field(default_factory=dict)


def draw_table(number: int) -> Drawn:
    """The table of that number."""
    draw = random.Random(f"table {number}")
    how: dict[str, Any] = {"number": number}
    step = how["step"] = draw.choice(["15min", "hour", "hour", "day", "day", "day", "week", "month", "month"])
    count = how["count"] = draw.choice([8, 15, 40, 70])
    times = _times(draw, step, count)
    written, heads = _written(draw, step, how)
    separator = how["separator"] = draw.choice([",", ",", ";", "\t", "|"])
    number_text = _numbers(draw, how)
    names = how["series"] = draw.choice([[""], [""], [""], ["north", "south"], ["1", "2", "3"]])
    columns = how["columns"] = draw.choice([["load"], ["load", "temp"], ["Umsatz (EUR)", "n"]])
    units = how["units"] = draw.random() < 0.15
    how["mark"] = draw.choice(_MARKS) if draw.random() < 0.3 else None
    size = how["size"] = draw.choice([1, 100, 10_000, 3_000_000])
    places = how["places"] = draw.choice([0, 1, 2, 2, 3])
    quoted = how["quoted"] = draw.random() < 0.2
    order = list(range(count))
    if draw.random() < 0.15:
        order, how["reversed"] = order[::-1], True
    values, held = _values(draw, how, number_text)
    note = how["note"] = draw.random() < 0.15
    rows = [
        [*written(times[row]), *([name] if name else []), *held[name, row], *([f"checked by {row}"] if note else [])]
        for row in order
        for name in names
    ]
    header = [*heads, *(["site"] if names != [""] else []), *columns, *(["remark"] if note else [])]

    def joined(cells: list[str]) -> str:
        return separator.join(f'"{cell}"' if quoted or separator in cell else cell for cell in cells)

    lines = [joined(row) for row in [header, *rows]]
    if units:
        said = [*[""] * (len(header) - len(columns) - note), *["kWh"] * len(columns), *[""] * note]
        lines.insert(1, separator.join(said))
    before = how["before"] = draw.choice([[], [], [], *_BEFORE])
    if draw.random() < 0.15:
        total = [""] * len(header)
        total[0], total[-1 - note], how["footer"] = "Total", number_text(float(size), places), True
        lines.append(joined(total))
    end = how["end"] = draw.choice(["\n", "\r\n"])
    text = end.join([*before, *lines]) + draw.choice(["", end])
    return Drawn(text, times, values, "site" if names != [""] else None, how)


def _values(
    draw: random.Random, how: dict[str, Any], text: Callable[[float, int], str]
) -> tuple[dict[str, dict[str, list[float]]], dict[tuple[str, int], list[str]]]:
    """Numbers by series and column, NaN where missing, and how they are written by series and row."""
    count, size, places, mark = how["count"], how["size"], how["places"], how["mark"]
    values: dict[str, dict[str, list[float]]] = {name: {} for name in how["series"]}
    held: dict[tuple[str, int], list[str]] = {}
    for name in how["series"]:
        for column in how["columns"]:
            values[name][column] = [
                round(draw.uniform(0.05, 1) * size * (draw.random() > 0.05), places) for _ in range(count)
            ]
        for row in range(count):
            texts = []
            for column in how["columns"]:
                if mark is not None and 0 < row < count - 1 and draw.random() < 0.06:
                    values[name][column][row] = float("nan")
                    texts.append(mark)
                else:
                    texts.append(text(values[name][column][row], places))
            held[name, row] = texts
    return values, held


def _times(draw: random.Random, step: str, count: int) -> list[dt.datetime]:
    year = draw.choice([1998, 2009, 2012, 2019, 2023])
    start = dt.datetime(year, draw.randint(1, 12), draw.randint(1, 28))
    if step == "month":
        first = start.year * 12 + start.month - 1
        return [dt.datetime((first + k) // 12, (first + k) % 12 + 1, 1) for k in range(count)]
    start += dt.timedelta(hours=draw.choice([0, 0, 7, 13])) if step in ("15min", "hour") else dt.timedelta()
    return [start + k * _STEPS[step] for k in range(count)]


def _written(
    draw: random.Random, step: str, how: dict[str, Any]
) -> tuple[Callable[[dt.datetime], list[str]], list[str]]:
    """A function that writes a time as one cell or two, and the heads of these."""
    language = draw.choice(["en", "en", "de"])
    long, short = _LONG[language].split(), _SHORT[language].split()
    clocked = step in ("15min", "hour")
    mark = draw.choice("/.-")
    pad = draw.random() < 0.7
    two = draw.random() < 0.25
    form = draw.choice(["iso", "dmy", "dmy", "mdy", "ymd", "name", "name first"])
    if step == "month":
        form = draw.choice(["iso month", "name month", "name-yy", "month/year", "dmy", "mdy", "number"])

    def date(t: dt.datetime) -> str:
        year = f"{t.year % 100:02}" if two else str(t.year)
        day, month = (f"{t.day:02}", f"{t.month:02}") if pad else (str(t.day), str(t.month))
        return {
            "iso": f"{t:%Y-%m-%d}",
            "dmy": mark.join([day, month, year]),
            "mdy": mark.join([month, day, year]),
            "ymd": mark.join([str(t.year), month, day]),
            "name": f"{day}{'-' if mark == '-' else ' '}{short[t.month - 1]}{'-' if mark == '-' else ' '}{year}",
            "name first": f"{(long if pad else short)[t.month - 1]} {day}, {t.year}",
            "iso month": f"{t:%Y-%m}",
            "name month": f"{(long if pad else short)[t.month - 1]} {t.year}",
            "name-yy": f"{short[t.month - 1]}-{t.year % 100:02}",
            "month/year": f"{month}/{t.year}",
            "number": f"{t:%Y%m}",
        }[form]

    clock_form = draw.choice(["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%-H:%M"])
    split = clocked and draw.random() < 0.35
    between = (
        draw.choice([" ", " ", "T"]) if form == "iso" and "%p" not in clock_form and "%-H" not in clock_form else " "
    )
    head = draw.choice(["date", "Datum", "Timestamp"]) if not split else draw.choice(["Date", "Datum"])
    how["time"] = (
        form,
        mark,
        "pad" if pad else "",
        "yy" if two else "",
        clock_form if clocked else "",
        "split" if split else "",
    )

    def write(t: dt.datetime) -> list[str]:
        if not clocked:
            return [date(t)]
        time = t.strftime(clock_form)
        return [date(t), time] if split else [f"{date(t)}{between}{time}"]

    return write, [head, "Time" if head == "Date" else "Uhrzeit"] if split else [head]


def _numbers(draw: random.Random, how: dict[str, Any]) -> Callable[[float, int], str]:
    decimal = draw.choice([".", ".", ","])
    thousands = draw.choice(["", "", "", {".": ",", ",": "."}[decimal], " ", "'"])
    around = draw.choice(["{}"] * 8 + ["€ {}", "{} %"])
    how["numbers"] = (decimal, thousands, around)

    def write(value: float, places: int) -> str:
        whole, _, rest = f"{value:,.{places}f}".partition(".")
        text = whole.replace(",", thousands) + (decimal + rest if places else "")
        return around.format(text)

    return write


def read_as(drawn: Drawn, path: Path) -> tuple[str, list[str]]:
    """How a table that was drawn is read: "right", "settled" where one of the ways that are told makes it right, or
    what is wrong about it; and what was told, or asked."""
    path.write_bytes(drawn.text.encode())
    wrong, said = _read(drawn, path, {})
    if not wrong:
        return "right", said
    for ways in _ways(said):
        answer, more = _read(drawn, path, ways)
        if not answer or any(not _read(drawn, path, {**ways, **further})[0] for further in _ways(more)):
            return "settled", said
    return wrong, said


def _ways(said: list[str]) -> Iterator[dict[str, str]]:
    """The options that sentences name, one of each kind at a time."""
    found: dict[str, list[str]] = {}
    for text in said:
        for name, value in re.findall(r"\b(time_format|decimal|thousands|missing)='(.*?)'", text):
            found.setdefault(name, []).append(value)
    choices = [[None, *dict.fromkeys(values)] for values in found.values()]
    for picked in itertools.islice(itertools.product(*choices), 1, 64):
        yield {name: value for name, value in zip(found, picked) if value is not None}


def _read(drawn: Drawn, path: Path, ways: dict[str, str]) -> tuple[str, list[str]]:
    """What is wrong in what was read, and what was said."""
    how: dict[str, Any] = {name: value for name, value in ways.items() if name in ("decimal", "thousands")}
    if "missing" in ways:
        how["missing"] = [ways["missing"]]
    form = ways.get("time_format")
    try:
        table = read_table(path, **how)
        time = choose_time(table, None, form).time
        if time is None:
            return "rows are counted", [decision.text for decision in table.decisions]
        panel = Panel.from_frame(table, time=time, id=drawn.id, max_fill=0, time_format=form)
    except SeqloomError as error:
        return f"refused: {error}", [str(error)]
    assert panel.quality is not None
    return _wrong_in(drawn, panel), [decision.text for decision in panel.quality.decisions]


def _wrong_in(drawn: Drawn, panel: Panel) -> str:
    for name, columns in drawn.values.items():
        part = panel.series(name) if drawn.id is not None else panel
        if part.time is None or not np.array_equal(part.time, np.array(drawn.times, dtype="M8[us]")):
            return f"times {None if part.time is None else part.time[:2]}, not {drawn.times[:2]}"
        for column, values in columns.items():
            if column not in panel.columns:
                return f"{column} is left out"
            found = part.column(column)
            odd = np.flatnonzero(~np.isclose(found, values, rtol=1e-12, atol=0, equal_nan=True))
            if len(odd):
                return f"{column}: {found[odd[0]]} not {values[odd[0]]}"
    return ""
