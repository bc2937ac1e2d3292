"""Irregular records: tables, times of every form, the PhysioNet layout, made records and their optimum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.diagnostics import auc
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.irregular import (
    Records,
    is_physionet,
    made_records,
    read_physionet,
    read_records,
    within_horizon,
)
from seqloom_runtime.data.irregular.made import exact_risk
from seqloom_runtime.data.irregular.record_times import horizon_in

ROWS = (
    "a,0,5,,0,n\n"  # line 2
    "a,1.5,,7,0,n\n"
    "b,0,6,,0,y\n"  # line 4
    "a,4,1,2,1,n\n"
    "b,2,,3,0,y\n"  # line 6
    "b,9,2,,0,y\n"
)


def table(tmp_path: Path, rows: str = ROWS, head: str = "id,t,x,y,e,l") -> Path:
    path = tmp_path / "r.csv"
    path.write_text(f"{head}\n{rows}")
    return path


def read(path: Any, **options: Any) -> Records:
    return read_records(path, **{"id": "id", "time": "t", "value_columns": ["x", "y"], **options})


def test_a_table_is_read_by_record(tmp_path: Path) -> None:
    found = read(table(tmp_path), event="e", horizon="3")
    assert found.ids == ("a", "b")
    assert found.times.tolist() == [0, 1.5, 4, 0, 2, 9]
    np.testing.assert_array_equal(found.values[:3], [[5, np.nan], [np.nan, 7], [1, 2]])
    assert np.array_equal(found.onset, [4, np.nan], equal_nan=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.target, [0, 1, np.nan, 0, 0, np.nan])
    assert found.unit == ""
    assert "1 of 2 records have one" in found.decisions[-1].text
    labelled = read(table(tmp_path), label="l")
    assert labelled.target is not None
    assert (labelled.target.tolist(), labelled.classes, labelled.every_step) == ([0, 1], ("n", "y"), False)
    part = found.take(np.array([1]))
    assert (part.ids, part.times.tolist(), len(part.target)) == (("b",), [0, 2, 9], 3)  # type: ignore[arg-type]
    assert part.fingerprint() != found.fingerprint()
    # The time of the event in every row says the same as a 1 at its row.
    timed = ROWS.replace(",0,n", ",4,n").replace(",1,n", ",4,n").replace(",0,y", ",,y")
    np.testing.assert_array_equal(read(table(tmp_path, timed), event="e", horizon=3).target, found.target)


@pytest.mark.parametrize(
    ("times", "unit", "expected"),
    [
        (("2024-01-31 22:00", "2024-02-01 01:30"), "h", [0, 3.5]),
        (("1706738400", "1706751000"), "h", [0, 3.5]),
        (("22:00", "31:30"), "h", [22, 31.5]),
        (("-3", "0.5"), "", [-3, 0.5]),
    ],
)
def test_times_of_every_form(tmp_path: Path, times: tuple[str, str], unit: str, expected: list[float]) -> None:
    found = read(table(tmp_path, f"a,{times[0]},1,2\na,{times[1]},1,2\n", "id,t,x,y"))
    assert (found.unit, found.times.tolist()) == (unit, expected)


def test_written_times_of_an_event(tmp_path: Path) -> None:
    rows = "a,2024-01-01 00:00,1,1,2024-01-01 08:00\na,2024-01-01 05:00,1,1,2024-01-01 08:00\n"
    rows += "b,2024-03-01 00:00,1,1,\nb,2024-03-02 00:00,1,1,\n"
    found = read(table(tmp_path, rows, "id,t,x,y,e"), event="e", horizon="4h")
    assert np.array_equal(found.onset, [8, np.nan], equal_nan=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.target, [0, 1, 0, np.nan])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("a,4,", "a,1,"), {}, r"line 5, column 't': the times of record 'a' go back, '1' comes after '1.5' in line 3"),
        (("a,4,", "a,1.5,"), {}, r"line 5, column 't': record 'a' has two rows at the same time, '1.5', .* line 3"),
        (("a,4,", "a,2024-01-01,"), {}, r"line 5, column 't': expected a number, as most .*, got '2024-01-01'"),
        (("a,4,", "a,,"), {}, r"line 5, column 't': expected a time, the cell is empty"),
        (("b,9,2", "b,9,2x"), {}, r"line 7, column 'x': expected a number, got '2x'"),
        (("b,9,2", "b,9,inf"), {}, r"line 7, column 'x': expected a finite number, got inf"),
        (("b,9,2,,0,y", "b,9,2,,0,n"), {"label": "l"}, r"line 7, column 'l': .* record 'b', it changes here from 'y'"),
        ((",y", ",n"), {"label": "l"}, r"column 'l': expected two different labels over the records, found 1 \(n\)"),
        (
            ("a,0,5,,0", "a,0,5,,1"),
            {"event": "e", "horizon": 3},
            r"line 2, column 'e': the event of record 'a' comes at",
        ),
        (
            ("b,0,6,,0,y\n", "c,1,,,0,n\nb,0,6,,0,y\n"),
            {},
            r"line 4: record 'c' has no value in any of x, y; .* .1 of 3: 'c'",
        ),
        (("b,0", ",0"), {}, r"line 4, column 'id': expected the name of a series, the cell is empty"),
        (("", ""), {"id": "ids"}, r"no (column|id column) is named 'ids'"),
        (("", ""), {"value_columns": ["x", "z"]}, r"no column is named 'z'"),
    ],
)
def test_bad_tables(tmp_path: Path, change: tuple[str, str], options: dict[str, Any], message: str) -> None:
    path = table(tmp_path, ROWS.replace(*change) if change[0] else ROWS)
    with pytest.raises(DataError, match=message):
        read(path, **options)


def test_an_event_before_the_first_row(tmp_path: Path) -> None:
    rows = "a,2,1,1,1.5\na,3,1,1,1.5\nb,0,1,1,\nb,9,1,1,\n"
    with pytest.raises(DataError, match=r"line 2, column 'e': the event of record 'a' comes before its first row"):
        read(table(tmp_path, rows, "id,t,x,y,e"), event="e", horizon=3)
    rows = rows.replace("a,3,1,1,1.5", "a,3,1,1,7")
    with pytest.raises(
        DataError, match=r"line 3, column 'e': expected the time of the event in every row of record 'a'"
    ):
        read(table(tmp_path, rows, "id,t,x,y,e"), event="e", horizon=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "l", "event": "e", "horizon": 1}, "a label or an event, not both"),
        ({"event": "e"}, "say how far ahead"),
        ({"horizon": 3}, "belongs to an event"),
        ({"event": "e", "horizon": "3h"}, "plain numbers, so it is a number in their unit"),
        ({"event": "e", "horizon": "-1"}, "above 0"),
        ({"value_columns": ["x", "t"]}, "'t' is the id, time"),
        ({"value_columns": ["x", "x"]}, "each column once"),
    ],
)
def test_choices_that_do_not_go_together(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read(table(tmp_path), **options)


def test_horizons() -> None:
    assert horizon_in("2d", "h") == 48
    for text, unit in (("6", "h"), ("1mo", "h"), ("x", "h"), ("x", ""), ("0", "")):
        with pytest.raises(SettingError, match="horizon"):
            horizon_in(text, unit)


def test_the_question_ends_with_the_record_that_has_no_event() -> None:
    times, offsets = np.array([0.0, 5, 10, 0, 5, 10]), np.array([0, 3, 6])
    found = within_horizon(times, offsets, np.array([np.nan, 12.0]), 6.0)
    np.testing.assert_array_equal(found, [0, np.nan, np.nan, 0, 0, 1])


def physionet(root: Path) -> Path:
    folder = root / "set-a"
    folder.mkdir()
    for name, rows in (
        ("132539", "00:00,RecordID,132539\n00:00,Age,54\n00:00,Height,-1\n00:07,HR,73\n00:37,HR,77\n00:37,Temp,35.1\n"),
        ("132540", "00:00,RecordID,132540\n00:00,Age,76\n31:07,HR,88\n47:10,HR,90\n47:10,HR,91\n"),
    ):
        (folder / f"{name}.txt").write_text(f"Time,Parameter,Value\n{rows}")
    (root / "Outcomes-a.txt").write_text(
        "RecordID,SAPS-I,Survival,In-hospital_death\n132539,6,-1,0\n132540,16,4,1\n132541,21,-1,0\n"
    )
    return folder


def test_the_physionet_layout(tmp_path: Path) -> None:
    folder = physionet(tmp_path)
    assert is_physionet(folder)
    assert not is_physionet(tmp_path)
    found = read_physionet(folder)
    assert (found.ids, found.columns, found.unit) == (("132539", "132540"), ("Age", "HR", "Temp"), "h")
    np.testing.assert_allclose(found.times, [0, 7 / 60, 37 / 60, 0, 31 + 7 / 60, 47 + 10 / 60])
    np.testing.assert_array_equal(found.values[2:5], [[np.nan, 77, 35.1], [76, np.nan, np.nan], [np.nan, 88, np.nan]])
    assert found.values[5, 1] == 91
    assert found.target is not None
    assert (found.target.tolist(), found.label) == ([0, 1], "In-hospital_death")
    assert "1 of its rows have no record here" in found.decisions[-1].text
    assert read_physionet(folder, value_columns=["HR"]).columns == ("HR",)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("set-a/132539.txt", "00:37,HR", "00:01,HR", r"132539.txt, line 6: the times of record '132539' go back"),
        ("set-a/132539.txt", "00:07,", "7 min,", r"line 5, column 'Time': expected hours and minutes .*, got '7 min'"),
        ("set-a/132539.txt", "HR,73", "HR,high", r"line 5, column 'Value': expected a number, got 'high'"),
        ("set-a/132540.txt", "RecordID,132540", "RecordID,132539", r"132540.txt: the RecordID '132539' is that of"),
        ("set-a/132540.txt", "RecordID,132540", "RecordID,7", r"Outcomes-a.txt: no row is of the record 7"),
        ("Outcomes-a.txt", "4,1\n", "4,2\n", r"Outcomes-a.txt, line 3, column 'In-hospital_death': expected 0 or 1"),
        ("Outcomes-a.txt", "hospital_death", "hospital", r"no column is named 'In-hospital_death'"),
    ],
)
def test_damaged_physionet_files(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    folder = physionet(tmp_path)
    path = tmp_path / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        read_physionet(folder)


def test_made_records_are_those_of_the_seed_and_their_risk_is_right() -> None:
    made, again = made_records(400, seed=4), made_records(400, seed=4)
    assert made.records.fingerprint() == again.records.fingerprint()
    assert made.records.fingerprint() != made_records(400, seed=5).records.fingerprint()
    target, asked = made.records.target, ~np.isnan(made.records.target)  # type: ignore[arg-type]
    assert target is not None
    truth, risk = target[asked] > 0, made.risk[asked]
    assert abs(truth.mean() - risk.mean()) < 0.02
    high = risk > 0.3
    assert abs(truth[high].mean() - risk[high].mean()) < 0.1
    assert auc(truth, risk) > 0.8
    # The past alone: a record cut short has the same risks.
    short = made.records.take(np.arange(3))
    end = int(short.lengths[0]) - 2
    cut = Records(
        short.values[:end], short.times[:end], np.array([0, end]), short.columns, ("p",), unit="h", horizon=6.0
    )
    np.testing.assert_allclose(exact_risk(cut, 6.0), made.risk[:end], rtol=1e-9)


def test_what_a_record_must_fulfil() -> None:
    good: dict[str, Any] = {"values": np.ones((2, 1)), "times": np.array([0.0, 1.0]), "offsets": np.array([0, 2])}
    good |= {"columns": ("x",), "ids": ("a",)}
    Records(**good)
    for wrong in (
        {"times": np.array([1.0, 1.0])},
        {"times": np.array([0.0, np.nan])},
        {"values": np.full((2, 1), np.inf)},
        {"offsets": np.array([0, 1])},
        {"ids": ("a", "b")},
        {"target": np.ones(2)},
        {"onset": np.ones(2)},
        {"columns": ()},
    ):
        with pytest.raises(DataError):
            Records(**{**good, **wrong})
    with pytest.raises(SettingError, match="count"):
        made_records(0)


def test_a_data_frame(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.read_csv(table(tmp_path))
    found, expected = read(frame, label="l"), read(table(tmp_path), label="l")
    np.testing.assert_array_equal(found.values, expected.values)
    assert (found.ids, found.classes) == (expected.ids, expected.classes)
    with pytest.raises(DataError):
        read([])
