"""Networks that forecast a distribution: trained, calibrated, asked for levels and samples, saved; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import hourly, load_and_wind, small, steps, with_values

from seqloom import Forecaster, load
from seqloom.diagnostics import check_forecast
from seqloom.errors import SettingError
from seqloom.tasks.forecast.families import FAMILIES
from seqloom.tasks.forecast.objective import knots_with
from seqloom.tasks.forecast.windowed import ForecastData
from seqloom_runtime.forecast.families import LEVELS

KINDS = {
    "quantiles": {"loss": "quantiles"},
    "normal": {"distribution": "normal"},
    "student-t": {"distribution": "student-t"},
    "negative-binomial": {"distribution": "negative-binomial"},
    "tweedie": {"distribution": "tweedie"},
}


def counts(rows: int = 300) -> np.ndarray:
    """Counts with a cycle of 12 rows, often 0."""
    rng = np.random.default_rng(3)
    return rng.poisson(1.5 * (1 + np.sin(np.arange(rows) * np.pi / 6))).astype(np.float64)


def fitted(kind: str, model: str = "linear", **parameters: Any) -> tuple[Forecaster, ForecastData]:
    given = {"epochs": 2, "lookback": 12, "season": 12, **KINDS[kind], **parameters}
    forecaster = small(model=model, levels=(50, 80), **given)
    data = forecaster.prepare(steps(counts(), ["sold"]), target="sold")
    return forecaster.fit_prepared(data), data


@pytest.mark.parametrize(
    ("kind", "model"), [*((kind, "linear") for kind in KINDS), ("quantiles", "gru"), ("tweedie", "gru")]
)
def test_every_kind_forecasts_what_its_distribution_says(kind: str, model: str) -> None:
    forecaster, data = fitted(kind, model)
    network = forecaster.learned_.network
    knots = knots_with(network, data, forecaster.anchor_, data.test[:30])
    assert knots.shape == (30, 4, len(LEVELS))
    assert (np.diff(knots, axis=2) >= -1e-9).all()
    forecasts = forecaster.forecast_windows(data, data.test[:30])
    if not FAMILIES[kind].counted:
        np.testing.assert_allclose(forecasts, np.maximum(knots[:, :, 7], 0), rtol=1e-9, atol=1e-9)
    else:
        assert forecasts.min() >= 0
    # The road of `predict` and that of the scored windows give the same numbers.
    table, last = forecaster.forecast(), np.array([len(data.target) - 1])
    np.testing.assert_allclose(table.values, forecaster.forecast_windows(data, last)[0], rtol=1e-5, atol=1e-6)
    for level in ("50", "80"):
        low, high = table.bounds[level]
        assert (low >= 0).all()
        assert (low <= table.values).all()
        assert (table.values <= high).all()
    scores = forecaster.evaluate(data).details["scores"]
    assert 0.6 < scores["coverage"]["80"] <= 1
    assert {"crps", "winkler", "quantile_loss"} <= set(scores)


def test_training_finds_the_spread_of_each_window() -> None:
    """Where the noise of every other day is ten times larger, so are the intervals of those windows alone."""
    rng = np.random.default_rng(0)
    loud = (np.arange(1300) // 24) % 2 == 1
    values = np.stack([rng.normal(0, np.where(loud, 10, 1)), loud * 1.0], axis=1)
    panel = hourly(1300)
    widths = {}
    for kind in ("quantiles",):
        forecaster = small(
            model="dense",
            levels=(80,),
            horizon=1,
            units=16,
            epochs=20,
            learning_rate=0.02,
            anchor="none",
            **KINDS[kind],
        )
        data = forecaster.prepare(with_values(panel, values), target="load", future=["wind"])
        forecaster.fit_prepared(data)
        found = forecaster.evaluate(data).predictions
        width = found["high_80"] - found["low_80"]
        noisy = loud[data.test + 1]
        widths[kind] = width[noisy].mean() / width[~noisy].mean()
        inside = (found["low_80"] <= found["actual"]) & (found["actual"] <= found["high_80"])
        assert 0.7 < inside[noisy].mean() < 0.9, kind
        assert 0.7 < inside[~noisy].mean() < 0.9, kind
    assert all(ratio > 4 for ratio in widths.values()), widths


@pytest.mark.parametrize("kind", ["quantiles", "negative-binomial"])
def test_levels_samples_and_longer_horizons(kind: str) -> None:
    forecaster, _ = fitted(kind)
    table = forecaster.forecast(levels=(50, 65, 90))
    assert (table.bounds["65"][1] >= table.bounds["50"][1]).all()
    assert (table.bounds["90"][1] >= table.bounds["65"][1]).all()
    paths = forecaster.forecast(samples=2000).values.reshape(2000, 4)
    assert paths.min() >= 0
    low, high = forecaster.forecast().bounds["80"]
    assert (((low - 1e-9 <= paths) & (paths <= high + 1e-9)).mean(axis=0) > 0.6).all()
    longer = forecaster.forecast(horizon=10)
    np.testing.assert_allclose(longer.values[:4], table.values, rtol=1e-9)
    assert np.isnan(longer.bounds["80"][1][4:]).all()


@pytest.mark.parametrize("kind", ["quantiles", "student-t", "negative-binomial"])
def test_saved_and_loaded(kind: str, tmp_path: Path) -> None:
    forecaster, data = fitted(kind, "gru")
    forecaster.save(tmp_path / "m")
    again = load(tmp_path / "m")
    asked: dict[str, Any]
    for asked in ({}, {"levels": (60,)}, {"samples": 5}):
        one, two = forecaster.forecast(**asked), again.forecast(**asked)
        np.testing.assert_array_equal(one.values, two.values)
        for level, sides in one.bounds.items():
            np.testing.assert_array_equal(two.bounds[level], sides)
    np.testing.assert_array_equal(
        again.evaluate(data).predictions["low_80"], forecaster.evaluate(data).predictions["low_80"]
    )


def test_new_rows_update_the_scores_of_a_distribution() -> None:
    forecaster, _ = fitted("normal")
    longer = steps(np.concatenate([counts(), counts()[:30] + 40]), ["sold"])
    before, after = forecaster.forecast(), forecaster.forecast(longer)
    assert not after.notes
    assert np.subtract(*after.bounds["80"][::-1]).mean() > np.subtract(*before.bounds["80"][::-1]).mean()


@pytest.mark.parametrize("kind", ["quantiles", "student-t"])
def test_no_later_row_reaches_a_distribution(kind: str) -> None:
    panel = hourly()
    forecaster = small(model="gru", levels=(50, 80), **KINDS[kind])
    data = forecaster.prepare(panel, target="load")
    forecaster.fit_prepared(data)
    origin = int(data.test[3])

    def predict(values: np.ndarray) -> np.ndarray:
        other = forecaster.prepare(with_values(panel, values), target="load")
        return knots_with(forecaster.learned_.network, other, forecaster.anchor_, np.array([origin]))

    known = load_and_wind()
    changed = known.copy()
    changed[origin + 1 :] *= 3
    np.testing.assert_array_equal(predict(changed), predict(known))
    assert not check_forecast(lambda values: predict(np.roll(values, -1, axis=0)), panel.values, origin).passed


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"loss": "quantiles", "distribution": "normal"}, "distribution: 'normal' is trained by its likelihood"),
        ({"distribution": "poisson"}, "distribution: expected one of normal, student-t"),
        ({"distribution": "tweedie", "transform": "log"}, "transform: the distribution 'tweedie' is one of the values"),
    ],
)
def test_what_does_not_go_together(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        small(model="linear", **parameters).fit(hourly(), target="load")


@pytest.mark.parametrize(("kind", "shift"), [("negative-binomial", 0.5), ("negative-binomial", -1), ("tweedie", -1)])
def test_counted_kinds_need_values_from_0_on(kind: str, shift: float) -> None:
    forecaster = small(model="linear", **KINDS[kind])
    with pytest.raises(SettingError, match=f"distribution: '{kind}' is one of"):
        forecaster.fit(steps(counts() + shift, ["sold"]), target="sold")


@pytest.mark.parametrize(("kind", "model"), [("quantiles", "gru"), ("normal", "linear"), ("tweedie", "linear")])
def test_what_a_distribution_rests_on_is_explained(kind: str, model: str) -> None:
    forecaster, data = fitted(kind, model)
    found = forecaster.explain(data)
    assert list(found.columns) == ["sold"]
    assert np.isfinite(found.rise).all()
    assert np.isfinite(found.attribution).all()


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two = (fitted("quantiles", "gru")[0].learned_.network.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
