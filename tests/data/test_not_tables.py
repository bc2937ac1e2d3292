"""What is passed in place of a frame is refused in one sentence with what to write, which then works."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import seqloom
from seqloom.data import Panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Forecaster

DAYS = pd.date_range("2020-01-01", periods=60)
Y = np.sin(np.arange(60.0))


def fit(data: Any, **named: Any) -> Forecaster:
    return Forecaster(model="naive", lookback=4, horizon=2, levels=()).fit(data, **{"target": "y", **named})


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (pd.Series(Y, index=DAYS), r"data\.to_frame\('value'\)\.rename_axis\('time'\), target='value' and time='time'"),
        (pd.Series(Y, name="y"), r"say data\.to_frame\('y'\) and target='y'"),
        (pl.Series("y", Y), r"say data\.to_frame\(\)"),
        ([{"y": 1.0}], r"frame of its rows: pd\.DataFrame\(data\)"),
        (Y.tolist(), r"give np\.array\(data\)"),
        ((Y, Y), "columns of one frame"),
        ("a.csv", r"seqloom\.read_table\('a\.csv'\)"),
        (pathlib.Path("a.csv"), r"seqloom\.read_table\('a\.csv'\)"),
        (pl.DataFrame({"y": Y}).lazy(), r"data\.collect\(\)"),
        (pd.DataFrame({"y": Y, "g": "a"}).groupby("g"), "id="),
        (None, "got None"),
        (np.array([1.0, "a"], dtype=object), r"pd\.DataFrame\(data, columns=\[…\]\)"),
        (Y.astype(object), r"data\.astype\(float\)"),
        (DAYS.to_numpy(), "named with time="),
        (Y.astype(complex), "two columns"),
        (np.zeros(3, dtype=[("a", "f8")]), r"pd\.DataFrame\(data\)"),
    ],
)
def test_what_is_no_frame_is_told_what_to_write(data: Any, way: str) -> None:
    with pytest.raises(DataError, match=way) as caught:
        fit(data)
    assert "\n" not in str(caught.value)


def test_what_is_written_then_works() -> None:
    series = pd.Series(Y, index=DAYS)
    frame = series.to_frame("value").rename_axis("time")
    found = fit(frame, target="value", time="time").predict()
    assert found["time"].tolist() == [pd.Timestamp("2020-03-01"), pd.Timestamp("2020-03-02")]
    assert len(fit(pd.DataFrame({"y": Y})).predict()) == 2


def test_columns_by_name_are_a_table() -> None:
    assert len(fit({"y": Y}, target="y").predict()["y"]) == 2
    with pytest.raises(DataError):
        fit({"y": "abc"}, target="y")


@pytest.mark.parametrize(
    "thing", [pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), Y, {"a": [1]}, b"a,b", io.StringIO("a"), None, 3, [3]]
)
def test_read_table_of_what_has_no_path(thing: Any) -> None:
    with pytest.raises(SettingError, match=r"^path: expected the path of a file, a URL or a list of these, got "):
        seqloom.read_table(thing)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("name", ["date", "a"])
def test_a_column_of_times_without_a_name_is_asked_for(make: Any, name: str) -> None:
    texts = make({name: [day.strftime("%d.%m.%Y") for day in DAYS], "y": Y})
    for frame in (texts, make({name: list(DAYS), "y": Y})):
        with pytest.raises(DataError, match=f"'{name}' holds times, but no time is named; say time='{name}', or"):
            fit(frame)
        assert fit(frame, time=name).predict() is not None
    counted = fit(texts, time="none")
    assert any("Rows are counted, as time='none' says" in note for note in counted.notes_)
    assert len(counted.predict()) == 2


def test_times_beside_the_columns_that_are_read_are_noted() -> None:
    frame = pd.DataFrame({"month": [201001 + 100 * (i // 12) + i % 12 for i in range(60)], "y": Y, "x": Y})
    text = "'month' holds times, but no time is named: rows are counted, and its numbers are an input; say time='month'"
    assert fit(frame).notes_[0].startswith(text)
    assert "an input" not in fit(frame, inputs=["x"]).notes_[0]
    assert not any("rows are counted" in note for note in fit(frame[["y", "x"]]).notes_)
    panel = Panel.from_frame(frame, time="month")
    assert panel.time is not None
