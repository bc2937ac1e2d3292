"""Workbooks, JSON, zip archives, several files, folders of Parquet files, and encodings that several could be."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from workbooks import ods, xlsx

from seqloom.data import Panel, Table, read_panel, read_table
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.encodings import fitting_encodings

Write = Callable[[str | bytes, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def said(table: Table) -> str:
    return " ".join(decision.text for decision in table.decisions)


# -- workbooks ------------------------------------------------------------------------------------------------------

DAYS = [dt.datetime(2020, 1, day, 6) for day in (1, 2, 3)]
SHEET = [["date", "load", "open", "note"], *([day, 1.5 + i, i == 1, f"n{i}"] for i, day in enumerate(DAYS))]


def test_a_workbook(write: Write) -> None:
    table = read_table(write(xlsx({"Data": SHEET}), "a.xlsx"))
    assert table.names == ["date", "load", "open", "note"]
    np.testing.assert_array_equal(table.numbers("load"), [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(table.numbers("open"), [0, 1, 0])
    assert table.moments("date").values.view("M8[us]")[1] == np.datetime64("2020-01-02T06:00")
    assert table.place(0) == "row 2"
    panel = Panel.from_frame(table, time="date")
    assert panel.columns == ("load", "open")
    assert panel.quality is not None
    assert panel.quality.unit == "row"


def test_a_sheet_with_a_title_units_and_a_total(write: Write) -> None:
    rows = [["Station 12"], [], ["date", "load"], [None, "kWh"], *SHEET[1:], ["Total", 7.5]]
    rows = [row[:2] for row in rows]
    table = read_table(write(xlsx({"Data": rows, "Empty": []}), "a.xlsx"))
    np.testing.assert_array_equal(table.numbers("load"), [1.5, 2.5, 3.5])
    assert table.place(0) == "row 5"
    assert "sheet 'Data', the only one of 2" in said(table)
    assert "begins on row 3; row 1 before it" in said(table)
    assert "Row 4 holds units" in said(table)
    assert "Row 8 at the end" in said(table)
    bad = [*rows[:5], [DAYS[1], "calm"], *rows[6:]]
    with pytest.raises(DataError, match=r"a.xlsx, sheet 'Data', row 6, column 'load': expected a number, got 'calm'"):
        read_panel(write(xlsx({"Data": bad}), "a.xlsx"), time="date", columns=["load"])


def test_sheets_are_asked_about(write: Write) -> None:
    path = write(xlsx({"North": SHEET, "South": [["a"], [1], [2]]}), "a.xlsx")
    with pytest.raises(DataError, match=r"has 2 sheets \('North', 'South'\); name one with sheet='North'"):
        read_table(path)
    assert read_table(path, sheet="South").names == ["a"]
    with pytest.raises(SettingError, match=r"no sheet 'Sout'\. Did you mean 'South'"):
        read_table(path, sheet="Sout")
    with pytest.raises(SettingError, match="is no workbook"):
        read_table(write("a\n1\n", "a.csv"), sheet="South")
    with pytest.raises(DataError, match="no sheet of the workbook holds anything"):
        read_table(write(xlsx({"A": []}), "b.xlsx"))


def test_the_sheet_of_the_most_data_is_advised(write: Write) -> None:
    notes = [[f"Note {n}: read this before you use the figures"] for n in range(30)]
    meaning = [["column", "meaning"], *([f"c{n}", "a word"] for n in range(20))]
    path = write(xlsx({"Notes": notes, "Meaning": meaning, "Data": SHEET, "Short": SHEET[:2]}), "a.xlsx")
    with pytest.raises(DataError, match="name one with sheet='Data', which holds the most data"):
        read_table(path)


def test_open_document(write: Write) -> None:
    table = read_table(write(ods("Data", [["date", "x"], ["2020-01-01", 1.5], ["2020-01-02", 2.5]]), "a.ods"))
    np.testing.assert_array_equal(table.numbers("x"), [1.5, 2.5])


@pytest.mark.parametrize("cut", [30, 200, 900])
def test_damaged_workbooks(write: Write, cut: int) -> None:
    data = xlsx({"Data": SHEET})
    with pytest.raises(DataError, match=r"a\.xlsx") as caught:
        read_table(write(data[:-cut], "a.xlsx"))
    assert "\n" not in str(caught.value)


def test_workbooks_with_bytes_changed_are_read_alike_or_refused(write: Write) -> None:
    data, draw = xlsx({"Data": SHEET}), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        for at in draw.integers(0, len(data), 3):
            damaged[at] = draw.integers(256)
        try:
            assert len(read_table(write(bytes(damaged), "a.xlsx")).names) > 0
        except DataError as error:
            assert "a.xlsx" in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


def test_a_workbook_that_claims_too_much(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1000")
    with pytest.raises(DataError, match="holds more than 1,000 bytes once it is unpacked"):
        read_table(write(xlsx({"Data": SHEET * 100}), "a.xlsx"))


def test_zip_archives(write: Write) -> None:
    def zipped(files: dict[str, str]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return out.getvalue()

    table = read_table(write(zipped({"in.csv": "t;x\n2020-01;1,5\n2020-02;2,5\n"}), "a.zip"))
    np.testing.assert_array_equal(table.numbers("x"), [1.5, 2.5])
    assert "The file in the zip archive, 'in.csv', is read" in said(table)
    with pytest.raises(DataError, match=r"of 2 files \('a', 'b'\); unpack it"):
        read_table(write(zipped({"a": "x\n1", "b": "x\n1"}), "a.zip"))
    with pytest.raises(DataError, match="zip archive or Excel workbook, but it is damaged"):
        read_table(write(b"PK\x03\x04rest", "a.zip"))


# -- JSON -----------------------------------------------------------------------------------------------------------

RECORDS = [{"t": "2020-01", "x": 1.5, "open": True}, {"t": "2020-02", "x": None, "open": False}]
JSON = {
    "an array": json.dumps(RECORDS),
    "an array over lines": json.dumps(RECORDS, indent=2),
    "lines": "\n".join(map(json.dumps, RECORDS)),
    "under a name": json.dumps({"status": "ok", "data": {"rows": RECORDS}}),
    "columns": json.dumps({"t": ["2020-01", "2020-02"], "x": [1.5, None], "open": [True, False]}),
    "columns under a name": json.dumps(
        {"lat": 1, "units": {"t": "iso"}, "h": {"t": ["2020-01", "2020-02"], "x": [1.5, None], "open": [True, False]}}
    ),
    "columns and rows": json.dumps(
        {"columns": ["t", "x", "open"], "index": [0, 1], "data": [list(r.values()) for r in RECORDS]}
    ),
    "texts": json.dumps([{"t": "2020-01", "x": "1,5", "open": "yes"}, {"t": "2020-02", "x": "-", "open": "no"}]),
}


@pytest.mark.parametrize("kind", JSON)
def test_json(write: Write, kind: str) -> None:
    table = read_table(write(JSON[kind], "a.json"))
    assert table.names == ["t", "x", "open"]
    np.testing.assert_array_equal(table.numbers("x"), [1.5, np.nan])
    np.testing.assert_array_equal(table.numbers("open"), [1, 0])
    assert table.moments("t").values.view("M8[us]")[1] == np.datetime64("2020-02-01")
    assert ("is what stands under" in said(table)) is ("under" in kind)


def test_fields_of_json(write: Write) -> None:
    table = read_table(write('{"a": 1, "b": {"c": 2, "d": {"e": 3}}}\n{"a": 4, "f": [1, 2]}\n', "a.jsonl"))
    assert table.names == ["a", "b.c", "b.d.e", "f"]
    np.testing.assert_array_equal(table.numbers("b.d.e"), [3, np.nan])
    assert table.cells["f"].to_list() == [None, "[1, 2]"]
    assert "Fields inside of fields are columns of their own, such as 'b.c'" in said(table)
    table = read_table(write('[{"n": 12345678901234567890}, {"n": 1.5}]', "a.json"))
    np.testing.assert_array_equal(table.numbers("n"), [1.2345678901234567e19, 1.5])


BAD_JSON = {
    "cut": ('[{"x": 1}, {"x": ', "line 1: expected JSON, found something else at column"),
    "another line": ('[\n{"x": 1},\n{"x": nope}]', "line 3: expected JSON"),
    "numbers among objects": ('[{"x": 1}, 5]', "item 2: expected a JSON object, found 5"),
    "several tables": ('{"a": [{"x": 1}], "b": [{"x": 1}]}', r"found several \('a', 'b'\)"),
    "twice": ('[{"x": 1, "x": 2}]', "the field 'x' comes twice"),
    "NaN": ('[{"x": NaN}]', "found NaN, which is no number"),
    "nothing": ("[]", "expected a table"),
    "a broken line": ('{"x": 1}\n{"x": }\n', "line 2: expected one JSON object"),
    "deep": ("[" + '{"a":' * 100_000, "nested too deeply|expected JSON"),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_bad_json(write: Write, kind: str) -> None:
    text, words = BAD_JSON[kind]
    with pytest.raises(DataError, match=words) as caught:
        read_table(write(text, "bad.json"))
    assert "bad.json" in str(caught.value)
    assert "\n" not in str(caught.value)


# -- several files --------------------------------------------------------------------------------------------------


def test_several_files(write: Write) -> None:
    paths = [
        write("t,x,id\n2020-01,1.5,007\n2020-02,2.5,007\n", "a.csv"),
        write("id,x,t\n008,3,2020-03\n008,calm,2020-04\n", "b.csv"),
    ]
    table = read_table(paths, file_column="file")
    assert (table.names, table.rows) == (["t", "x", "id", "file"], 4)
    assert table.labels("id")[0] == ("007", "008")
    assert table.labels("file")[0] == ("a", "b")
    assert "2 files are read as one table" in said(table)
    with pytest.raises(
        DataError, match=r"a.csv and 1 more, line 3 of b.csv, column 'x': expected a number, got 'calm'"
    ):
        table.numbers("x")
    with pytest.raises(SettingError, match=r"file_column: .*has a column 'id' already"):
        read_table(paths, file_column="id")
    with pytest.raises(DataError, match=r"c.csv: expected the columns of .*a.csv, it lacks 'id'"):
        read_table([paths[0], write("t,x\n2020-03,1\n", "c.csv")])
    with pytest.raises(SettingError, match="at least one file"):
        read_table([])
    assert read_table(paths[:1]).rows == 2


def test_long_files_keep_their_texts(write: Write) -> None:
    text = "id,x\n" + "".join(f"{i % 3:03},{i}.50\n" for i in range(500))
    table = read_table([write(text, "a.csv"), write(text, "b.csv")])
    assert table.labels("id")[0] == ("000", "001", "002")
    assert table.texts("x")[501] == "1.50"
    assert table.numbers("x")[501] == 1.5


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    for year in (2020, 2021):
        folder = tmp_path / "table" / f"year={year}"
        folder.mkdir(parents=True)
        pl.DataFrame({"t": [f"{year}-01", f"{year}-02"], "x": [1.0, 2.0]}).write_parquet(folder / "part-0.parquet")
    table = read_table(tmp_path / "table")
    np.testing.assert_array_equal(table.numbers("year"), [2020, 2020, 2021, 2021])
    np.testing.assert_array_equal(table.numbers("x"), [1, 2, 1, 2])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder; expected a CSV or Parquet file"):
        read_table(tmp_path / "empty")


# -- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding", "kind"),
    [
        ("날짜,확진\n2020-01-20,1\n", "cp949", "Korean"),
        ("дата,продажи\n", "cp1251", "Cyrillic"),
        ("время;температура\n", "koi8_r", "Cyrillic"),
        ("Zeit;Wärme °C;größe\n", "cp1252", "Western Latin"),
        ("a,b\n3,°\n", "cp1252", "Western Latin"),
        ("日付,気温\n2020,東京\n", "cp932", "Japanese"),
        ("日期,销售额\n", "gb18030", "Chinese"),
        ("日期,銷售額\n", "big5", "Traditional Chinese"),
        ("données;température moyenne;août\n", "cp1252", "Western Latin"),
        ("Łódź;źdźbło\n", "cp1250", "Central European Latin"),
        ("ημερομηνία\n", "cp1253", "Greek"),
        ("วันที่,ยอด\n", "cp874", "Thai"),
    ],
)
def test_encodings_that_fit(write: Write, text: str, encoding: str, kind: str) -> None:
    found = {name: (about, word) for name, about, word in fitting_encodings(text.encode(encoding))}
    assert found[encoding][0] == kind
    assert found[encoding][1] in text
    with pytest.raises(DataError, match=f"is not utf-8 text; (these encodings fit|try).*{encoding}") as caught:
        read_table(write(text.encode(encoding), "a.csv"))
    assert "encoding='" in str(caught.value)


def test_a_byte_order_mark_is_believed_and_said(write: Write) -> None:
    table = read_table(write("t,x\n2020-01,1\n2020-02,2\n".encode("utf-16"), "a.csv"))
    assert table.names == ["t", "x"]
    assert "The text is in UTF-16, as its first bytes say" in said(table)
    with pytest.raises(DataError, match="UTF-16, not latin-1"):
        read_table(write("t,x\n".encode("utf-16"), "a.csv"), encoding="latin-1")


# -- kinds of columns -----------------------------------------------------------------------------------------------


def kinds(cells: dict[str, list[Any]]) -> dict[str, str]:
    table = Table.from_frame(pl.DataFrame(cells))
    return {name: table.kind(name) for name in table.names}


def test_kinds() -> None:
    assert kinds(
        {
            "number": ["1", "2", "4", "8"],
            "flag": ["yes", "no", "yes", "no"],
            "truth": [True, False, True, None],
            "category": ["red", "blue", "red", "blue"],
            "text": ["a b", "c d", "e f", "g h"],
            "when": ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"],
            "index": ["0", "1", "2", "3"],
            "Unnamed: 0": [0, 1, 2, 3],
            "constant": ["5", "5", "5", "5"],
            "word": ["a", "a", "a", "a"],
            "empty": [None, "", "NA", "-"],
            "odd": ["1", "2", "x", "4"],
            "lists": [[1], [2], [3], [4]],
        }
    ) == {
        **{name: name for name in ("number", "flag", "category", "text", "index", "constant", "empty")},
        "truth": "flag",
        "when": "time",
        "Unnamed: 0": "index",
        "word": "constant",
        "odd": "number",
        "lists": "other",
    }


def test_words_of_a_column() -> None:
    from seqloom_runtime.data.categories import categories_of

    words, places = categories_of(
        Table.from_frame(pl.DataFrame({"color": ["red", "blue", None, "red", "red"]})), "color"
    )
    assert (words, places.tolist()) == (("blue", "red"), [1, 0, -1, 1, 1])


def test_a_panel_leaves_texts_out_and_says_so(write: Write) -> None:
    path = write("date,sales,day\n2020-01-01,10,Mon\n2020-01-02,11,Tue\n2020-01-03,12,Wed\n", "a.csv")
    table = read_table(path)
    panel = Panel.from_frame(table, time="date")
    assert panel.columns == ("sales",)
    assert "Column 'day' holds texts and is no column of numbers: it is left out" in said(table)
    with pytest.raises(DataError, match="column 'day': expected a number, got 'Mon'"):
        read_panel(path, time="date", columns=["sales", "day"])
