"""Baselines against loops over origins, on made data with gaps and on published series; what they may never read."""

from __future__ import annotations

import csv
import gzip
import math
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.diagnostics import (
    BASELINES,
    DampedNaive,
    Mean,
    Naive,
    SeasonalNaive,
    TargetHistory,
    make_baseline,
    metrics,
)
from seqloom.errors import DataError, NotFittedError, SettingError

SIMPLE = ("naive", "seasonal", "drift", "mean", "damped-persistence")
SLOTS = 6


def made(seed: int = 0, rows: int = 120) -> TargetHistory:
    """Two series with a gap in the first, a few missing values, and six slots a day that don't start at 0."""
    rng = np.random.default_rng(seed)
    cuts = [0, rows // 4, 5 * rows // 8, rows]
    start = np.repeat(cuts[:-1], np.diff(cuts))
    values = 3 * np.sin(np.arange(rows)) + rng.normal(5, 2, rows) + 4 * (np.arange(rows) >= cuts[2])
    values[rng.choice(rows, 5, replace=False)] = np.nan
    train = np.zeros(rows, dtype=bool)
    train[: cuts[2] - 8] = train[cuts[2] : rows - 12] = True
    train[rng.choice(rows, 4, replace=False)] = False
    slot = (np.arange(rows) + 2) % SLOTS
    return TargetHistory(values, start, train, slot, SLOTS, (np.arange(rows) >= cuts[2]).astype(np.int64))


def usable(history: TargetHistory, name: str, steps: np.ndarray) -> np.ndarray:
    rows = np.arange(history.rows)
    baseline = make_baseline(name, season=4.3)
    return rows[baseline.usable(history, rows, steps) & np.isfinite(history.values)]


def loop(name: str, history: TargetHistory, season: float, t: int, h: int) -> float:
    """One forecast, from the definitions and nothing else."""
    y, first = history.values, int(history.start[t])
    mine = [r for r in range(history.rows) if history.known[r] and history.series_of_row[r] == history.series_of_row[t]]
    if name == "naive":
        return y[t]
    if name == "seasonal":
        place = t + h
        while place > t + 1e-9:
            place -= season
        low = math.floor(place + 1e-9)
        part = max(place - low, 0.0)
        part = 0.0 if part < 1e-8 else part
        return y[low] if part == 0 else (1 - part) * y[low] + part * y[low + 1]
    if name == "drift":
        while not math.isfinite(y[first]):
            first += 1
        return y[t] + h * (y[t] - y[first]) / (t - first) if t > first else y[t]
    if name == "mean":
        return math.fsum(y[mine]) / len(mine)

    def usual(slot: int) -> float:
        assert history.slot is not None
        there = [y[r] for r in mine if history.slot[r] == slot] or [y[r] for r in mine]
        return math.fsum(there) / len(there)

    assert history.slot is not None
    dev = {r: y[r] - usual(int(history.slot[r])) for r in mine}
    pairs = [(dev[r], dev[r + h]) for r in mine if r + h in dev and history.start[r + h] <= r]
    size = math.fsum(a * a for a, _ in pairs)
    rho = min(max(math.fsum(a * b for a, b in pairs) / size, 0.0), 1.0)
    s = int(history.slot[t])
    return usual((s + h) % SLOTS) + rho * (y[t] - usual(s))


@pytest.mark.parametrize("name", SIMPLE)
@pytest.mark.parametrize("seed", range(2))
def test_forecasts_equal_a_loop(name: str, seed: int) -> None:
    history = made(seed)
    steps = np.array([1, 2, 5, 8, 13])
    for season in (1.0, 4.0, 4.3, 7.25):
        if name != "seasonal" and season > 1:
            break
        baseline = make_baseline(name, season=season).fit(history)
        origins = np.arange(history.rows)
        origins = origins[baseline.usable(history, origins, steps) & np.isfinite(history.values)]
        assert len(origins) > 30
        got = baseline.forecast(history, origins, steps)
        assert got.dtype == np.float64
        expected = [[loop(name, history, season, int(t), int(h)) for h in steps] for t in origins]
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@given(st.sampled_from(SIMPLE), st.integers(0, 2**32 - 1), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_no_row_after_the_origin_is_read(name: str, seed: int, steps: list[int]) -> None:
    history, rng = made(seed % 7), np.random.default_rng(seed)
    ahead = np.array(steps)
    baseline = make_baseline(name, season=4.3).fit(history)
    origin = int(rng.choice(usable(history, name, ahead)))
    before = baseline.forecast(history, np.array([origin]), ahead)
    values = history.values.copy()
    values[origin + 1 :] = rng.normal(size=history.rows - origin - 1) * 1e6
    after = baseline.forecast(replace(history, values=values), np.array([origin]), ahead)
    np.testing.assert_array_equal(after, before)


@given(st.sampled_from(SIMPLE), st.integers(0, 2**32 - 1))
def test_a_fit_reads_training_rows_only(name: str, seed: int) -> None:
    history, rng, steps = made(seed % 5), np.random.default_rng(seed), np.array([1, 3, 9])
    values = np.where(history.train, history.values, rng.normal(size=history.rows) * 1e6)
    one = make_baseline(name, season=4.3).fit(history)
    other = make_baseline(name, season=4.3).fit(replace(history, values=values))
    origins = usable(history, name, steps)
    np.testing.assert_array_equal(one.forecast(history, origins, steps), other.forecast(history, origins, steps))
    assert one.parameters == other.parameters


@given(st.sampled_from(SIMPLE), st.integers(0, 2**32 - 1))
def test_order_of_origins_and_steps_is_kept(name: str, seed: int) -> None:
    history, rng, steps = made(3), np.random.default_rng(seed), np.array([7, 1, 4, 4])
    baseline = make_baseline(name, season=4.3).fit(history)
    origins = rng.choice(usable(history, name, steps), 20)
    whole = baseline.forecast(history, origins, steps)
    turn, back = rng.permutation(20), rng.permutation(4)
    np.testing.assert_array_equal(baseline.forecast(history, origins[turn], steps[back]), whole[turn][:, back])
    np.testing.assert_array_equal(baseline.forecast(history, origins[:1], steps[2:3]), whole[:1, 2:3])


@given(st.floats(1, 40), st.integers(1, 200))
def test_seasonal_rows_never_lie_after_the_origin(season: float, step: int) -> None:
    lower, upper, part = SeasonalNaive(season)._rows(np.array([500]), np.array([step]))
    assert lower.item() <= upper.item() <= 500
    assert 0 <= part.item() < 1
    place = lower.item() + part.item() - 500 - step
    assert place / season == pytest.approx(round(place / season), abs=1e-6)
    assert 500 - season - 1e-6 <= lower.item() + part.item()


def test_a_whole_season_repeats_values_bit_for_bit() -> None:
    values = np.random.default_rng(0).normal(size=50)
    got = SeasonalNaive(7).forecast(TargetHistory.single(values), np.array([40]), np.arange(1, 22))[0]
    np.testing.assert_array_equal(got, np.tile(values[34:41], 3))
    # 15 seasons of 1.4 rows are 21 rows, though 21 / 1.4 is above 15 in floats: the last value, no older one.
    assert 21 / 1.4 > 15
    exact = SeasonalNaive(1.4).forecast(TargetHistory.single(values), np.array([40]), np.array([7, 21, 42]))[0]
    np.testing.assert_array_equal(exact, values[[40, 40, 40]])


def test_a_season_longer_than_the_history_is_refused_and_usable_says_where() -> None:
    history = TargetHistory.single(np.arange(10.0))
    baseline = SeasonalNaive(6)
    assert baseline.usable(history, np.arange(10), [1]).tolist() == [False] * 5 + [True] * 5
    short = "Baseline 'seasonal' with a season of 6 rows needs 6 rows of gap-free history up to row 2, 3 more than "
    short += "there are"
    with pytest.raises(DataError) as one:
        baseline.forecast(history, [2, 8], [1])
    assert str(one.value) == f"{short}; use a shorter season or leave this origin out."
    with pytest.raises(DataError) as two:
        baseline.forecast(history, [2, 3, 8], [1])
    assert str(two.value) == f"{short} (2 such origins); use a shorter season or leave these origins out."
    with pytest.raises(
        DataError, match=r"Baseline 'naive': .* so there is nothing to forecast from; leave this origin"
    ):
        Naive().forecast(TargetHistory.single([1.0, np.nan]), [1], [1])
    with pytest.raises(DataError, match=r"Baseline 'seasonal-week' with a season of 168 rows needs 168 rows"):
        make_baseline("seasonal-week", season=24).forecast(history, [2], [1])
    hole = np.arange(10.0)
    hole[4] = np.nan
    with pytest.raises(DataError, match="would repeat a missing value for row 9"):
        baseline.forecast(TargetHistory.single(hole), [9], [1])


def test_damped_slopes_are_clipped_and_zero_without_pairs() -> None:
    zigzag = TargetHistory.single([1.0, -1.0] * 10)
    assert DampedNaive().fit(zigzag).slopes([1, 2, 40]).tolist() == [[0.0, 18 / 18, 0.0]] * 2
    growing = TargetHistory.single(2.0 ** np.arange(12))
    assert DampedNaive().fit(growing).slopes([1])[0, 0] == 1.0
    flat = DampedNaive().fit(TargetHistory.single([3.0] * 5))
    assert flat.forecast(TargetHistory.single([3.0, 9.0]), [1], [1]).tolist() == [[3.0]]


def test_damped_fills_empty_slots_with_the_series_mean_and_unknown_series_with_all() -> None:
    history = replace(made(), train=np.arange(120) < 3)
    baseline = DampedNaive().fit(history)
    mean = np.nanmean(history.values[:3])
    # Rows 0 to 2 are slots 2, 3 and 4; row 100 is slot 0 of the other series, which has no training row at all,
    # and no two training rows are 3, 5 or 10 rows apart, so that the slopes are 0.
    assert baseline.forecast(history, [0], [3])[0, 0] == pytest.approx(mean)
    assert baseline.forecast(history, [100], [5])[0, 0] == pytest.approx(mean)
    assert baseline.forecast(history, [100], [10])[0, 0] == pytest.approx(history.values[2])
    assert Mean().fit(history).forecast(history, [100], [1])[0, 0] == pytest.approx(mean)
    assert Mean().fit(history).parameters == 1
    # Three slot means, and a slope for each of two steps and two series.
    baseline.slopes([1, 2])
    baseline = DampedNaive().fit(made())
    assert baseline.parameters == 12
    baseline.slopes([1, 2])
    assert baseline.parameters == 16


def test_damped_takes_the_slope_of_all_series_where_one_has_no_pair() -> None:
    history = made()
    train = history.train.copy()
    train[75:] = False
    train[[80, 90]] = True
    baseline = DampedNaive().fit(replace(history, train=train))
    slopes = baseline.slopes([1])
    assert slopes[1, 0] == slopes[0, 0] == slopes[2, 0] > 0
    unseen = DampedNaive().fit(replace(history, train=train & (np.arange(120) < 75))).slopes([1])
    assert unseen[1, 0] == unseen[2, 0] > 0


def test_damped_refuses_another_clock() -> None:
    history = made()
    baseline = DampedNaive().fit(history)
    with pytest.raises(DataError, match="fitted with 6 slots per day, but this history has none"):
        baseline.forecast(replace(history, slot=None, slots_per_day=None), [3], [1])


def test_what_a_baseline_needs_is_said() -> None:
    history = made()
    with pytest.raises(SettingError, match=r"Unknown baseline 'sesonal'; known are naive, .*Did you mean 'seasonal'\?"):
        make_baseline("sesonal")
    for name in ("seasonal", "stl-ets"):
        with pytest.raises(SettingError, match=f"'{name}' .* needs to know how long a season is; give season in rows"):
            make_baseline(name)
    for season in (0, -3, 0.5, math.inf, math.nan, "7d", True):
        with pytest.raises(SettingError, match="season: expected a number of rows"):
            make_baseline("naive", season=season)  # type: ignore[arg-type]
    for name in ("mean", "damped-persistence", "ets"):
        with pytest.raises(NotFittedError, match=f"'{name}' was asked to forecast before fit"):
            make_baseline(name).forecast(history, [3], [1])
    for name in ("mean", "damped-persistence"):
        with pytest.raises(DataError, match="no training row has a value"):
            make_baseline(name).fit(replace(history, train=np.zeros(120, dtype=bool)))
    logged = {"log-arima", "log-auto-ets", "log-auto-theta", "log-mstl"}
    named = {
        "ets",
        "theta",
        "stl-ets",
        "arima",
        "auto-ets",
        "auto-theta",
        "mstl",
        "croston",
        "tsb",
        "seasonal-week",
        "damped-trend",
    }
    assert set(BASELINES) == {*SIMPLE, *named, *logged}
    assert all(make_baseline(name, season=24).name == name for name in BASELINES)
    with pytest.raises(SettingError, match="needs the rows of a day"):
        make_baseline("seasonal-week", season=12)


def test_bad_origins_and_steps_are_refused() -> None:
    history = made()
    naive = make_baseline("naive").fit(history)
    missing = int(np.flatnonzero(np.isnan(history.values))[0])
    with pytest.raises(DataError, match=f"the value in row {missing} is missing"):
        naive.forecast(history, [missing], [1])
    with pytest.raises(SettingError, match="rows 0 to 119, got row 120"):
        naive.forecast(history, [120], [1])
    with pytest.raises(SettingError, match="got row -1"):
        naive.forecast(history, [-1], [1])
    with pytest.raises(DataError, match="origins: expected whole row numbers"):
        naive.forecast(history, [1.5], [1])
    for steps in ([0], [], [1.5], 3):
        with pytest.raises(SettingError, match="steps: expected whole numbers of rows ahead"):
            naive.forecast(history, [1], steps)
    assert naive.forecast(history, np.array([], dtype=int), [1, 2]).shape == (0, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": np.array([1.0, np.inf, 2.0])}, "got inf in row 1"),
        ({"values": np.ones((3, 1))}, r"values: expected shape \(R,\), got \(3, 1\)"),
        ({"values": np.array(["a", "b", "c"])}, "values: expected float64"),
        ({"values": "abc"}, "values: expected an array"),
        ({"start": np.array([0, 1])}, r"start: expected shape \(3,\), got \(2,\)"),
        ({"start": np.array([0, 2, 2])}, "start: row 1 says that its stretch begins at row 2"),
        ({"start": np.array([0, 0.5, 0])}, "start: expected int64, got float64"),
        ({"slot": np.array([0, 1, 2])}, "slots_per_day: slot needs"),
        ({"slot": np.array([0, 1, 2]), "slots_per_day": 2}, "slot: expected 0 to 1, got 2 in row 2"),
        ({"series": np.array([0, 1, 1])}, "series: row 1 has series 1"),
    ],
)
def test_a_history_that_contradicts_itself_is_refused(changes: dict[str, object], message: str) -> None:
    good = {"values": np.ones(3), "start": np.zeros(3, dtype=int), "train": np.ones(3, dtype=bool)}
    with pytest.raises(DataError, match=message):
        TargetHistory(**(good | changes))  # type: ignore[arg-type]  # among them the wrong types that it must refuse
    with pytest.raises(DataError, match="at least one row"):
        TargetHistory.single([])


def test_a_history_does_not_change_with_the_arrays_it_came_from() -> None:
    values = np.ones(3)
    history = TargetHistory.single(values)
    values[:] = 7
    assert history.values.tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="read-only"):
        history.values[0] = 3


