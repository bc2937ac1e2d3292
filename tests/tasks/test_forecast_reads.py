"""Which columns a forecaster reads: those named for it, the past of what is known in advance, and none by accident."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from forecast_cases import moved, small

from seqloom.data import Panel
from seqloom.errors import SettingError
from seqloom_runtime.forecast.roles import Roles

NOT_READ = "Not read: 'wind', 'sky' (inputs='*' reads every column, inputs=[...] those named)."


def table(rows: int = 120) -> pl.DataFrame:
    """Hours of a load, with a promotion that is known in advance, wind, words of the sky, and codes of the day."""
    rng, count = np.random.default_rng(2), np.arange(rows)
    time = np.datetime64("2024-01-01", "us") + count * np.timedelta64(1, "h")
    promo = rng.integers(0, 2, rows)
    return pl.DataFrame(
        {
            "time": time,
            "load": 5 + 3 * promo + rng.normal(0, 0.5, rows),
            "promo": promo,
            "wind": rng.normal(size=rows),
            "sky": [("clear", "cloudy")[row // 3 % 2] for row in count],
            "day": count // 24 % 7,
        }
    )


def fitted(target: Any = "load", model: str = "linear", **named: Any):
    """A small forecaster of the table, told of the promotion and of the codes."""
    forecaster = small(model=model, lookback=6, horizon=2, epochs=1, categories=["day"], season=None)
    return forecaster.fit(table(), target=target, time="time", future=["promo"], **named)


def test_only_what_was_named_is_read_and_the_rest_is_said() -> None:
    forecaster = fitted()
    assert forecaster.columns_read_ == ("load", "promo", "day")
    assert forecaster.features_.names[:2] == ("load", "promo")  # the past of what is known in advance
    assert [note for note in forecaster.notes_ if "Not read" in note] == [NOT_READ]


def test_every_column_is_read_where_that_is_asked_for() -> None:
    forecaster = fitted(inputs="*")
    assert forecaster.columns_read_ == ("load", "promo", "wind", "sky", "day")
    assert not any("Not read" in note for note in forecaster.notes_)


def test_named_inputs_are_read_and_others_are_not_told() -> None:
    forecaster = fitted(inputs=["wind", "day"])
    assert forecaster.features_.roles.inputs == ("wind", "day", "load")
    assert not any("Not read" in note for note in forecaster.notes_)


def test_other_columns_of_several_targets() -> None:
    forecaster = fitted(["load", "wind"])
    assert forecaster.features_.roles.inputs == ("target", "promo", "day")
    assert any("its own past and 'promo', 'day', which all share" in note for note in forecaster.notes_)
    assert [note for note in forecaster.notes_ if "Not read" in note] == [NOT_READ.replace("'wind', ", "")]
    every = fitted(["load", "wind"], inputs="*")
    assert set(every.features_.roles.inputs) == {"target", "promo", "sky", "day"}


def test_static_columns_are_read_without_being_named() -> None:
    shops = pl.concat(
        table().with_columns(pl.lit(name).alias("shop"), pl.lit(float(size)).alias("size"))
        for name, size in (("a", 1), ("b", 4))
    )
    forecaster = small(model="linear", lookback=6, horizon=2, epochs=1, season=None)
    forecaster.fit(shops, target="load", time="time", id="shop")
    assert forecaster.columns_read_ == ("load", "size")


def test_a_column_that_is_not_read_changes_nothing() -> None:
    changed = table().with_columns(pl.col("wind") * 100 + 7, pl.lit("fog").alias("sky"))
    first, second = (
        small(model="gru", lookback=6, horizon=2, epochs=1, season=None).fit(rows, target="load", time="time")
        for rows in (table(), changed)
    )
    np.testing.assert_array_equal(first.predict()["load"], second.predict()["load"])


def test_the_past_of_what_is_known_in_advance_reaches_the_forecast() -> None:
    """With the level of the last row taken out, a network must know what drove that row."""
    forecaster = small(model="linear", lookback=6, horizon=2, season=None, solver="ridge", loss="mse", epochs=1)
    panel = Panel.from_numpy(table().select("load", "promo").to_numpy().astype(float), ["load", "promo"])
    data = forecaster.prepare(panel, target="load", future=["promo"])
    forecaster.fit_prepared(data)
    origin = data.test[:1]
    rows = data.panel.values.copy()
    rows[origin[0], 1] = 1 - rows[origin[0], 1]
    change = forecaster.forecast_windows(moved(data, rows), origin) - forecaster.forecast_windows(data, origin)
    assert np.abs(change).min() > 0.3
    rows = data.panel.values.copy()
    rows[origin[0] + 3 :] = 99  # behind the steps that are forecast
    np.testing.assert_array_equal(
        forecaster.forecast_windows(moved(data, rows), origin), forecaster.forecast_windows(data, origin)
    )


def test_a_column_called_star_can_be_named() -> None:
    panel = Panel.from_numpy(np.random.default_rng(1).normal(size=(40, 3)), ["load", "*", "wind"])
    assert Roles.choose(panel, "load", ["*"], ()).inputs == ("load", "*")
    assert Roles.choose(panel, "load", "*", ()).inputs == ("load", "*", "wind")
    with pytest.raises(SettingError, match="inputs: expected a list of column names, got the text 'wind'"):
        small().fit(panel, target="load", inputs="wind")
