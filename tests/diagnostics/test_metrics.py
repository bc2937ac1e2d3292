"""Metrics against loops over single values, and every input that must be refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.diagnostics import metrics, score
from seqloom.errors import DataError, SettingError
from seqloom_runtime.statistical.target_history import TargetHistory


def pair(seed: int, shape: tuple[int, ...] = (7, 5)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(2, 3, shape), rng.normal(1, 2, shape)


def cells(*arrays: np.ndarray) -> list[tuple[float, ...]]:
    return [tuple(float(a[i]) for a in arrays) for i in np.ndindex(arrays[0].shape)]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


@pytest.mark.parametrize("seed", range(3))
def test_point_errors_equal_loops(seed: int) -> None:
    a, f = pair(seed)
    each = cells(a, f)
    assert metrics.mae(a, f) == pytest.approx(mean([abs(x - y) for x, y in each]), rel=1e-14)
    assert metrics.rmse(a, f) == pytest.approx(math.sqrt(mean([(x - y) ** 2 for x, y in each])), rel=1e-14)
    assert metrics.smape(a, f) == pytest.approx(
        mean([200 * abs(x - y) / (abs(x) + abs(y)) for x, y in each]), rel=1e-14
    )
    for q in (0.1, 0.5, 0.93):
        loss = mean([q * (x - y) if x >= y else (1 - q) * (y - x) for x, y in each])
        assert metrics.quantile_loss(a, f, q) == pytest.approx(loss, rel=1e-13)


def test_scale_is_one_number_or_one_per_window() -> None:
    a, f = pair(1)
    scale = np.random.default_rng(2).uniform(0.5, 3, 7)
    expected = mean([abs(a[i, k] - f[i, k]) / scale[i] for i in range(7) for k in range(5)])
    assert metrics.mae(a, f, scale=scale) == pytest.approx(expected, rel=1e-14)
    assert metrics.mase(a, f, scale) == pytest.approx(expected, rel=1e-14)
    squares = mean([((a[i, k] - f[i, k]) / scale[i]) ** 2 for i in range(7) for k in range(5)])
    assert metrics.rmse(a, f, scale=scale) == pytest.approx(math.sqrt(squares), rel=1e-14)
    assert metrics.rmse(a, f, scale=4.0) == pytest.approx(metrics.rmse(a, f) / 4, rel=1e-14)
    # As many steps as windows must not turn the scale round.
    square = a[:5], f[:5]
    assert metrics.mae(*square, scale=scale[:5]) == pytest.approx(
        mean([abs(a[i, k] - f[i, k]) / scale[i] for i in range(5) for k in range(5)]), rel=1e-14
    )


def test_smape_counts_zero_over_zero_as_exact_and_stays_within_200() -> None:
    assert metrics.smape([0.0, 0.0], [0.0, 5.0]) == 100.0
    assert metrics.smape([1.0], [-1.0]) == 200.0


@given(st.integers(0, 2**32 - 1))
def test_half_quantile_is_half_the_mae(seed: int) -> None:
    a, f = pair(seed)
    assert 2 * metrics.quantile_loss(a, f, 0.5) == pytest.approx(metrics.mae(a, f), rel=1e-12)


def test_quantile_loss_is_smallest_at_the_quantile() -> None:
    draws = np.random.default_rng(0).exponential(2.0, 4000)
    guesses = np.linspace(0, 8, 161)
    losses = [metrics.quantile_loss(draws, np.full(4000, g), 0.8) for g in guesses]
    assert guesses[int(np.argmin(losses))] == pytest.approx(np.quantile(draws, 0.8), abs=0.05)


def test_coverage_and_width_equal_loops_and_count_the_ends() -> None:
    a, low = pair(5)
    high = low + np.random.default_rng(6).uniform(0, 4, low.shape)
    low[0, 0] = a[0, 0]
    high[0, 0] = a[0, 0]
    each = cells(a, low, high)
    assert metrics.coverage(a, low, high) == mean([float(lo <= x <= hi) for x, lo, hi in each])
    assert metrics.mean_width(low, high) == pytest.approx(mean([hi - lo for _, lo, hi in each]), rel=1e-14)
    with pytest.raises(DataError, match=r"low: expected at most high, got 2.0 above 1.0 at index \(0,\)"):
        metrics.coverage([0.0], [2.0], [1.0])


def test_skill_and_its_undefined_case() -> None:
    assert metrics.skill(3.0, 2.0) == -0.5
    with pytest.raises(DataError, match="skill is undefined"):
        metrics.skill(1.0, 0.0)
    with pytest.raises(DataError, match=r"^skill: expected a finite error"):
        metrics.skill(math.nan, 1.0)


def loop_scale(history: TargetHistory, season: float) -> float:
    terms = []
    for t in range(history.rows):
        low, high = math.floor(t - season), math.ceil(t - season)
        rows = (t, low, high)
        if low < history.start[t] or not all(history.train[r] and math.isfinite(history.values[r]) for r in rows):
            continue
        past = history.values[low] + (t - season - low) * (history.values[high] - history.values[low])
        terms.append(abs(history.values[t] - past))
    return mean(terms)


@pytest.mark.parametrize("season", [1, 1.0, 3, 4.4, 7.75])
def test_mase_scale_equals_a_loop_and_crosses_no_gap(season: float) -> None:
    rng = np.random.default_rng(3)
    values = np.cumsum(rng.normal(size=60))
    values[[7, 41]] = np.nan
    start = np.repeat([0, 22, 45], [22, 23, 15])
    train = np.arange(60) < 52
    train[30] = False
    history = TargetHistory(values, start, train)
    assert metrics.mase_scale(history, season) == pytest.approx(loop_scale(history, season), rel=1e-13)
    later = np.where(train, values, rng.normal(size=60) * 1e3)
    assert metrics.mase_scale(TargetHistory(later, start, train), season) == metrics.mase_scale(history, season)


def test_mase_scale_without_a_pair_and_of_a_constant() -> None:
    with pytest.raises(DataError, match="no two training rows of one gap-free stretch lie 5 rows apart"):
        metrics.mase_scale(TargetHistory.single([1.0, 2.0, 3.0]), 5)
    with pytest.raises(SettingError, match="at least 1, got 0"):
        metrics.mase_scale(TargetHistory.single([1.0, 2.0, 3.0]), 0)
    flat = metrics.mase_scale(TargetHistory.single([2.0, 2.0, 2.0]))
    assert flat == 0.0
    with pytest.raises(DataError, match="scale: expected numbers above 0, got 0"):
        metrics.mase([1.0], [2.0], flat)


def test_score_holds_every_figure_and_none_where_undefined() -> None:
    a, f = pair(9)
    full = score(a, f, target_scale=2.0, mase_scale=0.5, rmsse_scale=0.25, baseline_mae=4.0)
    assert full == {
        "mae": metrics.mae(a, f),
        "mae_scaled": pytest.approx(metrics.mae(a, f) / 2),
        "rmse": metrics.rmse(a, f),
        "rmse_scaled": pytest.approx(metrics.rmse(a, f) / 2),
        "mase": pytest.approx(metrics.mae(a, f) / 0.5),
        "rmsse": pytest.approx(metrics.rmse(a, f) / 0.25),
        "smape": metrics.smape(a, f),
        "skill": pytest.approx(1 - metrics.mae(a, f) / 4),
        "windows": 7,
    }
    bare = score(a, f, mase_scale=0.0, rmsse_scale=0.0, baseline_mae=0.0)
    assert [bare[k] for k in ("mae_scaled", "rmse_scaled", "mase", "rmsse", "skill")] == [None] * 5


def test_by_step_equals_a_loop() -> None:
    a, f = pair(4)
    table = metrics.by_step(a, f, np.array([2, 4, 6, 8, 10]))
    assert table["steps"] == [2, 4, 6, 8, 10]
    for k in range(5):
        assert table["mae"][k] == pytest.approx(mean([abs(a[i, k] - f[i, k]) for i in range(7)]), rel=1e-14)
        assert table["rmse"][k] == pytest.approx(metrics.rmse(a[:, k], f[:, k]), rel=1e-14)
    assert all(isinstance(step, int) for step in table["steps"])
    with pytest.raises(DataError, match=r"steps: expected \(K,\)"):
        metrics.by_step(a, f, [1, 2])


def test_by_time_of_day_equals_a_loop() -> None:
    a, f = pair(8, (40, 3))
    slots = np.random.default_rng(1).integers(0, 20, a.shape)
    table = metrics.by_time_of_day(a, f, slots, 24)
    assert table["minutes"] == [60 * hour for hour in range(24)]
    for slot in range(24):
        errors = [abs(x - y) for x, y, s in cells(a, f, slots) if s == slot]
        assert table["count"][slot] == len(errors)
        assert table["mae"][slot] == (pytest.approx(mean(errors), rel=1e-13) if errors else None)


def test_by_time_of_day_in_parts_starts_each_at_its_first_slot() -> None:
    a, f = pair(8, (1440, 1))
    slots = np.arange(1440)[:, None]
    table = metrics.by_time_of_day(a, f, slots, 1440, bins=7)
    firsts = table["minutes"]
    assert len(firsts) == 7
    assert firsts[0] == 0
    for i, first in enumerate(firsts):
        end = firsts[i + 1] if i < 6 else 1440
        errors = [abs(x - y) for x, y, s in cells(a, f, slots) if first <= s < end]
        assert table["mae"][i] == pytest.approx(mean(errors), rel=1e-13)
    assert len(metrics.by_time_of_day(a, f, slots, 1440)["minutes"]) == 144
    with pytest.raises(DataError, match="slots: expected 0 to 9, got"):
        metrics.by_time_of_day(a, f, slots, 10)
    with pytest.raises(SettingError, match="bins: expected 1 to 1440"):
        metrics.by_time_of_day(a, f, slots, 1440, bins=0)


@pytest.mark.parametrize("call", [metrics.mae, metrics.rmse, metrics.smape, score])
def test_bad_arrays_are_refused_by_name(call) -> None:  # type: ignore[no-untyped-def]
    a, f = pair(0)
    broken = f.copy()
    broken[3, 2] = np.nan
    with pytest.raises(
        DataError, match=r"forecast: 1 of 35 values are NaN or infinite, the first \(nan\) at index \(3, 2\)"
    ):
        call(a, broken)
    with pytest.raises(DataError, match="actual: 35 of 35"):
        call(np.full_like(a, np.inf), f)
    with pytest.raises(DataError, match=r"forecast: expected the shape of actual, \(7, 5\), got \(7,\)"):
        call(a, f[:, 0])
    with pytest.raises(DataError, match="actual: expected at least one value"):
        call(a[:0], f[:0])
    with pytest.raises(DataError, match="actual: expected real numbers"):
        call(a.astype(str), f)


def test_bad_scales_and_quantiles_are_refused() -> None:
    a, f = pair(0)
    for scale, message in ((0.0, "above 0"), (np.ones(5), "one per window"), (math.nan, "scale: 1 of 1 values")):
        with pytest.raises(DataError, match=message):
            metrics.mae(a, f, scale=scale)
    with pytest.raises(DataError, match="got None; mase_scale computes it"):
        metrics.mase(a, f, None)
    for quantile in (0.0, 1.0, 95):
        with pytest.raises(SettingError, match="quantile: expected"):
            metrics.quantile_loss(a, f, quantile)


def test_errors_whose_squares_no_float_holds():
    """By way of the largest error, and without a warning."""
    assert metrics.rmse([0.0, 0.0], [3e200, 4e200]) == pytest.approx(np.sqrt(12.5) * 1e200)
