"""The report on a table: every finding and repair, counted and placed by hand in a small file."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from seqloom.data import Panel, Quality, read_panel

MESSY = """time,load,wind,flat
2020-01-01 00:00,1,10,5
2020-01-01 02:00,3,,5
2020-01-01 01:00,2,11,5
2020-01-01 03:00,4,,5
2020-01-01 03:00,4,,5
2020-01-01 06:00,-9999,12,5
2020-01-01 07:00,8,13,5
2020-01-03 00:00,9,14,5
2020-01-03 01:00,10,NA,5
2020-01-03 02:00,11,nan,5
2020-01-03 03:00,12,17,5
"""


@pytest.fixture
def messy(tmp_path):
    path = tmp_path / "messy.csv"
    path.write_text(MESSY)
    return path


def test_every_finding_and_repair(messy):
    quality = read_panel(messy, time="time", missing=(-9999,), max_fill=2).quality
    assert quality is not None
    found = {(f.kind, f.count): f for f in quality.findings}
    assert set(found) == {("missing", 5), ("unsorted", 1), ("duplicate", 1), ("constant", 1), ("gap", 1)} | {("gap", 1)}
    assert found["missing", 5].examples[:2] == ((3, "wind", ""), (5, "wind", ""))
    assert found["unsorted", 1].examples == ((4, None, "2020-01-01T01:00:00"),)
    assert found["duplicate", 1].examples == ((6, None, "2020-01-01T03:00:00"),)
    assert found["constant", 1].examples == ((2, "flat", "5"),)
    gaps = [f for f in quality.findings if f.kind == "gap"]
    assert [g.examples for g in gaps] == [
        ((5, None, "2 after 2020-01-01T03:00:00"),),
        ((8, None, "40 after 2020-01-01T07:00:00"),),
    ]
    assert [(r.kind, r.count) for r in quality.repairs] == [
        ("sentinel", 1), ("sorted", 1), ("dropped", 1), ("inserted", 2), ("filled", 4), ("left", 3), ("left", 40),
    ]  # fmt: skip
    assert (quality.rows_read, quality.rows, quality.unit, quality.source) == (11, 12, "line", "messy.csv")
    load, wind, flat = quality.columns
    assert (load.missing, load.filled, load.constant, load.min, load.max) == (1, 2, False, 1.0, 12.0)
    assert (wind.missing, wind.filled) == (4, 6)
    assert (flat.missing, flat.constant, flat.mean) == (0, True, 5.0)
    assert load.mean == pytest.approx(np.mean([1, 2, 3, 4, 8, 9, 10, 11, 12]))


def test_values_of_the_messy_file(messy):
    panel = read_panel(messy, time="time", missing=(-9999,), max_fill=2)
    np.testing.assert_array_equal(panel.tick, [*range(8), 48, 49, 50, 51])
    np.testing.assert_array_equal(panel.column("load"), [1, 2, 3, 4, 4, 4, np.nan, 8, 9, 10, 11, 12])
    np.testing.assert_array_equal(panel.column("wind"), [10, 11, 11, 11, np.nan, np.nan, 12, 13, 14, 14, 14, 17])
    np.testing.assert_array_equal(panel.filled[:, 0], [i in (4, 5) for i in range(12)])
    np.testing.assert_array_equal(panel.filled[:, 1], [i in (2, 3, 4, 5, 9, 10) for i in range(12)])
    inserted = [4, 5]
    assert panel.filled[inserted].all()


def test_sentences_and_json(messy):
    quality = read_panel(messy, time="time", max_fill=2).quality
    assert quality is not None
    lines = quality.lines()
    assert lines[0] == (
        "messy.csv: 11 rows read, 12 after repairs, 3 columns, one row every hour, "
        "from 2020-01-01T00:00:00 to 2020-01-03T03:00:00."
    )
    assert any("1 value of -9999, first at line 7" in line for line in lines)
    assert all(line.endswith(".") for line in lines)
    fields = json.loads(json.dumps(quality.to_json()))
    assert Quality.from_json(fields) == quality
    assert set(fields) >= {"source", "rows", "columns", "frequency", "first", "last", "series", "findings", "repairs"}
    assert set(fields["columns"][0]) == {"name", "missing", "filled", "constant", "min", "max", "mean"}
    assert set(fields["findings"][0]) == {"kind", "count", "text", "examples"}
    assert set(fields["findings"][0]["examples"][0]) == {"row", "column", "value"}
    assert set(fields["repairs"][0]) == {"kind", "count", "text"}
    assert fields["frequency"] == "1 hour"


def test_a_clean_table_says_so():
    quality = Panel.from_numpy(np.random.default_rng(0).normal(size=(20, 1))).quality
    assert quality is not None
    assert quality.lines() == [
        "the array: 20 rows, 1 column, counted, without time, from step 0 to step 19.",
        "Nothing missing, nothing repeated, nothing repaired.",
    ]


def test_reversed_rows_are_said():
    times = np.datetime64("2020-01-01", "us") + np.arange(9)[::-1] * np.timedelta64(1, "D")
    quality = Panel.from_numpy(np.arange(9.0), time=times).quality
    assert quality is not None
    assert [f.text for f in quality.findings] == ["The rows run backwards in time."]
    assert quality.repairs[0].kind == "sorted"


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([1, 2, 3, -9999, 4], [-9999]),
        ([1, 2, 3, -9999, -999, 999.9, 4], [-9999, -999, 999.9]),
        ([0.1, 0.2, -99, 0.3, -99], [-99]),
        ([5, 5, 5, -9999], [-9999]),
        ([1, 2, 3, 1e20], [1e20]),
        ([1, 2, 3, -32768], [-32768]),
        ([97, 98, 99, 96], []),
        ([900, 950, 999, 100], []),
        ([-5000, -9999, -14000, 2000], []),
        ([1, 2, 3, 50_000], []),
        ([9, 1, 2, 3], []),
        ([-9999, -9999], []),
    ],
)
def test_what_looks_like_a_mark_for_missing(values, marks):
    quality = Panel.from_numpy(np.array(values, dtype=float)).quality
    assert quality is not None
    found = {float(f.examples[0][2]) for f in quality.findings if f.kind == "sentinel"}
    assert found == {float(mark) for mark in marks}
    named = Panel.from_numpy(np.array(values, dtype=float), missing=marks).quality
    assert named is not None
    assert not any(f.kind == "sentinel" for f in named.findings)


def test_a_repeated_hour_present_once_is_said():
    wall = pd.date_range("2023-10-28 22:00", periods=12, freq="h")
    panel = Panel.from_frame(pd.DataFrame({"t": wall, "x": np.arange(12.0)}), time="t", zone="Europe/Berlin")
    assert panel.quality is not None
    text = next(f.text for f in panel.quality.findings if f.kind == "repeated-hour")
    assert text.startswith("1 row in an hour that the clocks of Europe/Berlin showed twice")
    assert "row 5, 2023-10-29 02:00:00" in text
    assert len(panel) == 13
    epoch = Panel.from_frame(pd.DataFrame({"t": [1_600_000_000, 1_600_000_060], "x": [1, 2]}), time="t")
    assert epoch.quality is not None
    assert "offsets" in [f.kind for f in epoch.quality.findings]
    assert (epoch.zone, epoch.quality.first) == ("UTC", "2020-09-13T12:26:40+00:00")
