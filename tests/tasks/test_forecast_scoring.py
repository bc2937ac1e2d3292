"""Sentences and scores: better or worse, on the same windows, with nothing said about what was not scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, small, steps

from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast.run import _unit
from seqloom.tasks.forecast.scoring import Scores, statements
from seqloom.tasks.forecast.tables import time_text


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
        sentence.replace("gru", "gru (best on validation)", 1).replace(
            "gru (best on validation) has no scored", "gru has no scored"
        )
    ]


def data_and_scores() -> tuple[Any, Scores]:
    data = small(model="naive").prepare(hourly(), target="load")
    naive = {part: np.repeat(data.target[getattr(data, part)][:, None], 4, axis=1) for part in ("valid", "test")}
    return data, Scores(data, 2.0, naive)


def test_scores_count_the_windows_that_were_forecast() -> None:
    data, of = data_and_scores()
    forecasts = data.truth(data.test) + 1.0
    forecasts[::2] = np.nan
    found = of.of("test", forecasts, {})
    assert found["windows"] == len(forecasts) // 2
    assert found["mae"] == pytest.approx(1.0)
    assert found["mase"] == pytest.approx(0.5)
    naive = np.abs(data.truth(data.test) - data.target[data.test][:, None])[1::2].mean()
    assert found["skill"] == pytest.approx(1 - 1 / naive)
    none = of.of("test", np.full_like(forecasts, np.nan), {"80": np.ones(4)})
    assert none == dict.fromkeys(["mae", "mae_scaled", "rmse", "rmse_scaled", "mase", "smape", "skill"]) | {
        "windows": 0
    }


def test_models_are_chosen_on_the_windows_they_could_forecast() -> None:
    """A model that forecasts only the easiest windows, and those worse than naive, is not the best one."""
    data, of = data_and_scores()
    truth = data.truth(data.valid)
    naive = of.naive["valid"]
    better = truth + 0.8 * (naive - truth)
    error = np.abs(naive - truth).mean(axis=1)
    easy = np.where((error <= np.quantile(error, 0.3))[:, None], truth + 1.3 * (naive - truth), np.nan)
    scored = np.isfinite(easy).all(axis=1)
    assert np.abs(easy - truth)[scored].mean() < np.abs(better - truth).mean()
    assert of.against_naive(naive) == 1.0
    assert of.against_naive(better) == pytest.approx(0.8)
    assert of.against_naive(easy) == pytest.approx(1.3)
    assert of.against_naive(np.full_like(naive, np.nan)) == float("inf")
    late = truth.copy()
    late[np.isin(data.valid, data.choose)] += 100.0  # perfect on the calibrating third, which chooses nothing
    assert of.against_naive(late) > 5
    early = truth.copy()
    early[~np.isin(data.valid, data.choose)] += 100.0
    assert of.against_naive(early) == 0


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
    assert _unit(name) == unit


def test_times_as_text() -> None:
    times = np.array(["2024-03-31T00:00", "2024-03-31T01:00"], "M8[us]")
    assert time_text(times, "Europe/Berlin") == ["2024-03-31T01:00:00+01:00", "2024-03-31T03:00:00+02:00"]
    assert time_text(times, None) == ["2024-03-31T00:00:00", "2024-03-31T01:00:00"]
    assert time_text(times[:1], None) == ["2024-03-31"]
    assert time_text(times + np.timedelta64(5, "us"), None)[0] == "2024-03-31T00:00:00.000005"
    assert time_text(np.array([3, 4]), None) == ["3", "4"]
