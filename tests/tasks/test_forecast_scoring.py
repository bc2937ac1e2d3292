"""Sentences and scores: better or worse, on the same windows, with nothing said about what was not scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, small, steps

from seqloom.errors import NotFittedError
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast.scoring import measure_forecasts, statements
from seqloom_runtime.forecast.targets import unit_of
from seqloom_runtime.tables import time_text


def scores(skill: float | None, windows: int = 5, mae: float | None = 1.0) -> dict[str, Any]:
    return {"skill": skill, "windows": windows, "mae": mae}


@pytest.mark.parametrize(
    ("valid", "test", "sentence"),
    [
        (
            scores(0.25),
            scores(0.1),
            "gru is 25 % better than naive on validation and is 10 % better than naive on test.",
        ),
        (
            scores(0.25),
            scores(-0.1),
            "gru is 25 % better than naive on validation and is 10 % worse than naive on test.",
        ),
        (
            scores(-1.5),
            scores(-0.006),
            "gru is 150 % worse than naive on validation and is 1 % worse than naive on test.",
        ),
        (scores(0.004), scores(-0.004), "gru is level with naive on validation and is level with naive on test."),
        (scores(1.0), scores(0.0), "gru is 100 % better than naive on validation and is level with naive on test."),
        (
            scores(0.2),
            scores(None, 0, None),
            "gru is 20 % better than naive on validation and has no scored windows on test.",
        ),
        (scores(None, 0, None), scores(None, 0, None), "gru has no scored windows."),
        (
            scores(None, 5, 0.0),
            scores(None, 5, 0.3),
            "gru is level with naive on validation and is worse than naive, which makes no error, on test.",
        ),
    ],
)
def test_statements(valid: dict, test: dict, sentence: str) -> None:
    models = {"naive": {"valid": scores(0.0), "test": scores(0.0)}, "gru": {"valid": valid, "test": test}}
    no_better = "No model did better than naive on the validation rows that choose: use the naive forecast."
    assert statements(models, "naive") == [no_better, sentence]
    assert statements(models, "gru") == [
        sentence.replace("gru", "gru (selected)", 1).replace("gru (selected) has no scored", "gru has no scored")
    ]


def test_of_many_models_the_chosen_one_has_a_sentence_and_the_others_one_together() -> None:
    """The table tells of all of them; a sentence each would bury the one that counts."""
    models = {"naive": {"valid": scores(0.0), "test": scores(0.0)}}
    models |= {f"m{n}": {"valid": scores(0.1 * n), "test": scores(0.1 * n - 0.35)} for n in range(8)}
    assert statements(models, "m7") == [
        "m7 (selected) is 70 % better than naive on validation and is 35 % better than naive on test.",
        "Of the 7 other models 6 are better than naive on validation and 3 on test.",
    ]
    assert len(statements(models, "naive")) == 2


def test_scores_count_the_windows_that_were_forecast() -> None:
    data = small(model="naive").prepare(hourly(), target="load")
    data.mase_scale = 2.0
    forecasts = data.truth(data.test) + 1.0
    forecasts[::2] = np.nan
    found = measure_forecasts(data, "test", forecasts)
    assert found.details["scores"]["windows"] == len(forecasts) // 2
    assert found.scores["mae"] == pytest.approx(1.0)
    assert found.scores["mase"] == pytest.approx(0.5)
    naive = np.abs(data.truth(data.test) - data.target[data.test][:, None])[1::2].mean()
    assert found.scores["skill"] == pytest.approx(1 - 1 / naive)
    assert found.lower_is_better == set(found.scores) - {"skill"}
    none = measure_forecasts(data, "test", np.full_like(forecasts, np.nan), {"80": (-np.ones(4), np.ones(4))})
    assert none.scores == {}
    assert none.details["scores"] == dict.fromkeys(
        ["mae", "mae_scaled", "rmse", "rmse_scaled", "mase", "rmsse", "smape", "skill"]
    ) | {"windows": 0}


def test_models_are_chosen_on_the_windows_they_could_forecast() -> None:
    """A model that forecasts only the easiest windows, and those worse than naive, is not the best one."""
    data = small(model="naive").prepare(hourly(), target="load")
    truth = data.truth(data.valid)
    naive = np.repeat(data.target[data.valid][:, None], 4, axis=1)

    def rank(forecasts: np.ndarray) -> float | None:
        return measure_forecasts(data, "valid", forecasts).rank

    better = truth + 0.8 * (naive - truth)
    error = np.abs(naive - truth).mean(axis=1)
    easy = np.where((error <= np.quantile(error, 0.3))[:, None], truth + 1.3 * (naive - truth), np.nan)
    scored = np.isfinite(easy).all(axis=1)
    assert np.abs(easy - truth)[scored].mean() < np.abs(better - truth).mean()
    assert rank(naive) == 1.0
    assert rank(better) == pytest.approx(0.8)
    assert rank(easy) == pytest.approx(1.3)
    assert rank(np.full_like(naive, np.nan)) == float("inf")
    late = truth.copy()
    late[np.isin(data.valid, data.choose)] += 100.0  # perfect on the calibrating third, which chooses nothing
    assert (rank(late) or 0) > 5
    early = truth.copy()
    early[~np.isin(data.valid, data.choose)] += 100.0
    assert rank(early) == 0


def test_what_a_forecaster_is_worth() -> None:
    forecaster = small(model="naive", levels=(80,))
    data = forecaster.prepare(hourly(), target="load")
    with pytest.raises(NotFittedError):
        forecaster.evaluate(data)
    found = forecaster.fit_prepared(data).evaluate(data)
    assert found.scores["skill"] == 0
    assert set(found.details["scores"]["coverage"]) == {"80"}
    assert list(found.predictions) == ["id", "origin", "step", "time", "actual", "predicted", "low_80", "high_80"]
    assert len(found.predictions["actual"]) == 4 * len(data.test)
    assert "coverage" not in forecaster.evaluate(data, "valid").details["scores"]


def test_numbers_that_overflow_are_left_out() -> None:
    data = small(model="naive").prepare(hourly(), target="load")
    found = measure_forecasts(data, "test", np.full((len(data.test), 4), 1e300))
    assert found.scores["mae"] == pytest.approx(1e300)
    assert all(np.isfinite(value) for value in found.scores.values())


def test_a_constant_series() -> None:
    run = compare_forecasters(
        steps(np.full(200, 7.0)), ["mean", "linear"], {"lookback": 6, "horizon": 2, "epochs": 1}, target="column_0"
    )
    assert run.metrics["best"] == "naive"
    naive, mean = run.metrics["models"]["naive"]["valid"], run.metrics["models"]["mean"]["valid"]
    assert (naive["mae"], naive["skill"], naive["mase"], mean["mae"]) == (0, None, None, 0)
    assert "mean is level with naive on validation and is level with naive on test." in run.metrics["statements"]


def test_errors_by_step_and_time_of_day() -> None:
    run = compare_forecasters(hourly(), ["seasonal"], {"lookback": 12, "horizon": 4, "season": 24}, target="load")
    data, forecaster = run.data, run.forecasters["seasonal"]
    error = np.abs(data.truth(data.test) - forecaster.forecast_windows(data, data.test))
    by = run.metrics["models"]["seasonal"]
    assert by["by_step"]["steps"] == [1, 2, 3, 4]
    np.testing.assert_allclose(by["by_step"]["test_mae"], error.mean(axis=0), rtol=1e-12)
    hour = (data.test[:, None] + data.spec.steps) % 24
    assert by["by_time_of_day"]["minutes"] == [60 * h for h in range(24)]
    for h in range(24):
        expected = error[hour == h].mean() if (hour == h).any() else None
        assert by["by_time_of_day"]["test_mae"][h] == (None if expected is None else pytest.approx(expected, rel=1e-12))
    plain = compare_forecasters(steps(hourly().values[:, 0]), [], {"lookback": 12, "horizon": 4}, target="column_0")
    assert plain.metrics["models"]["naive"]["by_time_of_day"] is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [("T (degC)", "degC"), ("load", None), ("(x)", None), ("a (b) c", None), ("p ( Pa )", "Pa"), ("p ()", None)],
)
def test_units_are_read_off_names(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit


def test_times_as_text() -> None:
    times = np.array(["2024-03-31T00:00", "2024-03-31T01:00"], "M8[us]")
    assert time_text(times, "Europe/Berlin") == ["2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00"]
    assert time_text(times, None) == ["2024-03-31T00:00:00", "2024-03-31T01:00:00"]
    assert time_text(times[:1], None) == ["2024-03-31"]
    assert time_text(times + np.timedelta64(5, "us"), None)[0] == "2024-03-31T00:00:00.000005"
    assert time_text(np.array([3, 4]), None) == ["3", "4"]
