"""Series that several columns name together, columns without a value, and a last line without a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqloom
from seqloom.data import Panel, read_panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Forecaster
from seqloom_runtime.data.series_names import join_parts, split_names


def _sales(shops: list[object], articles: list[str], days: int = 40) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=days)
    parts = [
        pd.DataFrame({"day": times, "shop": shop, "article": article, "sold": np.arange(days) + 10.0 * at})
        for at, (shop, article) in enumerate((s, a) for s in shops for a in articles)
    ]
    return pd.concat(parts, ignore_index=True)


def test_two_columns_name_the_series(tmp_path: Path) -> None:
    frame = _sales([7, 12], ["milk", "tea"])
    panel = Panel.from_frame(frame, time="day", id=["shop", "article"])
    assert panel.ids == ("12 / milk", "12 / tea", "7 / milk", "7 / tea")
    assert panel.columns == ("sold",)
    assert panel.series("7 / tea").column("sold")[0] == 10.0
    assert panel.quality is not None
    assert [d.text for d in panel.quality.decisions] == [
        "'shop' and 'article' name the series together, such as '7 / milk'."
    ]
    path = tmp_path / "sales.csv"
    frame.to_csv(path, index=False)
    assert read_panel(path, time="day", id="shop, article").ids == panel.ids


def test_a_forecast_has_the_columns_again(tmp_path: Path) -> None:
    frame = _sales([7, 12], ["milk", "tea"])
    model = Forecaster(model="linear", lookback=5, horizon=2, epochs=1)
    model.fit(frame, target="sold", time="day", id=["shop", "article"])
    made = model.predict()
    assert list(made.columns[:4]) == ["shop", "article", "day", "sold"]
    assert made["shop"].tolist() == [12] * 4 + [7] * 4
    assert made["article"].tolist() == ["milk", "milk", "tea", "tea"] * 2
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(seqloom.load(tmp_path / "model").predict(frame), made)


def test_targets_come_as_any_collection() -> None:
    frame = _sales([7], ["milk", "tea"]).assign(bought=1.0)
    model = Forecaster(model="naive", lookback=5, horizon=2)
    made = model.fit(
        frame, target=cast("Sequence[str]", frame.columns[3:]), time="day", id=["shop", "article"]
    ).predict()
    assert list(made.columns)[:4] == ["shop", "article", "day", "sold"]
    assert "bought" in made


def test_a_model_of_the_command_line_loads_again(tmp_path: Path) -> None:
    """There all ids are texts, which is said once for all columns."""
    panel = Panel.from_frame(_sales([7, 12], ["milk", "T/h"]), time="day", id=["shop", "article"])
    model = Forecaster(model="naive", lookback=5, horizon=2)
    model.fit_prepared(model.prepare(panel, target="sold"), source={"time": "day", "id": "shop,article"})
    model.save(tmp_path / "model")
    again, made = seqloom.load(tmp_path / "model").predict(panel), model.predict()
    np.testing.assert_array_equal(again["sold"], made["sold"])
    assert len(made["sold"]) == 8


@pytest.mark.parametrize(
    ("id", "words"),
    [
        (["shop", "artcle"], "no id column is named 'artcle'. Did you mean 'article'"),
        ("shop,shop", "'shop' is named twice"),
        (["shop", "holed"], "row 2, column 'holed': expected a part of the series' name, the cell is empty"),
        ([1, "shop"], "expected the name of a column or names of several"),
        ([], "expected the name of a column or names of several"),
        (5, "expected the name of a column or names of several"),
    ],
)
def test_refused(id: object, words: str) -> None:
    frame = _sales([1], ["a"], 3).assign(holed=["p", None, "p"])
    with pytest.raises((DataError, SettingError), match=words):
        Panel.from_frame(frame, time="day", id=id)  # pyright: ignore[reportArgumentType]


_PART = st.text(st.sampled_from(" /ab,"), max_size=6)


@given(st.lists(st.tuples(_PART, _PART), min_size=1, max_size=8))
def test_names_come_apart_as_they_were(pairs: list[tuple[str, str]]) -> None:
    ids = np.array([join_parts(pair) for pair in pairs], dtype=object)
    parts = split_names("a,b", ids)
    assert list(zip(parts["a"], parts["b"])) == pairs


def test_a_column_without_a_value_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "weather.csv"
    path.write_text("day,mean,low\n2024-01-01,,1\n2024-01-02,,2\n2024-01-03,-,3\n")
    panel = read_panel(path, time="day")
    assert panel.columns == ("low",)
    assert panel.quality is not None
    assert "Column 'mean' holds no value at all: it is left out; nothing need be done." in [
        d.text for d in panel.quality.decisions
    ]
    with pytest.raises(DataError, match="column 'mean' holds no value at all"):
        read_panel(path, time="day", columns=("mean", "low"))
    path.write_text("day,mean,low\n2024-01-01,-9999,1\n2024-01-02,-9999,2\n2024-01-03,-9999,3\n")
    assert read_panel(path, time="day", missing=[-9999]).columns == ("low",)


def test_a_last_line_without_a_time_is_a_total(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    rows = "".join(f"1/{day}/24,{100 + day}\n" for day in range(1, 31))
    path.write_text("day,visits\n" + rows + ',"3,465"\n')
    panel = read_panel(path, time="day")
    assert len(panel) == 30
    assert panel.quality is not None
    assert any("Line 32 at the end" in d.text for d in panel.quality.decisions)
    # Two such lines are no total: the first of them is blamed.
    path.write_text("day,visits\n" + rows + ",7\n,8\n")
    with pytest.raises(DataError, match="line 32, column 'day': expected a time, the cell is empty"):
        read_panel(path, time="day")


def test_an_index_of_times_is_not_counted_in_silence() -> None:
    frame = pd.DataFrame({"load": np.arange(30.0)}, index=pd.date_range("2024-01-01", periods=30))
    with pytest.raises(DataError, match=r"its index holds times, .* df.rename_axis\('time'\) and time='time'"):
        Panel.from_frame(frame)
    assert Panel.from_frame(frame.rename_axis("time"), time="time").frequency.label == "1 day"
    with pytest.raises(DataError, match="say time='day'"):
        Panel.from_frame(frame.rename_axis("day"))
    assert Panel.from_frame(frame.reset_index(drop=True)).time is None
    two = _sales([1, 2], ["a"], 5).set_index(["shop", "day"])[["sold"]]
    with pytest.raises(DataError, match=r"several levels \('shop', 'day'\); give df.reset_index\(\)"):
        Panel.from_frame(two)
    assert Panel.from_frame(two.reset_index(), time="day", id="shop").ids == ("1", "2")
