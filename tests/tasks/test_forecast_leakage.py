"""Nothing from the future reaches a forecast, a scaler, a weight or a choice, for every model; leaks are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from forecast_cases import MODELS, SMALL, hourly, load_and_wind, moved, small, swept, weights, with_values

from seqloom import Panel
from seqloom.diagnostics import BASELINES, Baseline, check_fit, check_forecast, make_baseline
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast import intervals as intervals_module
from seqloom.tasks.forecast import windowed as windowed_module
from seqloom.tasks.forecast.network import NETWORKS
from seqloom.tasks.forecast.windowed import ForecastData
from seqloom_runtime.data.wide import lengthen
from seqloom_runtime.forecast import rows as rows_module
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.statistical import exponential as exponential_module

CHANGES = ("noise", "huge", "zero", "reversed")  # without "missing", which drops windows and with them whole parts


def predictor(model: str, **parameters: Any) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, int]:
    """A fitted model as a function of all values, the values, and an origin in the test part."""
    panel = hourly()
    forecaster = small(model=model, **parameters)
    data = forecaster.prepare(panel, target="load", inputs="*")
    forecaster.fit_prepared(data)
    origin = int(data.test[3])

    def predict(values: np.ndarray) -> np.ndarray:
        return forecaster.forecast_windows(moved(data, values), np.array([origin]))

    assert np.isfinite(predict(panel.values)).all()
    return predict, panel.values, origin


@pytest.mark.parametrize("model", swept(MODELS))
def test_no_row_after_the_origin_reaches_the_forecast(model: str) -> None:
    predict, values, origin = predictor(model, calendar=True)
    check_forecast(predict, values, origin).raise_for_leak()


@pytest.mark.parametrize("anchor", ["seasonal", "none", "auto"])
def test_no_row_after_the_origin_reaches_the_anchor(anchor: str) -> None:
    predict, values, origin = predictor("linear", anchor=anchor)
    check_forecast(predict, values, origin).raise_for_leak()


@pytest.mark.parametrize("model", swept(MODELS))
def test_an_input_row_that_is_the_target_is_found(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = rows_module.gather_windows
    monkeypatch.setattr(
        rows_module,
        "gather_windows",
        lambda matrix, origins, first, *rest: gather(matrix, origins, first + 1, *rest),
    )
    forecast = windowed_module.baseline_forecast
    monkeypatch.setattr(
        windowed_module,
        "baseline_forecast",
        lambda baseline, history, origins, steps: forecast(baseline, history, origins + 1, steps),
    )
    # A season of 4 rows, so that one row too late lies past the origin for those too that repeat the last season.
    repeats = model == "seasonal" or model.endswith("arima")
    predict, values, origin = predictor(model, **({"season": 4} if repeats else {}))
    result = check_forecast(predict, values, origin)
    # The mean of the training rows reads no origin at all, and one row after a week ago lies behind the origin too.
    assert result.passed == (model in ("mean", "seasonal-week"))


def fitted(values: np.ndarray) -> dict[str, np.ndarray]:
    """All that the data side learns from the training rows."""
    forecaster = small(calendar=True, missing_flags=True)
    data = forecaster.prepare(with_values(hourly(), values), target="load", inputs="*")
    assert data.features.scaler is not None
    columns = np.array([*data.features.cycles, *data.features.flagged])
    return {**data.features.scaler.to_arrays(), "mean": np.asarray(data.mean), "columns": columns}


def test_no_row_after_the_training_end_reaches_the_scaler() -> None:
    check_fit(fitted, load_and_wind(), 168, perturbations=CHANGES).raise_for_leak()


def test_a_scaler_fitted_on_all_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Features.fit
    monkeypatch.setattr(Features, "fit", lambda self, panel, rows: fit(self, panel, np.ones_like(rows)))
    assert not check_fit(fitted, load_and_wind(), 168, perturbations=CHANGES).passed


@pytest.mark.parametrize("model", swept(BASELINES))
def test_no_row_after_the_training_end_reaches_a_fitted_baseline(model: str) -> None:
    data = small(model=model).prepare(hourly(), target="load", inputs="*")
    origin, length = np.array([int(data.test[0])]), 168

    def refitted(values: np.ndarray) -> dict[str, np.ndarray]:
        baseline: Baseline = make_baseline(model, season=24)
        baseline.fit(moved(data, values).history)
        return {"forecast": windowed_module.baseline_forecast(baseline, data.history, origin, data.spec.steps)}

    check_fit(refitted, load_and_wind(), length, perturbations=CHANGES).raise_for_leak()


@pytest.mark.parametrize("model", NETWORKS)
def test_calibrating_and_test_rows_reach_no_weight_and_no_choice(model: str) -> None:
    """168 train, 36 validate: 24 choose, 12 calibrate."""
    dropouts = {"input_dropout": 0.2, "recurrent_dropout": 0.2}
    extra: dict[str, Any] = {"gru": {"bidirectional": True, **dropouts}}.get(model, {})
    if model == "rnn":
        extra = {"units": (3, 4), "activation": ("tanh", "relu"), "reverse": True, **dropouts}
    reference = small(model=model, **extra).prepare(hourly(), target="load", inputs="*")
    first = int(np.flatnonzero(reference.panel.tick >= reference.calibrate_from)[0])
    assert (first, len(reference.choose), len(reference.valid)) == (192, 21, 33)

    def fit(values: np.ndarray) -> dict[str, Any]:
        forecaster = small(model=model, **extra).fit(with_values(hourly(), values), target="load", inputs="*")
        history = [row.valid["mae"] for row in forecaster.learned_.history.epochs]
        state = {k: np.frombuffer(bits, np.uint8) for k, bits in weights(forecaster).items()}
        return {**state, "choosing": np.array([forecaster.choosing_mae_, *history])}

    check_fit(fit, load_and_wind(), first, perturbations=CHANGES).raise_for_leak()
    changed = load_and_wind()
    changed[first - 1] += 1  # the last row that chooses does reach the choice, so the check could have failed
    assert not np.array_equal(fit(changed)["choosing"], fit(load_and_wind())["choosing"])


def test_weights_that_see_calibrating_rows_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed_module, "_thirds", lambda panel, spec, split, valid: (valid, split.valid_end))

    def fit(values: np.ndarray) -> dict[str, Any]:
        return {
            "mae": small(model="linear").fit(with_values(hourly(), values), target="load", inputs="*").choosing_mae_
        }

    assert not check_fit(fit, load_and_wind(), 192, perturbations=CHANGES).passed


def test_test_rows_reach_nothing_but_test_scores() -> None:
    models = ["naive", "seasonal", "damped-persistence", "linear", "gru", "ensemble"]
    parameters = {**SMALL, "anchor": "auto", "levels": (50, 80)}
    values = load_and_wind()
    changed = values.copy()
    changed[204:] = np.random.default_rng(9).normal(50, 30, changed[204:].shape)
    runs = [
        compare_forecasters(with_values(hourly(), rows), models, parameters, target="load", inputs="*")
        for rows in (values, changed)
    ]
    one, other = (run.metrics for run in runs)
    assert (one["best"], one["target_scale"], one["windows"]) == (
        other["best"],
        other["target_scale"],
        other["windows"],
    )
    for model in models:
        mine, theirs = one["models"][model], other["models"][model]
        for key in ("parameters", "anchor", "choosing_mae", "choosing", "valid"):
            assert mine[key] == theirs[key], (model, key)
        assert mine["by_step"]["valid_mae"] == theirs["by_step"]["valid_mae"]
        assert mine["test"] != theirs["test"]
        for level, radii in runs[0].forecasters[model].radii_.items():
            np.testing.assert_array_equal(radii, runs[1].forecasters[model].radii_[level])
    for model in ("linear", "gru"):
        assert weights(runs[0].forecasters[model]) == weights(runs[1].forecasters[model])


def rising() -> np.ndarray:
    """(72, 2) above 0 whose swings and errors grow with the level, so that multiplicative models are chosen."""
    rows, rng = np.arange(72), np.random.default_rng(1)
    return np.stack([(50 + 3 * rows) * (1 + 0.3 * np.sin(np.pi * rows / 2)) * rng.lognormal(0, 0.1, 72), rows], axis=1)


@pytest.mark.parametrize("planted", [False, True])
def test_test_rows_that_a_method_cannot_take_throw_out_no_candidate(
    planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of 0 in the test part: the same candidates, standings and members, and forecasts at each origin."""
    monkeypatch.setattr(windowed_module, "_UNMADE", ())  # the recursion takes them itself
    if planted:
        states = exponential_module.ets_states

        def strict(fitted: Any, values: np.ndarray) -> Any:
            if fitted.error == "mul" and (values <= 0).any():
                raise ValueError("strictly positive")
            return states(fitted, values)

        monkeypatch.setattr(exponential_module, "ets_states", strict)
    values = rising()
    changed = values.copy()
    changed[64:, 0] = 0.0
    models = ["naive", "auto-ets", "ets", "mstl", "log-auto-ets", "ensemble"]
    parameters = {"lookback": 1, "horizon": 2, "season": 4, "split": (0.7, 0.15)}
    one, other = (
        compare_forecasters(
            Panel.from_numpy(rows, ["load", "other"]), models, parameters, target="load", optional=models, refit=False
        ).metrics
        for rows in (values, changed)
    )
    same = list(one["models"]) == list(other["models"]) and all(
        one["models"][name].get(key) == other["models"][name].get(key)
        for name in one["models"]
        for key in ("choosing", "valid", "members")
    )
    assert same == (not planted)
    if not planted:
        assert list(one["models"]) == models
        assert all(np.isfinite(other["models"][name]["test"]["mae"]) for name in models)


