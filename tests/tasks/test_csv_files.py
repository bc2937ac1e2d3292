"""What is written as CSV comes back as it was: in our readers, in polars, and in Python's own module."""

from __future__ import annotations

import csv
import math
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import read_table
from seqloom.errors import DataError
from seqloom.report.columns import read_columns
from seqloom_runtime.tables import columns_csv, csv_text, write_csv, write_parquet

SIGNS = st.sampled_from(list("ab,\";\n\r\t \\'=+@\x01\x1b\x7f\x85\u2028\ufeff\uffff\u202eé👨[]<>{}$."))
texts = st.text(SIGNS, max_size=5)


def cells(path: Path) -> dict[str, list[list[str]]]:
    """The header and the rows as each reader finds them."""
    with open(path, encoding="utf-8", newline="") as file:
        found = {"csv": list(csv.reader(file))}
    frame = pl.read_csv(path, has_header=False, infer_schema=False)
    found["polars"] = [list(row) for row in frame.rows()]
    table = read_columns(path)
    columns = [table.text(number).tolist() for number in range(len(table.names))]
    found["report"] = [list(table.names), *map(list, zip(*columns))]
    try:
        ours = read_table(path)
    except DataError as error:
        if "binary" not in str(error):  # a few bytes, many of them control characters: refused in one sentence
            raise
    else:
        found["ours"] = [ours.names, *map(list, zip(*(ours.cells[name].to_list() for name in ours.names)))]
    return found


@given(st.lists(texts, min_size=2, max_size=2), st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_texts_come_back(header: list[str], rows: list[tuple[str, str]]) -> None:
    names = ["k", *(f"{name}{number}{name}" for number, name in enumerate(header))]
    wanted = [[f"row {number}", *row] for number, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "table.csv"
        write_csv(path, names, wanted)
        for reader, found in cells(path).items():
            assert found == [names, *wanted], reader


def test_missing_is_not_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["name", "value"], [["a", 0.1], ["", math.nan], [None, None], ["b", 1.0]])
    assert (tmp_path / "t.csv").read_text() == 'name,value\na,0.1\n"",\n,\nb,1.0\n'
    assert pl.read_csv(tmp_path / "t.csv")["name"].to_list() == ["a", "", None, "b"]
    assert read_table(tmp_path / "t.csv").cells["name"].to_list() == ["a", "", None, "b"]


def test_half_a_character_is_written_as_its_escape(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["name"], [["a\udcffb"]])
    assert (tmp_path / "t.csv").read_bytes() == b"name\na\\udcffb\n"


def test_nul_is_refused_in_one_sentence(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["name", "x"], [["a\0b", 1]])
    with pytest.raises(DataError, match="looks like a binary file"):
        read_table(tmp_path / "t.csv")


def test_line_ends_of_windows_and_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'" a ", b ,c\r\n"one\r\ntwo",x\xc2\x85,"a\rb"\r\n3,4,5\r\n')
    table = read_table(path)
    assert table.names == [" a ", "b", "c"]
    assert [table.cells[name].to_list() for name in table.names] == [["one\r\ntwo", "3"], ["x\x85", "4"], ["a\rb", "5"]]
    path.write_bytes(b'a,b\r"1",2\r3,4\r')  # as old Macintosh files end their lines
    assert read_table(path).cells["b"].to_list() == ["2", "4"]


@pytest.mark.parametrize("rows", [7, 6_000])
def test_columns_are_written_as_their_rows(rows: int) -> None:
    """By polars where there are many, to the same bytes."""
    rng = np.random.default_rng(rows)
    numbers = rng.normal(size=rows) * 10.0 ** rng.integers(-25, 25, rows)
    numbers[: rows // 2] = np.round(numbers[: rows // 2] % 100, 2)
    numbers[:7] = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e15, 1e-3)
    odd = np.array(["a,b", "", 'q"x', "x;y", "t\tb", "\r", "é", "\udcff", " pad ", None, float("nan")], dtype=object)
    columns = {
        "id, name": odd[rng.integers(0, len(odd), rows)],
        "whole": rng.integers(-5, 1000, rows),
        " value": numbers,
        "true": rng.random(rows) < 0.5,
    }
    expected = csv_text(list(columns), zip(*(values.tolist() for values in columns.values())))
    assert b"".join(columns_csv(columns)) == expected.encode("utf-8", errors="backslashreplace")


def test_parquet_holds_numbers_texts_and_times(tmp_path: Path) -> None:
    path = tmp_path / "made.parquet"
    times = np.array(["2024-03-31T00:00", "2024-03-31T01:00"], dtype="M8[us]")
    columns = {"id": np.array(["a", "b\udcff"], dtype=object), "time": times, "y": np.array([0.5, np.nan])}
    write_parquet(path, columns, "Europe/Berlin")
    found = pl.read_parquet(path)
    assert found["id"].to_list() == ["a", "b\\udcff"]
    assert [str(each) for each in found["time"]] == ["2024-03-31 01:00:00+01:00", "2024-03-31 03:00:00+02:00"]
    assert found["y"].to_list() == [0.5, None]
    write_parquet(path, {**columns, "time": times.astype("M8[D]").astype("M8[us]")})
    assert pl.read_parquet(path)["time"].dtype == pl.Date
