"""Calendar inputs against Python's datetime and zoneinfo, and which cycles the training rows allow."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.calendar import calendar_features, day_slots, time_labels, usable_cycles
from seqloom_runtime.data.frequency import Frequency

HOUR = 3_600_000_000
TEN_MINUTES = Frequency("fixed", 600_000_000)
HOURLY = Frequency("fixed", HOUR)


def at(*times: str) -> np.ndarray:
    return np.array(times, dtype="M8[us]")


def shares(moment: dt.datetime) -> list[float]:
    """The shares of day, week and year that have passed at a wall-clock time."""
    day = dt.timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
    year, next_year = dt.datetime(moment.year, 1, 1), dt.datetime(moment.year + 1, 1, 1)
    week = dt.timedelta(days=moment.weekday()) + day
    return [day / dt.timedelta(days=1), week / dt.timedelta(days=7), (moment - year) / (next_year - year)]


@given(
    st.datetimes(dt.datetime(1950, 1, 2), dt.datetime(2090, 12, 30)),
    st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_equals_datetime(moment: dt.datetime, zone: str | None) -> None:
    wall = moment
    if zone is not None:
        wall = moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    features, names = calendar_features(np.array([moment], dtype="M8[us]"), zone, HOURLY, ["day", "week", "year"])
    waves = [wave(2 * math.pi * share) for share in shares(wall) for wave in (math.sin, math.cos)]
    assert features.dtype == np.float32
    assert features[0].tolist() == pytest.approx(waves, abs=1e-6)
    assert names == ("sine of day", "cosine of day", "sine of week", "cosine of week", "sine of year", "cosine of year")


def test_leap_years() -> None:
    """31 December at midnight is 364 of 365 days, or 365 of 366, into its year."""
    features, _ = calendar_features(at("2023-12-31", "2024-12-31", "2100-12-31"), None, HOURLY, ["year"])
    expected = [math.sin(2 * math.pi * share) for share in (364 / 365, 365 / 366, 364 / 365)]
    assert features[:, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert abs(expected[0] - expected[1]) > 4e-5


def test_daylight_saving_follows_the_wall_clock() -> None:
    instants = at("2024-03-31T00:30", "2024-03-31T01:30", "2024-10-27T00:30", "2024-10-27T01:30")
    for zone, hours in (("Europe/Berlin", [1.5, 3.5, 2.5, 2.5]), (None, [0.5, 1.5, 0.5, 1.5])):
        sines = calendar_features(instants, zone, TEN_MINUTES, ["day"])[0][:, 0]
        assert sines.tolist() == pytest.approx(np.sin(np.array(hours) * math.pi / 12), abs=1e-6)


def test_the_order_of_cycles_is_the_callers_and_none_is_fine() -> None:
    features, names = calendar_features(at("2024-01-03T06:00"), None, HOURLY, ["week", "day"])
    assert names == ("sine of week", "cosine of week", "sine of day", "cosine of day")
    angle = 2 * math.pi * 2.25 / 7
    assert features[0].tolist() == pytest.approx([math.sin(angle), math.cos(angle), 1, 0], abs=1e-6)
    assert calendar_features(at("2024-01-01"), None, HOURLY, [])[0].shape == (1, 0)


def test_feature_refusals() -> None:
    with pytest.raises(SettingError, match=r"got 'days'. Did you mean 'day'"):
        calendar_features(at("2024-01-01"), None, HOURLY, ["days"])
    with pytest.raises(SettingError, match="a day is not longer than one step of the data, 1 day"):
        calendar_features(at("2024-01-01"), None, Frequency("day"), ["day"])
    with pytest.raises(DataError, match="rows without a time"):
        calendar_features(at("NaT"), None, HOURLY, ["day"])
    with pytest.raises(DataError, match="int64"):
        calendar_features(np.arange(3), None, HOURLY, ["day"])


@pytest.mark.parametrize(
    ("frequency", "first", "last", "cycles"),
    [
        (HOURLY, "2024-01-01T00", "2024-01-02T23", ("day",)),  # 48 hours
        (HOURLY, "2024-01-01T00", "2024-01-02T22", ()),
        (HOURLY, "2024-01-01T00", "2024-01-14T23", ("day", "week")),
        (HOURLY, "2024-01-01T00", "2024-01-14T22", ("day",)),
        (HOURLY, "2023-03-01T00", "2025-02-28T23", ("day", "week", "year")),
        (HOURLY, "2023-03-01T00", "2025-02-28T22", ("day", "week")),
        (TEN_MINUTES, "2020-01-01T00:10", "2020-07-01T00:00", ("day", "week")),
        (Frequency("fixed", 24 * HOUR), "2020-01-01", "2024-01-01", ("week", "year")),
        (Frequency("fixed", 36 * HOUR), "2020-01-01", "2024-01-01", ("week", "year")),
        (Frequency("day"), "2024-01-01", "2024-01-14", ("week",)),
        (Frequency("day"), "2024-01-01", "2024-01-13", ()),
        (Frequency("day", 7), "2020-01-01", "2021-12-29", ("year",)),
        (Frequency("business", anchor=4 * 24 * HOUR), "2024-01-01", "2024-01-12", ("week",)),
        (Frequency("business", anchor=4 * 24 * HOUR), "2024-01-01", "2024-01-11", ()),
        (Frequency("month"), "2020-01-01", "2021-12-01", ("year",)),
        (Frequency("month"), "2020-01-01", "2021-11-01", ()),
        (Frequency("month", day=31, anchor=30 * 24 * HOUR), "2020-02-29", "2022-02-28", ("year",)),
        (Frequency("month", 3), "2020-01-01", "2021-10-01", ("year",)),
        (Frequency("month", 12), "1950-01-01", "2020-01-01", ()),
    ],
)
def test_usable_cycles(frequency: Frequency, first: str, last: str, cycles: tuple[str, ...]) -> None:
    assert usable_cycles(frequency, *at(first, last)) == cycles


def test_steps_have_no_calendar() -> None:
    assert usable_cycles(Frequency.steps(), 0, 100) == ()


def test_usable_cycles_by_the_wall_clock() -> None:
    """From summer into winter time, two weeks of local days last an hour longer."""
    berlin = Frequency("fixed", HOUR, zone="Europe/Berlin")
    assert usable_cycles(berlin, *at("2024-10-19T22:00", "2024-11-02T22:00")) == (
        "day",
        "week",
    )  # wall 20th 00:00 to 2nd 23:00
    assert usable_cycles(berlin, *at("2024-10-19T22:00", "2024-11-02T21:00")) == ("day",)


def test_day_slots() -> None:
    times = at("2024-01-01T00:00", "2024-01-01T00:10", "2024-06-30T23:50", "1969-12-31T23:59")
    slots = day_slots(times, None, TEN_MINUTES)
    assert slots is not None
    assert slots.tolist() == [0, 1, 143, 143]
    summer = day_slots(at("2024-07-01T22:00"), "Europe/Berlin", HOURLY)
    assert summer is not None
    assert summer.tolist() == [0]
    assert day_slots(at("2024-01-01"), None, Frequency("day")) is None
    assert day_slots(at("2024-01-01"), None, Frequency("fixed", 7 * HOUR)) is None


def test_labels() -> None:
    assert time_labels(at("2024-01-01", "2024-01-02"), None) == ["2024-01-01", "2024-01-02"]
    assert time_labels(at("2024-01-01", "2024-01-02T06:30"), None) == ["2024-01-01 00:00", "2024-01-02 06:30"]
    assert time_labels(at("2024-01-01T00:00:30"), None) == ["2024-01-01 00:00:30"]
    assert time_labels(at("2024-01-01T00:00:30.5"), None) == ["2024-01-01 00:00:30.500000"]
    assert time_labels(at("2024-01-01T12:00"), "America/St_Johns") == ["2024-01-01 08:30-03:30"]
