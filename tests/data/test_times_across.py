"""Tables whose months, quarters, days or dates stand across are put into rows where that is plain to see, and it is
said; others stay as they are."""

from __future__ import annotations

import calendar
from pathlib import Path

import numpy as np
import pytest

from seqloom.data import Panel, read_table
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.time_columns import choose_time

SHORT = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]


def panel_of(path: Path, text: str, **how) -> Panel:
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    return Panel.from_frame(table, time=choose_time(table).time, **how)


def months(count: int, first: int = 2000) -> np.ndarray:
    return (np.datetime64(f"{first}-01") + np.arange(count)).astype("M8[us]")


def test_months_across(tmp_path: Path) -> None:
    years = range(2000, 2004)
    cells = {year: [f"{year % 100 * 12 + month}.5" for month in range(12)] for year in years}
    cells[2003][10:] = ["", "-"]  # not yet there
    text = f"Year,{','.join(SHORT)},Annual\n" + "".join(f"{y},{','.join(cells[y])},7\n" for y in years)
    panel = panel_of(tmp_path / "a.csv", text)
    np.testing.assert_array_equal(panel.time, months(46))
    np.testing.assert_array_equal(panel.column("value"), np.arange(46) + 0.5)
    assert panel.columns == ("value",)
    assert panel.frequency.label == "1 month"
    assert panel.quality is not None
    said = next(d for d in panel.quality.decisions if d.what == "unfolded")
    assert said.text == (
        "Columns 'Jan' to 'Dec' are the months of the years in 'Year': they are put into rows, with the times in "
        "'Year' and the values in 'value', without 'Annual'; say unfold=False to read the table as it stands."
    )


def test_months_of_several_series(tmp_path: Path) -> None:
    rows = [(s, y, [f"{k},{m}" for m in range(12)]) for k, s in enumerate(("Kiel", "Ulm")) for y in (2000, 2001)]
    text = f"Station;Jahr;{';'.join(GERMAN)}\n" + "".join(f"{s};{y};{';'.join(c)}\n" for s, y, c in rows)
    panel = panel_of(tmp_path / "a.csv", text, id="Station")
    assert panel.ids == ("Kiel", "Ulm")
    np.testing.assert_array_equal(panel.series("Ulm").time, months(24))
    assert panel.series("Ulm").column("value")[9] == 1.9
    with pytest.raises(
        DataError, match=r"line(s)? 2 and 4 .*, for example 0 and 1 in column 'value'.*say id='Station'"
    ):
        panel_of(tmp_path / "a.csv", text)


def test_quarters_years_and_days(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    panel = panel_of(path, "Year,Q1,Q2,Q3,Q4\n" + "".join(f"{y},1,2,3,{y - 2000}\n" for y in range(2001, 2006)))
    assert (panel.frequency.label, len(panel)) == ("1 quarter", 20)
    panel = panel_of(path, "Month,2018,2019\n" + "".join(f"{name},{k},{12 + k}\n" for k, name in enumerate(SHORT)))
    np.testing.assert_array_equal(panel.time, months(24, 2018))
    np.testing.assert_array_equal(panel.column("value"), np.arange(24))
    lengths = [calendar.monthrange(2020, month)[1] for month in range(1, 13)]
    rows = ["".join(f",{day}" if day <= n else "," for day in range(1, 32)) for n in lengths]
    text = f"Year,Month,{','.join(map(str, range(1, 32)))}\n" + "".join(
        f"2020,{m}{row}\n" for m, row in enumerate(rows, 1)
    )
    panel = panel_of(path, text)
    assert (panel.frequency.label, len(panel), panel.values[-1, 0]) == ("1 day", 366, 31)
    with pytest.raises(DataError, match="line 3, column '30': expected an empty cell, as there is no such day"):
        panel_of(path, text.replace("29,,\n", "29,30,\n"))


DATES = {
    "days of a month": ("Country,Lat,1/22/20,1/23/20,1/24/20", "a,1.5,1,2,3\nb,2.5,4,5,6\n", "2020-01-22"),
    "years": ("region,2018,2019,2020", "a,1,2,3\nb,4,5,6\n", "2018-01-01"),
    "months": ("shop,2020-01,2020-02,2020-03", "a,1,2,3\nb,4,5,6\n", "2020-01-01"),
    "years behind a preamble": (
        '"Source","Indicators",\n\n"Updated","2024-01-01",\n\n"Country","Code","1990","1991","1992",',
        '"a","A","1","2","3",\n"b","B","4","5","6",\n',
        "1990-01-01",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DATES)
def test_a_column_for_each_date(tmp_path: Path, kind: str) -> None:
    header, rows, first = DATES[kind]
    id = header.rsplit("\n", 1)[-1].split(",")[0].strip('"')
    panel = panel_of(tmp_path / "a.csv", f"{header}\n{rows}", id=id)
    assert panel.ids == ("a", "b")
    assert panel.time is not None
    assert panel.time[0] == np.datetime64(first)
    np.testing.assert_array_equal(panel.column("value"), range(1, 7))


STAYS = (
    "Year,Jan,Feb\n2000,1,2\n2001,3,4\n",
    f"day,{','.join(SHORT)}\n" + "".join(f"2024-01-0{d},{','.join('1' * 12)}\n" for d in range(1, 6)),
    "time,2018,2019,2020\n2024-01-01,1,2,3\n2024-01-02,1,2,3\n",
    "x,2018,2019,2020\n1,2,3,4\n5,6,7,8\n",
    "region,2018,2020,2019\na,1,2,3\nb,1,2,3\n",
    "region,2018,2019,2020\na,low,2,3\nb,high,2,3\n",
)


@pytest.mark.parametrize("text", STAYS)
def test_what_is_not_plain_stays(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert ",".join(read_table(tmp_path / "a.csv").names) == text.split("\n")[0]
    with pytest.raises(SettingError, match=r"unfold: .* has no columns that are named for the months"):
        read_table(tmp_path / "a.csv", unfold=True)


def test_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("region,2018,2019,2020\na,1,2,3\nb,4,5,6\n")
    assert read_table(tmp_path / "a.csv", unfold=False).names == ["region", "2018", "2019", "2020"]
    with pytest.raises(SettingError, match="unfold: expected True, False or None"):
        read_table(tmp_path / "a.csv", unfold="no")  # type: ignore[arg-type]
