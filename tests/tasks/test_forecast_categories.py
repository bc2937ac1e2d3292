"""Categories and static columns: what they are called changes nothing, later words leak nothing, unknown ones work."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import seqloom
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Forecaster

ROWS = 160
KEYS = np.random.default_rng(0).choice(list("abcd"), ROWS)
LOAD = np.array([{"a": 1.0, "b": 5.0, "c": 9.0, "d": 2.0}[key] for key in KEYS])
LOAD += np.random.default_rng(1).normal(0, 0.1, ROWS)


def table(words=None):
    named = KEYS if words is None else np.array([words[key] for key in KEYS], dtype=object)
    return pd.DataFrame({"t": pd.date_range("2020-01-01", periods=ROWS), "y": LOAD, "k": named})


def fitted(frame, **named):
    parameters = {"categories": ["k"], "lookback": 4, "horizon": 1, "epochs": 3, "batch_size": 16}
    return Forecaster(model="linear", **parameters).fit(frame, target="y", time="t", **named)


@pytest.mark.parametrize("words", [list("zmqb"), [7, 3, 9, 1], ["x y", "é", "10", "None!"]])
def test_other_words_give_the_same_forecast(words):
    plain, other = fitted(table()), fitted(table(dict(zip("abcd", words))))
    assert (plain.predict()["y"] == other.predict()["y"]).all()


def test_a_word_after_the_training_rows_changes_no_weight_and_is_another_value(tmp_path):
    frame = table()
    plain = fitted(frame)
    frame.loc[ROWS - 2 :, "k"] = "new"
    later = fitted(frame)
    assert later.features_.categories == plain.features_.categories
    for mine, theirs in zip(plain.learned_.network.parameters(), later.learned_.network.parameters()):
        assert (mine == theirs).all()
    told = later.forecast().notes
    assert any("'new' in 2 rows" in note for note in told)
    later.save(tmp_path / "model")
    assert (seqloom.load(tmp_path / "model").predict()["y"] == later.predict()["y"].to_numpy()).all()


def test_known_in_advance_and_empty_ahead():
    frame = table()
    frame.loc[ROWS - 1 :, "y"] = np.nan
    forecast = fitted(frame, future=["k"])
    assert np.isfinite(forecast.predict()["y"]).all()
    frame.loc[ROWS - 1 :, "k"] = None
    with pytest.raises(DataError, match="known in advance"):
        forecast.predict(frame)
    with pytest.raises(DataError, match="no column is named 'k'"):
        forecast.predict(frame.drop(columns="k"))


def shops():
    days = pd.date_range("2020-01-01", periods=60)
    parts = [
        pd.DataFrame({"t": days, "shop": name, "region": region, "size": size, "y": LOAD[:60] + size})
        for name, region, size in (("a", "N", 1.0), ("b", "S", 2.0), ("c", "N", 4.0))
    ]
    return pd.concat(parts, ignore_index=True)


def shop(**parameters):
    return Forecaster(model="linear", lookback=4, horizon=1, epochs=2, batch_size=16, **parameters)


@pytest.mark.parametrize("scaling", ["pooled", "series"])
def test_static_columns_are_found_and_known_past_the_horizon(scaling):
    forecaster = shop(scaling=scaling).fit(shops(), target="y", time="t", id="shop")
    assert forecaster.features_.roles.static == ("region", "size")
    assert any("one value within each series" in note for note in forecaster.notes_)
    assert len(forecaster.predict(horizon=3)) == 9
    inputs = forecaster.features_.inputs(forecaster.context_)
    size = forecaster.features_.names.index("size")
    assert len(np.unique(inputs[:, size])) == 3


def test_a_static_column_that_changes_is_refused_by_its_row():
    frame = shops()
    frame.loc[70, "size"] = 3.0
    with pytest.raises(DataError, match=r"row 71, column 'size'.*series 'b'.*got 3 after 2"):
        shop(static=["size"]).fit(frame, target="y", time="t", id="shop")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"inputs": ["size", "size"]}, "'size' is named twice"),
        ({"future": ["y"]}, "is the target"),
        ({"inputs": ["t"]}, "holds the times"),
        ({"inputs": ["shop"]}, "names of the series"),
    ],
)
def test_names_that_contradict(named, message):
    with pytest.raises(SettingError, match=message):
        shop().fit(shops(), target="y", time="t", id="shop", **named)


def test_static_and_future_exclude_each_other():
    with pytest.raises(SettingError, match="named in both"):
        shop(static=["size"]).fit(shops(), target="y", time="t", id="shop", future=["size"])
