"""The same forecast from every kind of table, in a table of the same kind, with the user's names and times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from forecast_cases import hourly, hours, load_and_wind, small

from seqloom import Panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks.forecast import lengths_for
from seqloom_runtime.forecast.forecast_table import ForecastTable

COLUMNS = {"when": hours(240), "load": load_and_wind()[:, 0], "wind": load_and_wind()[:, 1]}
TO_NUMPY = {
    "pandas": lambda frame, name: frame[name].to_numpy(),
    "polars": lambda frame, name: frame[name].to_numpy(),
    "pyarrow": lambda frame, name: frame[name].to_numpy(),
}


def make(kind: str, columns: dict[str, Any]) -> Any:
    """A frame of one kind."""
    return {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[kind](columns)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("model", ["gru", "damped-persistence"])
def test_frames_give_what_a_panel_gives(kind: str, model: str) -> None:
    expected = small(model=model).fit(hourly(), target="load", inputs="*").forecast()
    frame = make(kind, COLUMNS)
    forecaster = small(model=model).fit(frame, target="load", inputs="*", time="when")
    for result in (forecaster.predict(), forecaster.predict(frame)):
        assert type(result) is type(frame)
        names = list(result.column_names if kind == "pyarrow" else result.columns)
        assert names == ["when", "load", "low_80", "high_80"]  # 12 rows calibrate, 95 % needs 19
        np.testing.assert_array_equal(TO_NUMPY[kind](result, "load"), expected.values)
        np.testing.assert_array_equal(TO_NUMPY[kind](result, "low_80"), expected.bounds["80"][0])
        np.testing.assert_array_equal(TO_NUMPY[kind](result, "when").astype("M8[us]"), hours(244)[-4:])


def test_numpy_gives_what_a_panel_gives() -> None:
    values = load_and_wind()
    forecaster = small(model="gru").fit(values, target="column_0")
    expected = small(model="gru").fit(Panel.from_numpy(values), target="column_0").forecast()
    result = forecaster.predict()
    assert list(result) == ["step", "column_0", "low_80", "high_80"]
    np.testing.assert_array_equal(result["column_0"], expected.values)
    np.testing.assert_array_equal(result["step"], [240, 241, 242, 243])
    np.testing.assert_array_equal(forecaster.predict(values)["column_0"], expected.values)
    one = small(model="linear").fit(values[:, 0], target="column_0")
    assert list(one.predict()) == ["step", "column_0", "low_80", "high_80"]


def test_predict_from_other_rows_of_another_kind() -> None:
    forecaster = small(model="linear").fit(make("pandas", COLUMNS), target="load", inputs="*", time="when")
    earlier = pl.DataFrame(COLUMNS).head(200)
    result = forecaster.predict(earlier)
    assert isinstance(result, pl.DataFrame)
    assert result["when"].to_list() == hours(204)[-4:].tolist()
    assert not np.array_equal(result["load"].to_numpy(), forecaster.predict()["load"].to_numpy())


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_time_zones_go_out_as_they_came_in(kind: str) -> None:
    rows = 24 * 12
    utc = hours(rows, "2024-03-25")  # the clocks change on 31 March
    aware = pl.Series("when", utc).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
    frame = pl.DataFrame({"when": aware, "load": load_and_wind(rows)[:, 0]})
    native = {"pandas": frame.to_pandas, "polars": lambda: frame, "pyarrow": frame.to_arrow}[kind]()
    forecaster = small(model="linear", calendar=True).fit(native, target="load", inputs="*", time="when")
    assert forecaster.zone_ == "Europe/Berlin"
    result = forecaster.predict()
    back = pl.DataFrame(result) if kind == "pandas" else pl.from_arrow(result) if kind == "pyarrow" else result
    assert isinstance(back, pl.DataFrame)
    assert back.schema["when"] == pl.Datetime(back.schema["when"].time_unit, "Europe/Berlin")  # type: ignore[attr-defined]
    expected = hours(rows + 4, "2024-03-25")[-4:]
    np.testing.assert_array_equal(
        back["when"].dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy().astype("M8[us]"), expected
    )
    np.testing.assert_array_equal(pl.DataFrame(forecaster.predict(frame))["load"].to_numpy(), back["load"].to_numpy())


def test_naive_times_with_a_named_zone_are_instants_of_it() -> None:
    rows = 24 * 10
    frame = pd.DataFrame({"when": hours(rows, "2024-06-01"), "load": load_and_wind(rows)[:, 0]})
    result = small(model="linear", zone="America/New_York").fit(frame, target="load", inputs="*", time="when").predict()
    assert str(result["when"].dt.tz) == "America/New_York"
    assert result["when"].iloc[0] == pd.Timestamp("2024-06-11", tz="America/New_York")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (
            pd.date_range("2010-01-31", periods=120, freq="ME"),
            ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"],
        ),
        (
            pd.date_range("2024-01-01", periods=120, freq="B"),
            ["2024-06-17", "2024-06-18", "2024-06-19", "2024-06-20"],
        ),
        (pd.date_range("1990-01-01", periods=120, freq="QS"), ["2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01"]),
    ],
    ids=["month ends", "business days", "quarters"],
)
def test_calendar_grids(times: pd.DatetimeIndex, expected: list[str]) -> None:
    frame = pd.DataFrame({"date": times, "sales": np.cumsum(np.random.default_rng(1).normal(size=120))})
    forecaster = small(model="linear", season=12).fit(frame, target="sales", time="date")
    assert forecaster.predict()["date"].dt.strftime("%Y-%m-%d").tolist() == expected


def test_durations_follow_the_frequency() -> None:
    forecaster = small(model="linear", lookback="1d", horizon="3h").fit(hourly(), target="load", inputs="*")
    assert (forecaster.window_spec_.lookback, forecaster.window_spec_.horizon) == (24, 3)
    assert len(forecaster.predict(horizon="2h")["load"]) == 2


def test_counted_steps_keep_their_column() -> None:
    frame = pl.DataFrame({"n": np.arange(100, 340), "load": load_and_wind()[:, 0]})
    result = small(model="naive").fit(frame, target="load", inputs="*", time="n").predict()
    assert result["n"].to_list() == [340, 341, 342, 343]
    assert result.columns[:2] == ["n", "load"]


def test_ids_keep_their_column() -> None:
    values = np.random.default_rng(2).normal(size=270)
    when = np.concatenate([hours(150), hours(120)])
    frame = pl.DataFrame({"site": ["b"] * 150 + ["a"] * 120, "when": when, "load": values})
    result = small(model="naive", season=None).fit(frame, target="load", inputs="*", time="when", id="site").predict()
    assert result.columns[:3] == ["site", "when", "load"]
    last = dict(frame.group_by("site", maintain_order=True).agg(pl.col("load").last()).iter_rows())
    assert dict(zip(result["site"], result["load"])) == last
    assert result.filter(pl.col("site") == "a")["when"].to_list() == hours(124)[-4:].tolist()


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_ids_and_dates_keep_their_types(kind: str) -> None:
    days = np.arange("2024-01-01", "2024-05-01", dtype="M8[D]")
    columns = {"site": np.repeat([7, 12], 121), "day": np.tile(days, 2), "load": np.arange(242) % 7.0}
    polars = pl.DataFrame(columns)
    frame = {"pandas": polars.to_pandas, "polars": lambda: polars, "pyarrow": polars.to_arrow}[kind]()
    forecaster = small(model="naive").fit(frame, target="load", inputs="*", time="day", id="site")
    result = pl.DataFrame(forecaster.predict())
    assert result["site"].to_list() == [7] * 4 + [12] * 4
    assert result.schema["site"] == pl.Int64
    other = forecaster.predict(polars.with_columns(site=pl.lit("north")).head(121))
    assert other["site"].to_list() == ["north"] * 4
    assert (result.schema["day"] == pl.Date) == (kind != "pandas")
    assert result["day"].cast(pl.Date).to_list()[:4] == np.arange("2024-05-01", "2024-05-05", dtype="M8[D]").tolist()


@pytest.mark.parametrize("target", ["time", "id", "step", "low_80"])
def test_a_target_named_as_another_column_loses_nothing(target: str) -> None:
    values = load_and_wind()[:, 0]
    frame = pd.DataFrame({"when": hours(240), target: values})
    result = small(model="naive").fit(frame, target=target, time="when").predict()
    name = "forecast" if target == "low_80" else target
    assert list(result.columns) == ["when", name, "low_80", "high_80"]
    assert (result[name] == values[-1]).all()
    plain = small(model="naive").fit(frame[[target]], target=target).predict()
    assert len(plain.columns) == 4
    table = ForecastTable(np.array(["a"]), np.array([1]), np.array([2.0]), {"80": (np.ones(1), np.zeros(1))})
    columns = table.columns(target)
    assert list(columns) == ["id", "time", target if target == "step" else "forecast", "low_80", "high_80"]


def test_columns_that_are_not_named_as_inputs_need_no_numbers() -> None:
    frame = pd.DataFrame({**COLUMNS, "remark": ["fine"] * 240})
    forecaster = small(model="linear").fit(frame, target="load", time="when", inputs=["wind"])
    assert forecaster.features_.roles.inputs == ("wind", "load")
    forecaster = small(model="linear").fit(frame, target="load", inputs="*", time="when")
    assert "remark" not in forecaster.features_.roles.inputs
    assert any("'remark' holds a single word" in note for note in forecaster.notes_)
    with pytest.raises(DataError, match=r"'remark'.*expected a number, got 'fine'"):
        small(model="linear").fit(frame, target="load", time="when", inputs=["wind", "remark"])


def test_a_baseline_reads_the_target_alone() -> None:
    forecaster = small(model="naive").fit(make("polars", COLUMNS), target="load", inputs="*", time="when")
    assert forecaster.context_.columns == ("load",)
    result = forecaster.predict(pl.DataFrame({"when": hours(5), "load": [1.0, 2.0, 3.0, 4.0, 7.0]}))
    assert result["load"].to_list() == [7.0] * 4


def test_a_panel_of_another_grid_or_zone_is_refused() -> None:
    forecaster = small(model="linear").fit(hourly(zone="Europe/Berlin"), target="load", inputs="*")
    with pytest.raises(DataError, match=r"rows every hour in Europe/Berlin, this panel has rows every hour;"):
        forecaster.predict(hourly())
    half = Panel.from_numpy(
        load_and_wind(), ["load", "wind"], time=hours(120).repeat(2) + np.tile([0, 1_800_000_000], 120)
    )
    with pytest.raises(DataError, match="this panel has rows every 30 minutes"):
        small(model="linear").fit(hourly(), target="load", inputs="*").predict(half)
    with pytest.raises(DataError, match="rows every step"):
        small(model="linear").fit(hourly(), target="load", inputs="*").predict(
            Panel.from_numpy(load_and_wind(), ["load", "wind"])
        )
    with pytest.raises(DataError, match="No column is named 'wind'"):
        small(model="linear").fit(hourly(), target="load", inputs="*").predict(hourly().select(["load"]))


def test_a_panel_from_another_anchor_is_fine() -> None:
    panel = hourly()
    later = panel.take(np.arange(50, 240))
    forecaster = small(model="gru", calendar=True).fit(panel, target="load", inputs="*")
    np.testing.assert_array_equal(forecaster.predict(later)["load"], forecaster.predict()["load"])
    assert list(forecaster.predict()) == ["time", "load", "low_80", "high_80"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"target": "lod", "time": "when"}, DataError, "Did you mean 'load'"),
        ({"target": "load", "time": "whn"}, DataError, "Did you mean 'when'"),
        ({"target": "load", "time": "when", "inputs": "wind"}, SettingError, "inputs: expected a list"),
        ({"target": "load", "time": "when", "future": "wind"}, SettingError, "future: expected a list"),
        ({"target": "load", "time": "when", "future": ["load"]}, SettingError, "is the target"),
        ({"target": "load", "time": "when", "inputs": ["wid"]}, DataError, "Did you mean 'wind'"),
    ],
)
def test_wrong_names(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        small(model="naive").fit(make("pandas", COLUMNS), **arguments)


def test_arrays_have_no_names_and_no_zone() -> None:
    with pytest.raises(DataError, match="no named columns"):
        small(model="naive").fit(load_and_wind(), target="column_0", time="when")
    with pytest.raises(SettingError, match="zone"):
        small(model="naive", zone="Europe/Berlin").fit(load_and_wind(), target="column_0")


def test_usual_lengths_come_from_the_frequency() -> None:
    assert (lengths_for(hourly().frequency).lookback, lengths_for(hourly().frequency).horizon) == (168, 24)
