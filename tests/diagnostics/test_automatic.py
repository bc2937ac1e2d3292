"""Automatic ETS and Theta, MSTL, Croston and TSB against statsmodels and loops, and what may never reach them."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.diagnostics import (
    MSTL,
    TSB,
    AutoETS,
    AutoTheta,
    Croston,
    TargetHistory,
    check_fit,
    make_baseline,
    scored_rows,
)
from seqloom.diagnostics.auto_ets import fit_auto_ets
from seqloom.diagnostics.auto_theta import is_seasonal, seasonal_factors
from seqloom.errors import DataError, TrainingError
from seqloom_runtime.statistical.intermittent import _GRID
from seqloom_runtime.statistical.theta import ThetaFit

STEPS = np.array([1, 2, 5, 12, 13, 30])
COUNTED = ("arima", "auto-ets", "auto-theta", "mstl", "log-auto-ets", "log-auto-theta", "log-mstl")


@pytest.fixture
def passengers(data_dir: Path) -> np.ndarray:
    with open(data_dir / "classic_series" / "AirPassengers.csv") as file:
        return np.array([float(row[1]) for row in list(csv.reader(file))[1:]])


def made(rows: int = 130, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 3 * np.sin(np.arange(rows) * 2 * np.pi / 6) + np.cumsum(rng.normal(0, 0.3, rows)) + 40


def sparse(rows: int = 200, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(4, rows) * (rng.random(rows) < 0.3).astype(float)


def ets_model(values: np.ndarray, fitted: Any, season: int | None) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    return ETSModel(
        values,
        error=fitted.error,
        trend="add" if fitted.trend else None,
        damped_trend=fitted.trend and fitted.damped,
        seasonal=fitted.seasonal,
        seasonal_periods=season if fitted.seasonal else None,
        initialization_method="heuristic",
    )


def criterion(result: Any, kind: Any, season: int | None) -> float:
    """AICc with the initial states counted, which statsmodels does not do."""
    k = len(result.params) + 2 + int(kind.trend) + (season - 1 if kind.seasonal and season else 0)
    return float(-2 * result.llf + 2 * k + 2 * k * (k + 1) / (100 - k - 1))


@pytest.mark.parametrize("season", [12, None])
def test_auto_ets_is_statsmodels_at_every_origin_and_has_the_best_aicc(
    passengers: np.ndarray, season: int | None
) -> None:
    history = TargetHistory.single(passengers, train_rows=100)
    baseline = AutoETS(season).fit(history)
    fitted = baseline._runs[0].fitted
    got = baseline.forecast(history, [131, 99, 120], STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row, origin in enumerate((131, 99, 120)):
            smoothed = ets_model(passengers[: origin + 1], fitted, season).smooth(fitted.params)
            np.testing.assert_allclose(got[row], np.asarray(smoothed.forecast(30))[STEPS - 1], rtol=1e-9)
        chosen = criterion(ets_model(passengers[:100], fitted, season).smooth(fitted.params), fitted, season)
        for error, seasonal in (("add", "add"), ("mul", "mul"), ("mul", None)) if season else (("mul", None),):
            other = type(fitted)(True, seasonal, fitted.params, 1.0, 0.0, 0.0, None, error, False)
            result = ets_model(passengers[:100], other, season).fit(disp=False)
            assert chosen <= criterion(result, other, season) + 0.1
    assert baseline.note == f"{fitted.name}, chosen by AICc."
    assert fitted.name == ("ETS(M,A,M)" if season else fitted.name)


def theta_loop(fitted: ThetaFit, values: np.ndarray, h: int) -> float:
    m = len(fitted.factors)
    factor = [float(fitted.factors[i % m]) for i in range(len(values) + h)]
    flat = [v / f if fitted.multiplicative else v - f for v, f in zip(values, factor)]
    level = fitted.level
    for value in flat:
        level += fitted.alpha * (value - level)
    n, a = len(values), fitted.alpha
    line = (1 - a) ** n * fitted.start + (h - 1 + (1 - (1 - a) ** (n + 1)) / a) * fitted.slope
    result = level + fitted.share * line
    return result * factor[n + h - 1] if fitted.multiplicative else result + factor[n + h - 1]


@pytest.mark.parametrize(("season", "multiplicative"), [(12, True), (6, False), (None, False)])
def test_auto_theta_is_a_loop_at_every_origin_and_the_best_of_its_kinds(
    passengers: np.ndarray, season: int | None, multiplicative: bool
) -> None:
    values = made() - 40 if season == 6 else passengers
    history = TargetHistory.single(values, train_rows=90)
    baseline = AutoTheta(season).fit(history)
    fitted = baseline._runs[0].fitted
    assert fitted.multiplicative == multiplicative
    assert len(fitted.factors) == (season or 1)
    got = baseline.forecast(history, [89, 60, 120], STEPS)
    for row, t in enumerate((89, 60, 120)):
        expected = [theta_loop(fitted, values[: t + 1], int(h)) for h in STEPS]
        np.testing.assert_allclose(got[row], expected, rtol=1e-10)

    def miss(other: ThetaFit) -> float:
        ahead = [theta_loop(other, values[:t], 1) - values[t] for t in range(1, 90)]
        first = other.level + other.share * (other.start + other.slope)
        first = first * other.factors[0] if other.multiplicative else first + other.factors[0]
        return float(np.mean(np.square([first - values[0], *ahead])))

    best = miss(fitted)
    for change in ({"alpha": min(fitted.alpha + 0.03, 0.99)}, {"alpha": fitted.alpha - 0.03}, {"level": 0.0}):
        assert best <= miss(ThetaFit(**{**vars(fitted), **change})) * (1 + 1e-4)


def test_seasons_are_tested_and_taken_out_as_statsmodels_does(passengers: np.ndarray) -> None:
    from statsmodels.tsa.seasonal import seasonal_decompose
    from statsmodels.tsa.stattools import acf

    for values, season, kind in ((passengers, 12, "multiplicative"), (made(), 6, "additive"), (made(), 5, "additive")):
        direct = np.asarray(seasonal_decompose(values, model=kind, period=season).seasonal)[:season]
        np.testing.assert_allclose(seasonal_factors(values, season, kind == "multiplicative"), direct, rtol=1e-9)
        lags = np.asarray(acf(values, nlags=season))
        limit = 1.645 * np.sqrt((1 + 2 * (lags[1:-1] ** 2).sum()) / len(values))
        assert is_seasonal(values, season) == (abs(lags[season]) > limit)
    assert not is_seasonal(passengers[:30], 12)


def test_mstl_finds_the_week_beside_the_day_and_repeats_both() -> None:
    from statsmodels.tsa.seasonal import MSTL as Decomposition

    rng, rows = np.random.default_rng(1), np.arange(900)
    day, week = 5 * np.sin(rows * 2 * np.pi / 24), np.repeat(np.tile([0.0, 0, 0, 1, 6, 8, 2], 6), 24)[:900]
    values = 50 + day + week + 0.01 * rows + rng.normal(0, 0.3, 900)
    history = TargetHistory.single(values, train_rows=720)
    baseline = MSTL(24).fit(history)
    origins = np.array([719, 750, 880])
    got = baseline.forecast(history, origins, np.arange(1, 13))
    assert "beside seasons of 24 and 168 rows" in baseline.note
    assert np.abs(got - values[origins[:, None] + np.arange(1, 13)]).mean() < 0.8
    parts = np.asarray(Decomposition(values[:720], periods=(24, 168)).fit().seasonal)
    fitted = baseline._runs[0].fitted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rest = ets_model(values[:720] - parts.sum(axis=1), fitted.ets, None).smooth(fitted.ets.params).forecast(12)
    np.testing.assert_allclose(got[0], np.asarray(rest) + parts[-24:-12, 0] + parts[-168:-156, 1])
    wandering = TargetHistory.single(np.cumsum(rng.normal(size=720)))
    assert list(MSTL(24).fit(wandering)._runs[0].fitted.factors) == [24]
    quarters = TargetHistory.single(values)
    assert list(MSTL(12).fit(quarters)._runs[0].fitted.factors) == [12]


def croston_loop(values: np.ndarray, alpha: float, factor: float) -> float:
    size = apart = None
    waited = 0
    for value in values:
        waited += 1
        if value:
            size = value if size is None else size + alpha * (value - size)
            apart = waited if apart is None else apart + alpha * (waited - apart)
            waited = 0
    return 0.0 if size is None or apart is None else factor * size / apart


def tsb_loop(values: np.ndarray, alpha: float, beta: float) -> float:
    size = chance = None
    for place, value in enumerate(values):
        if size is None or chance is None:
            if value:
                size, chance = value, 1 / (place + 1)
            continue
        chance += beta * ((value != 0) - chance)
        if value:
            size += alpha * (value - size)
    return 0.0 if size is None or chance is None else size * chance


@pytest.mark.parametrize("name", ["croston", "tsb"])
def test_intermittent_demand_is_a_loop_and_its_smoothing_the_best_on_training_rows(name: str) -> None:
    values = sparse()
    history = TargetHistory.single(values, train_rows=150)
    baseline = make_baseline(name).fit(history)
    assert isinstance(baseline, Croston | TSB)
    assert baseline._chosen is not None
    loop = croston_loop if name == "croston" else tsb_loop
    options = [(a, c) for a in _GRID for c in (_GRID if name == "tsb" else (1.0, 1 - a / 2))]
    errors = {o: sum((loop(values[:t], *o) - values[t]) ** 2 for t in range(1, 150)) for o in options}
    chosen = tuple(baseline._chosen[0])
    assert errors[chosen] <= min(errors.values()) * (1 + 1e-12)
    got = baseline.forecast(history, [10, 149, 180], [1, 7])
    np.testing.assert_allclose(got, [[loop(values[: t + 1], *chosen)] * 2 for t in (10, 149, 180)], rtol=1e-12)
    assert baseline.parameters == 2
    # Missing rows change nothing, and a stretch without demand has none.
    hole = values.copy()
    hole[100] = np.nan
    there = TargetHistory(hole, np.zeros(200, int), np.arange(200) < 150)
    fitted = make_baseline(name).fit(there)
    assert isinstance(fitted, Croston | TSB)
    assert fitted._chosen is not None
    gone = loop(np.delete(values, 100)[:120], *fitted._chosen[0])
    np.testing.assert_allclose(fitted.forecast(there, [120], [1]), [[gone]])
    quiet = TargetHistory.single(np.zeros(20), train_rows=10)
    assert make_baseline(name).fit(quiet).forecast(quiet, [15], [1]).tolist() == [[0.0]]


# Of arima test_arima.py says the same.
@pytest.mark.parametrize("name", [*COUNTED[1:], "croston", "tsb", pytest.param("arima", marks=pytest.mark.deep)])
def test_rows_after_the_origin_and_outside_training_are_not_read(name: str) -> None:
    values = made()
    history = TargetHistory.single(values, train_rows=90)
    origins = np.array([89, 95, 110])
    before = make_baseline(name, season=6).fit(history).forecast(history, origins, STEPS)
    assert np.isfinite(before).all()
    later = values.copy()
    later[111:] = np.random.default_rng(0).normal(size=19) * 1e5
    later[96:111] = 90.0
    changed = TargetHistory.single(later, train_rows=90)
    again = make_baseline(name, season=6).fit(changed).forecast(changed, origins, STEPS)
    np.testing.assert_array_equal(again[:2], before[:2])
    assert not np.array_equal(again[2], before[2])


@pytest.mark.parametrize("name", [*COUNTED, "croston", "tsb"])
def test_series_are_kept_apart(name: str) -> None:
    one, two = made(100, 1), made(120, 2) + 50
    train = np.arange(220) % 100 < 80
    history = TargetHistory(
        np.concatenate([one, two]), np.repeat([0, 100], [100, 120]), train, series=np.repeat([0, 1], [100, 120])
    )
    got = make_baseline(name, season=6).fit(history).forecast(history, [90, 190], STEPS)
    alone = TargetHistory(two, np.zeros(120, int), train[100:])
    expected = make_baseline(name, season=6).fit(alone).forecast(alone, [90], STEPS)
    np.testing.assert_allclose(got[1], expected[0], rtol=1e-12)
    assert scored_rows(got).all()


@pytest.mark.parametrize("name", COUNTED)
def test_hard_data_gives_finite_numbers_within_bounds_or_one_sentence(name: str) -> None:
    rng = np.random.default_rng(0)
    hard = {
        "huge": rng.normal(size=60) * 1e12,
        "tiny": np.abs(rng.normal(size=60)) * 1e-12,
        "nearly constant": np.where(np.arange(60) == 30, 1.0, 0.0),
        "constant": np.full(60, 5.0),
        "spiky": rng.standard_cauchy(60),
        "exact season": np.tile(np.arange(6.0) + 1, 10),
        "line": np.arange(60.0) + 1,
        "growth": 2.0 ** np.arange(60),
    }
    told: list[str] = []
    for values in hard.values():
        history = TargetHistory.single(values, train_rows=50)
        try:
            forecast = make_baseline(name, season=6).fit(history).forecast(history, [55, 59], STEPS)
        except (DataError, TrainingError) as error:
            told.append(str(error))
        else:
            assert np.isfinite(forecast).all()
            span = np.ptp(values[:60])
            assert forecast.max() <= max(values.max() + 3 * span, 2 * values.max()) + 1e-9
    assert not any("\n" in text for text in told)


def test_short_runs_and_models_of_few_rows() -> None:
    for rows in (11, 13, 20):
        found = fit_auto_ets(made(rows), None)
        assert found.error in ("add", "mul")
    short = TargetHistory.single(made(24), train_rows=22)
    for name in ("arima", "auto-ets", "auto-theta", "mstl"):
        assert np.isfinite(make_baseline(name, season=6).fit(short).forecast(short, [23], [1, 6])).all()


@pytest.mark.parametrize("name", ["arima", "auto-ets", "auto-theta", "log-mstl", "croston", "tsb"])
def test_a_fit_that_sees_later_rows_is_found(name: str) -> None:
    """The check of leaks passes as it is, and finds a fit that was given all rows to train on."""

    # Of demand that is mostly nothing it takes more rows until others choose another smoothing.
    data, train = (sparse(110), 90) if name in ("croston", "tsb") else (made(70), 50)

    def fit(values: np.ndarray, leak: bool) -> dict[str, np.ndarray]:
        values = np.abs(values) + 1.0 if name not in ("croston", "tsb") else values
        history = TargetHistory.single(values, train_rows=train)
        baseline: Any = make_baseline(name, season=6)
        inner = baseline.inner if name.startswith("log") else baseline
        if leak and hasattr(inner, "_fit_run"):
            every, original = np.log(values) if name.startswith("log") else values, inner._fit_run
            inner._fit_run = lambda run: original(every)
        elif leak:
            history = TargetHistory.single(values)
        return {"forecast": baseline.fit(history).forecast(history, [train - 1], [1, 8])}

    check_fit(lambda values: fit(values, False), data, train, perturbations=("zero",)).raise_for_leak()
    assert not check_fit(lambda values: fit(values, True), data, train, perturbations=("zero",)).passed
