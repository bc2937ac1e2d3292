"""ARIMA against statsmodels' state space models, its choice, its limits, and what may never reach it."""

from __future__ import annotations

import csv
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from seqloom.diagnostics import Arima, Logged, Naive, TargetHistory, arima_search, arma, baseline_cost, make_baseline
from seqloom.diagnostics.arima_search import fit_arima, polynomials
from seqloom.diagnostics.differencing import differences_needed, kpss, strong_season
from seqloom.errors import DataError, SettingError, TrainingError
from seqloom_runtime.statistical import arma as applied
from seqloom_runtime.statistical.arima import Order

STEPS = np.array([1, 2, 5, 12, 13, 30])


@pytest.fixture
def passengers(data_dir: Path) -> np.ndarray:
    with open(data_dir / "classic_series" / "AirPassengers.csv") as file:
        return np.array([float(row[1]) for row in list(csv.reader(file))[1:]])


def made(rows: int = 120, season: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 3 * np.sin(np.arange(rows) * 2 * np.pi / season) + np.cumsum(rng.normal(0, 0.4, rows)) + 40


def state_space(w: np.ndarray, order: Order, season: int) -> object:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    trend = "c" if order.constant else "n"
    return SARIMAX(w, order=(order.p, 0, order.q), seasonal_order=(order.P, 0, order.Q, season), trend=trend)


@pytest.mark.parametrize("order", [(2, 1, 1, 1), (0, 2, 0, 0), (3, 0, 0, 2), (0, 0, 0, 0), (1, 0, 2, 0)])
def test_likelihood_and_forecasts_are_those_of_the_kalman_filter(
    order: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    season, rng = 4, np.random.default_rng(3)
    o = Order(*order, False)
    x = rng.normal(0, 0.5, sum(order))
    a, b = polynomials(o, x, season)
    w = rng.normal(size=80)
    model = arma.factor(a, b, len(w))
    u = arma.exact_errors(model, w)
    ours = -0.5 * (len(w) * np.log(2 * np.pi) + u @ u) - np.log(model.band[0]).sum()
    lags = [np.zeros(0) if not k else side[: k * lag + 1 : lag][1:] for k, lag, side in _sides(o, season, x)]
    ar, ma, sar, sma = lags
    params = [*(-ar), *ma, *(-sar), *sma, 1.0]
    twin: object = state_space(w, o, season)
    assert ours == pytest.approx(float(twin.loglike(params)), rel=1e-9)  # pyright: ignore[reportAttributeAccessIssue]
    differences = np.convolve([1.0, -1.0], [1.0, 0, 0, 0, -1.0])
    y = np.cumsum(rng.normal(size=80)) + 10
    at = np.array([79, 40, 30])
    got = applied.forecast_paths(model, differences, 0.1, y, at, 9)
    for row, t in enumerate(at):
        diffs = np.convolve(y[: t + 1], differences, "valid") - 0.1
        twin = state_space(diffs, o, season)
        ahead = np.asarray(twin.smooth(params).forecast(9)) + 0.1  # pyright: ignore[reportAttributeAccessIssue]
        path = y[: t + 1].tolist()
        for value in ahead:
            path.append(value - sum(differences[k] * path[-k] for k in range(1, 6)))
        np.testing.assert_allclose(got[row], path[t + 1 :], rtol=1e-8)
    # Behind the factored rows L is taken as settled, which it is after twice as many as the roots of b need.
    y = np.cumsum(rng.normal(size=700))
    whole = applied.forecast_paths(model, differences, 0.0, y, np.array([650, 699]), 5)
    monkeypatch.setattr(applied, "FACTORED", 500)
    np.testing.assert_allclose(
        applied.forecast_paths(model, differences, 0.0, y, np.array([650, 699]), 5), whole, rtol=1e-6
    )


def _sides(order: Order, season: int, x: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Size, lag and polynomial of each block alone."""
    found, place = [], 0
    for name, size in (("p", order.p), ("q", order.q), ("P", order.P), ("Q", order.Q)):
        alone = Order(**{**dict.fromkeys("pqPQ", 0), name: size}, constant=False)
        side = polynomials(alone, x[place : place + size], season)[0 if name in "pP" else 1]
        found.append((size, season if name in "PQ" else 1, side))
        place += size
    return found


def test_partial_correlations_give_stationary_polynomials() -> None:
    for seed in range(20):
        x = np.random.default_rng(seed).normal(0, 2, 4)
        a, _ = polynomials(Order(4, 0, 0, 0, False), x, None)
        assert np.abs(np.roots(a[::-1])).min() > 1


def test_the_best_by_aicc_of_all_small_orders_is_found(passengers: np.ndarray) -> None:
    """On logarithms of the air passengers: no small order has a smaller AICc, nor has statsmodels' fit."""
    values = np.log(passengers[:108])
    found = fit_arima(values, 12)[0]
    assert (found.d, found.D) == (0, 1)
    w = np.convolve(values, found.differences, "valid")
    search = arima_search._Search(w / w.std(), 12, 10**9)
    every = [search.fit(Order(*o, True), None, 60).aicc for o in product((0, 1, 2), (0, 1), (0, 1), (0, 1))]
    assert found.aicc <= min(every) + 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin: object = state_space(w, found.order, 12)
        direct = twin.fit(disp=False)  # pyright: ignore[reportAttributeAccessIssue]
    aicc = found.aicc + 2 * len(w) * np.log(w.std())
    assert found.order.constant
    assert aicc <= direct.aicc + 0.05


def test_kpss_is_statsmodels_and_differences_follow(passengers: np.ndarray) -> None:
    from statsmodels.tsa.stattools import kpss as direct

    for values in (passengers, made(), np.random.default_rng(1).normal(size=90)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = direct(values, regression="c", nlags=int(3 * np.sqrt(len(values)) / 13))[0]
        assert kpss(values) == pytest.approx(float(expected), rel=1e-10)
    rng = np.random.default_rng(2)
    noise = rng.normal(size=200)
    assert [differences_needed(v) for v in (noise, np.cumsum(noise), np.cumsum(np.cumsum(noise)))] == [0, 1, 2]
    assert strong_season(passengers, 12)
    assert not strong_season(noise, 12)
    assert not strong_season(passengers, None)


def test_same_rows_same_bytes_and_later_rows_are_not_read() -> None:
    values = made()
    history = TargetHistory.single(values, train_rows=60)
    origins = np.array([59, 65, 80])
    before = Arima(6).fit(history).forecast(history, origins, STEPS)
    later = values.copy()
    later[81:] = 1e30
    changed = TargetHistory.single(later, train_rows=60)
    np.testing.assert_array_equal(Arima(6).fit(changed).forecast(changed, origins, STEPS), before)
    shorter = TargetHistory.single(values[:66], train_rows=60)
    np.testing.assert_array_equal(Arima(6).fit(shorter).forecast(shorter, origins[:2], STEPS), before[:2])
    later[60:] += 1.0
    changed = TargetHistory.single(later, train_rows=60)
    assert not np.array_equal(Arima(6).fit(changed).forecast(changed, [65], STEPS)[0], before[1])


def test_work_is_counted_bounded_and_refused_above_the_limit() -> None:
    values = made(300)
    whole, cut = fit_arima(values, 6)[0], fit_arima(values, 6, 20_000)[0]
    assert not whole.stopped
    assert cut.stopped
    assert cut.work < whole.work
    # The table's estimate is of the right size: evaluated rows over rows are likelihoods.
    assert 200 < whole.work / whole.rows < 6000
    panel = TargetHistory(
        np.tile(values, 40), np.repeat(np.arange(40) * 300, 300), np.ones(12000, bool), series=np.repeat(range(40), 300)
    )
    with pytest.raises(TrainingError, match=r"'arima' is estimated at \d+ units of work .* for 40 series of 300"):
        make_baseline("arima", season=6, time_limit=2).fit(panel)
    assert baseline_cost("arima", 300, 40, 6) > 2
    assert baseline_cost("naive", 300, 40) < 0.1
    with pytest.raises(SettingError, match="Unknown baseline 'arma'"):
        baseline_cost("arma", 300)


def test_a_long_season_is_left_out_and_said_and_the_chosen_model_is_named() -> None:
    history = TargetHistory.single(made(160, 52), train_rows=140)
    baseline = Arima(52).fit(history)
    baseline.forecast(history, [150], STEPS)
    assert baseline.note.startswith(
        "arima models seasons of at most 24 rows, so it was fitted without the one of 52 rows. ARIMA("
    )


def test_a_forecast_that_runs_away_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    history = TargetHistory.single(made(), train_rows=90)
    baseline = Arima(6).fit(history)
    monkeypatch.setattr(
        "seqloom_runtime.statistical.arima.forecast_paths",
        lambda model, differences, mean, values, at, horizon: np.full((len(at), horizon), 1e9),
    )
    found = baseline.forecast(history, [100], STEPS)
    seen = history.values[:101]
    assert (found == seen.max() + 3 * np.ptp(seen)).all()
    assert "ran away from the rows before it at 1 origins, and was cut there" in baseline.note
    # In the fit the same is refused: the last value is left of it.
    assert Arima(6).fit(history)._runs[0].fitted.name == "ARIMA(0,1,0)"


def test_logarithms_of_any_baseline(passengers: np.ndarray) -> None:
    history = TargetHistory.single(passengers, train_rows=108)
    logs = TargetHistory.single(np.log(passengers), train_rows=108)
    got = make_baseline("log-arima", season=12).fit(history).forecast(history, [107, 120], STEPS)
    direct = Arima(12).fit(logs).forecast(logs, [107, 120], STEPS)
    np.testing.assert_allclose(got, np.exp(direct), rtol=1e-12)
    naive = Logged(Naive()).fit(history)
    np.testing.assert_allclose(naive.forecast(history, [120], STEPS), np.full((1, 6), passengers[120]))
    assert (naive.name, naive.parameters, naive.note) == ("log-naive", 0, "")
    bad = passengers.copy()
    bad[50] = 0
    with pytest.raises(
        DataError, match=r"'log-arima' takes logarithms, and the training rows hold 0 \(row 50\); use 'ari"
    ):
        make_baseline("log-arima", season=12).fit(TargetHistory.single(bad, train_rows=108))
    # Such a row after the training is read as the smallest training row, and what grows out of bounds is cut.
    bad = passengers.copy()
    bad[120] = -5
    late = TargetHistory.single(bad, train_rows=108)
    assert naive.forecast(late, [120], [1])[0, 0] == pytest.approx(passengers[:108].min())
    rising = TargetHistory.single(np.exp(np.arange(40.0)), train_rows=30)
    drift = Logged(make_baseline("drift")).fit(rising)
    assert drift.forecast(rising, [35], [1, 2]).tolist() == [[np.exp(35.0) * 2] * 2]
    assert "log-drift ran away at 1 of 1 origins, and was cut there." in drift.note
