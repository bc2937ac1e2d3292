# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Files: the real data sets, every form of CSV, and every bad file with the sentence it gets."""

from __future__ import annotations

import csv
import gzip
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import guess_time_column, read_panel, read_table
from seqloom.errors import DataError, MissingDependencyError, SettingError

PLAIN = "time,T (degC),wind\n2020-01-01 00:00,1.5,10\n2020-01-01 01:00,-2.25,20\n2020-01-01 02:00,3e2,30\n"
EXPECTED = np.array([[1.5, 10], [-2.25, 20], [300, 30]])


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# -- real data ------------------------------------------------------------------------------------------------------


def test_jena(data_dir):
    path = data_dir / "jena" / "jena_climate_2020.csv.gz"
    panel = read_panel(path, time="Date Time", missing=(-9999,))
    assert panel.values.shape == (52_704, 14)
    assert (np.diff(panel.tick) == 1).all()
    assert panel.frequency.label == "10 minutes"
    assert (panel.time[0], panel.time[-1]) == (np.datetime64("2020-01-01T00:10"), np.datetime64("2021-01-01T00:00"))
    with gzip.open(path, "rt") as file:
        lines = list(csv.reader(file))
    assert panel.columns == tuple(lines[0][1:])
    by_time = {row[0]: [float(cell) for cell in row[1:]] for row in lines[1:]}
    assert len(by_time) == 52_695
    wind = panel.columns.index("wv (m/s)")
    for row in (0, 20_000, 52_703):
        stamp = panel.time[row].item().strftime("%d.%m.%Y %H:%M:%S")
        np.testing.assert_array_equal(panel.values[row], by_time[stamp])
    hole = int(np.flatnonzero(panel.time == np.datetime64("2020-02-20T07:40"))[0])
    assert by_time["20.02.2020 07:40:00"][wind] == -9999
    assert panel.values[hole, wind] == panel.values[hole - 1, wind]
    assert np.argwhere(panel.filled[: hole + 100]).tolist() == [[hole, wind]]
    inserted = np.flatnonzero(panel.filled.all(axis=1))
    assert (len(inserted), str(panel.time[inserted[0]])[:16]) == (9, "2020-05-29T09:40")
    np.testing.assert_array_equal(panel.values[inserted], np.repeat(panel.values[inserted[:1] - 1], 9, axis=0))
    assert panel.filled.sum() == 9 * 14 + 1
    assert [(r.kind, r.count) for r in panel.quality.repairs] == [
        ("sentinel", 1),
        ("dropped", 1),
        ("inserted", 9),
        ("filled", 1),
    ]
    line = next(number for number, row in enumerate(lines, 1) if row[0] == "20.02.2020 07:40:00")
    assert f"line {line}" in panel.quality.repairs[0].text
    assert guess_time_column(path) == "Date Time"


@pytest.mark.parametrize(
    ("name", "time", "label", "rows", "first", "last"),
    [
        ("AirPassengers", "Month", "1 month", 144, [112], [432]),
        ("monthly-sunspots", "Month", "1 month", 2820, [58.0], [33.4]),
        ("EuStockMarkets", None, "1 step", 1860, [1628.75, 1678.1, 1772.8, 2443.6], [5473.72, 7676.3, 3995, 5455]),
    ],
)
def test_classic_series(data_dir, name, time, label, rows, first, last):
    path = data_dir / "classic_series" / f"{name}.csv"
    assert guess_time_column(path) == time
    panel = read_panel(path, time=time)
    assert (len(panel), panel.frequency.label) == (rows, label)
    np.testing.assert_array_equal(panel.values[0], first)
    np.testing.assert_array_equal(panel.values[-1], last)
    assert panel.quality.findings == panel.quality.repairs == ()


# -- forms of text --------------------------------------------------------------------------------------------------