def test_test_rows_on_which_a_method_fails_leave_its_validation_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small(model="auto-ets").prepare(hourly(), target="load")
    baseline: Any = make_baseline("auto-ets", season=None).fit(data.history)
    apply = type(baseline)._apply

    def fails_late(self: Any, fitted: Any, values: np.ndarray, *rest: Any) -> np.ndarray:
        if len(values) > data.split.valid_end:
            raise ValueError("a row that it can't take")
        return apply(self, fitted, values, *rest)

    expected = data.forecasts_of(baseline, data.valid)
    monkeypatch.setattr(type(baseline), "_apply", fails_late)
    fresh = moved(data, data.panel.values)
    np.testing.assert_array_equal(fresh.forecasts_of(baseline, data.valid), expected)
    assert np.isnan(fresh.forecasts_of(baseline, data.test)).all()


def test_intervals_come_from_the_calibrating_rows_alone() -> None:
    """Other test rows and other choosing rows leave the radii of a fixed model; other calibrating rows don't."""
    forecaster = small(model="seasonal")
    data = forecaster.prepare(hourly(), target="load", inputs="*")
    forecaster.fit_prepared(data)

    def radii(values: np.ndarray) -> np.ndarray:
        found, _ = intervals_module.calibrate_forecast(
            moved(data, values), lambda origins: np.zeros((len(origins), 4)), (50, 80)
        )
        return np.stack(list(found.values()))

    values = load_and_wind()
    for rows, same in ((slice(0, 192), True), (slice(192, 204), False), (slice(204, None), True)):
        changed = values.copy()
        changed[rows] *= 1.5
        assert np.array_equal(radii(changed), radii(values)) == same, rows


