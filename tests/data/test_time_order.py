"""The order of day, month and year: decided by every cell, by the step, or asked about; never guessed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from seqloom.data import Panel, Table
from seqloom.errors import DataError
from seqloom_runtime.data.time_order import centuries
from seqloom_runtime.data.times import parse_texts

DAY = dt.timedelta(days=1)
WRITE = {"dmy": "%d{s}%m{s}%Y", "mdy": "%m{s}%d{s}%Y"}


def stamps(panel: Panel) -> np.ndarray:
    """The times of a panel that has them."""
    assert panel.time is not None
    return panel.time


def cells(times, order, separator="/", clock=""):
    return [t.strftime(WRITE[order].format(s=separator) + clock) for t in times]


def values(times):
    return np.array(times, dtype="M8[us]").view(np.int64)


@pytest.mark.parametrize("order", WRITE)
@pytest.mark.parametrize("separator", "/-.")
def test_a_number_above_twelve_decides(order, separator):
    times = [dt.datetime(2020, 1, 1) + k * DAY for k in range(13)]
    found = parse_texts(cells(times, order, separator))
    np.testing.assert_array_equal(found.values, values(times))
    assert found.form == order
    assert found.decisions[0][0] == "time-format"
    assert f"({order})" in found.decisions[0][1]
    assert f"{'13' if order == 'dmy' else '01'}{separator}" in found.decisions[0][1]


@pytest.mark.parametrize("order", WRITE)
def test_the_step_decides(order):
    hours = [dt.datetime(2020, 2, 3) + dt.timedelta(hours=k) for k in range(72)]
    months = [dt.datetime(2018 + k // 12, k % 12 + 1, 1) for k in range(36)]
    for times, clock in ((hours, " %H:%M"), (months, "")):
        found = parse_texts(cells(times, order, "/", clock))
        np.testing.assert_array_equal(found.values, values(times))
        assert "steps" in found.decisions[0][1]
        other = "mdy" if order == "dmy" else "dmy"
        assert f"time_format='{other}'" in found.decisions[0][1]


def ambiguous(rng):
    """Times of which every date fits both orders, in steps as tables have them, sometimes with gaps."""
    kind = rng.choice(["days", "months", "hours", "one day", "random", "weeks", "few"])
    year, month = int(rng.integers(1990, 2024)), int(rng.integers(1, 13))
    start = dt.datetime(year, month, int(rng.integers(1, 5)))
    if kind == "days":
        times = [start + k * DAY for k in range(int(rng.integers(2, 9)))]
    elif kind == "months":
        day = int(rng.integers(1, 13))
        times = [dt.datetime(year + k // 12, k % 12 + 1, day) for k in range(int(rng.integers(2, 60)))]
    elif kind == "hours":
        times = [start + dt.timedelta(hours=k) for k in range(int(rng.integers(2, 150)))]
    elif kind == "one day":
        times = [start + dt.timedelta(minutes=15 * k) for k in range(int(rng.integers(2, 90)))]
    elif kind == "weeks":
        times = [t for k in range(60) if (t := start + 7 * k * DAY).day <= 12]
    elif kind == "few":
        times = [start, start + DAY][: int(rng.integers(1, 3))]
    else:
        times = [
            dt.datetime(int(rng.integers(2000, 2024)), int(rng.integers(1, 13)), int(rng.integers(1, 13)))
            for _ in range(int(rng.integers(1, 40)))
        ]
        times = sorted(set(times))
    if rng.random() < 0.3 and len(times) > 4:
        keep = rng.random(len(times)) > 0.15
        times = [t for t, kept in zip(times, keep) if kept] or times
    return [t for t in times if t.day <= 12], kind


def test_five_hundred_ambiguous_tables_are_asked_about_or_settled_by_the_step():
    rng = np.random.default_rng(7)
    asked = settled = 0
    for _ in range(500):
        times, kind = ambiguous(rng)
        order, separator = str(rng.choice(["dmy", "mdy"])), str(rng.choice(["/", "-"]))
        clock = " %H:%M" if kind in ("hours", "one day") else ""
        written = cells(times, order, separator, clock)
        found = parse_texts(written)
        assert not len(found.bad)
        if found.question:
            asked += 1
            assert "time_format='dmy'" in found.question
            assert "time_format='mdy'" in found.question
        else:
            np.testing.assert_array_equal(found.values, values(times), err_msg=f"{kind}: {written[:5]}")
            same = all(t.day == t.month for t in times)
            assert same or any(what == "time-format" for what, _ in found.decisions)
            settled += not same
        again = parse_texts(written, order)
        np.testing.assert_array_equal(again.values, values(times))
    assert asked > 150
    assert settled > 100


def test_the_question_is_one_sentence_with_what_settles_it():
    table = Table({"date": np.array(["01/02/2020", "03/02/2020"]), "x": np.arange(2.0)}, "a.csv", 2)
    with pytest.raises(DataError) as caught:
        Panel.from_frame(table, time="date")
    assert str(caught.value) == (
        "a.csv, column 'date': 01/02/2020 may be day first (dmy) or month first (mdy), and neither a number above "
        "12 nor the step of the rows decides; say time_format='dmy' or time_format='mdy'."
    )
    assert stamps(Panel.from_frame(table, time="date", time_format="mdy"))[1] == np.datetime64("2020-03-02")
    assert stamps(Panel.from_frame(table, time="date", time_format="dmy"))[1] == np.datetime64("2020-02-03")


def test_the_form_that_was_found_reads_further_rows():
    times = [dt.datetime(2020, 1, 1) + k * DAY for k in range(40)]
    first = Table({"d": np.array(cells(times, "mdy")), "x": np.arange(40.0)}, "a.csv", 40)
    panel = Panel.from_frame(first, time="d")
    assert panel.time_format == "mdy"
    more = Table({"d": np.array(["02/10/2020", "02/11/2020"]), "x": np.arange(2.0)}, "b.csv", 2)
    later = Panel.from_frame(more, time="d", frequency=panel.frequency, time_format=panel.time_format)
    np.testing.assert_array_equal(later.time, np.array(["2020-02-10", "2020-02-11"], dtype="M8[us]"))
    iso = Table({"d": np.array(["2020-02-10", "2020-02-11"]), "x": np.arange(2.0)}, "b.csv", 2)
    again = Panel.from_frame(iso, time="d", frequency=panel.frequency, time_format=panel.time_format)
    np.testing.assert_array_equal(again.time, later.time)


def test_dates_that_contradict_each_other():
    found = parse_texts(["13/05/2020", "05/13/2020", "01/01/2020"])
    assert len(found.bad) == 1
    assert "write all of them in one order" in found.reason


def test_other_forms_beside_are_blamed():
    np.testing.assert_array_equal(parse_texts(["2020-01-01", "2020-01-02", "03/01/2020"]).bad, [2])
    np.testing.assert_array_equal(parse_texts(["13/01/2020", "14/01/2020", "2020-01-15"]).bad, [2])
    found = parse_texts(["13/01/2020 1:00 PM", "13/01/2020 14:00", "13/01/2020 3:00 PM"])
    np.testing.assert_array_equal(found.bad, [1])
    assert "AM or PM" in found.reason


def test_midnight_without_its_clock():
    found = parse_texts(["1/13/2020", "1/13/2020 1:00:00 AM", "1/13/2020 2:00:00 AM"])
    np.testing.assert_array_equal(np.diff(found.values), [3_600_000_000] * 2)


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ([49, 50], [1949, 1950]), ([98, 99, 0, 1], [1998, 1999, 2000, 2001]), ([18, 19, 20], [2018, 2019, 2020]),
        ([25, 35], [2025, 2035]), ([0], [2000]), ([29], [2029]), ([30], [1930]), ([68, 69, 70], [1968, 1969, 1970]),
        ([40, 60, 80, 0, 20], [1940, 1960, 1980, 2000, 2020]),
    ],
)  # fmt: skip
def test_centuries(years, expected):
    assert centuries(np.array(years)).tolist() == expected


def test_two_digit_years_are_said():
    found = parse_texts(["Jan-49", "Dec-60"])
    assert any("1949 to 1960" in text for what, text in found.decisions if what == "century")