FORMS = {
    "plain": PLAIN,
    "no last line end": PLAIN.rstrip("\n"),
    "semicolon": PLAIN.replace(",", ";"),
    "tab": PLAIN.replace(",", "\t"),
    "windows lines": PLAIN.replace("\n", "\r\n"),
    "old mac lines": PLAIN.replace("\n", "\r"),
    "byte order mark": "\ufeff" + PLAIN,
    "quoted": "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in PLAIN.splitlines()),
    "blanks around": PLAIN.replace(",", " , "),
    "separator at the end": PLAIN.replace("\n", ",\n"),
    "empty lines": "\n\n" + PLAIN.replace("\n2020-01-01 01", "\n\n  \n2020-01-01 01") + "\n\n",
    "gzip": gzip.compress(PLAIN.encode()),
    "utf-16": PLAIN.encode("utf-16"),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(write, form):
    panel = read_panel(write(FORMS[form]), time="time")
    np.testing.assert_array_equal(panel.values, EXPECTED)
    assert panel.columns == ("T (degC)", "wind")
    assert panel.time[1] == np.datetime64("2020-01-01T01:00")


def test_a_mark_in_a_column_name(write):
    text = PLAIN.replace("T (degC)", "T (°C)")
    assert read_panel(write(text.encode("cp1252")), time="time", encoding="cp1252").columns[0] == "T (°C)"
    assert read_panel(write(text), time="time").columns[0] == "T (°C)"


def test_quoted_names_with_separators_and_line_ends(write):
    panel = read_panel(write('"a,b","say ""x""","two\nlines"\n1,2,3\n4,5,6\n'))
    assert panel.columns == ("a,b", 'say "x"', "two\nlines")
    with pytest.raises(DataError, match="line 4, column 'a,b': expected a number, got 'x'"):
        read_panel(write('"a,b","say ""x""","two\nlines"\n1,2,3\nx,5,6\n'))


def test_decimal_comma(write):
    panel = read_panel(write("t;x;y\n2020-01;1,5;-2\n2020-02;2,25;1e1\n"), time="t", decimal=",")
    np.testing.assert_array_equal(panel.values, [[1.5, -2], [2.25, 10]])
    np.testing.assert_array_equal(read_panel(write("x;y\n1,5;2\n")).values, [[1.5, 2]])  # no other reading of 1,5
    with pytest.raises(DataError, match=r"line 2, column 'x': expected a number, got '1,5'.*decimal=','"):
        read_panel(write("x;y\n1,5;2\n"), decimal=".")
    with pytest.raises(DataError, match=r"'1\.50'.*points are not accepted"):
        read_panel(write("x;y\n1.50;2\n"), decimal=",")
    with pytest.raises(SettingError, match="decimal"):
        read_panel(write(PLAIN), decimal=";")


def test_missing_cells_of_every_spelling(write):
    panel = read_panel(write("x,y\n1,1\n,2\nNA,3\nnan,4\nNULL,5\n-,6\n".replace("-,6", "n/a,6")), max_fill=2)
    np.testing.assert_array_equal(panel.values[:, 0], [1, 1, 1, np.nan, np.nan, np.nan])


def test_one_column_with_an_empty_line(write):
    panel = read_panel(write("x\n1\n\n3\n\n\n"), max_fill=0)
    np.testing.assert_array_equal(panel.values[:, 0], [1, np.nan, 3])


def test_parquet_and_arrow_files(write, tmp_path):
    frame = pl.read_csv(PLAIN.encode(), try_parse_dates=True)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ipc(tmp_path / "a.arrow")
    for name in ("a.parquet", "a.arrow"):
        panel = read_panel(tmp_path / name, time="time")
        np.testing.assert_array_equal(panel.values, EXPECTED)
        assert panel.quality.source == name
        assert guess_time_column(tmp_path / name) == "time"
    with pytest.raises(DataError, match="damaged"):
        read_panel(write((tmp_path / "a.parquet").read_bytes()[:-20], "b.parquet"))


@given(
    st.lists(
        st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=2),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from((",", ";", "\t")),
    st.booleans(),
)
def test_numbers_come_back_exactly(tmp_path_factory, rows, separator, quoted):
    path = tmp_path_factory.mktemp("numbers") / "x.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
        writer.writerow(["a", "b, c;\t"])
        writer.writerows([[repr(cell) for cell in row] for row in rows])
    np.testing.assert_array_equal(read_panel(path).values, rows)


# -- bad files ------------------------------------------------------------------------------------------------------

BAD = {
    "empty": (b"", "the file is empty"),
    "empty gzip": (gzip.compress(b""), "empty once unpacked"),
    "lines only": (b"\n\n  \n", "nothing but empty lines"),
    "header only": (b"a,b\n", "a header and nothing else"),
    "no header": (b"1,2\n3,4\n", "line 1: expected the names of the columns, found numbers only"),
    "binary": (bytes(range(256)) * 9, "looks like a binary file"),
    "latin-1": ("a,b\n1,2\n3,°\n".encode("latin-1"), "line 3: byte 0xB0 at position 10.*'cp1252'"),
    "utf-16 without a mark": (PLAIN.encode("utf-16-le"), "looks like a binary file"),
    "cut gzip": (gzip.compress(PLAIN.encode() * 50)[:-30], "cut short"),
    "altered gzip": (gzip.compress(PLAIN.encode())[:-8] + b"\0" * 8, "gzip file is damaged"),
    "zip": (b"PK\x03\x04rest", "zip archive or Excel"),
    "cut parquet": (b"PAR1" + b"\0" * 50, "damaged"),
    "twice named": (b"a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'"),
    "short line": (b"a,b\n1,2\n3\n5,6\n", r"line 3: expected 2 cells as in the header, found 1\."),
    "long line": (b"a,b\n1,2,3\n3,4,5\n5,6\n", r"line 2: expected 2 cells as in the header, found 3 \(2 such lines\)"),
    "open quote": (b'a,b\n1,2\n"3,4\n5,6\n', "line 3: a double quote is opened here or before"),
    "text cell": (b"a,b\n1,2\n3,4 m/s\n5,x\n", r"line 3, column 'b': expected a number, got '4 m/s' \(2 cells"),
    "infinite": (b"a,b\n1,2\n3,inf\n", "line 3, column 'b': expected a finite number, got inf"),
    "too large": (b"a,b\n1,2\n3,-1e999\n", "line 3, column 'b': expected a finite number, got -inf"),
    "square too large": (b"a,b\n1,2\n3,-2e150\n5,3e307\n", r"line 3, column 'b': expected .*-2e.150 .2 such"),
    "all missing": (b"b\n-\nNA\n", "column 'b' holds no value at all"),
    "underscore": (b"a,b\n1,1_000\n", "expected a number, got '1_000'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(write, kind):
    content, words = BAD[kind]
    path = write(content, "bad.csv")
    with pytest.raises(DataError, match=words) as caught:
        read_panel(path)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_largest_numbers_are_read_and_larger_ones_may_mark_what_is_missing(write):
    path = write(b"a\n1e150\n-1e150\n1.79e308\n", "large.csv")
    assert read_panel(path, missing=[1.79e308]).values[:2].ravel().tolist() == [1e150, -1e150]


@given(st.data())
def test_damaged_text_is_read_or_refused_in_one_sentence(tmp_path_factory, data):
    content = bytearray((PLAIN * 2).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(st.binary(max_size=4), st.sampled_from((b'"', b"\n", b",", b";", b"\r", b"\0", b"'", b"#", b" ")))
        )
    path = tmp_path_factory.mktemp("damaged") / "x.csv"
    path.write_bytes(bytes(content))
    message = ""
    try:
        assert read_panel(path, time="time").values.shape[1] >= 1
    except DataError as error:
        message = str(error)
    assert "\n" not in message


BAD_TIMES = {
    "no time": ("t,x\n2020-01-01,1\nsoon,2\n", {}, "line 3, column 't': 'soon' is not a time"),
    "empty time": ("t,x\n2020-01-01,1\n,2\n", {}, "line 3, column 't': expected a time, the cell is empty"),
    "off grid": (
        "t,x\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n2020-01-03 07:00,4",
        {},
        "line 5.*07:00 does not lie on",
    ),
    "irregular": (
        "t,x\n2020-01-01,1\n2020-02-17,2\n2021-01-03,3\n2022-07-03 07:00,4\n2023-08-09,1",
        {},
        "regular",
    ),
    "conflict": (
        "t,x\n2020-01-01,1\n2020-01-02,2\n2020-01-02,3\n",
        {},
        "lines 3 and 4 hold different values for one time, 2020-01-02, for example 2 and 3 in column 'x'; remove one",
    ),
    "repeated hour": (
        "t,x\n2023-10-29 01:00,1\n2023-10-29 02:00,2\n2023-10-29 02:00,3\n2023-10-29 03:00,4\n",
        {},
        "lines 3 and 4 hold different values.*zone=",
    ),
    "skipped hour": (
        "t,x\n2023-03-26 01:00,1\n2023-03-26 02:00,2\n2023-03-26 03:00,3\n",
        {"zone": "Europe/Berlin"},
        "line 3, column 't': 2023-03-26 02:00 never showed on the clocks of Europe/Berlin",
    ),
    "one row": ("t,x\n2020-01-01,1\n", {}, "At least two different times"),
    "id missing": ("t,x,i\n2020-01-01,1,a\n2020-01-02,1,\n", {"id": "i"}, "line 3, column 'i'.*empty"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TIMES)
def test_bad_times(write, kind):
    text, arguments, words = BAD_TIMES[kind]
    with pytest.raises(DataError, match=words):
        read_panel(write(text), time="t", **arguments)


def test_bad_paths_and_names(write, tmp_path):
    path = write(PLAIN, "weather.csv")
    with pytest.raises(DataError, match=r"no such file. Did you mean 'weather.csv'"):
        read_panel(tmp_path / "wether.csv")
    with pytest.raises(DataError, match="no such file"):
        read_panel(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_panel(tmp_path)
    with pytest.raises(DataError, match="can't be read"):
        read_panel("a\0b")
    with pytest.raises(DataError, match=r"no time column is named 'Time'. Did you mean 'time'"):
        read_panel(path, time="Time")
    with pytest.raises(DataError, match=r"no column is named 'T \(degK\)'. Did you mean 'T \(degC\)'"):
        read_panel(path, columns=["T (degK)"])
    untimed = read_panel(path)  # rows are counted, and no model reads times as numbers
    assert untimed.time is None
    assert "time" not in untimed.columns
    assert untimed.quality is not None
    assert any(
        "'time': left out" in decision.text and "time=" in decision.text for decision in untimed.quality.decisions
    )
    with pytest.raises(SettingError, match=r"encoding.*'uft-8'.*Did you mean 'utf-8'"):
        read_panel(path, encoding="uft-8")


def test_without_polars(write, monkeypatch):
    path = write(PLAIN)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[app\]'"):
        read_panel(path)


# -- the time column ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PLAIN, "time"),
        ("x,stamp\n1,1600000000\n2,1600000060\n", "stamp"),
        ("x,big\n1,1600000060\n2,1600000000\n", None),
        ("year,x\n1999,1\n2000,2\n", "year"),
        ("x,y\n1999,1\n2000,2\n", None),
        ("a,b,x\n2020-01,2020-01-01,1\n2020-02,2020-01-02,2\n", None),
        ("a,b\n2020-01,1\nsoon,2\n", None),
        ("a,b\n1,2\n3,4\n", None),
        ("when,stamp,x\n2020-01,1600000000,1\n2020-02,1600000060,2\n", "when"),
    ],
)
def test_guess_time_column(write, text, name):
    path = write(text)
    assert guess_time_column(path) == name
    assert guess_time_column(read_table(path)) == name
    assert guess_time_column(pl.read_csv(path)) == name
