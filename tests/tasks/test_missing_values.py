"""How holes are filled, and what networks are told of them: nothing from after an origin, and the same at predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import hours, load_and_wind, small
from hypothesis import given, settings
from hypothesis import strategies as st

import seqloom
from seqloom import Panel
from seqloom.errors import SettingError
from seqloom.tasks.forecast import windowed as windowed_module
from seqloom_runtime.data import windows as windows_module
from seqloom_runtime.data.filling import FILLS, carried_ends, fill_holes
from seqloom_runtime.forecast.missing_inputs import LONGEST, missing_inputs

NAN = np.nan
FILLED = {
    "carry": [NAN, 1, 1, 1, 4, NAN, 7, 7],
    "interpolate": [NAN, 1, 2, 3, 4, NAN, 7, 7],
    "season": [NAN, 1, 1, 1, 4, NAN, 7, 4],
    "none": [NAN, 1, NAN, NAN, 4, NAN, 7, NAN],
}


def with_holes(fill: str, seed: int = 0, rows: int = 240, values: np.ndarray | None = None) -> Panel:
    rng = np.random.default_rng(seed)
    values = load_and_wind(rows) if values is None else values.copy()
    values[rng.random(values.shape) < 0.06] = NAN
    values[100:104] = NAN
    values[[0, 167, 168, 169, rows - 1]] = [[50, 3], [NAN, NAN], [NAN, NAN], [NAN, NAN], [40, 2]]
    return Panel.from_numpy(values, ["load", "wind"], time=hours(rows), fill=fill, season=24)


@pytest.mark.parametrize("fill", FILLS)
def test_by_hand(fill: str) -> None:
    values = np.array([NAN, 1, NAN, NAN, 4, NAN, 7, NAN])[:, None]
    start = np.array([0, 0, 0, 0, 0, 5, 5, 5])  # a gap before row 5
    found, filled = fill_holes(values, start, 24, fill, 3)
    expected = [*FILLED[fill]]
    expected[7] = NAN if fill == "none" else 7  # the season before lies beyond the gap
    assert np.array_equal(found.ravel(), expected, equal_nan=True)
    assert np.array_equal(filled, np.isnan(values) & np.isfinite(found))


def test_a_long_hole_is_carried_and_a_season_looks_back_further() -> None:
    long = np.array([1, NAN, NAN, NAN, 5.0])[:, None]
    assert np.array_equal(fill_holes(long, np.zeros(5, int), 2, "interpolate")[0].ravel(), [1, 1, 1, NAN, 5], True)
    twice = np.array([1, 2, NAN, 4, NAN, 6.0])[:, None]
    assert fill_holes(twice, np.zeros(6, int), 9, "season", 2)[0].ravel().tolist() == [1, 2, 1, 4, 1, 6]


def test_season_needs_a_season() -> None:
    with pytest.raises(SettingError, match="fill: 'season' takes the value one season before, and no season is given"):
        Panel.from_numpy(np.array([1.0, NAN, 2.0]), fill="season")


@pytest.mark.parametrize(("unit", "season"), [("M", 12), ("D", 7), ("h", 24)])
def test_a_season_that_is_not_given_is_the_usual_one(unit: str, season: int) -> None:
    values = np.random.default_rng(0).normal(size=60)
    values[40] = NAN
    time = (np.datetime64("2020-01-01", unit) + np.arange(60)).astype("M8[us]")
    panel = Panel.from_numpy(values, ["y"], time=time, fill="season")
    given = Panel.from_numpy(values, ["y"], time=time, fill="season", season=season)
    assert panel.values[40, 0] == given.values[40, 0] == values[40 - season]
    assert panel.quality is not None
    assert given.quality is not None
    text = f"Holes take the value {season} rows before, as that is the usual season of rows of 1 "
    assert [d.text.startswith(text) for d in panel.quality.decisions] == [True]
    assert given.quality.decisions == ()
    with pytest.raises(SettingError, match="fill: expected one of carry, interpolate, season, none, got 'line'"):
        Panel.from_numpy(np.array([1.0, NAN, 2.0]), fill="line")


def forecasts(panel: Panel, fill: str, changed: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts of one fitted model at the same origins, up to tick 205, of two panels that differ after it."""
    forecaster = small(model="linear", fill=fill)
    data = forecaster.prepare(panel, target="load", inputs="*")
    forecaster.fit_prepared(data)
    other = forecaster.prepare(changed, target="load", inputs="*")
    origins = np.intersect1d(data.windows.origins, other.windows.origins)
    origins = origins[origins <= 205]
    assert len(origins) > 150
    return forecaster.forecast_windows(data, origins), forecaster.forecast_windows(
        windowed_module.ForecastData(**{**vars_of(data), "panel": other.panel, "whole": other.whole}), origins
    )


