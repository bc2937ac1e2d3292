"""Numbers as people write them: every form by its value, what can be two things is asked, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Table, read_panel, read_table
from seqloom.errors import DataError, SettingError

NAN = float("nan")


def column(tmp_path: Path, cells: list[str], separator: str = ",", others: list[str] | None = None, **how) -> Table:
    """A table of these cells as they stand in a file, quoted where they hold the separator."""

    def quoted(cell: str) -> str:
        return f'"{cell}"' if separator in cell else cell

    rows = [[quoted(cell) for cell in row] for row in zip(cells, others or ["a"] * len(cells))]
    path = tmp_path / "numbers.csv"
    path.write_text(f"x{separator}other\n" + "".join(separator.join(row) + "\n" for row in rows))
    return read_table(path, **how)


def words(table: Table) -> str:
    return " ".join(decision.text for decision in table.decisions)


READ = {
    "thousands of a comma-separated file": (
        ["10,025", "11,537", "987"],
        ",",
        [10025, 11537, 987],
        "commas split thousands",
    ),
    "more than one group": (["1,234,567", "12,345"], ";", [1234567, 12345], "commas split thousands"),
    "groups and decimals": (["1,234.50", "12.5"], ";", [1234.5, 12.5], "commas split thousands"),
    "groups of a lakh": (["1,23,456", "12,34,567", "1,234"], ",", [123456, 1234567, 1234], "commas split"),
    "decimal commas": (["12,5", "1,25"], ";", [12.5, 1.25], "Commas are decimal marks"),
    "decimal commas in quotes": (["12,5", "1,250"], ",", [12.5, 1.25], "Commas are decimal marks"),
    "points and commas": (["10.025,00", "987,5"], ";", [10025, 987.5], "points split thousands and commas are decimal"),
    "points alone, twice": (["1.234.567", "12.345"], ";", [1234567, 12345], "points split thousands"),
    "a leading zero": (["0,512", "1,234"], ";", [0.512, 1.234], "Commas are decimal marks"),
    "exponents": (["1,5e3", "2"], ";", [1500, 2], "Commas are decimal marks"),
    "blanks": (["1 234", "12 345 678", "5"], ";", [1234, 12345678, 5], "spaces or apostrophes split"),
    "no-break blanks": (["1\u00a0234,5", "5,25"], ";", [1234.5, 5.25], "spaces or apostrophes split"),
    "narrow blanks": (["1\u202f234", "5"], ";", [1234, 5], "spaces or apostrophes"),
    "apostrophes": (["1'234.50", "1’000.00"], ";", [1234.5, 1000], "spaces or apostrophes"),
    "dollars": (["$1,234.50", "$5.00", "-$3.00"], ",", [1234.5, 5, -3], "currency signs are left out"),
    "euros behind": (["12,50 €", "5,00 €"], ";", [12.5, 5], "currency signs are left out"),
    "francs": (["CHF 12.50", "CHF 5"], ";", [12.5, 5], "currency signs"),
    "percent": (["12 %", "0.5%", "0"], ",", [12, 0.5, 0], "percent signs are left out, '12 %' (line 2) is 12"),
    "brackets": (["(12)", "5", "(1,234)"], ",", [-12, 5, -1234], "brackets mean a minus"),
    "brackets and dollars": (["($12.50)", "$5.00"], ",", [-12.5, 5], "brackets mean a minus"),
    "a minus behind": (["12-", "5"], ",", [-12, 5], "a minus may stand behind"),
    "a typographic minus": (["−12", "5"], ",", [-12, 5], "− is a minus"),
    "dash": (["3", "-", "4"], ",", [3, NAN, 4], "'-' marks missing values among numbers (1 cell)"),
    "many marks": (
        ["3", "?", ".", "#N/A", "—", "n.a.", ":", "..", "NULL", "NaN"],
        ",",
        [3] + [NAN] * 9,
        "marks missing",
    ),
    "yes and no": (["yes", "No", "YES", ""], ",", [1, 0, 1, NAN], "yes is 1 and no is 0"),
    "true and false": (["true", "false", "NA"], ",", [1, 0, NAN], "true is 1 and false is 0"),
    "wahr": (["WAHR", "FALSCH"], ";", [1, 0], "wahr is 1"),
    "points in groups, semicolons": (["1.234", "5.678"], ";", [1.234, 5.678], "Say thousands='.'"),
    "plain": (["1.5", "-2", "+3", "4e2", ".5", "5."], ",", [1.5, -2, 3, 400, 0.5, 5], ""),
}


@pytest.mark.parametrize("kind", READ)
def test_read(tmp_path: Path, kind: str) -> None:
    cells, separator, values, sentence = READ[kind]
    table = column(tmp_path, cells, separator)
    np.testing.assert_array_equal(table.numbers("x"), values)
    assert sentence in words(table)
    assert bool(table.decisions) is bool(sentence)
    before = list(table.decisions)
    table.numbers("x")
    assert table.decisions == before  # said once


ASKED = {
    "three digits behind commas": (
        ["1,234", "5,678"],
        ";",
        "'1,234' can be 1234 or 1.234, and no cell of the table decides",
    ),
    "a whole number beside": (["1,234", "12345"], ";", "can be 1234 or 1.234"),
    "a bound": (["<1", "5"], ",", "A bound is no number: .*missing='<1'"),
    "percent in some": (
        ["12 %", "0.05", "3 %"],
        ",",
        "line 3, column 'x': .*'0.05'.*'12 %' .line 2. has a percent sign",
    ),
    "two marks": (["1,5", "2.5", "3.5"], ",", "'1,5'.*also holds '2.5' .line 3., which has another mark"),
    "two currencies": (["$5", "€6"], ",", "expected a number, got '€6'"),
    "a unit": (["4 m/s", "5", "6"], ",", "expected a number, got '4 m/s'"),
    "groups of two": (["12,34,56", "1"], ",", "expected a number"),
    "a group of four": (["1,2345,678", "1"], ",", "expected a number"),
    "blanks in odd places": (["12 34", "1"], ";", "expected a number, got '12 34'"),
}


@pytest.mark.parametrize("kind", ASKED)
def test_asked_or_refused(tmp_path: Path, kind: str) -> None:
    cells, separator, sentence = ASKED[kind]
    with pytest.raises(DataError, match=sentence) as caught:
        column(tmp_path, cells, separator).numbers("x")
    assert "line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_was_asked_is_settled_by_what_the_question_says(tmp_path: Path) -> None:
    cells = ["1,234", "5,678"]
    np.testing.assert_array_equal(column(tmp_path, cells, ";", thousands=",").numbers("x"), [1234, 5678])
    np.testing.assert_array_equal(column(tmp_path, cells, ";", decimal=",").numbers("x"), [1.234, 5.678])
    np.testing.assert_array_equal(column(tmp_path, ["<1", "5"], missing=["<1"]).numbers("x"), [NAN, 5])


def test_another_column_decides(tmp_path: Path) -> None:
    cells = ["1,234", "5,678"]
    table = column(tmp_path, cells, ";", ["0,5", "1,5"])
    np.testing.assert_array_equal(table.numbers("x"), [1.234, 5.678])
    assert "as in other columns" in words(table)
    np.testing.assert_array_equal(column(tmp_path, cells, ";", ["0.5", "1.5"]).numbers("x"), [1234, 5678])
    np.testing.assert_array_equal(column(tmp_path, ["1.234", "5.678"], ";", ["0,5", "1,5"]).numbers("x"), [1234, 5678])
    with pytest.raises(DataError, match="no cell of the table decides"):
        column(tmp_path, cells, ";", ["2,345", "3,456"]).numbers("x")


def test_commas_of_a_comma_separated_file_are_thousands_whatever_is_said_of_decimals(tmp_path: Path) -> None:
    table = column(tmp_path, ["10,025", "10,233"], decimal=",")
    np.testing.assert_array_equal(table.numbers("x"), [10025, 10233])
    assert "decimal=',' was given" in words(table)
    table = column(tmp_path, ["10,025", "10,233"], decimal=",", thousands="none")
    np.testing.assert_array_equal(table.numbers("x"), [10.025, 10.233])


def test_missing_texts(tmp_path: Path) -> None:
    table = column(tmp_path, ["3", "off", "OFF", "4"], missing=["off"])
    np.testing.assert_array_equal(table.numbers("x"), [3, NAN, NAN, 4])
    assert table.decisions == []
    with pytest.raises(DataError, match=r"line 3.*got 'off'.*Name the columns"):
        column(tmp_path, ["3", "off", "4"]).numbers("x")
    long = ["3"] * 20 + ["off"]
    with pytest.raises(DataError, match="where 'off' marks missing cells, say missing='off'"):
        column(tmp_path, long).numbers("x")


def test_a_panel_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('date,sales\n2020-01-01,"10,025"\n2020-01-02,"11,537"\n2020-01-03,-\n')
    panel = read_panel(path, time="date")
    np.testing.assert_array_equal(panel.column("sales"), [10025, 11537, 11537])
    with pytest.raises(SettingError, match="thousands"):
        read_panel(path, time="date", thousands="x")


# -- any series in any way of writing --------------------------------------------------------------------------------


def written(value: float, places: int, decimal: str, thousands: str) -> str:
    text = f"{value:,.{places}f}"
    return text.translate(str.maketrans({",": thousands or None, ".": decimal}))


@given(
    st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), min_size=1, max_size=12),
    st.integers(0, 4),
    st.sampled_from([(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", "'"), (",", "\u202f")]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["", "-", "NA", "?"]),
    st.sampled_from([("", ""), ("$", ""), ("", " €"), ("", "%")]),
    st.booleans(),
)
def test_every_way_of_writing_is_read_or_asked_about(
    tmp_path_factory, numbers, places, marks, separator, gone, dress, told
):
    decimal, thousands = marks
    values = [None if number is None else number / 10**places for number in numbers]
    cells = [gone if v is None else f"{dress[0]}{written(v, places, decimal, thousands)}{dress[1]}" for v in values]
    how = {"decimal": decimal, "thousands": thousands if thousands in (",", ".") else None} if told else {}
    path = tmp_path_factory.mktemp("written")
    try:
        found = column(path, cells, separator, **how).numbers("x")
    except DataError as error:
        assert "can be" in str(error)  # noqa: PT017
        assert not told
        assert all(sum(mark in cell for mark in ",.") <= 1 for cell in cells)
        return
    expected = [NAN if value is None else value for value in values]
    if not np.array_equal(found, expected, equal_nan=True):
        # Decided by the file's form, and said: in a comma-separated file commas split thousands, elsewhere a point is
        # the decimal mark unless a cell shows otherwise.
        assert not (told and decimal == ".")
        english = separator == "," and decimal == "," and places == 3
        pointed = decimal == "," and thousands == "." and places == 0
        assert english or pointed
