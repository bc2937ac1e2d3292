"""Text tables in the forms that real files have: where they begin and end, what separates cells, and what is said of
it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Table, read_table
from seqloom.errors import DataError, SettingError

Write = Callable[..., Path]
ROWS = "2020-01-01,1.5\n2020-01-02,-2\n2020-01-03,30\n"
PLAIN = "date,x\n" + ROWS
VALUES = [1.5, -2, 30]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def said(table: Table) -> str:
    return " ".join(decision.text for decision in table.decisions)


FORMS = {
    "preamble": ("Category: All categories\n\n" + PLAIN, 4, "The table begins on line 3; line 1 before it"),
    "padded preamble": ("Report,\n,\n" + PLAIN, 4, "begins on line 3; lines 1 to 2"),
    "label and number": ("Station,12\n" + PLAIN, 3, "begins on line 2"),
    "comments": ("# station 12\n# unit kWh\n" + PLAIN, 4, "Lines 1 to 2 begin with # and are left out"),
    "comment among rows": (PLAIN.replace("2020-01-02", "# moved\n2020-01-02"), 2, "line 3) begins with # and is left"),
    "names in a comment": ("# made by hand\n# date,x\n" + ROWS, 3, "Line 2 names the columns, although"),
    "sep": ("sep=;\n" + PLAIN.replace(",", ";"), 3, "Line 1 names the separator, ';'"),
    "pipes": (PLAIN.replace(",", "|"), 2, r"separated by |."),
    "markdown": ("| date | x |\n|---|---|\n" + "".join(f"| {r.replace(',', ' | ')} |\n" for r in ROWS.split()), 3, "|"),
    "spaces": (PLAIN.replace(",", " "), 2, "separated by spaces"),
    "columns of spaces": (PLAIN.replace(",", "     ").replace("\n", "  \n "), 2, "separated by"),
    "units": (PLAIN.replace("x\n", "x\n,degC\n"), 3, "Line 2 holds units or remarks (degC)"),
    "units of time": (PLAIN.replace("x\n", "x\n(UTC),(kWh)\n"), 3, "Line 2 holds units"),
    "three header lines": (PLAIN.replace("x\n", "x\nTicker,AAPL\nDate,\n"), 4, "Lines 2 to 3 hold units or remarks"),
    "total": (PLAIN + "Total,29.5\n", 2, "Line 5 at the end ('Total, 29.5') is no data"),
    "Summe": (PLAIN + "Summe,29.5\n", 2, "Line 5 at the end"),
    "source": (PLAIN + "\nSource: Office of Statistics\n", 2, "Line 6 at the end"),
    "copyright": (PLAIN + "__________\n(C) Office of Statistics\n", 2, "Lines 5 to 6 at the end"),
    "empty rows": (PLAIN + ",\n,\n", 2, "2 empty rows at the end were left out"),
    "no header": (ROWS, 1, "Line 1 holds data (2020-01-01, 1.5): the table has no header"),
    "trailing separators": (PLAIN.replace("\n", ",,\n"), 2, ""),
    "trailing only in rows": ("date,x\n" + ROWS.replace("\n", ",\n"), 2, ""),
    "trailing only in the header": ("date,x,\n" + ROWS, 2, ""),
    "row names": ("date,x\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS.split(), 1)), 2, "no name for"),
    "all of it": (
        "\ufeffStation 5\n\n# kWh\ndate;x;\r\n(UTC);(kWh);\r\n" + ROWS.replace(",", ";").replace("\n", ";\r\n")
        + "Total;;\r\n;;\r\n",
        6,
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_forms(write: Write, form: str) -> None:
    text, line, sentence = FORMS[form]
    table = read_table(write(text))
    value = table.names[-1]
    assert table.texts(table.names[0]).to_list()[0].strip() == "2020-01-01"
    np.testing.assert_array_equal(table.numbers(value), VALUES)
    assert table.place(0) == f"line {line}"
    assert sentence in said(table)
    assert (table.names == ["date", "x"]) is (form != "no header")


@pytest.mark.parametrize("form", FORMS)
def test_a_long_table_of_each_form(write: Write, form: str) -> None:
    """Only the ends of a long table are looked at; what is in between is read all the same."""
    text, line, _ = FORMS[form]
    days = np.datetime64("2020-01-01") + np.arange(3000)
    separator = next((mark for mark in ";|" if f"2020-01-01{mark}" in text), "," if "2020-01-01," in text else None)
    if separator is None or "row names" in form:
        pytest.skip("rows of another kind")
    rows = text.split("2020-01-03")[0] + "".join(f"{day}{separator}{i}.5\n" for i, day in enumerate(days[2:], 2))
    rows += text.split("30", 1)[1].split("\n", 1)[1]
    if "trailing" in form or form == "all of it":
        pytest.skip("rows end in a separator")
    table = read_table(write(rows.replace("\r\n", "\n")))
    found = table.numbers(table.names[-1])
    assert (len(found), found[-1], table.place(2999)) == (
        3000,
        2999.5,
        f"line {line + 2999 + (form == 'comment among rows')}",
    )


def test_what_the_caller_says(write: Write) -> None:
    junk = "junk, more\nand; more\n" + PLAIN
    table = read_table(write(junk), skip=2)
    assert (table.names, table.place(0), table.decisions) == (["date", "x"], "line 4", [])
    assert read_table(write(ROWS), header=False).names == ["column_1", "column_2"]
    assert read_table(write(ROWS), header=False).decisions == []
    assert read_table(write(ROWS), header=True).names == ["2020-01-01", "1.5"]
    assert read_table(write("1,2\n3,4\n"), header=False).numbers("column_2").tolist() == [2, 4]
    assert read_table(write("a,b;c\n1,5;2\n"), separator=";").names == ["a,b", "c"]
    for name in ("tab", "\\t", "\t"):
        assert read_table(write("a\tb\n1\t2\n"), separator=name).names == ["a", "b"]
    assert read_table(write("a   b\n1 2\n"), separator="space").names == ["a", "b"]
    assert read_table(write("a:b\n1:2\n"), separator=":").names == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"separator": "::"}, "separator: expected one character"),
        ({"separator": "a"}, "separator"),
        ({"separator": '"'}, "separator"),
        ({"skip": -1}, "skip: expected a number of lines from 0, got -1"),
        ({"skip": True}, "skip"),
        ({"header": "yes"}, "header: expected True, False or None"),
        ({"thousands": "x"}, "thousands: expected"),
        ({"thousands": ",", "decimal": ","}, "thousands and decimal: both are ','"),
        ({"decimal": ";"}, "decimal: expected"),
    ],
)
def test_what_the_caller_can_not_say(write: Write, arguments: dict, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        read_table(write(PLAIN), **arguments)


REFUSED = {
    "a header of fewer names": ("Date,Avg\n1958-03,315.7,-1\n1958-04,317.4,-1\n", r"line 2: expected 2 cells .* 3 \(2"),
    "a header of numbers": ("1990,1991\n1,2\n3,4\n", r"line 1: .*found numbers only.*header=False"),
    "a cut last line": ("t,x\n2020-01-01,1\n2020-01-02,2\n2020-01-0", "line 4: expected 2 cells"),
    "a ragged line in the middle": (PLAIN.replace("2020-01-02,-2", "oh dear"), "line 3: expected 2 cells"),
    "skipped to the end": ("a,b\n1,2\n", "skip: expected fewer lines"),
    "quotes between spaces": (
        'a b\n1 "2"\n3 4\n5 6\n7 8\n',
        "line 2: cells are separated by spaces and a double quote",
    ),
}


def test_names_that_count_the_columns_are_names(write: Write) -> None:
    """Data frames without names are written as 0, 1, 2 …; where that is meant as data, header=False says so."""
    text = "0,1,2\n0.5,1.5,2\n0.25,1.25,3\n"
    table = read_table(write(text))
    assert list(table.cells) == ["0", "1", "2"]
    assert table.rows == 2
    assert "counts the columns from 0" in said(table)
    assert read_table(write(text), header=False).rows == 3
    years = read_table(write("1990,1991\n1,2\n3,4\n"), header=True)
    assert list(years.cells) == ["1990", "1991"]


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(write: Write, kind: str) -> None:
    text, words = REFUSED[kind]
    with pytest.raises(DataError, match=words):
        read_table(write(text), skip=5 if "skipped" in kind else 0)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("country,1990,1991\nDE,1,2\nFR,2,3\n", ["country", "1990", "1991"]),
        ("id,2020-01,2020-02\nA,5,6\nB,7,8\n", ["id", "2020-01", "2020-02"]),
        ("#date,x\n2020-01-01,1\n2020-01-02,2\n", ["#date", "x"]),
        ("text,label\nfoo,bar\nbaz,qux\n", ["text", "label"]),
        ("a,b\nTotal,1\n", ["a", "b"]),
    ],
)
def test_headers_that_are_headers(write: Write, text: str, names: list[str]) -> None:
    table = read_table(write(text))
    assert table.names == names
    assert table.rows == text.count("\n") - 1
    assert table.decisions == []


def test_quotes_between_tabs(write: Write) -> None:
    table = read_table(write('t\tx\n1\t5" pipe\n2\t6" "pipe"\n'))
    assert table.texts("x").to_list() == ['5" pipe', '6" "pipe"']
    assert "Double quotes stand in the middle of cells" in said(table)
    table = read_table(write('t\tx\n1\t"5"" pipe\nof steel"\n2\t"6\t"\n'))
    assert table.texts("x").to_list() == ['5" pipe\nof steel', "6\t"]
    assert table.decisions == []


# -- numbers read at once -------------------------------------------------------------------------------------------


def long(rows: int = 400, mark: str = ".", separator: str = ",") -> tuple[str, np.ndarray]:
    values = np.random.default_rng(0).normal(0, 1000, rows).round(3)
    lines = [f"{i:03}{separator}{f'{value:.3f}'.replace('.', mark)}" for i, value in enumerate(values)]
    return f"id{separator}x\n" + "\n".join(lines) + "\n", values


@pytest.mark.parametrize(("mark", "separator"), [(".", ","), (".", ";"), (",", ";"), (",", "\t"), (".", "|")])
def test_plain_columns_come_as_numbers_and_can_be_had_as_written(write: Write, mark: str, separator: str) -> None:
    text, values = long(mark=mark, separator=separator)
    table = read_table(write(text))
    assert table.cells["x"].dtype.is_numeric()
    np.testing.assert_array_equal(table.numbers("x"), values)
    assert table.texts("id")[7] == "007"
    assert table.labels("id")[0][7] == "007"
    assert table.texts("x")[3] == f"{values[3]:.3f}".replace(".", mark)
    assert ("Commas are decimal marks" in said(table)) is (mark == ",")
    assert table.place(399) == "line 401"


@pytest.mark.parametrize("cell", ["", "NA", "-", "1,5", "x", '"3"', "1 234", "1;2", "1e999", "3 "])
@pytest.mark.parametrize("mark", [".", ","])
def test_an_odd_cell_far_down_is_read_as_line_by_line(write: Write, cell: str, mark: str) -> None:
    """Whatever stands in the middle of a long table, both ways of reading agree."""
    text, _ = long(900, mark, ";")
    lines = text.split("\n")
    lines[500] = f"499;{cell}"
    odd = "\n".join(lines)
    results = []
    for quoted in (odd, odd.replace("id;x", '"id";x', 1)):  # quotes lead the other way
        try:
            results.append(read_table(write(quoted)).numbers("x").tolist())
        except DataError as error:
            results.append(str(error))
    np.testing.assert_equal(results[0], results[1])


@given(st.lists(st.floats(-1e150, 1e150), min_size=220, max_size=240), st.sampled_from(".,"))
def test_numbers_read_at_once_are_those_read_one_by_one(tmp_path_factory: pytest.TempPathFactory, rows, mark) -> None:
    path = tmp_path_factory.mktemp("plain") / "x.csv"
    text = "a;b\n" + "".join(f"{str(row).replace('.', mark)};0{mark}5\n" for row in rows)
    path.write_text(text)
    np.testing.assert_array_equal(read_table(path).numbers("a"), rows)


def test_frames_go_through_the_same_rules() -> None:
    frame = pl.DataFrame({"x": ["1,5", "2,5", "-"], "y": ["true", "false", None]})
    table = Table.from_frame(frame)
    np.testing.assert_array_equal(table.numbers("x"), [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(table.numbers("y"), [1, 0, np.nan])
    assert [decision.what for decision in table.decisions] == ["missing", "decimal", "truth"]


def test_a_preamble_of_several_padded_lines(tmp_path: Path) -> None:
    """Lines of a meter's export: each is filled up with separators, the names come last."""
    rows = "".join(f"{day:02d}.01.2023;00:00;{day}.000,5\n" for day in range(1, 29))
    (tmp_path / "m.csv").write_text(f"Meter 12;;\nPlace;Munich;\nDatum;Uhrzeit;Verbrauch\n{rows}Summe;;345,0\n")
    table = read_table(tmp_path / "m.csv")
    assert list(table.names) == ["Datum", "Uhrzeit", "Verbrauch"]
    assert table.rows == 28
    assert table.numbers("Verbrauch")[:2].tolist() == [1000.5, 2000.5]