@cache
def jena(folder: Path) -> tuple[TargetHistory, np.ndarray]:
    """Temperature every 10 minutes as the history of the split 26,000/13,000, and which rows were repaired."""
    with gzip.open(folder / "jena" / "jena_climate_2020.csv.gz", "rt") as file:
        rows = [(row["Date Time"], float(row["T (degC)"])) for row in csv.DictReader(file)]
    days, clocks = zip(*(stamp.split(" ") for stamp, _ in rows))
    minutes = [60 * int(clock[:2]) + int(clock[3:5]) for clock in clocks]
    dates = np.array([f"{day[6:]}-{day[3:5]}-{day[:2]}" for day in days], dtype="datetime64[D]")
    tick = (dates - dates[0]).astype(np.int64) * 144 + np.array(minutes) // 10
    tick, kept = np.unique(tick - tick[0], return_index=True)
    assert len(kept) == len(rows) - 1
    known = np.full(tick[-1] + 1, np.nan)
    known[tick] = np.array([value for _, value in rows])[kept]
    repaired = np.isnan(known)
    assert repaired.sum() == 9
    last = np.maximum.accumulate(np.where(repaired, 0, np.arange(len(known))))
    train = (np.arange(len(known)) < 26_000) & ~repaired
    slot = (np.arange(len(known)) + 1) % 144
    return TargetHistory(known[last], np.zeros(len(known), dtype=int), train, slot, 144), repaired


