"""Past the trained horizon, several series, columns known in advance, and what stops a forecast."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from forecast_cases import hourly, hours, load_and_wind, several, small, steps, with_values

from seqloom import Forecaster, Panel
from seqloom.data import calendar_features
from seqloom.diagnostics import BASELINES, make_baseline
from seqloom.errors import DataError, SettingError


def wave(rows: int = 240) -> Panel:
    """The load alone, hourly."""
    return hourly(rows).select(["load"])


def by_hand(forecaster: Forecaster, y: np.ndarray, count: int) -> np.ndarray:
    """The recursion as a plain loop: window, network, anchor, append; one row a step, calendar of the day."""
    scaler = forecaster.features_.scaler
    assert scaler is not None
    assert scaler.mean is not None
    assert scaler.std is not None
    mean, std = scaler.mean[0], scaler.std[0]
    y, spec, found = y.copy(), forecaster.window_spec_, []
    cycles, frequency = forecaster.features_.cycles, forecaster.frequency_
    while len(found) < count:
        rows = len(y) - 1 + spec.input_offsets
        columns = [((y[rows] - mean) / std)[:, None]]
        if cycles:
            columns.append(calendar_features(hours(len(y))[rows], None, frequency, cycles)[0])
        x = torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))[None]
        with torch.no_grad():
            output = forecaster.learned_.network(x, None).double().numpy()[0]
        anchor: Any = {"last": y[-1], "none": mean}.get(forecaster.anchor_)
        if anchor is None:
            season = int(forecaster.season_ or 0)
            anchor = np.array([y[len(y) - 1 + h - season] for h in spec.steps])
        block = output * std + anchor
        dense = np.full(spec.horizon, np.nan)
        dense[spec.steps - 1] = block
        y = np.concatenate([y, dense])
        found += block.tolist()
    return np.array(found[:count])


@pytest.mark.parametrize("model", ["linear", "gru", "lstm"])
@pytest.mark.parametrize("anchor", ["last", "none", "seasonal"])
def test_recursion_is_a_plain_loop(model: str, anchor: str) -> None:
    panel = wave()
    forecaster = small(model=model, anchor=anchor, calendar=True).fit(panel, target="load", inputs="*")
    assert forecaster.features_.cycles == ("day",)
    table = forecaster.forecast(horizon=30)
    np.testing.assert_allclose(table.values, by_hand(forecaster, panel.values[:, 0], 30), rtol=1e-6)
    np.testing.assert_array_equal(table.times, hours(270)[240:])
    np.testing.assert_array_equal(table.values[:4], forecaster.forecast().values)


def test_recursion_with_every() -> None:
    y = wave().values[:, 0]
    forecaster = small(model="linear", every=2, horizon=4, lookback=12).fit(wave(), target="load", inputs="*")
    table = forecaster.forecast(horizon=20)
    assert (table.times - hours(240)[-1]).astype("m8[h]").astype(int).tolist() == list(range(2, 21, 2))
    np.testing.assert_allclose(table.values, by_hand(forecaster, y, 10), rtol=1e-6)


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 5, 9])
def test_any_horizon_is_a_part_of_a_longer_one(horizon: int) -> None:
    for model in ("linear", "gru", "seasonal", "drift", "damped-persistence"):
        forecaster = small(model=model).fit(wave(), target="load", inputs="*")
        np.testing.assert_array_equal(
            forecaster.forecast(horizon=horizon).values, forecaster.forecast(horizon=12).values[:horizon]
        )


def test_intervals_end_at_the_trained_horizon() -> None:
    forecaster = small(model="gru").fit(wave(), target="load", inputs="*")
    table = forecaster.forecast(horizon=10)
    for level, (low, high) in table.bounds.items():
        assert np.isfinite(low).tolist() == np.isfinite(high).tolist() == [True] * 4 + [False] * 6
        short = forecaster.forecast().bounds[level]
        np.testing.assert_array_equal([low[:4], high[:4]], short)
    assert "Intervals end at the trained horizon" in table.notes[-1]
    assert not forecaster.forecast(horizon=3).notes


@pytest.mark.parametrize(
    ("parameters", "arguments", "horizon", "words"),
    [
        (
            {},
            {},
            8,
            r"8 rows lie past the trained 4, and the model also reads 'wind', whose later values are not known",
        ),
        ({"at": "last"}, {"inputs": []}, 8, r"forecasts the single row 4 ahead \(at='last'\)"),
        ({"at": "last"}, {"inputs": []}, 2, "other horizons need a new fit; got 2"),
        ({"every": 2}, {"inputs": []}, 5, r"positive multiple of 2 rows \(every\), got 5"),
        (
            {"every": 2, "anchor": "seasonal", "season": 13},
            {"inputs": []},
            8,
            "the seasonal anchor looks 13 rows back, where only one row in 2 would have a forecast",
        ),
    ],
)
def test_recursion_that_is_not_sound(parameters: dict, arguments: dict, horizon: int, words: str) -> None:
    forecaster = small(model="linear", **parameters).fit(hourly(), target="load", **{"inputs": "*", **arguments})
    with pytest.raises(SettingError, match=words):
        forecaster.predict(horizon=horizon)
    for odd in (0, -3, "soon"):
        with pytest.raises(SettingError, match="horizon"):
            forecaster.predict(horizon=odd)


def test_recursion_with_flags_of_missing_values() -> None:
    values = load_and_wind()[:, :1].copy()
    values[40:43] = np.nan
    panel = Panel.from_numpy(values, ["load"], time=hours(240))
    forecaster = small(model="linear", missing_flags=True).fit(panel, target="load", inputs="*")
    assert forecaster.features_.names == ("load", "load was repaired", "rows since load")
    far = forecaster.predict(horizon=8)["load"]
    assert np.array_equal(far[:4], forecaster.predict()["load"])
    # A forecast that is read counts as a value: as if it had been measured.
    times = np.concatenate([hours(240), hours(4) + np.timedelta64(240, "h")])
    longer = Panel.from_numpy(np.concatenate([values, far[:4, None]]), ["load"], time=times)
    assert np.allclose(forecaster.predict(longer)["load"], far[4:], rtol=1e-6)


def test_at_last_is_the_last_step_of_a_path_s_window() -> None:
    forecaster = small(model="linear", at="last").fit(wave(), target="load", inputs="*")
    assert forecaster.predict()["time"].tolist() == hours(244)[-1:].tolist()
    assert forecaster.n_parameters_ == 13


# -- several series -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["pooled", "series"])
def test_series_of_unequal_lengths(scaling: str) -> None:
    panel = several({"a": 240, "b": 200, "c": 220})
    forecaster = small(model="linear", scaling=scaling).fit(panel, target="column_0")
    table = forecaster.forecast()
    assert table.ids.tolist() == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    np.testing.assert_array_equal(table.times[4:8], hours(204)[200:])
    for name in "abc":
        alone = forecaster.forecast(panel.series(name)).values
        np.testing.assert_array_equal(alone, table.values[table.ids == name])
        level = panel.series(name).values.mean()
        assert scaling == "pooled" or abs(alone.mean() / level - 1) < 0.5


def test_scaling_per_series_is_blind_to_size() -> None:
    """With scaling='series' a series a hundred times as large has a forecast a hundred times as large."""
    panel = several({"a": 240, "b": 240})
    values = panel.values.copy()
    values[panel.series_index == 1] = 100 * values[panel.series_index == 0] + 7
    panel = with_values(panel, values)
    forecaster = small(model="gru", scaling="series").fit(panel, target="column_0")
    a, b = forecaster.forecast().values.reshape(2, 4)
    np.testing.assert_allclose(b, 100 * a + 7, rtol=1e-5)
    pooled = small(model="gru", scaling="pooled").fit(panel, target="column_0").forecast().values.reshape(2, 4)
    assert np.abs(pooled[1] - 100 * pooled[0] - 7).max() > 1


def test_unseen_series() -> None:
    panel, new = several({"a": 240, "b": 240}), several({"z": 100})
    pooled = small(model="gru", scaling="pooled").fit(panel, target="column_0")
    assert np.isfinite(pooled.forecast(new).values).all()
    each = small(model="gru").fit(panel, target="column_0")
    table = each.forecast(new)
    larger = each.forecast(with_values(new, 1000 * new.values + 5))  # by its own scale, which nothing else knows
    np.testing.assert_allclose(larger.values, 1000 * table.values + 5, rtol=1e-5)


@pytest.mark.parametrize("model", [name for name, kind in BASELINES.items() if not kind.statsmodels])
def test_a_baseline_knows_its_series(model: str) -> None:
    """Every series is forecast with what was fitted on it, whichever others are asked for beside it."""
    panel = several({"a": 240, "b": 200, "c": 220})
    forecaster = small(model=model).fit(panel, target="column_0")
    table = forecaster.forecast()
    data = small(model=model).prepare(panel, target="column_0")
    for index, name in enumerate("abc"):
        series = data.panel.series(name)
        alone = small(model=model).fit(dataclasses.replace(series, ids=("",)), target="column_0")
        ends = [int(data.panel.offsets[index + 1]) - 1]
        whole = make_baseline(model, season=24).fit(data.history).forecast(data.history, ends, data.spec.steps)[0]
        np.testing.assert_allclose(table.values[table.ids == name], whole, rtol=1e-12)
        np.testing.assert_array_equal(forecaster.forecast(panel.series(name)).values, whole)
        assert model != "mean" or not np.array_equal(whole, table.values[:4]) or name == "a"
        assert alone.n_parameters_ <= forecaster.n_parameters_


@pytest.mark.parametrize("model", ["ets", "theta", "stl-ets", "arima", "auto-theta", "log-auto-ets", "mstl"])
def test_a_classical_baseline_goes_on_from_its_rows(model: str) -> None:
    panel = several({"a": 120, "b": 110})
    shorter = panel.take(np.concatenate([np.arange(100), np.arange(120, 220)]))
    forecaster = small(model=model).fit(shorter, target="column_0")
    table = forecaster.forecast(panel)
    alone = forecaster.forecast(panel.series("b"))
    np.testing.assert_array_equal(alone.values, table.values[4:])
    assert not np.array_equal(table.values[4:], forecaster.forecast().values[4:])
    later = panel.series("b").take(np.arange(20, 110))  # which the rows of the fit stand before
    np.testing.assert_array_equal(forecaster.forecast(later).values, table.values[4:])
    with pytest.raises(DataError, match=r"Series 'b': Baseline .* goes on from the rows it was fitted on"):
        forecaster.forecast(dataclasses.replace(later, values=later.values + 1))


def test_a_series_that_can_not_be_forecast_has_none_and_a_note() -> None:
    panel = several({"a": 240, "b": 240, "c": 8})
    forecaster = small(model="linear").fit(panel, target="column_0")
    table = forecaster.forecast()
    assert np.isnan(table.values[8:]).all()
    assert np.isfinite(table.values[:8]).all()
    assert table.notes == (
        "Series 'c': the model reads 12 rows before it forecasts, the data holds 8; give 4 more. It has no forecast.",
    )
    with pytest.raises(DataError, match="Series 'c': the model reads 12 rows"):
        forecaster.forecast(panel.series("c"))
    with pytest.raises(DataError, match="Series 'a': the model reads 12 rows"):
        forecaster.forecast(panel.take(np.concatenate([np.arange(5), np.arange(240, 244)])))


# -- columns known in advance -------------------------------------------------------------------------------------


def known_ahead(rows: int = 240, ahead: int = 4) -> pl.DataFrame:
    """Hours with a load that follows the wind of the same hour; `ahead` rows more with the wind alone."""
    rng = np.random.default_rng(8)
    wind = rng.normal(size=rows + ahead)
    load = 10 + 3 * wind + 0.1 * rng.normal(size=rows + ahead)
    return pl.DataFrame({"when": hours(rows + ahead), "load": [*load[:rows].tolist(), *([None] * ahead)], "wind": wind})


@pytest.mark.parametrize("model", ["linear", "gru"])
def test_known_columns_are_used(model: str) -> None:
    frame = known_ahead()
    forecaster = small(model=model, epochs=60, learning_rate=0.03, anchor="none", units=8).fit(
        frame, target="load", time="when", future=["wind"]
    )
    result = forecaster.predict()
    assert result["when"].to_list() == hours(244)[-4:].tolist()
    expected = 10 + 3 * frame["wind"].to_numpy()[-4:]
    assert np.abs(result["load"].to_numpy() - expected).max() < 1.5
    other = frame.with_columns(pl.when(pl.col("load").is_null()).then(0.0).otherwise(pl.col("wind")).alias("wind"))
    assert np.abs(forecaster.predict(other)["load"].to_numpy() - 10).max() < 1.5


def test_known_columns_that_are_missing() -> None:
    frame = known_ahead()
    forecaster = small(model="linear").fit(frame, target="load", time="when", future=["wind"])
    with pytest.raises(
        DataError,
        match=r"\(wind\) must be given for every forecast row, but are missing 3 rows after the last observed target "
        r"\(2024-01-11T02:00:00\); add the rows up to 4 after it",
    ):
        forecaster.predict(frame.head(242))
    with pytest.raises(DataError, match="missing 1 row after"):
        small(model="linear").fit(frame.head(240), target="load", time="when", future=["wind"]).predict()
    naive = small(model="naive").fit(frame, target="load", time="when", future=["wind"])
    assert naive.predict(frame.select("when", "load").head(240))["load"].to_list() == [frame["load"][239]] * 4


def test_an_ensemble_does_not_go_on_without_the_networks_that_read_a_known_column() -> None:
    """Its intervals are those of all members together."""
    frame = known_ahead()
    ensemble = small(model="ensemble", members=("naive", "linear"), lookback=24)
    ensemble.fit(frame, target="load", time="when", future=["wind"])
    assert "linear" in {member.name for member in ensemble.members_.members}
    assert np.isfinite(ensemble.forecast().values).all()
    hole = frame.with_columns(wind=pl.when(pl.int_range(pl.len()) == 241).then(None).otherwise(pl.col("wind")))
    for rows in (hole, frame.head(242)):
        with pytest.raises(DataError, match=r"\(wind\) must be given for every .*fill_future='carry'"):
            ensemble.forecast(rows)


def test_a_known_column_of_a_number_too_large_is_not_called_missing() -> None:
    frame = known_ahead()
    forecaster = small(model="linear").fit(frame, target="load", time="when", future=["wind"])
    large = frame.with_columns(wind=pl.when(pl.int_range(pl.len()) == 241).then(1e100).otherwise(pl.col("wind")))
    with pytest.raises(DataError, match=r"'wind', known in advance, holds 1e\+100 in a row to be forecast, which"):
        forecaster.forecast(large)


@pytest.mark.parametrize("value", [1e39, -1e60, 1e149])
def test_a_measured_number_too_large_is_named_with_its_row(value: float) -> None:
    """Where single precision has no number for it; the rows of a fit are looked at as well."""
    frame = known_ahead().select("when", "load").head(240)
    large = frame.with_columns(load=pl.when(pl.int_range(pl.len()) == 237).then(value).otherwise(pl.col("load")))
    place = frame["when"][237].strftime("%Y-%m-%d %H:%M")
    said = rf"^the column 'load' holds {re.escape(f'{value:g}')} at {place}, .* too large to be read; correct it"
    forecaster = small(model="linear").fit(frame, target="load", time="when")
    with pytest.raises(DataError, match=said):
        forecaster.forecast(large)
    with pytest.raises(DataError, match=said):
        small(model="gru").fit(large, target="load", time="when")


def test_known_columns_and_recursion() -> None:
    frame = known_ahead(ahead=12)
    forecaster = small(model="linear").fit(frame, target="load", time="when", future=["wind"])
    long = forecaster.predict(horizon=12)["load"].to_numpy()
    assert len(long) == 12
    np.testing.assert_array_equal(forecaster.predict(horizon=10)["load"].to_numpy(), long[:10])
    changed = frame.with_columns(wind=pl.Series(np.r_[frame["wind"].to_numpy()[:-1], 5.0]))
    later = forecaster.predict(changed, horizon=12)["load"].to_numpy()
    np.testing.assert_array_equal(later[:8], long[:8])
    assert (later[8:] != long[8:]).all()  # a linear model reads the whole block
    with pytest.raises(DataError, match=r"missing 11 rows after .* up to 12 after it"):
        forecaster.predict(frame.head(250), horizon=10)


def test_a_known_column_that_is_an_input_too() -> None:
    frame = known_ahead(ahead=8)
    forecaster = small(model="linear").fit(frame, target="load", time="when", inputs=["wind"], future=["wind"])
    assert (forecaster.features_.width, forecaster.n_parameters_) == (2, (24 + 4) * 4 + 4)
    assert np.isfinite(forecaster.predict(horizon=8)["load"].to_numpy()).all()


def test_trailing_rows_without_a_target_cost_no_part_of_the_split() -> None:
    frame = known_ahead(rows=100, ahead=30)
    with_rows = small(model="linear").prepare(Panel.from_frame(frame, time="when"), target="load", future=["wind"])
    without = small(model="linear").prepare(
        Panel.from_frame(frame.head(100), time="when"), target="load", future=["wind"]
    )
    for part in ("train", "valid", "test", "choose"):
        np.testing.assert_array_equal(getattr(with_rows, part), getattr(without, part))
    all_used = small(model="linear", split=(80, 20)).prepare(
        Panel.from_frame(frame, time="when"), target="load", future=["wind"]
    )
    assert len(all_used.test) == 0


def test_known_columns_with_holes_drop_windows() -> None:
    values = load_and_wind()
    values[100, 1] = np.nan
    panel = Panel.from_numpy(values, ["load", "wind"], time=hours(240), max_fill=0)
    data = small(model="linear").prepare(panel, target="load", inputs=["load"], future=["wind"])
    gone = set(range(96, 100))
    assert not gone & set(data.train.tolist())
    assert {95, 100} <= set(data.train.tolist())
    values[168:204, 1] = np.nan
    panel = Panel.from_numpy(values, ["load", "wind"], time=hours(240), max_fill=0)
    with pytest.raises(SettingError, match="future: no validation window has all of 'wind'"):
        small(model="linear").prepare(panel, target="load", inputs=["load"], future=["wind"])


# -- where a forecast starts --------------------------------------------------------------------------------------


def test_the_forecast_starts_at_the_last_measured_target() -> None:
    values = load_and_wind()
    values[-3:, 0] = np.nan
    panel = Panel.from_numpy(values, ["load", "wind"], time=hours(240))  # carried forward by a repair
    assert np.isfinite(panel.values).all()
    forecaster = small(model="linear").fit(panel, target="load", inputs="*")
    table = forecaster.forecast()
    np.testing.assert_array_equal(table.times, hours(241)[-4:])
    assert table.notes == ("the last 3 rows hold no observed 'load'; the forecast starts before them.",)
    np.testing.assert_array_equal(table.values, forecaster.forecast(panel.take(np.arange(237))).values)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda panel: panel.take(np.arange(8)),
            "the model reads 12 rows before it forecasts, the data holds 8; give 4",
        ),
        (lambda panel: panel.take(np.r_[0:230, 235:240]), "a gap lies within the last 12 rows"),
        (lambda panel: with_values(panel, np.full((240, 2), np.nan)), "no observed value of 'load'"),
        (
            lambda panel: with_values(panel, np.where(np.arange(240)[:, None] == [[0, 235]], np.nan, panel.values)),
            "'wind' is missing in 1 of the rows",
        ),
    ],
)
def test_data_that_can_not_be_forecast_from(spoil: Any, words: str) -> None:
    forecaster = small(model="linear").fit(hourly(), target="load", inputs="*")
    with pytest.raises(DataError, match=words):
        forecaster.predict(spoil(hourly()))


def test_only_the_rows_that_are_read_are_needed() -> None:
    forecaster = small(model="linear", lookback=12, every=4).fit(hourly(), target="load", inputs="*")
    short = hourly().take(np.arange(231, 240))  # 9 rows: the origin, and the rows 4 and 8 before it
    np.testing.assert_array_equal(forecaster.predict(short)["load"], forecaster.predict()["load"])
    with pytest.raises(DataError, match="reads 9 rows"):
        forecaster.predict(hourly(260).take(np.arange(250, 258)))  # behind a gap; before it, the fit's rows would do


def test_scaling_of_steps_without_time() -> None:
    forecaster = small(model="linear").fit(steps(load_and_wind()[:, 0]), target="column_0")
    with pytest.raises(SettingError, match="no time column"):
        forecaster.predict(horizon="2h")
    with pytest.raises(SettingError, match="calendar: the data has no time column"):
        small(model="linear", calendar=True).fit(load_and_wind(), target="column_0")
