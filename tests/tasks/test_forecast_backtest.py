"""Rolling-origin evaluation: where the cutoffs lie, what training and forecast may see, and what is scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, hours, load_and_wind, several, small, steps, with_values

from seqloom import Forecaster, Panel
from seqloom.errors import SettingError
from seqloom.tasks.forecast import backtest as backtest_module


def seen_by_training(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects the last tick of every fit."""
    ticks: list[int] = []
    fit = Forecaster.fit_prepared

    def watched(self: Forecaster, data: Any, **rest: Any) -> Forecaster:
        ticks.append(int(data.whole.tick.max()))
        return fit(self, data, **rest)

    monkeypatch.setattr(Forecaster, "fit_prepared", watched)
    return ticks


@pytest.mark.parametrize(
    ("arguments", "cutoffs", "trained"),
    [
        ({"n_windows": 3}, [227, 231, 235], [227, 231, 235]),
        ({"n_windows": 3, "step": 10}, [215, 225, 235], [215, 225, 235]),
        ({"n_windows": 2, "step": "1d"}, [211, 235], [211, 235]),
        ({"n_windows": 3, "gap": 7}, [227, 231, 235], [220, 224, 228]),
        ({"n_windows": 2, "gap": "6h"}, [231, 235], [225, 229]),
        ({"n_windows": 4, "refit": False, "gap": 2}, [223, 227, 231, 235], [221]),
        ({"n_windows": 1}, [235], [235]),
    ],
)
def test_cutoffs(monkeypatch: pytest.MonkeyPatch, arguments: dict, cutoffs: list[int], trained: list[int]) -> None:
    """240 rows and horizon 4: the last cutoff is row 235, so that rows 236 to 239 are forecast."""
    ticks = seen_by_training(monkeypatch)
    result = small(model="linear").cross_validate(hourly(), target="load", **arguments)
    assert ticks == trained
    assert (result.metrics["cutoffs"], result.metrics["fits"]) == (len(cutoffs), len(trained))
    columns = result.columns
    assert list(columns)[:7] == ["cutoff", "id", "time", "step", "actual", "forecast", "naive"]
    np.testing.assert_array_equal(columns["cutoff"], hours(240)[np.repeat(cutoffs, 4)])
    rows = (np.array(cutoffs)[:, None] + np.arange(1, 5)).ravel()
    np.testing.assert_array_equal(columns["time"], hours(240)[rows])
    np.testing.assert_array_equal(columns["step"], np.tile([1, 2, 3, 4], len(cutoffs)))
    np.testing.assert_array_equal(columns["actual"], load_and_wind()[rows, 0])
    np.testing.assert_array_equal(columns["naive"], load_and_wind()[np.repeat(cutoffs, 4), 0])
    assert set(columns["id"]) == {"load"}


def test_metrics_are_a_direct_computation() -> None:
    result = small(model="gru").cross_validate(hourly(), target="load", n_windows=4)
    c, m = result.columns, result.metrics
    error, naive = np.abs(c["actual"] - c["forecast"]), np.abs(c["actual"] - c["naive"])
    assert m["mae"] == pytest.approx(error.mean(), rel=1e-12)
    assert m["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)
    assert m["naive_mae"] == pytest.approx(naive.mean(), rel=1e-12)
    assert m["skill"] == pytest.approx(1 - error.mean() / naive.mean(), rel=1e-12)
    assert m["coverage"]["80"] == ((c["low_80"] <= c["actual"]) & (c["actual"] <= c["high_80"])).mean()
    assert m["rows"] == 16


@pytest.mark.parametrize("model", ["linear", "damped-persistence", "seasonal"])
@pytest.mark.parametrize("gap", [0, 5])
def test_no_row_after_the_cutoff_reaches_its_forecast(model: str, gap: int) -> None:
    """Rows after each cutoff change later forecasts at most, rows between gap and cutoff no fit."""
    arguments: dict[str, Any] = {"target": "load", "n_windows": 3, "gap": gap}
    before = small(model=model, season=4).cross_validate(hourly(), **arguments).columns["forecast"].reshape(3, 4)
    for number, cutoff in enumerate([227, 231, 235]):
        values = load_and_wind()
        values[cutoff + 1 :] = -values[cutoff + 1 :] + 200
        after = small(model=model, season=4).cross_validate(with_values(hourly(), values), **arguments)
        found = after.columns["forecast"].reshape(3, 4)
        np.testing.assert_array_equal(found[: number + 1], before[: number + 1])
        assert not np.array_equal(found[number + 1 :], before[number + 1 :]) or number == 2


def test_rows_inside_the_gap_reach_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bytes] = []
    forecast_from = backtest_module._forecast_from

    def watched(forecaster: Forecaster, *rest: Any) -> Any:
        arrays = [t.numpy() for t in forecaster.learned_.network.state_dict().values()]
        found.append(b"".join(a.tobytes() for a in [*arrays, *forecaster.radii_.values()]))
        return forecast_from(forecaster, *rest)

    monkeypatch.setattr(backtest_module, "_forecast_from", watched)
    values = load_and_wind()
    values[226:] += 50  # after the last cutoff less the gap: 235 − 10
    for rows in (load_and_wind(), values):
        small(model="linear").cross_validate(with_values(hourly(), rows), target="load", n_windows=1, gap=10)
    assert found[0] == found[1]
    values[225] += 100
    small(model="linear").cross_validate(with_values(hourly(), values), target="load", n_windows=1, gap=10)
    assert found[2] != found[0]