def jena_mae(folder: Path, name: str, first: int, last: int, **settings: float) -> float:
    history, repaired = jena(folder)
    origins = np.arange(max(first - 144, 719), last - 144)
    origins = origins[~repaired[origins] & ~repaired[origins + 144]]
    baseline = make_baseline(name, **settings).fit(history)  # type: ignore[arg-type]
    return metrics.mae(history.values[origins + 144, None], baseline.forecast(history, origins, [144]))


def test_naive_on_jena_is_the_published_figure(data_dir: Path) -> None:
    rows = jena(data_dir)[0].rows
    assert jena_mae(data_dir, "naive", 26_000, 39_000) == pytest.approx(2.895, abs=0.02)
    assert jena_mae(data_dir, "naive", 39_000, rows) == pytest.approx(2.085, abs=0.02)
    # A day is the horizon, so the value of a day before the target is the last one.
    assert jena_mae(data_dir, "seasonal", 26_000, 39_000, season=144) == jena_mae(data_dir, "naive", 26_000, 39_000)


def test_damped_on_jena_equals_a_regression(data_dir: Path) -> None:
    history, _ = jena(data_dir)
    y, slot = history.values, history.slot
    assert slot is not None
    rows = np.flatnonzero(history.train)
    usual = np.array([y[rows[slot[rows] == s]].mean() for s in range(144)])
    pairs = np.array([r for r in rows if r + 144 < 26_000 and history.train[r + 144]])
    away, later = (y - usual[slot])[pairs], (y - usual[slot])[pairs + 144]
    slope = np.linalg.lstsq(away[:, None], later, rcond=None)[0].item()
    assert 0 < slope < 1
    baseline = DampedNaive().fit(history)
    assert baseline.slopes([144])[0, 0] == pytest.approx(slope, rel=1e-10)
    origins = np.arange(30_000, 30_500)
    expected = usual[slot[origins]] + slope * (y - usual[slot])[origins]
    np.testing.assert_allclose(baseline.forecast(history, origins, [144])[:, 0], expected, rtol=1e-10)


