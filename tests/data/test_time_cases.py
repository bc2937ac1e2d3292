"""Files as people have them, by the form of their times: what the times are, and what is said of how they were read."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from seqloom.data import Panel, read_table
from seqloom.errors import DataError
from seqloom_runtime.data.time_columns import choose_time

SECOND, HOUR, DAY = dt.timedelta(seconds=1), dt.timedelta(hours=1), dt.timedelta(days=1)


def times_of(panel: Panel) -> np.ndarray:
    """The times of a panel that has them."""
    assert panel.time is not None
    return panel.time


def series(start: str, step: dt.timedelta, count: int) -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(start) + k * step for k in range(count)]


def months(start: str, count: int) -> list[dt.datetime]:
    first = dt.datetime.fromisoformat(start)
    return [
        dt.datetime(first.year + (first.month - 1 + k) // 12, (first.month - 1 + k) % 12 + 1, 1) for k in range(count)
    ]


def table(path, header, rows):
    text = header + "\n" + "".join(f"{row}\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return read_table(path)


def read(data, **how):
    chosen = choose_time(data, how.pop("time", None), how.get("time_format"))
    panel = Panel.from_frame(data, time=chosen.time, **how)
    assert panel.quality is not None
    return panel, [decision.text for decision in panel.quality.decisions]


def stamps(form):
    return lambda t, k: f"{t.strftime(form)},{k}"


D, H, Q = series("2020-01-01", DAY, 40), series("2021-03-01", HOUR, 60), months("1995-01-01", 40)[::3]
M = months("2012-01-01", 96)
# By kind: the header, the times, how a row is written, the step, the words of what is said.
FILES = {
    "energy meter": ("Date,Time,kWh", H, stamps("%d/%m/%Y,%H:%M"), "1 hour", ["joined", "regular steps"]),
    "energy meter, German": ("Datum;Zeit von;kWh", H, lambda t, k: f"{t:%d.%m.%Y;%H:%M};{k}", "1 hour", ["joined"]),
    "grid operator": (
        "MTU,Load", H, lambda t, k: f"{t:%d.%m.%Y %H:%M} - {t + HOUR:%d.%m.%Y %H:%M},{k}", "1 hour", ["interval"]
    ),
    "grid operator, hours": ("Date,Hour,MW", H, lambda t, k: f"{t:%m/%d/%Y},{t.hour + 1},{k}", "1 hour", ["1 to 24"]),
    "weather station": (
        "YEAR,MO,DY,HR,T2M", H, lambda t, k: f"{t.year},{t.month},{t.day},{t.hour},{k}", "1 hour", ["joined"]
    ),
    "weather, dates in one number": ("STN,DATE,TG", D, lambda t, k: f"260,{t:%Y%m%d},{k}", "1 day", []),
    "weather, stamps in one number": ("MESS_DATUM,TT", H, stamps("%Y%m%d%H"), "1 hour", ["yyyymmddhh"]),
    "bike counter": ("Date,Fremont", H, stamps("%m/%d/%Y %I:%M:%S %p"), "1 hour", []),
    "bike counter, offsets": ("date,count", H, stamps("%Y-%m-%dT%H:%M:%S+01:00"), "1 hour", []),
    "sales": ("Order Date,Sales", D, stamps("%d-%b-%Y"), "1 day", []),
    "sales by month": ("Month,Sales", M, stamps("%b-%y"), "1 month", ["2012 to 2019"]),
    "sales by month, long": ("Month,Sales", M, stamps("%B %Y"), "1 month", []),
    "shop in quotes": ('"Date","Orders"', D, lambda t, k: f'"{t:%b %d, %Y}","{k}"', "1 day", []),
    "stock prices": ("Date,Open,Close", D, lambda t, k: f"{t:%m/%d/%Y},{k},{k + 1}", "1 day", ["month first (mdy)"]),
    "stock prices, short years": ("Date,Close", D, stamps("%d-%m-%y"), "1 day", ["day first (dmy)", "read as 2020"]),
    "stock export": ("<DATE>,<TIME>,<CLOSE>", H, stamps("%Y%m%d,%H:%M:%S"), "1 hour", ["joined"]),
    "sensor log": (
        "timestamp,temp", H, lambda t, k: f"{t + k % 7 * SECOND:%Y-%m-%d %H:%M:%S},{k}", "1 hour", ["moved onto it"]
    ),
    "sensor log, epochs": (
        "ts,temp", H, lambda t, k: f"{int(t.replace(tzinfo=dt.UTC).timestamp() * 1000)},{k}", "1 hour", []
    ),
    "sensor log, blanks": ("time,temp", H, lambda t, k: f"  {t:%Y-%m-%d %H:%M:%S.000} ,{k}", "1 hour", []),
    "government, months": ("month,index", M, stamps("%Y%m"), "1 month", ["months (yyyymm)"]),
    "government, quarters": ("TIME,GDP", Q, lambda t, k: f"{t.year}-Q{t.month // 3 + 1},{k}", "1 quarter", []),
    "government, quarters first": ("Period,GDP", Q, lambda t, k: f"Q{t.month // 3 + 1} {t.year},{k}", "1 quarter", []),
    "government, codes": ("TIME_PERIOD,OBS", M, lambda t, k: f"{t.year}M{t.month:02},{k}", "1 month", []),
    "government, year and month": ("Year,Month,Rate", M, stamps("%Y,%B"), "1 month", ["joined"]),
    "government, weeks": ("week,deaths", series("2018-01-01", 7 * DAY, 60), stamps("%G-W%V"), "1 week", ["ISO 8601"]),
    "government, decimal years": (
        "decimal date,co2", M, lambda t, k: f"{t.year + (t.month - 0.5) / 12:.4f},{k}", "1 month", ["decimal years"]
    ),
    "web analytics": ("Day Index,Sessions", D, stamps("%-m/%-d/%y"), "1 day", ["month first (mdy)"]),
    "web analytics, hours": ("Date + hour,Users", H, stamps("%Y%m%d%H"), "1 hour", ["yyyymmddhh"]),
    "web server": ("time,hits", H, stamps("%d/%b/%Y:%H:%M:%S +0000"), "1 hour", []),
    "spreadsheet": ("Datum,Wert", D, stamps("%d.%m.%y"), "1 day", ["day first (dmy)"]),
    "spreadsheet, named": ("date,x", D, stamps("%A %d %B %Y"), "1 day", []),
    "script": ("when,x", H, stamps("%a %b %d %H:%M:%S %Y"), "1 hour", []),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_files_of_every_kind(tmp_path, kind):
    header, times, write, step, words = FILES[kind]
    data = table(tmp_path / "a.csv", header, [write(t, k) for k, t in enumerate(times)])
    panel, said = read(data)
    expected = np.array(times, dtype="M8[us]")
    if kind == "bike counter, offsets":
        expected = expected - np.timedelta64(1, "h")
    np.testing.assert_array_equal(panel.time, expected)
    assert panel.frequency.label == step
    np.testing.assert_array_equal(panel.values[:, -1], np.arange(len(times)) + ("Close" in header and "Open" in header))
    for word in words:
        assert any(word in text for text in said), said
    assert len(said) <= len(words) + 1, said
    assert all(text.endswith(".") and len(text) < 320 for text in said), said


CASES = {
    "01": ("a day", "2020-01-01", "2020-01-14", "month first (mdy), as 01/13/2020 shows"),
    "02": ("a day", "2020-01-01", "2020-01-14", "day first (dmy), as 13/01/2020 shows"),
    "04": ("a day", "2018-08-14", "2018-08-16", "day first (dmy)"),
    "05": ("an hour", "2021-03-01T00:00", "2021-03-01T02:00", "month first"),
    "06": ("an hour", "2021-03-01T00:00", "2021-03-01T02:00", ""),
    "08": ("a month", "2012-01-01", "2012-03-01", ""),
    "11": ("a quarter", "1995-01-01", "1995-07-01", ""),
    "12": ("a month", "2012-01-01", "2019-12-01", "read as months (yyyymm)"),
    "13": ("a month", "2012-01-01", "2019-12-01", "read as months (yyyymm)"),
    "15": ("an hour", "2021-03-01T00:00", "2021-03-01T02:00", "'Date' and 'Time' are joined"),
    "16": ("an hour", "2021-03-01T00:00", "2021-03-02T04:00", "'Date' and 'Time' are joined"),
    "20": ("a month", "2012-01-31", "2019-12-31", ""),
    "41": ("10 minutes", "2021-01-01T00:00", "2021-01-03T01:50", "227 times off the grid"),
    "52": ("a year", "1940-01-01", "2019-01-01", ""),
}


@pytest.fixture
def case(data_dir):
    folder = data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"the reduced inputs are not at {folder}")
    return lambda number: read_table(next(next(folder.glob(f"{number}-*")).glob("*.csv")))


@pytest.mark.parametrize("number", CASES)
def test_reduced_inputs(case, number):
    step, first, last, words = CASES[number]
    panel, said = read(case(number))
    assert panel.frequency.label in (step, step.replace("an ", "1 ").replace("a ", "1 "))
    assert (times_of(panel)[0], times_of(panel)[-1]) == (np.datetime64(first), np.datetime64(last))
    assert (np.diff(panel.tick) == 1).all()
    assert any(words in text for text in said) if words else not said


def test_reduced_inputs_that_ask(case):
    with pytest.raises(DataError, match=r"lines 51 and 52 hold different values.*duplicates='mean'"):
        read(case("42"))
    assert len(read(case("42"), duplicates="mean")[0]) == 120
    with pytest.raises(DataError, match=r"autumn, name the time zone \(zone=\)"):
        read(case("43"))
    for number in ("43", "45"):
        panel, _ = read(case(number), zone="Europe/Berlin")
        assert (panel.frequency.label, len(panel)) == ("1 hour", 480)
        assert times_of(panel)[-1] == np.datetime64("2021-11-08T22:00") - np.timedelta64(1, "h")
    assert read(case("12"), time="none", columns=["sales"])[0].time is None