def vars_of(data: Any) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__dataclass_fields__}


@pytest.mark.parametrize("fill", FILLS)
def test_no_later_row_reaches_a_forecast_through_a_hole(fill: str) -> None:
    values = load_and_wind()
    values[204:207] = NAN  # a hole that the origins around row 205 lie in
    changed = values.copy()
    changed[207:] += 30
    one, other = forecasts(with_holes(fill, values=values), fill, with_holes(fill, values=changed))
    assert np.array_equal(one, other)


def test_an_origin_on_a_line_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_module, "interpolated", lambda panel, columns: np.zeros(len(panel.tick), bool))
    values = load_and_wind()
    values[204:207] = NAN
    changed = values.copy()
    changed[207:] += 30
    one, other = forecasts(
        with_holes("interpolate", values=values), "interpolate", with_holes("interpolate", values=changed)
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("fill", FILLS)
def test_no_later_row_reaches_what_is_fitted(fill: str) -> None:
    """Rows 167 to 169 are a hole over the end of the training rows (168)."""
    changed = load_and_wind()
    changed[170:] += 30
    found = []
    for values in (load_and_wind(), changed):
        data = small(model="mean", fill=fill).prepare(with_holes(fill, values=values), target="load", inputs="*")
        scaler = data.features.scaler
        assert scaler is not None
        history = data.history.values[data.train_rows]
        found.append((scaler.to_arrays(), data.features.flagged, history, data.batch(data.train, "last")))
    (one, flags, history, batch), (other, flags2, history2, batch2) = found
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert flags == flags2 == ("load", "wind")
    assert np.array_equal(history, history2, equal_nan=True)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(batch, batch2) if a is not None)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(30, 239), st.sampled_from(FILLS))
def test_a_table_cut_off_is_filled_as_the_table_cut_before(seed: int, cut: int, fill: str) -> None:
    whole = with_holes(fill, seed)
    table = with_holes("none", seed)
    cut_before = Panel.from_numpy(table.values[:cut], ["load", "wind"], time=hours(cut), fill=fill, season=24)
    cut_after = carried_ends(whole.take(np.arange(cut)))
    assert np.array_equal(cut_after.values, cut_before.values, equal_nan=True)
    assert np.array_equal(cut_after.filled, cut_before.filled)


@pytest.mark.parametrize("fill", FILLS)
def test_predict_reads_as_the_windows_did(fill: str, tmp_path: Path) -> None:
    panel = with_holes(fill)
    forecaster = small(model="gru", fill=fill, season=24).fit(panel, target="load", inputs="*")
    assert forecaster.features_.names == (
        *("load", "wind", "load was repaired", "wind was repaired", "rows since load", "rows since wind"),
    )
    forecaster.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert np.array_equal(again.predict()["load"], forecaster.predict()["load"])
    assert again.context_.fill == fill
    data = forecaster.prepare(panel, target="load", inputs="*")
    origin = int(data.test[data.measured[data.test]][-1])
    table = with_holes("none").values[: origin + 1]
    new = Panel.from_numpy(table, ["load", "wind"], time=hours(origin + 1), fill=fill, season=24)
    expected = forecaster.forecast_windows(data, np.array([origin]))[0]
    assert np.allclose(again.predict(new)["load"], expected, rtol=1e-5)


def test_what_networks_are_told() -> None:
    panel = Panel.from_numpy(np.array([1, NAN, NAN, 4, *[NAN] * 200]), ["y"])
    told = missing_inputs(panel, ["y"], True)
    assert told[:5, 0].tolist() == [0, 1, 1, 0, 1]
    assert told[:4, 1] == pytest.approx(np.log1p([0, 1, 2, 0]) / np.log1p(LONGEST))
    assert told[-1].tolist() == [1, 1]
    assert (np.diff(told[4:, 1]) >= 0).all()
    whole = small(model="linear").prepare(
        Panel.from_numpy(load_and_wind(), ["load", "wind"], time=hours(240)), target="load", inputs="*"
    )
    assert whole.features.names == ("load", "wind")
    off = small(model="linear", missing_flags=False).prepare(with_holes("carry"), target="load", inputs="*")
    assert off.features.names == ("load", "wind")


def test_a_backtest_cuts_lines_off() -> None:
    values = load_and_wind()
    values[[*range(229, 233)]] = NAN  # over the cutoff
    changed = values.copy()
    changed[233:] += 30
    settings = {"target": "load", "n_windows": 2, "step": 4}
    made = [
        small(model=model, fill="interpolate").cross_validate(with_holes("interpolate", values=rows), **settings)
        for model in ("linear",)
        for rows in (values, changed)
    ]
    early = made[0].columns["cutoff"] == made[0].columns["cutoff"].min()
    assert np.array_equal(made[0].columns["forecast"][early], made[1].columns["forecast"][early])
