"""Conformal intervals of the forecaster: the right rows, the right ranks, nested, dropped with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forecast_cases import hourly, small

from seqloom import load
from seqloom.tasks.forecast import compare_forecasters


def residuals_by_hand(model: str, **parameters: object) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """|error| per step for targets in rows 192 to 203, the last third of the validation rows, in plain loops."""
    forecaster = small(model=model, **parameters)
    data = forecaster.prepare(hourly(), target="load", inputs="*")
    forecaster.fit_prepared(data)
    y = hourly().values[:, 0]
    errors: list[list[float]] = [[] for _ in data.spec.steps]
    for row in range(192, 204):
        for k, step in enumerate(data.spec.steps):
            origin = np.array([row - step])
            if row - step in data.windows.origins:
                errors[k].append(abs(y[row] - forecaster.forecast_windows(data, origin)[0, k]))
    return [np.sort(e) for e in errors], forecaster.radii_


@pytest.mark.parametrize("model", ["linear", "gru", "damped-persistence"])
def test_radii_are_ranks_of_the_last_third(model: str) -> None:
    errors, radii = residuals_by_hand(model, levels=(50, 80, 90))
    assert [len(e) for e in errors] == [12] * 4
    assert list(radii) == ["50", "80", "90"]
    for level, rank in (("50", 7), ("80", 11), ("90", 12)):  # ceil(13 p)
        np.testing.assert_allclose(radii[level], [e[rank - 1] for e in errors], rtol=1e-6)


def test_radii_of_the_last_row_alone() -> None:
    errors, radii = residuals_by_hand("linear", levels=(80,), at="last", horizon=6)
    assert len(errors) == 1
    assert len(errors[0]) == 12
    np.testing.assert_allclose(radii["80"], [errors[0][10]], rtol=1e-6)


def test_levels_with_too_few_rows_are_dropped_with_the_reason() -> None:
    forecaster = small(model="linear", levels=(80, 95)).fit(hourly(), target="load", inputs="*")
    assert list(forecaster.radii_) == ["80"]
    assert forecaster.notes_ == [
        "No 95 % interval: the last third of the validation rows holds 12 errors of some step, and 95 % needs at least "
        "19 errors; use more validation rows, such as split=147,57."
    ]
    tight = small(model="linear", split=(220, 4), levels=(80,)).fit(hourly(), target="load", inputs="*")
    assert list(tight.radii_) == ["80"]
    assert "all do both, so that the intervals may be narrow until later rows widen them" in tight.notes_[0]
    none = small(model="linear", split=(220, 4), levels=(95,)).fit(hourly(), target="load", inputs="*")
    assert not none.radii_
    assert "the validation rows hold 4 errors of some step, and 95 % needs at least 19 errors" in none.notes_[0]
    assert list(none.predict()) == ["time", "load"]
    assert not small(model="linear", levels=()).fit(hourly(), target="load", inputs="*").notes_


def test_intervals_are_nested_and_around_the_forecast() -> None:
    table = small(model="gru", levels=(90, 50, 80)).fit(hourly(), target="load", inputs="*").forecast()
    assert list(table.bounds) == ["90", "50", "80"]
    (low90, high90), (low50, high50), (low80, high80) = table.bounds.values()
    assert (low90 <= low80).all()
    assert (low80 <= low50).all()
    assert (low50 <= table.values).all()
    assert (table.values <= high50).all()
    assert (high50 <= high80).all()
    assert (high80 <= high90).all()


def test_levels_need_not_be_whole() -> None:
    forecaster = small(model="naive", levels=(66.6, 92.3)).fit(hourly(), target="load", inputs="*")
    assert list(forecaster.predict()) == ["time", "load", "low_66.6", "high_66.6", "low_92.3", "high_92.3"]


def test_intervals_are_saved(tmp_path: Path) -> None:
    forecaster = small(model="linear", levels=(80, 90)).fit(hourly(), target="load", inputs="*")
    forecaster.save(tmp_path / "m")
    one, two = load(tmp_path / "m").forecast().bounds, forecaster.forecast().bounds
    assert list(one) == list(two) == ["80", "90"]
    for level in one:
        for side in (0, 1):
            np.testing.assert_array_equal(one[level][side], two[level][side])


def test_coverage_on_test_is_reported() -> None:
    run = compare_forecasters(
        hourly(), ["linear"], {"lookback": 12, "horizon": 4, "levels": (50, 80)}, target="load", inputs="*"
    )
    forecaster, data = run.forecasters["linear"], run.data
    truth, forecast = data.truth(data.test), forecaster.forecast_windows(data, data.test)
    test, evaluation = run.metrics["models"]["linear"]["test"], forecaster.evaluate(data)
    assert list(test["coverage"]) == ["50", "80"]
    for level, share in test["coverage"].items():
        low, high = (
            evaluation.predictions[f"{side}_{level}"].reshape(len(data.spec.steps), -1).T for side in ("low", "high")
        )
        assert (low <= forecast).all()
        assert (forecast <= high).all()
        assert share == pytest.approx(((low <= truth) & (truth <= high)).mean(), abs=1e-12)
        assert test["width"][level] == pytest.approx((high - low).mean(), rel=1e-9)
    assert "coverage" not in run.metrics["models"]["linear"]["valid"]
