"""Every written form of times against datetime's own writing, in every form, separator and clock."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Panel, Table
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.time_cells import byte_matrix, shapes_of
from seqloom_runtime.data.time_forms import layout_of
from seqloom_runtime.data.times import parse_numbers, parse_texts

EPOCH = dt.datetime(1970, 1, 1)
MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
]


def micros(time: dt.datetime) -> int:
    return (time - EPOCH) // dt.timedelta(microseconds=1)


def read(cells, form=None) -> list[str]:
    found = parse_texts(cells, form)
    assert not len(found.bad), (cells, found.reason)
    assert not found.question, found.question
    unit = "m" if (found.values % 60_000_000 == 0).all() else "us"
    return np.datetime_as_string(found.values.view("M8[us]"), unit=unit).tolist()


ONE = {
    "Jan-49": "1949-01-01T00:00",
    "jan 2012": "2012-01-01T00:00",
    "JANUARY 2012": "2012-01-01T00:00",
    "Jan'12": "2012-01-01T00:00",
    "2012 Sept": "2012-09-01T00:00",
    "2012-May": "2012-05-01T00:00",
    "29 Apr 2020": "2020-04-29T00:00",
    "29-Apr-20": "2020-04-29T00:00",
    "29apr2020": "2020-04-29T00:00",
    "29. April 2020": "2020-04-29T00:00",
    "1st May 2020": "2020-05-01T00:00",
    "Apr 29, 2020": "2020-04-29T00:00",
    "April 9, 2020 3:04 PM": "2020-04-09T15:04",
    "Apr  9 2020 12:00AM": "2020-04-09T00:00",
    "Wed, 29 Apr 2020 10:11:00 +0200": "2020-04-29T08:11",
    "Wed Apr 29 12:34:00 2020": "2020-04-29T12:34",
    "10/Oct/2000:13:55:00 -0700": "2000-10-10T20:55",
    "1 März 2020": "2020-03-01T00:00",
    "15 DÉC. 2020": "2020-12-15T00:00",
    "3 août 2020": "2020-08-03T00:00",
    "2018-W01-3": "2018-01-03T00:00",
    "2018W013": "2018-01-03T00:00",
    "2018-W01": "2018-01-01T00:00",
    "2020W53": "2020-12-28T00:00",
    "W01 2018": "2018-01-01T00:00",
    "KW 1/2020": "2019-12-30T00:00",
    "Q1 1995": "1995-01-01T00:00",
    "1995Q4": "1995-10-01T00:00",
    "q3-1995": "1995-07-01T00:00",
    "3Q95": "1995-07-01T00:00",
    "1. Quartal 2020": "2020-01-01T00:00",
    "2018H2": "2018-07-01T00:00",
    "2020M07": "2020-07-01T00:00",
    "2020-060": "2020-02-29T00:00",
    "07/2020": "2020-07-01T00:00",
    "2020/07": "2020-07-01T00:00",
    "20200131T1830": "2020-01-31T18:30",
    "20200131 18:30": "2020-01-31T18:30",
    "20200131183000": "2020-01-31T18:30",
    "202001311830": "2020-01-31T18:30",
    "2020013118": "2020-01-31T18:00",
    "2020-01-31 24:00": "2020-02-01T00:00",
    "2020-01-31T05": "2020-01-31T05:00",
    "2020-01-31 5 PM": "2020-01-31T17:00",
    "2020-01-31 12:00 a.m.": "2020-01-31T00:00",
    "2020-01-31 12:30\u202fPM": "2020-01-31T12:30",
    "2020-01-31, 17:05": "2020-01-31T17:05",
    "2020-01-31_17:05": "2020-01-31T17:05",
    "31.01.2020 17.05": "2020-01-31T17:05",
    "31.01.2020 17:05 Uhr": "2020-01-31T17:05",
    "31. 1. 2020": "2020-01-31T00:00",
    "31.01.2020 00:00 - 31.01.2020 01:00": "2020-01-31T00:00",
    "31/01/2020 00:00:00 - 31/01/2020 01:00:00": "2020-01-31T00:00",
    "2020-01-31T00:00/2020-01-31T01:00": "2020-01-31T00:00",
    "2020-01-01 – 2020-01-31": "2020-01-01T00:00",
    "2020-01-31 00:00 GMT": "2020-01-31T00:00",
    "2020-01-31 00:00:00 +0000 UTC": "2020-01-31T00:00",
    "2020-01-31T01:00+01:00[Europe/Paris]": "2020-01-31T00:00",
    "2020年1月31日": "2020-01-31T00:00",
    "2020년 1월 31일 10:00": "2020-01-31T10:00",
    "2020. 1. 31.": "2020-01-31T00:00",
    "13:45 31-01-2020": "2020-01-31T13:45",
    "1995:03": "1995-03-01T00:00",
    "2020-01-31T00:00:00-0800": "2020-01-31T08:00",
}  # fmt: skip


@pytest.mark.parametrize("text", ONE)
def test_one_cell_of_every_form(text):
    assert read([text, text]) == [ONE[text]] * 2
    assert read(pl.Series([f" {text} ", text])) == [ONE[text]] * 2


NONE = [
    "13/13/2020", "00/01/2020", "31/02/2020", "2020-W54", "2019-W53", "2020-W00", "2020-366-1", "2021-366", "Q5 1995",
    "Foo 2020", "29 Feb 2021", "32 Jan 2020", "2020-01-01 13:00 AM", "2020-01-01 0:60 PM", "12-Apr", "12:30", "Total",
    "2020-01-01 10:00 CET", "2018H3", "2020M13", "2020-01-01T00:00+15:00", "1/2", "2020-1-", "--",
]  # fmt: skip


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_time_is_blamed_itself(text):
    cells = ["2020-01-01", "2020-01-02", text, "2020-01-04"]
    found = parse_texts(cells)
    np.testing.assert_array_equal(found.bad, [2])
    assert "is not a time" in found.reason
    table = Table.from_frame(pl.DataFrame({"t": cells, "x": [1, 2, 3, 4]}))
    with pytest.raises(DataError, match=r"the frame, row 3, column 't': .* not a time"):
        Panel.from_frame(table, time="t")


DATES = {
    "dmy": ("{d}{s}{m}{s}{Y}", "{d:02}{s}{m:02}{s}{Y}", "{d:02}{s}{m:02}{s}{y:02}"),
    "mdy": ("{m}{s}{d}{s}{Y}", "{m:02}{s}{d:02}{s}{Y}", "{m:02}{s}{d:02}{s}{y:02}"),
    "ymd": ("{Y}{s}{m}{s}{d}", "{Y}{s}{m:02}{s}{d:02}", "{y:02}{s}{m:02}{s}{d:02}"),
    "names": ("{d} {b} {Y}", "{d:02}-{b}-{y:02}", "{B} {d}, {Y}", "{B} {d} {Y}", "{d}. {B} {Y}", "{Y}-{b}-{d:02}"),
}
CLOCKS = {
    "": ("", "day"),
    " {H:02}:{M:02}": ("", "minute"),
    " {H}:{M:02}:{S:02}": ("", "second"),
    " {H:02}.{M:02}": ("", "minute"),
    " {I}:{M:02} {p}": ("", "minute"),
    " {I:02}:{M:02}:{S:02}{p}": ("", "second"),
    "T{H:02}:{M:02}:{S:02}.{f:06}": ("", "microsecond"),
}


def written(time: dt.datetime, form: str, separator: str) -> str:
    return form.format(
        d=time.day, m=time.month, Y=time.year, y=time.year % 100, s=separator, b=MONTHS[time.month - 1][:3],
        B=MONTHS[time.month - 1], H=time.hour, I=(time.hour + 11) % 12 + 1, p="AM" if time.hour < 12 else "PM",
        M=time.minute, S=time.second, f=time.microsecond,
    )  # fmt: skip


def cut(time: dt.datetime, clock: str) -> dt.datetime:
    unit = CLOCKS[clock][1]
    zeros = {"day": ("hour", "minute", "second", "microsecond"), "minute": ("second", "microsecond")}
    zeros |= {"second": ("microsecond",), "microsecond": ()}
    lower: Any = dict.fromkeys(zeros[unit], 0)
    return time.replace(**lower)


@pytest.mark.parametrize("order", DATES)
@given(data=st.data())
def test_series_come_back_from_every_form(order, data):
    """Either the same series, or the one sentence that asks; a form that is named always gives the same series."""
    form = data.draw(st.sampled_from(DATES[order]))
    clock = data.draw(st.sampled_from(list(CLOCKS)))
    separator = data.draw(st.sampled_from("/-."))
    start = cut(data.draw(st.datetimes(dt.datetime(1935, 1, 1), dt.datetime(2025, 12, 31))), clock)
    step = data.draw(st.sampled_from((86_400, 7 * 86_400) if not clock else (60, 900, 3_600, 86_400)))
    count = data.draw(st.integers(4, 60))
    times = [cut(start + dt.timedelta(seconds=step * k), clock) for k in range(count)]
    if clock.endswith("{f:06}"):
        times = [start + dt.timedelta(seconds=step * k) for k in range(count)]
    cells = [written(t, form + clock, separator) for t in times]
    expected = [micros(t) for t in times]
    found = parse_texts(cells)
    assert not len(found.bad), (cells[0], found.reason)
    if found.question:
        assert order != "names"
        assert "time_format=" in found.question
        assert all(t.day <= 12 for t in times) or "{y:02}" in form
    elif (found.values == expected).all():
        assert found.kind == "wall"
    else:  # dots are day first and AM/PM on one day month first by custom, which is said
        assert (separator == "." and order != "dmy") or ("{p}" in clock and order == "dmy") or "{y:02}" in form
        assert any(what == "time-format" and "otherwise" in text for what, text in found.decisions)
    if order != "names":
        named = parse_texts(cells, order)
        assert not len(named.bad), (cells[0], named.reason)
        np.testing.assert_array_equal(named.values, expected)
        np.testing.assert_array_equal(parse_texts(pl.Series(cells), order).values, expected)


PATTERNS = (
    "%d/%m/%y %H:%M",
    "%Y%m%d%H%M",
    "%b %d %Y %I:%M %p",
    "%A %d %B %Y %H.%M",
    "%j/%Y %H:%M",
    "%H:%M %d-%m-%Y",
    "%F %T",
)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2025, 12, 31)), min_size=1, max_size=9))
def test_patterns_read_what_strftime_writes(pattern, times):
    times = [t.replace(second=0, microsecond=0) for t in times]
    found = parse_texts([t.strftime(pattern) for t in times], pattern)
    assert not len(found.bad), (found.reason, times[0].strftime(pattern))
    if "%y" not in pattern or len({t.year // 50 for t in times}) == 1:
        np.testing.assert_array_equal(found.values, [micros(t) for t in times])


@pytest.mark.parametrize(
    "form", ["", "dd", "xyz", "%H:%M", "%Q %Y", "%Y %Y", "%", "%Y-%m-%", "d m y", "%d" * 60, "dmy ", None, 3]
)
def test_forms_that_are_refused(form):
    if form is None:
        return
    with pytest.raises(SettingError, match="time_format: "):
        parse_texts(["2020-01-01"], form)


def test_a_cell_that_lacks_the_named_form():
    found = parse_texts(["1/2/2020", "2020-01-03"], "dmy")
    np.testing.assert_array_equal(found.bad, [1])
    assert "'dmy'" in found.reason


def test_ends_behind_a_minus_are_intervals_where_they_move():
    quarters = ["00:00-00:15", "00:15-00:30", "23:45-00:00"]
    assert read([f"01.01.2020 {clock}" for clock in quarters])[1:] == ["2020-01-01T00:15", "2020-01-01T23:45"]
    offsets = parse_texts(["2020-01-01 00:00-08:00", "2020-01-01 01:00-08:00", "2020-04-01 01:00-07:00"])
    assert offsets.kind == "instants"


def test_years_that_end_in_the_next():
    found = parse_texts(["2009/10", "2010/11", "2011/12"])
    assert found.values.view("M8[us]").astype("M8[Y]").astype(str).tolist() == ["2009", "2010", "2011"]
    assert "time_format='ym' for months" in found.decisions[0][1]
    assert read(["2009/10", "2010/11", "2011/12"], "ym")[1] == "2010-11-01T00:00"
    assert read(["2009/10", "2009/11"])[1] == "2009-11-01T00:00"


@pytest.mark.parametrize(
    ("cell", "why"), [("12:30", "has no date"), ("12-Apr", "has no year"), ("2020-01-01 10:00 CET", "a zone's name")]
)
def test_what_is_missing_is_said(cell, why):
    assert why in parse_texts(["2020-01-01", cell, "2020-01-03"]).reason


NUMBERS = {
    "months": ([201211, 201212, 201301], ["2012-11-01", "2012-12-01", "2013-01-01"]),
    "days": ([20201231, 20210101], ["2020-12-31", "2021-01-01"]),
    "day first": ([31122020, 1012021], ["2020-12-31", "2021-01-01"]),
    "month first": ([12312020, 1012021], ["2020-12-31", "2021-01-01"]),
    "years": ([1999, 2000], ["1999-01-01", "2000-01-01"]),
    "decimal months": ([1949.0, 1949.0833, 1949.1667], ["1949-01-01", "1949-02-01", "1949-03-01"]),
    "middles": ([1749.042, 1749.123, 1749.204, 1749.288], ["1749-01-01", "1749-02-01", "1749-03-01", "1749-04-01"]),
    "decimal quarters": ([1995.0, 1995.25, 1995.5], ["1995-01-01", "1995-04-01", "1995-07-01"]),
    "year.month": ([2020.11, 2020.12, 2021.01], ["2020-11-01", "2020-12-01", "2021-01-01"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", NUMBERS)
def test_dates_in_one_number(kind):
    numbers, expected = NUMBERS[kind]
    found = parse_numbers(np.array(numbers))
    assert (found.kind, len(found.bad), found.question) == ("wall", 0, "")
    np.testing.assert_array_equal(found.values.view("M8[us]"), np.array(expected, dtype="M8[us]"))
    if kind not in ("days", "years"):
        assert found.decisions


@pytest.mark.parametrize(
    "numbers", [[1, 2, 3], [201213, 201214], [0.0, 0.2, 0.4], [100001, 100002], [1.5, 2.5], [1600.2, 1600.4, 1600.6]]
)
def test_numbers_that_are_no_dates(numbers):
    found = parse_numbers(np.array(numbers))
    assert found.kind == "counts"
    assert bool(len(found.bad)) == (np.array(numbers) % 1 != 0).any()


def test_units_of_epoch_numbers_that_are_named():
    one = 1_600_000_000
    for unit, scale in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        assert parse_numbers(np.array([one * scale]), unit).values[0] == one * 10**6
        assert parse_texts([str(one * scale)], unit).values[0] == one * 10**6
    assert parse_numbers(np.array([12]), "s").values[0] == 12 * 10**6
    assert parse_numbers(np.array([2020013118]), "s").kind == "instants"
    assert parse_numbers(np.array([201201]), "count").kind == "counts"
    assert len(parse_numbers(np.array([2**62]), "s").bad) == 1


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1, max_size=20))
def test_shapes_of_any_text(texts):
    for cells in (byte_matrix(texts), byte_matrix(pl.Series(texts, dtype=pl.String))):
        shapes, which = shapes_of(cells.codes)
        assert len(set(shapes)) == len(shapes)
        for row, text in enumerate(texts):
            kept = "" if cells.odd[row] else cells.text(row)
            assert kept in ("", text.strip())
            again, _ = shapes_of(byte_matrix([kept]).codes)
            assert shapes[which[row]] == again[0]
    for shape in shapes:
        layout_of(shape)
    parse_texts(texts)


def test_thousands_of_shapes_are_no_times():
    rng = np.random.default_rng(0)
    texts = ["".join(chr(97 + k) for k in rng.integers(0, 26, 6)) for _ in range(6000)]
    found = parse_texts([*texts, "2020-01-01"])
    assert len(found.bad) >= 6000
