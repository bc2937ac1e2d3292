"""Frequencies against pandas' own calendars, round trips over every kind and zone, durations, and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Frequency
from seqloom.errors import DataError, FormatError, SettingError

ZONES = (None, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu")
DAY = 86_400_000_000


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="M8[us]")


def from_pandas(start: str, code: str, periods: int = 40, zone: str | None = None) -> np.ndarray:
    index = pd.date_range(start, periods=periods, freq=code, tz=zone if code == "h" else None)
    if zone and code != "h":
        index = index.tz_localize(zone, nonexistent="shift_forward")
    index = index.tz_convert("UTC").tz_localize(None) if zone else index
    return index.to_numpy().astype("M8[us]")


PANDAS = [
    ("2019-12-31 00:10", "10min", None, "10 minutes", "fixed"),
    ("2019-12-31 23:00", "h", None, "1 hour", "fixed"),
    ("2024-02-27", "D", None, "1 day", "day"),
    ("2024-02-27 06:30", "D", None, "1 day", "day"),
    ("2024-02-25", "W-SUN", None, "1 week", "day"),
    ("2024-02-27", "B", None, "1 business day", "business"),
    ("1949-01-01", "MS", None, "1 month", "month"),
    ("2023-01-31", "ME", None, "1 month", "month"),
    ("2023-02-28", "ME", None, "1 month", "month"),
    ("1999-01-01", "QS", None, "1 quarter", "month"),
    ("1999-06-30", "QE", None, "1 quarter", "month"),
    ("1999-01-01", "YS", None, "1 year", "month"),
    ("1999-12-31", "YE", None, "1 year", "month"),
    ("2020-02-29", "YE-FEB", None, "1 year", "month"),
    ("1969-12-31 23:59:59.500", "250ms", None, "250 milliseconds", "fixed"),
    ("2023-03-20", "D", "Europe/Berlin", "1 day", "day"),
    ("2023-10-20 02:00", "h", "Europe/Berlin", "1 hour", "fixed"),
    ("2023-10-01", "MS", "America/New_York", "1 month", "month"),
    ("2023-03-01", "B", "America/New_York", "1 business day", "business"),
    ("2018-10-20", "D", "America/Sao_Paulo", "1 day", "day"),
]


@pytest.mark.parametrize(("start", "code", "zone", "label", "kind"), PANDAS)
def test_infers_and_numbers_what_pandas_makes(start, code, zone, label, kind):
    times = from_pandas(start, code, zone=zone)
    if zone == "America/Sao_Paulo":  # midnight of 2018-11-04 was skipped there; pandas writes 01:00 as we do
        assert (np.diff(times) != np.timedelta64(DAY, "us")).any()
    frequency = Frequency.infer(times, zone)
    assert (frequency.label, frequency.kind) == (label, kind)
    np.testing.assert_array_equal(frequency.ticks(times), np.arange(len(times)))
    np.testing.assert_array_equal(frequency.times(np.arange(len(times))), times)
    shuffled = np.random.default_rng(0).permutation(len(times))
    assert Frequency.infer(times[shuffled], zone) == frequency


@pytest.mark.parametrize(("start", "code", "zone", "label", "kind"), PANDAS)
def test_gaps_do_not_change_the_frequency(start, code, zone, label, kind):
    times = from_pandas(start, code, zone=zone)
    keep = np.ones(len(times), dtype=bool)
    keep[[5, 6, 7, 20, 31]] = False
    np.testing.assert_array_equal(Frequency.infer(times[keep], zone).ticks(times[keep]), np.flatnonzero(keep))


def test_month_end_is_told_from_the_thirtieth():
    ends = Frequency.infer(stamps("2023-04-30", "2023-05-31", "2023-06-30"))
    assert ends.times(np.array([-2, 3]))[0].astype("M8[D]") == np.datetime64("2023-02-28")
    thirtieth = Frequency.infer(stamps("2023-04-30", "2023-05-30", "2023-06-30"))
    assert thirtieth.times(np.array([4]))[0].astype("M8[D]") == np.datetime64("2023-08-30")
    quarters = Frequency.infer(stamps("2023-06-30", "2023-09-30"))
    np.testing.assert_array_equal(quarters.times(np.array([2, 3])), stamps("2023-12-31", "2024-03-31"))
    assert thirtieth.times(np.array([-2]))[0].astype("M8[D]") == np.datetime64("2023-02-28")


def test_four_weeks_are_no_month_and_weekdays_alone_are_no_business_days():
    assert Frequency.infer(stamps("2023-01-02", "2023-01-30", "2023-02-27", "2023-03-27")).label == "4 weeks"
    assert Frequency.infer(stamps("2024-01-02", "2024-01-03", "2024-01-04")).kind == "day"
    assert Frequency.infer(stamps("2024-01-04", "2024-01-05", "2024-01-08")).kind == "business"
    assert Frequency.infer(stamps("2024-01-05", "2024-01-06", "2024-01-08")).kind == "day"


def test_differences_are_taken_within_a_series():
    times = stamps("2020-01-01T00:00", "2020-01-01T00:05", "2020-01-01T01:00", "2020-01-01T02:05", "2020-01-01T02:00")
    assert Frequency.infer(times[[0, 2, 4]], series=np.zeros(3, dtype=np.int64)).label == "1 hour"
    mixed = Frequency.infer(times[[0, 2, 4, 0, 2, 4]], series=np.array([0, 0, 0, 1, 1, 1]))
    assert mixed.label == "1 hour"


@st.composite
def frequencies(draw):
    kind = draw(st.sampled_from(("fixed", "day", "business", "month")))
    zone = draw(st.sampled_from(ZONES))
    day = draw(st.integers(-30_000, 40_000))
    if kind == "business":
        day += {5: -1, 6: -2}.get((day + 3) % 7, 0)
    clock = draw(st.sampled_from((0, 30 * 60_000_000, 2 * 3_600_000_000 + 1, 12 * 3_600_000_000)))
    n = (
        draw(st.sampled_from((1, 250_000, 600_000_000, 3_600_000_000, DAY)))
        if kind == "fixed"
        else draw(st.integers(1, 12))
    )
    return Frequency(kind, n, day * DAY + clock, draw(st.integers(1, 31)), zone)


@given(frequencies(), st.lists(st.integers(-3_000, 3_000), min_size=1, max_size=30))
def test_times_and_ticks_are_inverse(frequency, ticks):
    ticks = np.array(ticks)
    np.testing.assert_array_equal(frequency.ticks(frequency.times(ticks)), ticks)


@given(frequencies(), st.integers(-2_000, 2_000))
def test_times_rise_with_ticks(frequency, first):
    times = frequency.times(np.arange(first, first + 50)).view(np.int64)
    assert (np.diff(times) > 0).all()


@given(frequencies())
def test_json_round_trip(frequency):
    assert Frequency.from_json(frequency.to_json()) == frequency


def test_daily_rows_keep_their_wall_clock_through_daylight_saving():
    daily = Frequency("day", anchor=int(stamps("2023-03-24T08:00")[0].astype(np.int64)), zone="Europe/Berlin")
    hours = [str(t)[11:13] for t in daily.times(np.arange(4))]
    assert hours == ["07", "07", "06", "06"]


def test_off_grid_times_are_named():
    hourly = Frequency("fixed", 3_600_000_000)
    with pytest.raises(DataError, match=r"1 of 2 times lie off the grid of 1 hour, the first is 1970-01-01T01:30"):
        hourly.ticks(stamps("1970-01-01T01:00", "1970-01-01T01:30"))
    business = Frequency("business", anchor=4 * DAY)
    with pytest.raises(DataError, match="business day"):
        business.ticks(stamps("1970-01-10"))


@pytest.mark.parametrize(
    ("frequency", "duration", "rows"),
    [
        (Frequency("fixed", 600_000_000), "5d", 720),
        (Frequency("fixed", 600_000_000), "24h", 144),
        (Frequency("fixed", 600_000_000), "10min", 1),
        (Frequency("fixed", 600_000_000), "1.5 h", 9),
        (Frequency("fixed", 600_000_000), 72, 72),
        (Frequency("fixed", 600_000_000), "72", 72),
        (Frequency("fixed", 500_000), "30s", 60),
        (Frequency("day"), "2w", 14),
        (Frequency("day"), "48h", 2),
        (Frequency("day", 7), "2w", 2),
        (Frequency("business", anchor=0), "2w", 10),
        (Frequency("business", anchor=0), "3b", 3),
        (Frequency("month"), "12mo", 12),
        (Frequency("month"), "1y", 12),
        (Frequency("month", 3), "1y", 4),
        (Frequency("month", 3), "6mo", 2),
        (Frequency("month", 12), "2y", 2),
        (Frequency.steps(), 5, 5),
    ],
)
def test_rows(frequency, duration, rows):
    assert frequency.rows(duration) == rows


@pytest.mark.parametrize(
    ("frequency", "duration", "words"),
    [
        (Frequency("fixed", 600_000_000), "0", "positive"),
        (Frequency("fixed", 600_000_000), 0, "positive"),
        (Frequency("fixed", 600_000_000), "-5d", "positive"),
        (Frequency("fixed", 600_000_000), -3, "positive"),
        (Frequency("fixed", 600_000_000), "15min", "not a whole number of rows of 10 minutes"),
        (Frequency("fixed", 600_000_000), "1mo", "not a whole number"),
        (Frequency("fixed", 600_000_000), "5m", "'min' or 'mo'"),
        (Frequency("fixed", 600_000_000), "five", "number of rows or a duration"),
        (Frequency("fixed", 600_000_000), "5 parsecs", "number of rows or a duration"),
        (Frequency("fixed", 600_000_000), 2.5, "number of rows or a duration"),
        (Frequency("fixed", 600_000_000), True, "number of rows or a duration"),
        (Frequency("fixed", 600_000_000), "2.5", "whole number of rows"),
        (Frequency("day"), "1y", "not a whole number"),
        (Frequency("business", anchor=0), "5d", "weeks"),
        (Frequency("month"), "5d", "months"),
        (Frequency("month", 3), "1mo", "not a whole number of rows of 1 quarter"),
        (Frequency.steps(), "5d", "no time column"),
    ],
)
def test_durations_that_are_refused(frequency, duration, words):
    with pytest.raises(SettingError, match=rf"lookback: .*{words}"):
        frequency.rows(duration, "lookback")


def test_slots_per_day():
    assert Frequency("fixed", 600_000_000).slots_per_day == 144
    assert Frequency("fixed", 3_600_000_000).slots_per_day == 24
    assert [f.slots_per_day for f in (Frequency("fixed", 7_000_000_000), Frequency("day"), Frequency.steps())] == [
        None
    ] * 3


def test_labels():
    sizes = itertools.product(("fixed",), (1, 1_000, 90_000_000, 7_200_000_000, DAY, 2 * DAY))
    labels = [Frequency(kind, n).label for kind, n in sizes]
    assert labels == ["1 microsecond", "1 millisecond", "90 seconds", "2 hours", "1 day", "48 hours"]
    assert [Frequency("month", n).label for n in (1, 2, 6, 24)] == ["1 month", "2 months", "2 quarters", "2 years"]


def test_refusals():
    with pytest.raises(DataError, match="At least two different times"):
        Frequency.infer(stamps("2020-01-01", "2020-01-01"))
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match="no regular step"):
        Frequency.infer(rng.integers(0, 10**15, 50).view("M8[us]"))
    with pytest.raises(DataError, match="NaT"):
        Frequency.infer(stamps("2020-01-01", "NaT"))
    with pytest.raises(DataError, match="datetime64"):
        Frequency.infer(np.arange(3))
    with pytest.raises(SettingError, match=r"'Europe/Berln'.*Did you mean 'Europe/Berlin'"):
        Frequency.infer(stamps("2020-01-01", "2020-01-02"), "Europe/Berln")
    with pytest.raises(SettingError, match="no time"):
        Frequency.steps().times(np.arange(3))
    with pytest.raises(SettingError, match="Saturday"):
        Frequency("business", anchor=2 * DAY)
    for fields in (
        {},
        None,
        {"kind": "day"},
        {**Frequency("day").to_json(), "kind": "year"},
        {**Frequency("day").to_json(), "n": 1.5},
    ):
        with pytest.raises(FormatError):
            Frequency.from_json(fields)
