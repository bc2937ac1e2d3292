"""Calibration against scikit-learn and scipy, and what calibrated probabilities must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize
from sklearn.calibration import _sigmoid_calibration
from sklearn.calibration import calibration_curve as sklearn_curve

from seqloom import diagnostics as d
from seqloom.errors import DataError, SettingError


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_curve_equals_scikit_learn(strategy: str) -> None:
    rng = np.random.default_rng(3)
    probability = rng.uniform(0, 1, 400)
    happened = rng.uniform(0, 1, 400) < probability**2
    curve = d.calibration_curve(happened, probability, 8, strategy)
    observed, predicted = sklearn_curve(happened, probability, n_bins=8, strategy=strategy)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(curve.predicted, predicted, atol=1e-3 if strategy == "quantile" else 1e-12)
    np.testing.assert_allclose(curve.observed, observed, atol=2e-2 if strategy == "quantile" else 1e-12)
    assert curve.count.sum() == 400
    assert curve.error == pytest.approx(np.sum(curve.count * np.abs(curve.observed - curve.predicted)) / 400)


@pytest.mark.parametrize(("classes", "sharp"), [(2, 3.0), (5, 0.4)])
def test_temperature_is_the_minimum_of_the_loss_and_keeps_the_classes(classes: int, sharp: float) -> None:
    rng = np.random.default_rng(classes)
    fair = rng.normal(0, 1.5, (600, classes))
    actual = np.array([rng.choice(classes, p=p) for p in d.softmax(fair)])
    logits = fair * sharp

    def loss(log_t: float) -> float:
        p, count = d.softmax(logits, math.exp(log_t)), len(actual)
        target = np.full_like(p, 1 / (count + 2) / (p.shape[1] - 1))
        target[np.arange(count), actual] = (count + 1) / (count + 2)
        return float(-(target * np.log(p)).sum(axis=1).mean())

    found = d.fit_temperature(actual, logits)
    best: float = optimize.minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x  # pyright: ignore[reportAttributeAccessIssue]
    assert found == pytest.approx(math.exp(best), rel=1e-6)
    assert found == pytest.approx(sharp, rel=0.15)
    warm = d.softmax(logits, found)
    assert (warm.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert d.log_loss(actual, warm) < d.log_loss(actual, d.softmax(logits))


def test_temperature_of_a_perfect_separation_gives_no_certainty() -> None:
    logits = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert d.softmax(logits, d.fit_temperature([0, 1], logits))[0].tolist() == pytest.approx([3 / 4, 1 / 4])
    many = np.tile(logits, (50, 1))
    assert d.softmax(many, d.fit_temperature([0, 1] * 50, many))[0, 0] == pytest.approx(101 / 102)


def test_temperature_without_a_minimum_stays_in_its_range() -> None:
    assert d.fit_temperature([0, 1], [[0.0, 5.0], [5.0, 0.0]]) == pytest.approx(1e3)


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_platt_equals_scikit_learn(scale: float) -> None:
    rng = np.random.default_rng(11)
    score = rng.normal(0, scale, 300)
    positive = rng.uniform(0, 1, 300) < 1 / (1 + np.exp(-(1.7 * score / scale - 0.4)))
    a, b = d.fit_platt(positive, score)
    expected = _sigmoid_calibration(score, positive.astype(float))
    np.testing.assert_allclose([a, b], expected, rtol=2e-3)
    np.testing.assert_allclose(d.platt(score, (a, b)), 1 / (1 + np.exp(a * score + b)), rtol=1e-9)
    # At the minimum the mean probability equals the mean (smoothed) target.
    ups, downs = positive.sum(), (~positive).sum()
    target = np.where(positive, (ups + 1) / (ups + 2), 1 / (downs + 2))
    assert d.platt(score, (a, b)).mean() == pytest.approx(target.mean(), abs=1e-9)


def test_platt_of_a_perfect_separation_gives_no_certainty() -> None:
    a, b = d.fit_platt(np.array([True] * 4 + [False] * 4), np.r_[np.ones(4), -np.ones(4)])
    assert d.platt([1.0, -1.0], (a, b)).tolist() == pytest.approx([5 / 6, 1 / 6], abs=1e-6)
    assert a < 0
    flat = d.fit_platt(np.array([True, False]), np.zeros(2))
    assert d.platt([0.0], flat)[0] == pytest.approx(0.5, abs=1e-9)


def test_perplexity_and_bits() -> None:
    assert d.perplexity(math.log(120.5)) == pytest.approx(120.5)
    assert d.bits(1.0) == pytest.approx(math.log2(math.e))
    assert d.bits(1.0, per=5.0) == pytest.approx(math.log2(math.e) / 5)
    for bad in (-0.1, math.nan, math.inf):
        with pytest.raises(DataError, match="finite mean of at least 0"):
            d.perplexity(bad)
    with pytest.raises(DataError, match="above 0"):
        d.bits(1.0, per=0)


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="numbers from 0 to 1"):
        d.calibration_curve(np.array([True]), np.array([np.nan]))
    with pytest.raises(DataError, match="truth values and numbers"):
        d.calibration_curve(np.array([1]), np.array([0.5]))
    with pytest.raises(SettingError, match="uniform or quantile, got 10 and 'even'"):
        d.calibration_curve(np.array([True]), np.array([0.5]), strategy="even")
    with pytest.raises(DataError, match=r"finite numbers \(N, K\)"):
        d.fit_temperature([0], [[np.inf, 0.0]])
    with pytest.raises(DataError, match="expected 2 rows, one per example, got 1"):
        d.fit_temperature([0, 1], [[1.0, 0.0]])
    with pytest.raises(DataError, match="truth values and finite numbers"):
        d.fit_platt(np.array([True]), np.array([np.nan]))