def test_known_columns_may_look_ahead_and_others_not() -> None:
    panel = hourly()
    forecaster = small(model="gru")
    data = forecaster.prepare(panel, target="load", future=["wind"])
    forecaster.fit_prepared(data)
    origin = int(data.test[3])

    def predict(values: np.ndarray) -> np.ndarray:
        return forecaster.forecast_windows(moved(data, values), np.array([origin]))

    check_forecast(predict, panel.values, origin, known=[1]).raise_for_leak()
    assert not check_forecast(predict, panel.values, origin).passed


def test_a_forecast_from_the_end_is_the_one_of_the_last_window() -> None:
    """The road of `predict` and that of the scored windows give the same numbers."""
    panel = hourly()
    for model in ("linear", "lstm", "damped-persistence", "seasonal"):
        for anchor in ("last", "seasonal", "none"):
            forecaster = small(model=model, anchor=anchor, calendar=True)
            data: ForecastData = forecaster.prepare(panel, target="load", inputs="*")
            forecaster.fit_prepared(data)
            origin = data.test[5]
            ahead = forecaster.forecast(panel.take(np.arange(origin + 1))).values
            windows = forecaster.forecast_windows(data, np.array([origin]))[0]
            np.testing.assert_allclose(ahead, windows, rtol=1e-6)


