"""Times in one column or in several, named or found; odd cells; rows that are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqloom.data import Panel, Table, guess_time_column, read_table
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.time_columns import choose_time

HOURS = pd.date_range("2021-03-01", periods=50, freq="h")
ENDS = (HOURS + HOURS.freq).strftime("%H:%M")


def stamps(panel: Panel) -> np.ndarray:
    """The times of a panel that has them."""
    assert panel.time is not None
    return panel.time


def panel_of(columns, **how):
    table = Table.from_frame(pl.DataFrame(columns))
    chosen = choose_time(table, how.pop("time", None), how.get("time_format"))
    return chosen.time, Panel.from_frame(table, time=chosen.time, **how)


def texts(panel):
    assert panel.quality is not None
    return [decision.text for decision in panel.quality.decisions]


SPLIT = {
    "date and clock": ({"Date": HOURS.strftime("%Y-%m-%d"), "Time": HOURS.strftime("%H:%M")}, "Date,Time"),
    "day first and AM": ({"Date": HOURS.strftime("%d/%m/%Y"), "Time": HOURS.strftime("%I:%M:%S %p")}, "Date,Time"),
    "dotted clock": ({"Datum": HOURS.strftime("%d.%m.%Y"), "Uhrzeit": HOURS.strftime("%H.%M.%S")}, "Datum,Uhrzeit"),
    "interval": (
        {"Datum": HOURS.strftime("%d.%m.%Y"), "von": HOURS.strftime("%H:%M") + " - " + ENDS},
        "Datum,von",
    ),
    "hour": ({"date": HOURS.strftime("%Y-%m-%d"), "hour": HOURS.hour}, "date,hour"),
    "hour of dates in one number": ({"DATE": HOURS.strftime("%Y%m%d").astype(int), "HR": HOURS.hour}, "DATE,HR"),
    "hours from 1": ({"date": HOURS.strftime("%m/%d/%Y"), "Hour Ending": HOURS.hour + 1}, "date,Hour Ending"),
    "clocks as numbers": ({"date": HOURS.strftime("%Y-%m-%d"), "HHMM": HOURS.hour * 100}, "date,HHMM"),
    "clocks as numbers named time": ({"Date": HOURS.strftime("%m/%d/%Y"), "Time": HOURS.hour * 100}, "Date,Time"),
    "typed both": ({"Date": HOURS.date, "Time": HOURS.time}, "Date,Time"),
    "numbers": (
        {"year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour}, "year,month,day,hour"
    ),
    "numbers in any order": (
        {"No": np.arange(50), "HR": HOURS.hour, "DY": HOURS.day, "MO": HOURS.month, "YEAR": HOURS.year}, "YEAR,MO,DY,HR"
    ),
    "typed date and clock": ({"Date": pd.Series(HOURS.date), "Time": HOURS.strftime("%H:%M")}, "Date,Time"),
    "day of the year": ({"year": HOURS.year, "doy": HOURS.day_of_year, "hour": HOURS.hour}, "year,doy,hour"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPLIT)
def test_columns_that_are_joined(kind):
    columns, name = SPLIT[kind]
    extra = {"kwh": np.arange(50.0)}
    time, panel = panel_of({**{k: list(v) for k, v in columns.items()}, **extra})
    assert time == name
    np.testing.assert_array_equal(panel.time, HOURS.to_numpy().astype("M8[us]"))
    assert panel.columns[-1] == "kwh"
    assert set(panel.columns) <= {"kwh", "No"}
    assert any("are joined to one time; another column can be named (time=)" in text for text in texts(panel))
    named = Panel.from_frame(pl.DataFrame({**{k: list(v) for k, v in columns.items()}, **extra}), time=name.split(","))
    assert named.fingerprint() == panel.fingerprint()


@pytest.mark.parametrize(
    ("columns", "label", "first"),
    [
        ({"Year": [2019, 2019, 2020], "Month": [11, 12, 1]}, "1 month", "2019-11-01"),
        ({"Year": [2019, 2019, 2020], "Month": ["Nov", "Dec", "Jan"]}, "1 month", "2019-11-01"),
        ({"year": [2019, 2019, 2020], "quarter": [3, 4, 1]}, "1 quarter", "2019-07-01"),
        ({"year": [2020, 2020, 2021], "week": [52, 53, 1]}, "1 week", "2020-12-21"),
        ({"year": [2020, 2020, 2020], "doy": [59, 60, 61]}, "1 day", "2020-02-28"),
    ],
)
def test_years_with_parts(columns, label, first):
    time, panel = panel_of({**columns, "x": [1.0, 2.0, 3.0]})
    assert time == ",".join(columns)
    assert panel.frequency.label == label
    assert stamps(panel)[0] == np.datetime64(first)


def test_what_is_not_joined():
    days = pd.date_range("2020-01-01", periods=30).strftime("%Y-%m-%d")
    time, panel = panel_of({"date": list(days), "peak time": ["12:30"] * 29 + ["13:00"], "x": np.arange(30.0)})
    assert time == "date"
    assert panel.columns == ("x",)
    series = {"date": [*days, *days], "id": ["a"] * 30 + ["b"] * 30, "hour": [20] * 45 + [21] * 15}
    time, panel = panel_of({**series, "x": np.arange(60.0)}, id="id")
    assert (time, panel.columns) == ("date", ("hour", "x"))
    time, _ = panel_of({"date": list(days), "hour": [3] * 30, "x": np.arange(30.0)})
    assert time == "date"
    time, _ = panel_of({"date": list(days), "year": [2020] * 30, "month": [1] * 30, "x": np.arange(30.0)})
    assert time == "date"


def test_a_second_column_of_times_is_left_out_and_said():
    days = pd.date_range("2020-01-01", periods=30).strftime("%Y-%m-%d")
    time, panel = panel_of({"made": list(days), "date": list(days[::-1]), "x": np.arange(30.0)})
    assert (time, panel.columns) == ("date", ("x",))
    assert any("'made' holds times too" in text for text in texts(panel))
    assert any(text.startswith("'made': left out") for text in texts(panel))


def test_rows_are_counted_where_that_is_asked_for():
    frame = pl.DataFrame({"date": ["soon", "later"], "x": [1.0, 2.0]})
    panel = Panel.from_frame(frame, time="none", columns=["x"])
    assert panel.time is None
    assert any("time='none'" in text for text in texts(panel))
    column = Panel.from_frame(pl.DataFrame({"none": ["2020-01-01", "2020-01-02"], "x": [1.0, 2.0]}), time="none")
    assert column.frequency.label == "1 day"


def test_an_odd_cell_is_blamed_itself(tmp_path):
    days = pd.date_range("2020-01-01", periods=29).strftime("%d/%m/%Y")
    path = tmp_path / "a.csv"
    lines = [f"{day},{k}\n" for k, day in enumerate(days)]
    path.write_text("date,x\n" + "".join([*lines[:20], "soon,3\n", *lines[20:]]))
    assert guess_time_column(path) == "date"
    with pytest.raises(DataError, match=r"a.csv, line 22, column 'date': 'soon' is not a time"):
        Panel.from_frame(read_table(path), time="date")
    path.write_text("Date,Time,x\n2020-01-01,00:00,1\n2020-01-01,01:00,2\n2020-01-01,25:00,2\n")
    with pytest.raises(DataError, match=r"line 4, column 'Time': expected a time of day, got '25:00'"):
        Panel.from_frame(read_table(path), time="Date,Time")
    path.write_text("Date,Time,x\n2020-01-01,00:00,1\n2020-01-99,01:00,2\n")
    with pytest.raises(DataError, match=r"line 3, column 'Date': '2020-01-99' is not a time"):
        Panel.from_frame(read_table(path), time="Date,Time")
    path.write_text("year,month,x\n2020,1,1\n2020,13,2\n")
    with pytest.raises(DataError, match=r"line 3, column 'month': expected the month of a time.* from 1 to 12, got 13"):
        Panel.from_frame(read_table(path), time="year,month")
    path.write_text("year,month,day,x\n2020,2,29,1\n2021,2,29,2\n")
    with pytest.raises(DataError, match=r"line 3, column 'day': 2021, 2, 29 is no date"):
        Panel.from_frame(read_table(path), time="year,month,day")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("Date,Tim", "no time column is named 'Tim'. Did you mean 'Time'"),
        (["Date", "Date"], "named twice"),
        (["Date", "x"], "expected the minute|expected the hour|expected a date and a clock"),
        ([], "expected the name of a column"),
        ([3], "expected the name of a column"),
        (["Date", "Time", "x"], "expected a date and a clock"),
    ],
)
def test_names_that_are_refused(time, words):
    frame = pl.DataFrame({"Date": ["2020-01-01"] * 2, "Time": ["00:00", "01:00"], "x": [1.5, 2.0]})
    with pytest.raises((DataError, SettingError), match=words):
        Panel.from_frame(frame, time=time)


def test_ambiguous_dates_of_joined_columns_are_settled_by_the_hours():
    hours = pd.date_range("2021-03-02", periods=72, freq="h")
    time, panel = panel_of(
        {"Date": list(hours.strftime("%m/%d/%Y")), "Time": list(hours.strftime("%H:%M")), "x": np.arange(72.0)}
    )
    np.testing.assert_array_equal(panel.time, hours.to_numpy().astype("M8[us]"))
    assert time == "Date,Time"
    assert any("regular steps" in text for text in texts(panel))
    with pytest.raises(DataError, match=r"column 'Date': .* may be day first .*time_format="):
        panel_of({"Date": ["01/02/2020"] * 2, "Time": ["00:00", "01:00"], "x": [1.0, 2.0]})


def test_numbers_that_are_times_only_by_name():
    assert guess_time_column(pl.DataFrame({"month": [201201, 201202], "x": [1, 2]})) == "month"
    assert guess_time_column(pl.DataFrame({"part": [201201, 201202], "x": [1, 2]})) is None
    assert (
        guess_time_column(pl.DataFrame({"decimal date": [1958.2027, 1958.2055, 1958.2082], "x": [1, 2, 3]}))
        == "decimal date"
    )
    assert guess_time_column(pl.DataFrame({"time": [1700.0, 1700.25, 1700.5], "x": [1, 2, 3]})) is None


def test_a_form_of_dates_beside_a_clock():
    frame = pl.DataFrame({"Date": ["02.03.20", "02.03.20"], "Time": ["10:00", "11:00"], "x": [1.0, 2.0]})
    for form in ("%d.%m.%y", "%d.%m.%y %H:%M", "dmy"):
        panel = Panel.from_frame(frame, time="Date,Time", time_format=form)
        assert stamps(panel)[0] == np.datetime64("2020-03-02T10:00")
    hours = pl.DataFrame({"Date": ["02/03/20", "02/03/20"], "hour": [10, 11], "x": [1.0, 2.0]})
    for form in ("%m/%d/%y", "mdy"):
        assert stamps(Panel.from_frame(hours, time=["Date", "hour"], time_format=form))[1] == np.datetime64(
            "2020-02-03T11:00"
        )


def test_days_of_a_spreadsheet_are_asked_about():
    frame = pl.DataFrame({"Date": [43831, 43832, 43833], "x": [1.0, 2.0, 3.0]})
    assert guess_time_column(frame) == "Date"
    with pytest.raises(
        DataError, match=r"'Date': 43831 may be a day of a spreadsheet \(2020-01-01\) .*time_format='count'"
    ):
        Panel.from_frame(frame, time="Date")
    assert stamps(Panel.from_frame(frame, time="Date", time_format="excel"))[2] == np.datetime64("2020-01-03")
    assert Panel.from_frame(frame, time="Date", time_format="count").time is None
    hours = pl.DataFrame({"Date": [43831 + k / 24 for k in range(9)], "x": np.arange(9.0)})
    assert Panel.from_frame(hours, time="Date", time_format="excel").frequency.label == "1 hour"
    with pytest.raises(DataError, match="time_format='excel'"):
        Panel.from_frame(hours, time="Date")
