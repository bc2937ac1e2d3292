"""Targets that are never negative: found, asked for, kept in every forecast and interval, and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, load_and_wind, small, steps

from seqloom import load
from seqloom.errors import DataError, FormatError, SettingError
from seqloom_runtime.data.wide import lengthen
from seqloom_runtime.model_folder import read_model, write_model


def counts(rows: int = 240) -> np.ndarray:
    """Mostly 0, at times more, less so at the end: what a line through them leads below 0."""
    rng = np.random.default_rng(3)
    return rng.poisson(np.linspace(2.5, 0.1, rows)).astype(np.float64)


def fitted(model: str = "drift", values: np.ndarray | None = None, **parameters: Any):
    panel = steps(counts() if values is None else values, ["sold"])
    forecaster = small(model=model, levels=(50, 80), **parameters)
    data = forecaster.prepare(panel, target="sold")
    return forecaster.fit_prepared(data), data


@pytest.mark.parametrize("model", ["drift", "linear", "gru", "damped-persistence", "ets"])
def test_counts_have_forecasts_and_intervals_from_0_on(model: str) -> None:
    forecaster, data = fitted(model)
    open_, _ = fitted(model, non_negative=False)
    assert forecaster.floors_ == (True,)
    assert open_.floors_ == (False,)
    assert any("'sold' holds counts" in note for note in forecaster.notes_)
    assert not any("counts" in note for note in open_.notes_)
    held, free = forecaster.forecast(horizon=12), open_.forecast(horizon=12)
    np.testing.assert_array_equal(held.values[:4], np.maximum(free.values[:4], 0))
    for level, (low, high) in held.bounds.items():
        assert np.nanmin(low) >= 0
        assert (high[:4] >= held.values[:4]).all()
        assert np.nanmin(free.bounds[level][0]) < 0
    assert forecaster.forecast_windows(data, data.test).min() >= 0
    found = forecaster.evaluate(data).predictions
    assert min(found[name].min() for name in ("predicted", "low_50", "low_80")) >= 0


@pytest.mark.parametrize(
    "values", [counts() + 1, counts() - 1, counts() / 2, np.zeros(240)], ids=["no zero", "below", "halves", "all 0"]
)
def test_what_are_no_counts(values: np.ndarray) -> None:
    assert fitted("naive", values)[0].floors_ == (False,)


def test_only_training_rows_tell() -> None:
    values = counts()
    values[200:] -= 0.5
    assert fitted("naive", values)[0].floors_ == (True,)
    values[10] = -1
    assert fitted("naive", values)[0].floors_ == (False,)
    with pytest.raises(SettingError, match=r"non_negative: 1 training rows of 'sold' lie below 0, the lowest at -1"):
        fitted("naive", values, non_negative=True)


def test_of_several_targets_each_is_found() -> None:
    values = load_and_wind()
    values[:, 1] = counts()
    panel = lengthen(hourly().__class__.from_numpy(values, ["load", "wind"], time=hourly().time), ["load", "wind"])
    forecaster = small(model="drift", levels=(80,)).fit(panel, target="target")
    assert forecaster.floors_ == (False, True)
    low = forecaster.forecast().bounds["80"][0]
    assert low[4:].min() >= 0
    asked = small(model="drift", levels=(80,), non_negative=True).fit(panel, target="target")
    assert asked.floors_ == (True, True)


def test_saved(tmp_path: Path) -> None:
    forecaster, _ = fitted("linear")
    forecaster.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.floors_ == (True,)
    np.testing.assert_array_equal(again.forecast(horizon=9).values, forecaster.forecast(horizon=9).values)
    header, arrays = read_model(tmp_path / "m")
    body = {name: header[name] for name in header if name not in ("format", "schema", "task", "files", "checksum")}
    old = {**body, "parameters": {k: v for k, v in body["parameters"].items() if k != "non_negative"}}
    del old["floors"]
    write_model(tmp_path / "old", "forecast", old, arrays)
    assert load(tmp_path / "old").floors_ == (False,)
    for floors in ([True, False], ["yes"], True, [1]):
        write_model(tmp_path / "m", "forecast", {**body, "floors": floors}, arrays)
        with pytest.raises(FormatError, match="floors"):
            load(tmp_path / "m")


@pytest.mark.parametrize("model", ["naive", "linear", "ensemble"])
def test_a_floor_that_was_found_does_not_outlive_its_reason(model: str) -> None:
    """Counts in the training rows, negative values later: in the rows of a refit, of an update and of a prediction."""
    values = counts()
    values[200:] = -5.0
    told = "'sold' held counts in the training rows, and later rows lie below 0: "
    members = {"members": ("naive", "linear")} if model == "ensemble" else {}
    early, late = steps(counts()[:200], ["sold"]), steps(values, ["sold"])
    for refit in (False, True):
        forecaster = small(model=model, refit=refit, **members).fit(late, target="sold")
        assert forecaster.floors_ == (not refit,)
        table = forecaster.forecast()
        assert table.values.min() < -1
        assert any(told in note for note in [*table.notes, *forecaster.notes_])
        low, _ = table.bounds["80"]
        assert (low <= table.values).all()
    forecaster = small(model=model, **members).fit(early, target="sold")
    assert forecaster.forecast().values.min() >= 0
    read = forecaster.forecast(late)
    assert read.values.min() < -1
    assert any(told in note for note in read.notes)
    assert forecaster.floors_ == (True,)  # the model itself is left as it is
    forecaster.update(steps(values[200:], ["sold"]))
    assert forecaster.floors_ == (False,)
    assert forecaster.forecast().values.min() < -1
    asked = small(model=model, non_negative=True, **members).fit(late, target="sold")
    assert asked.forecast().values.min() >= 0


def test_a_distribution_of_values_from_0_on_has_no_bound_below_0() -> None:
    values = np.random.default_rng(0).gamma(0.3, 2.0, 240) * 1e-3
    forecaster, data = fitted("linear", values, distribution="tweedie")
    assert forecaster.floors_ == (True,)
    assert forecaster.counted_ == (False,)
    for low, _ in forecaster.forecast().bounds.values():
        assert low.min() >= 0
    assert forecaster.forecast_windows(data, data.test).min() >= 0


def test_a_forecast_that_is_no_finite_number_is_refused() -> None:
    values = counts() + 1
    for model in ("naive", "linear"):
        assert np.isfinite(fitted(model, values * 1e148)[0].forecast().values).all()
    ensemble = small(model="ensemble", members=("naive",)).fit(steps(values, ["sold"]), target="sold")
    baseline: Any = ensemble.members_.members[0].forecaster.baseline_
    baseline._forecast = lambda history, origins, ahead: np.full((len(origins), len(ahead)), np.inf)
    with pytest.raises(DataError, match=r"the forecast of 'ensemble' is no finite number, from values of 'sold' up to"):
        ensemble.forecast()
