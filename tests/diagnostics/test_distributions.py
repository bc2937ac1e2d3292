"""Scores of intervals and quantiles against loops and against the integral that they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqloom.diagnostics import (
    TargetHistory,
    crps,
    interval_score,
    mase_scale,
    mean_quantile_loss,
    quantile_loss,
    rmse,
    rmsse,
    rmsse_scale,
)
from seqloom.errors import DataError, SettingError


def test_quantile_loss_is_the_mean_of_each_levels() -> None:
    rng = np.random.default_rng(0)
    actual, levels = rng.normal(size=20), [0.1, 0.5, 0.8]
    quantiles = np.sort(rng.normal(size=(20, 3)), axis=1)
    each = [quantile_loss(actual, quantiles[:, k], q) for k, q in enumerate(levels)]
    assert mean_quantile_loss(actual, quantiles, levels) == pytest.approx(sum(each) / 3, rel=1e-14)
    assert crps(actual, quantiles[:, 1:2], [0.5]) == pytest.approx(np.abs(actual - quantiles[:, 1]).mean() / 2)


def test_crps_of_many_quantiles_is_that_of_the_normal_distribution() -> None:
    from scipy.stats import norm

    levels = (np.arange(400) + 0.5) / 400
    for y in (-1.3, 0.0, 2.0):
        exact = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / math.sqrt(math.pi)
        assert crps([y], norm.ppf(levels)[None], levels.tolist()) == pytest.approx(float(exact), abs=2e-3)


def test_winkler_is_a_loop_and_least_for_the_right_interval() -> None:
    rng = np.random.default_rng(1)
    actual = rng.normal(size=4000)
    low, high = np.full(4000, -1.2), np.full(4000, 1.3)
    total = 0.0
    for a, lo, hi in zip(actual, low, high):
        total += hi - lo + (10 * (lo - a) if a < lo else 10 * (a - hi) if a > hi else 0)
    assert interval_score(actual, low, high, 0.8) == pytest.approx(total / 4000, rel=1e-12)
    right = interval_score(actual, low - 0.08, high - 0.02, 0.8)
    assert right < interval_score(actual, low - 1, high + 1, 0.8)
    assert right < interval_score(actual, low + 0.8, high - 0.8, 0.8)


def test_rmsse_divides_by_the_training_rows_alone() -> None:
    y = np.array([1.0, 4.0, 2.0, 7.0, 5.0, 100.0])
    history = TargetHistory.single(y, train_rows=5)
    steps = [3.0, -2.0, 5.0, -2.0]
    assert rmsse_scale(history) == pytest.approx(math.sqrt(sum(e * e for e in steps) / 4))
    assert rmsse_scale(history, 2) == pytest.approx(math.sqrt((1 + 9 + 9) / 3))
    assert mase_scale(history) == pytest.approx(3.0)
    assert rmsse([1.0, 2.0], [2.0, 4.0], 0.5) == pytest.approx(rmse([1.0, 2.0], [2.0, 4.0]) / 0.5)


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(SettingError, match="levels: expected rising fractions between 0 and 1"):
        crps([1.0], [[1.0, 2.0]], [0.9, 0.1])
    with pytest.raises(DataError, match=r"quantiles: expected \(M, 1\) with actual \(M,\), got \(1, 2\)"):
        crps([1.0], [[1.0, 2.0]], [0.5])
    with pytest.raises(DataError, match="expected finite numbers"):
        mean_quantile_loss([1.0], [[math.nan]], [0.5])
    with pytest.raises(SettingError, match="level: expected a fraction"):
        interval_score([1.0], [0.0], [2.0], 80)
    with pytest.raises(DataError, match="low: expected at most high"):
        interval_score([1.0], [3.0], [2.0], 0.8)
    with pytest.raises(DataError, match="rmsse_scale computes it"):
        rmsse([1.0], [2.0], None)
