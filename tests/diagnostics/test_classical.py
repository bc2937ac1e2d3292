"""ETS, Theta and STL+ETS against statsmodels itself, origin by origin, and their limits."""

from __future__ import annotations

import csv
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.diagnostics import ETS, STLETS, TargetHistory, Theta, classical, make_baseline, scored_rows
from seqloom.errors import DataError, MissingDependencyError, SettingError, TrainingError

NAMES = ("ets", "theta", "stl-ets")
STEPS = np.array([1, 2, 5, 12, 13, 30])


@pytest.fixture
def passengers(data_dir: Path) -> np.ndarray:
    with open(data_dir / "classic_series" / "AirPassengers.csv") as file:
        return np.array([float(row[1]) for row in list(csv.reader(file))[1:]])


def made(rows: int = 160, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 3 * np.sin(np.arange(rows) * 2 * np.pi / 8) + np.cumsum(rng.normal(0, 0.3, rows)) + rng.normal(0, 0.4, rows)


def ets_directly(baseline: ETS, values: np.ndarray, season: int | None) -> np.ndarray:
    """The fitted model as statsmodels runs it over the rows up to the origin."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    fitted = baseline._runs[0].fitted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ETSModel(
            values,
            trend="add" if fitted.trend else None,
            damped_trend=fitted.trend,
            seasonal=fitted.seasonal,
            seasonal_periods=season if fitted.seasonal else None,
            initialization_method="heuristic",
        )
        smoothed: Any = model.smooth(fitted.params)
        return np.asarray(smoothed.forecast(30))[STEPS - 1]


@pytest.mark.parametrize(("season", "kind"), [(12, "mul"), (8, "add"), (None, None)])
def test_ets_equals_statsmodels_at_every_origin(passengers: np.ndarray, season: int | None, kind: str | None) -> None:
    values = made() if kind == "add" else passengers
    history = TargetHistory.single(values, train_rows=100)
    baseline = ETS(season).fit(history)
    assert baseline._runs[0].fitted.seasonal == kind
    origins = np.array([131, 70, 99, 100, 143])
    got = baseline.forecast(history, origins, STEPS)
    expected = [ets_directly(baseline, values[: t + 1], season) for t in origins]
    np.testing.assert_allclose(got, expected, rtol=1e-10)
    assert baseline.note == ""


def test_ets_chooses_by_aic(passengers: np.ndarray) -> None:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    baseline = ETS(12).fit(TargetHistory.single(passengers, train_rows=120))
    aic = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for trend in (None, "add"):
            for seasonal in (None, "add", "mul"):
                model = ETSModel(
                    passengers[:120],
                    trend=trend,
                    damped_trend=trend is not None,
                    seasonal=seasonal,
                    seasonal_periods=12 if seasonal else None,
                    initialization_method="heuristic",
                )
                result: Any = model.fit(disp=False)
                aic[trend is not None, seasonal] = (result.aic, len(result.params))
    best = min(aic, key=lambda key: aic[key][0])
    fitted = baseline._runs[0].fitted
    assert (fitted.trend, fitted.seasonal) == best
    assert baseline.parameters == aic[best][1] + 1 + best[0] + 12 * (best[1] is not None)


def theta_loop(fitted: Any, values: np.ndarray, period: int, h: int) -> float:
    factor = [float(fitted.seasonal[i % period]) for i in range(len(values) + h)]
    flat = [v / s if fitted.multiplicative else v - s for v, s in zip(values, factor)]
    level = flat[0]
    for value in flat:
        level += fitted.alpha * (value - level)
    n, a = len(values), fitted.alpha
    result = level + fitted.slope / 2 * (h - 1 + 1 / a - (1 - a) ** n / a)
    return result * factor[n + h - 1] if fitted.multiplicative else result + factor[n + h - 1]


@pytest.mark.parametrize(("season", "train"), [(12, 100), (12, 117), (8, 90), (None, 100)])
def test_theta_equals_statsmodels_at_the_end_and_a_loop_elsewhere(
    passengers: np.ndarray, season: int | None, train: int
) -> None:
    from statsmodels.tsa.forecasting.theta import ThetaModel

    values = made() if season == 8 else passengers
    history = TargetHistory.single(values, train_rows=train)
    baseline = Theta(season).fit(history)
    got = baseline.forecast(history, np.array([train - 1, 60, 140]), STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = ThetaModel(values[:train], period=season or 1, deseasonalize=season is not None).fit().forecast(30)
    np.testing.assert_allclose(got[0], np.asarray(direct)[STEPS - 1], rtol=1e-10)
    fitted = baseline._runs[0].fitted
    for row, t in ((1, 60), (2, 140)):
        expected = [theta_loop(fitted, values[: t + 1], season or 1, int(h)) for h in STEPS]
        np.testing.assert_allclose(got[row], expected, rtol=1e-10)


@pytest.mark.parametrize(("season", "train"), [(12, 100), (8, 90), (2, 60), (8, 700), (60, 700)])
def test_stl_ets_equals_statsmodels_at_the_end_of_training(passengers: np.ndarray, season: int, train: int) -> None:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.forecasting.stl import STLForecast

    values = made(720) if season == 8 or train > 500 else passengers
    history = TargetHistory.single(values, train_rows=train)
    baseline = STLETS(season).fit(history)
    fitted = baseline._runs[0].fitted.ets
    recent = values[max(0, train - max(10 * season, 500)) : train]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {
            "trend": "add" if fitted.trend else None,
            "damped_trend": fitted.trend,
            "initialization_method": "heuristic",
        }
        model = STLForecast(recent, ETSModel, model_kwargs=settings, period=season)
        direct = np.asarray(model.fit(fit_kwargs={"disp": False}).forecast(30))
    got = baseline.forecast(history, np.array([train - 1]), STEPS)
    # statsmodels adds trend and rest where ours subtracts the season: the optimiser carries the last bits further.
    np.testing.assert_allclose(got[0], direct[STEPS - 1], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_rows_after_the_origin_and_outside_training_are_not_read(name: str) -> None:
    rng, values = np.random.default_rng(0), made()
    history = TargetHistory.single(values, train_rows=90)
    origins = np.array([89, 95, 110])
    before = make_baseline(name, season=8).fit(history).forecast(history, origins, STEPS)
    later = values.copy()
    later[111:] = rng.normal(size=49) * 1e5
    changed = TargetHistory.single(later, train_rows=90)
    np.testing.assert_array_equal(make_baseline(name, season=8).fit(changed).forecast(changed, origins, STEPS), before)
    later[96:] = 1e4
    changed = TargetHistory.single(later, train_rows=90)
    again = make_baseline(name, season=8).fit(changed).forecast(changed, origins, STEPS)
    np.testing.assert_array_equal(again[:2], before[:2])
    assert not np.array_equal(again[2], before[2])


@pytest.mark.parametrize("name", NAMES)
def test_order_of_origins_is_kept(name: str) -> None:
    history = TargetHistory.single(made(), train_rows=90)
    baseline = make_baseline(name, season=8).fit(history)
    origins, turn = np.arange(95, 125), np.random.default_rng(1).permutation(30)
    whole = baseline.forecast(history, origins, STEPS)
    np.testing.assert_array_equal(baseline.forecast(history, origins[turn], STEPS), whole[turn])
    np.testing.assert_array_equal(
        baseline.forecast(history, np.repeat(origins[:2], 2), STEPS), np.repeat(whole[:2], 2, axis=0)
    )
    assert scored_rows(whole).all()


@pytest.mark.parametrize("name", NAMES)
def test_series_and_gaps_are_kept_apart(name: str) -> None:
    one, two = made(100, 1), made(140, 2) + 50
    values = np.concatenate([one, two])
    start = np.repeat([0, 100, 160], [100, 60, 80])
    train = np.ones(240, dtype=bool)
    train[80:100] = train[220:] = False
    series = np.repeat([0, 1], [100, 140])
    history = TargetHistory(values, start, train, series=series)
    baseline = make_baseline(name, season=8).fit(history)
    # The second series is fitted after its gap; row 130 lies before it, row 162 too near behind it.
    got = baseline.forecast(history, np.array([90, 130, 225, 162]), STEPS)
    assert scored_rows(got).tolist() == [True, False, True, False]
    assert f"{name} was scored at 2 of 4 origins" in baseline.note
    for row, (part, origin) in ((0, (slice(0, 100), 90)), (2, (slice(160, 240), 65))):
        alone = TargetHistory.single(values[part], train_rows=int(train[part].sum()))
        expected = make_baseline(name, season=8).fit(alone).forecast(alone, [origin], STEPS)[0]
        np.testing.assert_array_equal(got[row], expected)


def test_the_longest_unbroken_run_of_training_rows_is_fitted_and_missing_rows_are_carried() -> None:
    values = made()
    train = np.arange(160) < 100
    train[20] = train[88] = False
    hole = values.copy()
    hole[120] = np.nan
    history = TargetHistory(hole, np.zeros(160, dtype=int), train)
    baseline = ETS().fit(history)
    assert (baseline._runs[0].first, len(baseline._runs[0].values)) == (21, 67)
    carried = values.copy()
    carried[120] = values[119]
    np.testing.assert_array_equal(
        baseline.forecast(history, [130], STEPS), baseline.forecast(replace(history, values=carried), [130], STEPS)
    )
    assert not scored_rows(baseline.forecast(history, [15, 130], STEPS))[0]


def test_stl_ets_scores_an_even_choice_of_origins_and_halves_what_is_too_much_work() -> None:
    history = TargetHistory.single(made(), train_rows=90)
    baseline = STLETS(8, most_origins=9).fit(history)
    origins = np.arange(95, 128)
    found = np.flatnonzero(scored_rows(baseline.forecast(history, origins, STEPS)))
    assert found.tolist() == list(range(0, 33, 4))
    assert baseline.note == "stl-ets was scored at 9 of 33 origins, evenly spaced."
    baseline.time_limit = 0.04
    found = np.flatnonzero(scored_rows(baseline.forecast(history, origins, STEPS)))
    # One origin, then 2, 3 and 5 of nine, at about 0.0056 units each.
    assert found.tolist() == [0, 8, 16, 24, 32]
    assert "5 of 33 origins, evenly spaced, as many as its limit of 0.04 units of work allows" in baseline.note


def test_levels_of_origins_halve_the_distance() -> None:
    for count in (1, 2, 3, 5, 8, 9, 100, 200):
        levels = classical._halving(count)
        assert sorted(np.concatenate(levels).tolist()) == list(range(count))
        seen = levels[0]
        for level in levels[1:]:
            seen = np.sort(np.concatenate([seen, level]))
            assert len(seen) < 3 or len(set(np.diff(seen).tolist())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_is_limited_by_counted_work_and_by_no_clock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    history = TargetHistory.single(made())
    with pytest.raises(TrainingError, match=f"'{name}' is estimated at 0.0.* units of work .* above its limit of 0.01"):
        make_baseline(name, season=8, time_limit=0.01).fit(history)
    clock = iter(range(10**6))
    for watch in ("monotonic", "perf_counter", "time", "process_time"):  # an hour at each look
        monkeypatch.setattr(time, watch, lambda: 3600.0 * next(clock))
    forecast = make_baseline(name, season=8, time_limit=2).fit(history).forecast(history, [120, 130], STEPS)
    assert scored_rows(forecast).all()


@pytest.mark.parametrize("name", ["ets", "theta", "auto-ets", "log-auto-theta", "arima"])
def test_what_can_do_without_a_season_does_where_the_rows_are_too_few(name: str) -> None:
    history = TargetHistory.single(made() + 20, train_rows=30)
    with pytest.raises(DataError, match=r"needs 34 training rows in a row .* for a season of 12 rows, there are 30"):
        make_baseline(name, season=12).fit(history)
    baseline = make_baseline(name, season=12, seasonless=True)
    found = baseline.fit(history).forecast(history, [40, 60], STEPS)
    np.testing.assert_array_equal(found, make_baseline(name).fit(history).forecast(history, [40, 60], STEPS))
    assert f"{name} was fitted without the season of 12 rows: that takes 34 training rows" in baseline.note
    more = TargetHistory.single(made() + 20, train_rows=36)
    found = baseline.fit(more).forecast(more, [70], STEPS)
    np.testing.assert_array_equal(found, make_baseline(name, season=12).fit(more).forecast(more, [70], STEPS))


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_in_statsmodels_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr({"ets": ETS, "theta": Theta, "stl-ets": STLETS}[name], "_fit_run", fail)
    with pytest.raises(TrainingError, match=rf"'{name}' failed in statsmodels \(SVD did not converge\); leave it out"):
        make_baseline(name, season=8).fit(TargetHistory.single(made()))


@pytest.mark.parametrize("name", NAMES)
def test_hard_data_gives_finite_numbers_or_one_sentence(name: str) -> None:
    rng = np.random.default_rng(0)
    hard = {
        "huge": rng.normal(size=60) * 1e12,
        "tiny": rng.normal(size=60) * 1e-12,
        "nearly constant": np.where(np.arange(60) == 30, 1.0, 0.0),
        "spiky": rng.standard_cauchy(60),
        "exact season": np.tile(np.arange(6.0), 10),
        "line": np.arange(60.0),
        "growth": 2.0 ** np.arange(60),
    }
    failures = []
    for values in hard.values():
        history = TargetHistory.single(values, train_rows=50)
        try:
            forecast = make_baseline(name, season=6).fit(history).forecast(history, [55, 59], STEPS)
        except (DataError, TrainingError) as error:
            failures.append(str(error))
        else:
            assert np.isfinite(forecast).all()
    assert not any("\n" in text for text in failures)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_done_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"needs 34 training rows in a row .* for a season of 12 rows, there are 30"):
        make_baseline(name, season=12).fit(TargetHistory.single(made(30)))
    with pytest.raises(DataError, match="the training rows are constant; use 'naive'"):
        make_baseline(name, season=4).fit(TargetHistory.single(np.full(60, 5.0)))
    with pytest.raises(SettingError, match="time_limit: expected a number of units of work above 0, got 0"):
        make_baseline(name, season=4, time_limit=0)
    with pytest.raises(SettingError, match="seasons of at most 1000 rows, got 52704"):
        make_baseline(name, season=52704)
    values = made()
    history = TargetHistory(values, np.repeat([0, 100], [100, 60]), np.arange(160) < 100)
    baseline = make_baseline(name, season=8).fit(history)
    with pytest.raises(DataError, match="can score none of 2 origins"):
        baseline.forecast(history, [120, 150], STEPS)
    with pytest.raises(DataError, match="holds other values in rows 0 to 99; give the fitted history"):
        baseline.forecast(TargetHistory.single(values[10:]), [140], STEPS)
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[app\]'"):
        make_baseline(name, season=8).fit(TargetHistory.single(values))


def test_seasons_are_rounded_and_a_season_of_one_row_is_none() -> None:
    baseline = ETS(7.8)
    assert baseline.season == 8
    history = TargetHistory.single(made(), train_rows=100)
    baseline.fit(history).forecast(history, [120], STEPS)
    assert baseline.note == "ets took the season of 7.8 rows as 8."
    assert Theta(1).season is None
    with pytest.raises(SettingError, match="'stl-ets' needs a season of 2 rows or more, got 1"):
        STLETS(1)
    with pytest.raises(SettingError, match="most_origins: expected 1 or more"):
        STLETS(4, most_origins=0)
