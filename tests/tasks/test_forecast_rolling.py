"""Intervals of test windows and of forecasts from new rows: what they know, and that they are saved whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, load_and_wind, small, with_values

from seqloom import Forecaster, Panel, load
from seqloom.diagnostics import level_name
from seqloom.errors import FormatError
from seqloom.tasks.forecast.windowed import ForecastData
from seqloom_runtime.data.wide import lengthen
from seqloom_runtime.model_folder import read_model, write_model
from seqloom_runtime.statistical.rolling_intervals import RollingIntervals

SPLIT = (132, 72)
OWN = ("schema", "seqloom", "task", "files", "checksum")


def fitted(model: str = "linear", rows: slice = slice(None), **parameters: Any) -> tuple[Forecaster, ForecastData]:
    forecaster = small(model=model, levels=(50, 80), split=SPLIT, missing_flags=False, **parameters)
    panel = hourly()
    data = forecaster.prepare(panel.take(np.arange(240)[rows]), target="load")
    return forecaster.fit_prepared(data), data


def ends(forecaster: Forecaster, data: ForecastData) -> np.ndarray:
    """(2 levels · 2 sides, K, N) of the test windows."""
    found = forecaster.evaluate(data).predictions
    names = [f"{side}_{level}" for level in (50, 80) for side in ("low", "high")]
    return np.stack([found[name].reshape(len(data.spec.steps), -1) for name in names])


def check_test_windows() -> None:
    forecaster, data = fitted()
    before = ends(forecaster, data)
    for place in (0, 7, 20):
        origin = int(data.test[place])
        values = load_and_wind()
        values[origin + 1 :, 0] = 500 - 7 * values[origin + 1 :, 0]
        other = forecaster.prepare(with_values(hourly(), values), target="load")
        after = ends(forecaster, other)
        np.testing.assert_array_equal(after[:, :, : place + 1], before[:, :, : place + 1])
        assert not np.array_equal(after[:, :, place + 8 :], before[:, :, place + 8 :])


def test_rows_behind_an_origin_don_t_reach_its_interval() -> None:
    check_test_windows()


def test_the_check_of_test_windows_catches_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RollingIntervals._bases
    monkeypatch.setattr(RollingIntervals, "_bases", lambda self, now: honest(self, now + 1))
    with pytest.raises(AssertionError):
        check_test_windows()


@pytest.mark.parametrize("model", ["linear", "gru", "naive", "damped-persistence", "seasonal", "ets"])
def test_new_rows_update_the_intervals_as_the_fit_would_have(model: str) -> None:
    """Fitted on all rows, or on fewer of them and shown the others: the same intervals."""
    whole, _ = fitted(model)
    early, _ = fitted(model, slice(0, 217))
    if model in ("linear", "gru"):
        early.learned_.network.load_state_dict(whole.learned_.network.state_dict())
    before, after = early.forecast(), early.forecast(hourly())
    assert not after.notes
    expected = whole.forecast()
    np.testing.assert_allclose(after.values, expected.values, rtol=1e-6)
    for level, sides in expected.bounds.items():
        np.testing.assert_allclose(after.bounds[level], sides, rtol=0.03)
        assert not np.allclose(np.subtract(*after.bounds[level]), np.subtract(*before.bounds[level]), rtol=0.03)


def test_from_an_earlier_end_only_what_was_known_there_counts() -> None:
    """Two models alike but for the test rows give the same forecast from an end before those that differ."""
    forecaster, _ = fitted()
    values = load_and_wind()
    values[222:] *= 3
    other = small(model="linear", levels=(50, 80), split=SPLIT, missing_flags=False)
    other.fit_prepared(other.prepare(with_values(hourly(), values), target="load"))
    assert not np.array_equal(other.forecast().bounds["80"], forecaster.forecast().bounds["80"])
    for end in (190, 203, 212, 221):
        past = hourly().take(np.arange(end + 1))
        for level, sides in forecaster.forecast(past).bounds.items():
            np.testing.assert_array_equal(other.forecast(past).bounds[level], sides)


def test_a_series_has_the_width_that_its_errors_have() -> None:
    """Of two series in one table, the one of 40 times the size has intervals of about that."""
    one = load_and_wind(240, 3)[:, 0]
    time = np.tile(hourly().time, 2)  # pyright: ignore[reportCallIssue, reportArgumentType]
    values = np.concatenate([one, 1000 + 40 * one])
    panel = Panel.from_numpy(values, ["load"], time=time, id=np.repeat(["a", "b"], 240))
    forecaster = small(model="naive", levels=(80,))
    forecaster.fit_prepared(forecaster.prepare(panel, target="load"))
    table = forecaster.forecast()
    widths = np.subtract(*table.bounds["80"][::-1]).reshape(2, -1).mean(axis=1)
    assert 38 < widths[1] / widths[0] < 42
    scores = forecaster.evaluate(forecaster.prepare(panel, target="load")).details["scores"]
    assert 0.7 < scores["coverage"]["80"] < 0.9


def test_several_targets_have_quantiles_of_their_own() -> None:
    values = load_and_wind()
    other = values.copy()
    other[:, 1] = (np.arange(240) % 7 == 0) * 50.0
    one, two = (
        small(model="naive", levels=(80,)).fit(lengthen(with_values(hourly(), each), ["load", "wind"]), target="target")
        for each in (values, other)
    )
    for side in (0, 1):
        first, second = (table.forecast().bounds["80"][side].reshape(2, -1) for table in (one, two))
        np.testing.assert_array_equal(first[0], second[0])
        assert not np.array_equal(first[1], second[1])


def test_saved_and_loaded(tmp_path: Path) -> None:
    forecaster, data = fitted("gru")
    forecaster.save(tmp_path / "m")
    again = load(tmp_path / "m")
    longer = with_values(hourly(), load_and_wind())
    for rows in (None, longer, hourly().take(np.arange(215))):
        for level, sides in forecaster.forecast(rows).bounds.items():
            np.testing.assert_array_equal(again.forecast(rows).bounds[level], sides)
    np.testing.assert_array_equal(ends(again, data), ends(forecaster, data))


def test_a_model_of_an_earlier_version_keeps_its_radii(tmp_path: Path) -> None:
    forecaster, data = fitted("naive")
    change(tmp_path / "m", forecaster, lambda header, arrays: (header.pop("intervals"), drop(arrays)))
    old = load(tmp_path / "m")
    assert old.intervals_ is None
    table = old.forecast()
    for level, (low, high) in table.bounds.items():
        np.testing.assert_array_equal(low, table.values - forecaster.radii_[level])
        np.testing.assert_array_equal(high, table.values + forecaster.radii_[level])
    scored = old.evaluate(data).details["scores"]
    inside = np.abs(data.truth(data.test) - old.forecast_windows(data, data.test)) <= forecaster.radii_["80"]
    assert scored["coverage"][level_name(0.8)] == pytest.approx(inside.mean())
    old.save(tmp_path / "again")
    assert load(tmp_path / "again").intervals_ is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda h, a: h.pop("intervals"), "belongs to nothing"),
        (lambda h, a: drop(a), "expected 'intervals.series'"),
        (lambda h, a: h["intervals"].update(at=True), "rising row numbers"),
        (lambda h, a: h["intervals"].update(begin=10**6), "rising row numbers"),
        (lambda h, a: h["intervals"].update(ids=["a", "b"]), "don't fit together"),
        (lambda h, a: h["intervals"].update(more=1), "expected ids, since"),
        (lambda h, a: a["intervals.errors"].__setitem__((0, 0), np.inf), "infinite"),
        (lambda h, a: a["intervals.series"].__setitem__(0, 5), "don't fit together"),
        (lambda h, a: a["intervals.scale"].__setitem__(0, 0.0), "don't fit together"),
        (lambda h, a: a["intervals.factors"].__setitem__((0, 0), 1e6), "don't fit together"),
    ],
)
def test_damaged_intervals(spoil: Any, words: str, tmp_path: Path) -> None:
    forecaster, _ = fitted("naive")
    change(tmp_path / "m", forecaster, spoil)
    with pytest.raises(FormatError, match=words):
        load(tmp_path / "m")


def drop(arrays: dict[str, np.ndarray]) -> None:
    for name in [name for name in arrays if name.startswith("intervals.")]:
        del arrays[name]


def change(folder: Path, forecaster: Forecaster, how: Any) -> None:
    """Save the forecaster and change what its folder holds, the checksums kept right."""
    forecaster.save(folder)
    header, arrays = read_model(folder)
    arrays = {name: array.copy() for name, array in arrays.items()}
    how(header, arrays)
    body = {name: value for name, value in header.items() if name not in OWN}
    write_model(folder, "forecast", body, arrays)