def wide_fitted(values: np.ndarray) -> dict[str, np.ndarray]:
    """What the data side of two targets learns from the training rows of a wide table."""
    long = lengthen(with_values(hourly(), values), ["load", "wind"])
    data = small(calendar=True).prepare(long, target="target")
    assert data.features.scaler is not None
    return {
        **data.features.scaler.to_arrays(),
        "columns": np.array(data.features.cycles),
        "mean": np.asarray(data.mean),
    }


def test_of_several_targets_no_row_after_the_training_end_reaches_a_scaler(monkeypatch: pytest.MonkeyPatch) -> None:
    check_fit(wide_fitted, load_and_wind(), 168, perturbations=CHANGES).raise_for_leak()
    fit = Features.fit
    monkeypatch.setattr(Features, "fit", lambda self, panel, rows: fit(self, panel, np.ones_like(rows)))
    assert not check_fit(wide_fitted, load_and_wind(), 168, perturbations=CHANGES).passed


@pytest.mark.parametrize("model", ["linear", "gru", "damped-persistence"])
def test_of_several_targets_no_later_row_and_no_other_target_reaches_a_forecast(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = hourly()
    long = lengthen(panel, ["load", "wind"])
    forecaster = small(model=model)
    data = forecaster.prepare(long, target="target")
    forecaster.fit_prepared(data)
    origin = 220
    at = np.array([origin, origin + len(panel)])  # the same hour of both targets

    def predict(values: np.ndarray) -> np.ndarray:
        changed = moved(data, lengthen(with_values(panel, values), ["load", "wind"]).values)
        return forecaster.forecast_windows(changed, at)

    check_forecast(predict, panel.values, origin).raise_for_leak()
    other = panel.values.copy()
    other[:, 1] = 3 * other[::-1, 1] + 1
    np.testing.assert_array_equal(predict(other)[0], predict(panel.values)[0])
    assert not np.array_equal(predict(other)[1], predict(panel.values)[1])
    # A reshape that takes the rows one too late is found.
    real = lengthen
    monkeypatch.setitem(
        globals(), "lengthen", lambda panel, names: real(with_values(panel, np.roll(panel.values, -1, 0)), names)
    )
    assert not check_forecast(predict, panel.values, origin).passed


def test_intervals_of_a_target_come_from_its_own_errors() -> None:
    values = load_and_wind()
    other = values.copy()
    other[:, 1] *= 1 + np.arange(len(other)) % 3
    one, two = (
        small(model="naive").fit_prepared(
            small(model="naive").prepare(lengthen(with_values(hourly(), each), ["load", "wind"]), target="target")
        )
        for each in (values, other)
    )
    for level, radii in one.radii_.items():
        np.testing.assert_array_equal(radii[0], two.radii_[level][0])
        assert not np.array_equal(radii[1], two.radii_[level][1])
