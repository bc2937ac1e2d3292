"""Zone conversion against zoneinfo, one time after the other, and the repeated hour against the rows' order."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import SettingError
from seqloom_runtime.data.localise import localise
from seqloom_runtime.data.zones import WallClock, check_zone, instants_to_wall, wall_to_instants

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Pacific/Apia",
)
EPOCH = dt.datetime(1970, 1, 1)
HOUR = 3_600_000_000


def micros(time: dt.datetime) -> int:
    return (time - EPOCH) // dt.timedelta(microseconds=1)


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="M8[us]").view(np.int64)


@given(
    st.sampled_from(ZONES),
    st.lists(st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2090, 1, 1)), min_size=1, max_size=40),
)
def test_wall_clock_of_instants(zone, times):
    expected = [micros(t.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for t in times]
    np.testing.assert_array_equal(instants_to_wall(np.array([micros(t) for t in times]), zone), expected)


@given(
    st.sampled_from(ZONES),
    st.lists(st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2090, 1, 1)), min_size=1, max_size=40),
    st.booleans(),
)
def test_instants_of_wall_clock(zone, times, second):
    expected, skipped, repeated = [], [], []
    for time in times:
        both = [
            time.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(dt.UTC).replace(tzinfo=None) for fold in (0, 1)
        ]
        back = both[0].replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        skipped.append(back != time)
        repeated.append(both[0] != both[1] and back == time)
        expected.append(micros(both[second and repeated[-1]]))
    clock = WallClock(np.array([micros(t) for t in times]), zone)
    np.testing.assert_array_equal(clock.instants(np.full(len(times), second)), expected)
    np.testing.assert_array_equal(clock.skipped, skipped)
    np.testing.assert_array_equal(clock.repeated, repeated)


@pytest.mark.parametrize("zone", ZONES[:4])
def test_every_hour_of_a_year(zone):
    instants = stamps("2022-12-31T00:00") + np.arange(0, 367 * 24 * HOUR, HOUR // 2)
    wall = instants_to_wall(instants, zone)
    expected = [
        micros(
            (EPOCH + dt.timedelta(microseconds=int(t)))
            .replace(tzinfo=dt.UTC)
            .astimezone(ZoneInfo(zone))
            .replace(tzinfo=None)
        )
        for t in instants
    ]
    np.testing.assert_array_equal(wall, expected)
    found = localise(wall, np.zeros(len(wall), np.int64), zone)
    np.testing.assert_array_equal(found.instants, instants)
    assert not len(found.once)
    assert not len(found.unclear)
    backwards = localise(wall[::-1], np.zeros(len(wall), np.int64), zone)
    np.testing.assert_array_equal(backwards.instants, instants[::-1])


def test_a_skipped_hour_moves_forward_and_is_reported():
    wall = stamps("2023-03-26T01:30", "2023-03-26T02:30", "2023-03-26T03:30")
    np.testing.assert_array_equal(
        wall_to_instants(wall, "Europe/Berlin"), stamps("2023-03-26T00:30", "2023-03-26T01:30", "2023-03-26T01:30")
    )
    np.testing.assert_array_equal(localise(wall, np.zeros(3, np.int64), "Europe/Berlin").skipped, [1])


def test_a_repeated_hour_of_interleaved_series():
    wall = np.repeat(stamps("2023-10-29T01:00", "2023-10-29T02:00", "2023-10-29T02:00", "2023-10-29T03:00"), 2)
    found = localise(wall, np.tile([0, 1], 4), "Europe/Berlin")
    expected = np.repeat(stamps("2023-10-28T23:00", "2023-10-29T00:00", "2023-10-29T01:00", "2023-10-29T02:00"), 2)
    np.testing.assert_array_equal(found.instants, expected)


def test_a_repeated_hour_shown_once_or_in_no_order():
    once = localise(
        stamps("2023-10-29T01:00", "2023-10-29T02:00", "2023-10-29T03:00"), np.zeros(3, np.int64), "Europe/Berlin"
    )
    np.testing.assert_array_equal(once.once, [1])
    np.testing.assert_array_equal(once.instants, stamps("2023-10-28T23:00", "2023-10-29T00:00", "2023-10-29T02:00"))
    mixed = localise(
        stamps("2023-10-29T02:00", "2023-10-29T05:00", "2023-10-29T02:00"), np.zeros(3, np.int64), "Europe/Berlin"
    )
    np.testing.assert_array_equal(mixed.unclear, [0, 2])
    thrice = localise(
        stamps("2023-10-29T02:00", "2023-10-29T02:00", "2023-10-29T02:00"), np.zeros(3, np.int64), "Europe/Berlin"
    )
    assert len(thrice.unclear) == 3


def test_the_second_showing_alone_is_recognised_where_the_clock_runs_back():
    wall = stamps("2023-10-29T02:40", "2023-10-29T02:50", "2023-10-29T02:00", "2023-10-29T02:10", "2023-10-29T03:00")
    instants = localise(wall, np.zeros(5, np.int64), "Europe/Berlin").instants
    np.testing.assert_array_equal(np.diff(instants) // 60_000_000, [10, 10, 10, 50])


def test_no_rows_and_unknown_zones():
    assert len(instants_to_wall(np.empty(0, np.int64), "Europe/Berlin")) == 0
    assert len(wall_to_instants(np.empty(0, np.int64), "Europe/Berlin")) == 0
    for zone in ("Mars/Base", "", "../etc/passwd"):
        with pytest.raises(SettingError, match="IANA"):
            check_zone(zone)