def test_several_series_one_of_them_short_and_one_late() -> None:
    panel = several({"a": 240, "b": 225, "c": 240})
    late = panel.take(np.concatenate([np.arange(465), np.arange(465 + 230, 705)]))  # c begins at hour 230
    result = small(model="linear").cross_validate(late, target="column_0", n_windows=3)
    c = result.columns
    at = {name: c["id"] == name for name in "abc"}
    assert at["a"].sum() == 12
    assert np.isnan(c["actual"][at["b"]]).all()  # b ended before the first cutoff
    assert np.isnan(c["forecast"][at["c"]]).all()  # c has too few rows before every cutoff
    assert at["c"].sum() == 8  # and none at all before the first
    assert result.metrics["rows"] == 12
    expected = np.abs(c["actual"] - c["forecast"])[at["a"]].mean()
    assert result.metrics["mae"] == pytest.approx(expected, rel=1e-12)
    direct = panel.series("a").values[228:240, 0]
    np.testing.assert_array_equal(c["actual"][at["a"]], direct)


def test_known_columns_are_shown_and_targets_are_not() -> None:
    rng = np.random.default_rng(3)
    wind = rng.normal(size=240)
    values = np.stack([10 + 3 * wind + 0.1 * rng.normal(size=240), wind], axis=1)
    panel = with_values(hourly(), values)
    settings: dict[str, Any] = {"model": "linear", "anchor": "none", "epochs": 40, "learning_rate": 0.03}
    arguments: dict[str, Any] = {"target": "load", "n_windows": 2, "refit": False}
    knowing = small(**settings).cross_validate(panel, future=["wind"], **arguments)
    blind = small(**settings).cross_validate(panel, **arguments)
    assert knowing.metrics["mae"] < 0.4 < 1.5 < blind.metrics["mae"]
    hidden = values.copy()
    hidden[236:, 0] = 1e6
    found = small(**settings).cross_validate(with_values(panel, hidden), future=["wind"], **arguments)
    np.testing.assert_array_equal(found.columns["forecast"], knowing.columns["forecast"])
    turned = values.copy()
    turned[236:, 1] += 1
    found = small(**settings).cross_validate(with_values(panel, turned), future=["wind"], **arguments)
    assert (found.columns["forecast"][4:] != knowing.columns["forecast"][4:]).all()


def test_rows_without_a_measured_target_are_not_scored() -> None:
    values = load_and_wind()
    values[237, 0] = np.nan  # carried forward by a repair
    values[238:, 0] = np.nan
    panel = Panel.from_numpy(values, ["load", "wind"], time=hours(240))
    result = small(model="naive").cross_validate(panel, target="load", n_windows=2)
    np.testing.assert_array_equal(result.columns["cutoff"][::4], hours(240)[[228, 232]])
    values[231, 0] = np.nan
    result = small(model="naive").cross_validate(
        Panel.from_numpy(values, ["load", "wind"], time=hours(240)), target="load", n_windows=2
    )
    assert np.isnan(result.columns["actual"]).tolist() == [False, False, True, False] + [False] * 4
    assert result.metrics["rows"] == 7


def test_the_forecaster_itself_is_left_as_it_is() -> None:
    forecaster = small(model="linear").fit(hourly(), target="load")
    before, params = forecaster.predict()["load"], forecaster.get_params()
    forecaster.cross_validate(hourly(), target="load", n_windows=2)
    np.testing.assert_array_equal(forecaster.predict()["load"], before)
    assert forecaster.get_params() == params
    unfitted = small(model="linear")
    unfitted.cross_validate(hourly(), target="load", n_windows=1)
    assert not unfitted.__sklearn_is_fitted__()


def test_split_in_rows_gives_a_proportion() -> None:
    """Counts that fit the whole table only: their proportion is used for every cutoff."""
    forecaster = small(model="linear", split=(150, 50))
    assert forecaster.cross_validate(hourly(), target="load", n_windows=3).metrics["fits"] == 3


def test_steps_without_time() -> None:
    result = small(model="naive").cross_validate(steps(load_and_wind()[:, 0]), target="column_0", n_windows=2)
    assert result.columns["cutoff"].tolist() == [231] * 4 + [235] * 4
    assert result.columns["time"].tolist() == list(range(232, 240))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_windows": 0}, "n_windows: expected a whole number of at least 1, got 0"),
        ({"n_windows": 2.5}, "n_windows"),
        ({"n_windows": True}, "n_windows"),
        ({"refit": "no"}, "refit: expected True or False"),
        ({"step": 0}, "step"),
        ({"gap": -1}, "gap"),
        ({"gap": "90min"}, "gap"),
        (
            {"n_windows": 60},
            r"60 windows 4 rows apart leave 0 rows before the first cutoff \(less the gap of 0\), and lookback and "
            "horizon need at least 20: 20 rows too few",
        ),
        ({"n_windows": 3, "step": 80, "gap": 60}, "leave 16 rows .* 4 rows too few"),
    ],
)
def test_impossible_plans(arguments: dict, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        small(model="naive").cross_validate(hourly(), target="load", **arguments)
