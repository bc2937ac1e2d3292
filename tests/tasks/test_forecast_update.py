"""A fitted forecaster goes on with new rows: what it learns, what stays, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, hours, load_and_wind, several, small, steps, weights

from seqloom import Forecaster, Panel, load
from seqloom.errors import DataError, SettingError

MODELS = ("naive", "damped-persistence", "ets", "linear", "gru", "ensemble")


def part(first: int, last: int) -> Panel:
    values = load_and_wind()[first:last]
    return Panel.from_numpy(values, ["load", "wind"], time=hours(240)[first:last])


def fitted(model: str, rows: int = 200, **changes: Any) -> Forecaster:
    members = ("naive", "linear", "dense") if model == "ensemble" else ()
    return small(model=model, members=members, **changes).fit(part(0, rows), target="load", inputs="*")


@pytest.mark.parametrize("model", MODELS)
def test_an_updated_forecaster_goes_on_from_the_new_rows(model: str, tmp_path: Path) -> None:
    forecaster = fitted(model)
    radii = {level: values.copy() for level, values in forecaster.radii_.items()}
    forecaster.save(tmp_path / "before")
    assert forecaster.update(part(190, 230)) is forecaster  # rows that are known may be among them
    table = forecaster.forecast()
    assert table.times[0] == hours(240)[230]
    np.testing.assert_allclose(table.values, forecaster.forecast(part(0, 230)).values, rtol=1e-6)
    assert forecaster.notes_[-1].startswith("Updated with 30 new rows, up to 2024-01-10T13:00:00")
    for level, values in radii.items():
        np.testing.assert_array_equal(values, forecaster.radii_[level])
    forecaster.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.forecast().values, table.values)
    # The same bytes from the saved model, and no later row moves them.
    other = load(tmp_path / "before").update(part(200, 230))
    np.testing.assert_array_equal(other.forecast().values, table.values)
    again.update(part(230, 240))
    assert again.forecast().times[0] == hours(241)[240]


def test_a_statistical_method_is_the_one_fitted_on_all_rows() -> None:
    forecaster = fitted("damped-persistence").update(part(200, 240))
    whole = small(model="damped-persistence", split=(239, 1), horizon=1).fit(part(0, 240), target="load", inputs="*")
    expected = type(forecaster.baseline_)()
    history = whole.prepare(part(0, 240), target="load", inputs="*").history
    expected.fit(type(history)(history.values, history.start, np.ones(240, bool), history.slot, history.slots_per_day))
    np.testing.assert_allclose(
        forecaster.forecast().values, expected.forecast(history, np.array([239]), np.arange(1, 5))[0], rtol=1e-12
    )


def test_a_network_takes_the_steps_and_learns_the_new_windows() -> None:
    values = load_and_wind()
    values[200:, 0] = 3.0  # what it has never seen
    new = Panel.from_numpy(values[200:], ["load", "wind"], time=hours(240)[200:])
    forecaster = fitted("linear", anchor="none")
    before = weights(forecaster)
    far = np.abs(forecaster.forecast(new).values - 3).mean()
    forecaster.update(new, steps=200)
    history = forecaster.history_
    assert history is not None
    assert history.steps == 200
    assert weights(forecaster) != before
    assert np.abs(forecaster.forecast().values - 3).mean() < far / 2


def test_weights_of_an_ensemble_stay_and_its_range_grows() -> None:
    forecaster = fitted("ensemble")
    members = {member.name: member.weight for member in forecaster.members_.members}
    high = forecaster.members_.high.copy()
    values = load_and_wind()[200:230]
    values[:, 0] += 500
    forecaster.update(Panel.from_numpy(values, ["load", "wind"], time=hours(240)[200:230]))
    assert {member.name: member.weight for member in forecaster.members_.members} == members
    assert forecaster.members_.high[0] > high[0] + 500
    assert np.isfinite(forecaster.forecast().values).all()


def test_each_series_goes_on_from_its_own_end() -> None:
    panel = several({"a": 200, "b": 150})
    for model in ("ets", "linear"):
        forecaster = small(model=model).fit(panel, target="column_0")
        frame = {"time": np.tile(hours(180)[150:], 2), "id": np.repeat(["b", "new"], 30)}
        new = Panel.from_numpy(np.full((60, 1), 50.0) + np.arange(60.0)[:, None], ["column_0"], **frame)
        forecaster.update(new)
        assert "Series that the model does not know are left out: 'new'." in forecaster.notes_
        table = forecaster.forecast()
        starts = {name: table.times[table.ids == name][0] for name in ("a", "b")}
        assert starts == {"a": hours(201)[200], "b": hours(181)[180]}


def test_rows_without_times_follow_the_last_known_one() -> None:
    forecaster = small(model="linear", season=None).fit(steps(np.arange(200.0) % 7), target="column_0")
    forecaster.update(steps(np.arange(200.0, 230.0) % 7))
    assert forecaster.forecast().times[0] == 230
    assert "Rows without times are taken to follow the last known one." in forecaster.notes_


def test_what_cant_be_learned_from_is_refused() -> None:
    for model in ("damped-persistence", "linear", "ensemble"):
        forecaster = fitted(model)
        kept = forecaster.forecast().values
        with pytest.raises(DataError, match="no row with a known target after those"):
            forecaster.update(part(100, 200))
        with pytest.raises(DataError, match="new rows begin 6 rows after the last known one"):
            forecaster.update(part(205, 230))
        with pytest.raises(SettingError, match="steps: expected a whole number"):
            forecaster.update(part(200, 230), steps=0)
        np.testing.assert_array_equal(forecaster.forecast().values, kept)  # left as it was
    with pytest.raises(DataError):
        fitted("linear").update(hourly().select(["load"]))


@pytest.mark.parametrize("model", ["linear", "ensemble"])
def test_fewer_rows_than_the_horizon_are_read_and_the_network_keeps_its_weights(model: str, tmp_path: Path) -> None:
    forecaster = fitted(model)
    network = forecaster if model == "linear" else forecaster.members_.members[-1].forecaster
    before = weights(network)
    expected = forecaster.forecast(part(0, 202))
    forecaster.update(part(200, 202))
    table = forecaster.forecast()
    assert table.times[0] == hours(240)[202]
    network = forecaster if model == "linear" else forecaster.members_.members[-1].forecaster
    assert weights(network) == before
    note = (
        f"{network.model} keeps its weights: the new rows hold no window to learn from, which reads 12 rows and "
        "forecasts 4; its forecast reads them."
    )
    assert note in forecaster.notes_
    np.testing.assert_allclose(table.values, expected.values, rtol=1e-6)
    forecaster.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").forecast().values, table.values)
    forecaster.update(part(202, 204)).update(part(204, 230))  # and goes on, to learn when there are enough
    assert forecaster.forecast().times[0] == hours(240)[230]