def test_air_passengers_with_a_season_of_a_year(data_dir: Path) -> None:
    with open(data_dir / "classic_series" / "AirPassengers.csv") as file:
        values = np.array([float(row[1]) for row in list(csv.reader(file))[1:]])
    assert len(values) == 144
    history = TargetHistory.single(values, train_rows=132)
    forecast = make_baseline("seasonal", season=12).fit(history).forecast(history, [131], np.arange(1, 13))
    np.testing.assert_array_equal(forecast[0], values[120:132])
    error = metrics.mae(values[None, 132:], forecast)
    assert error == pytest.approx(np.abs(values[132:] - values[120:132]).mean())
    assert metrics.mase_scale(history, 12) == pytest.approx(np.abs(values[12:132] - values[:120]).mean())
    drift = make_baseline("drift").fit(history).forecast(history, [131], [1, 12])
    slope = (values[131] - values[0]) / 131
    np.testing.assert_allclose(drift[0], [values[131] + slope, values[131] + 12 * slope])


def test_persistence_on_the_sine_wave() -> None:
    wave = np.sin(np.linspace(0, 100, 1000))
    # Windows of 10, four fifths of them for training: the origins are rows 9 to 998.
    origins = np.arange(9, 999)[round(0.8 * 990) :]
    history = TargetHistory.single(wave, train_rows=800)
    forecast = make_baseline("naive").fit(history).forecast(history, origins, [1])
    assert metrics.rmse(wave[origins + 1, None], forecast) ** 2 == pytest.approx(0.0049, abs=0.00015)


def test_zero_and_last_value_on_the_generated_series() -> None:
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (1000, 1))
    place = np.arange(138) / 137
    series = np.sin(phase + 20 * np.pi * place) * np.sin(phase + np.pi * place) + rng.normal(0, 0.1, (1000, 138))
    row = np.arange(series.size)
    history = TargetHistory(series.ravel(), row // 138 * 138, row % 138 < 128, series=row // 138)
    forecast = make_baseline("naive").fit(history).forecast(history, np.arange(1000) * 138 + 127, np.arange(1, 11))
    actual = series[:, 128:]
    assert metrics.rmse(actual, np.zeros_like(actual)) ** 2 == pytest.approx(0.282, abs=0.02)
    assert metrics.rmse(actual, forecast) ** 2 == pytest.approx(0.483, abs=0.03)


def test_importing_the_package_loads_neither_torch_nor_pandas() -> None:
    code = "import sys, seqloom.diagnostics; print({'torch', 'pandas', 'statsmodels', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
