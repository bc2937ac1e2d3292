"""Parsing of times against datetime's own parser, over every written form."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom_runtime.data.times import parse_numbers, parse_texts

EPOCH = dt.datetime(1970, 1, 1)
MOMENTS = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(2999, 12, 31))


def micros(time: dt.datetime) -> int:
    return (time - EPOCH) // dt.timedelta(microseconds=1)


FORMS = {
    "iso": (lambda t: t.isoformat(timespec="microseconds"), {}),
    "iso blank": (lambda t: t.isoformat(" ", "milliseconds"), {"microsecond": -3}),
    "iso seconds": (lambda t: t.strftime("%Y-%m-%dT%H:%M:%S"), {"microsecond": 0}),
    "iso minutes": (lambda t: t.strftime("%Y-%m-%d %H:%M"), {"microsecond": 0, "second": 0}),
    "slashes": (lambda t: t.strftime("%Y/%m/%d %H:%M"), {"microsecond": 0, "second": 0}),
    "day": (lambda t: t.strftime("%Y-%m-%d"), {"microsecond": 0, "second": 0, "minute": 0, "hour": 0}),
    "german": (lambda t: t.strftime("%d.%m.%Y %H:%M:%S"), {"microsecond": 0}),
    "german short": (lambda t: f"{t.day}.{t.month}.{t.year} {t.hour}:{t.minute:02d}", {"microsecond": 0, "second": 0}),
    "month": (lambda t: t.strftime("%Y-%m"), {"microsecond": 0, "second": 0, "minute": 0, "hour": 0, "day": 1}),
    "compact": (lambda t: t.strftime("%Y%m%dT%H%M%S"), {"microsecond": 0}),
    "compact day": (lambda t: t.strftime("%Y%m%d"), {"microsecond": 0, "second": 0, "minute": 0, "hour": 0}),
    "year": (lambda t: t.strftime("%Y"), {"microsecond": 0, "second": 0, "minute": 0, "hour": 0, "day": 1, "month": 1}),
}


@pytest.mark.parametrize("form", FORMS)
@given(times=st.lists(MOMENTS, min_size=1, max_size=20))
def test_written_forms(form, times):
    write, cut = FORMS[form]
    cut = dict(cut)
    if cut.get("microsecond") == -3:
        del cut["microsecond"]
        times = [t.replace(microsecond=t.microsecond // 1000 * 1000) for t in times]
    times = [t.replace(**cut) for t in times]
    found = parse_texts([write(t) for t in times])
    assert not len(found.bad)
    assert found.kind == "wall"
    np.testing.assert_array_equal(found.values, [micros(t) for t in times])


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.integers(-14 * 60, 14 * 60))
def test_offsets(times, minutes):
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    found = parse_texts([t.replace(tzinfo=zone).isoformat() for t in times])
    assert found.kind == "instants"
    np.testing.assert_array_equal(found.values, [micros(t) - minutes * 60_000_000 for t in times])


@given(st.lists(st.integers(10**8, 4 * 10**9), min_size=1, max_size=20), st.sampled_from((1, 10**3, 10**6, 10**9)))
def test_epoch_numbers(seconds, scale):
    seconds = [*seconds, 1_600_000_000]  # the unit is found from the largest
    expected = np.array(seconds) * 10**6
    for found in (parse_numbers(np.array(seconds) * scale), parse_texts([str(s * scale) for s in seconds])):
        assert found.kind == "instants"
        np.testing.assert_array_equal(found.values, expected)
    if scale <= 10**3:
        np.testing.assert_array_equal(parse_numbers(np.array(seconds) * float(scale)).values, expected)


def test_small_forms():
    def one(text: str) -> str:
        found = parse_texts([text])
        assert not len(found.bad), text
        return str(found.values.view("M8[us]")[0])[:19] + (" UTC" if found.kind == "instants" else "")

    assert one("1999-Q1") == "1999-01-01T00:00:00"
    assert one("1999Q4") == "1999-10-01T00:00:00"
    assert one("2020-01-01T00:00Z") == "2020-01-01T00:00:00 UTC"
    assert one("2020-01-01 00:00:00 UTC") == "2020-01-01T00:00:00 UTC"
    assert one("2020-01-01T00:00:00+0530") == "2019-12-31T18:30:00 UTC"
    assert one("2020-01-01T00:00:00-08") == "2020-01-01T08:00:00 UTC"
    assert one("31.12.2020 24:00:00") == "2021-01-01T00:00:00"
    assert one("  2020-02-29  ") == "2020-02-29T00:00:00"
    assert one("1577836800.5") == "2020-01-01T00:00:00 UTC"
    assert parse_texts(["2020-01-01T00:00:00.123456789"]).values[0] % 10**6 == 123_456
    assert parse_texts(["1", "2", "30"]).kind == "counts"


@pytest.mark.parametrize(
    "text",
    [
        "2020-13-01", "2020-00-01", "2021-02-29", "2020-01-32", "2020-01-01 25:00", "2020-01-01 24:00:01",
        "2020-01-01 10:60",
        "2020-01-01T10:00:60", "1999-Q5", "1999-Q0", "01/02/2020", "yesterday", "", "2020-1-", "12:30", "31.02.2020",
        "2020-01-01T00:00+25:00", "２０２０-01-01", "2020-01-01 10:00 PM", "x" * 200,
    ],
)  # fmt: skip
def test_what_is_no_time(text):
    found = parse_texts(["2020-01-01", text, "2020-01-03"])
    np.testing.assert_array_equal(found.bad, [1])
    assert found.reason


def test_mixed_shapes_are_read_and_mixed_kinds_refused():
    found = parse_texts(["2020-01-01T10:00:00", "2020-01-01T10:00:00.5", "1.2.2020 7:00"])
    assert not len(found.bad)
    np.testing.assert_array_equal(
        np.diff(found.values), [500_000, 30 * 86_400_000_000 + 20 * 3_600_000_000 + 59 * 60_000_000 + 59_500_000]
    )
    np.testing.assert_array_equal(parse_texts(["2020-01-01T10:00", "2020-01-01T11:00Z"]).bad, [1])
    np.testing.assert_array_equal(parse_texts(["1577836800", "2020-01-01"]).bad, [1])
    np.testing.assert_array_equal(parse_numbers(np.array([1577836800.0, np.nan])).bad, [1])
    np.testing.assert_array_equal(parse_numbers(np.array([0.0, 0.5])).bad, [1])
