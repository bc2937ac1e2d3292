"""Scores of classifiers against scikit-learn and against loops, and every input that must be refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from seqloom import diagnostics as d
from seqloom.errors import DataError, SettingError

oracle: Any = sklearn_metrics


def labels(seed: int, classes: int = 4, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Actual and predicted ids of unequal frequency, and probabilities whose largest is the predicted class."""
    rng = np.random.default_rng(seed)
    actual = rng.choice(classes, count, p=rng.dirichlet(np.ones(classes) * 3))
    probabilities = rng.dirichlet(np.ones(classes) * 0.7, count)
    probabilities[np.arange(count), actual] += rng.uniform(0, 1, count)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return actual, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_scores_equal_scikit_learn(seed: int) -> None:
    actual, predicted, probabilities = labels(seed)
    counts = d.confusion_matrix(actual, predicted, 5)
    assert counts.tolist() == oracle.confusion_matrix(actual, predicted, labels=list(range(5))).tolist()
    assert d.accuracy(actual, predicted) == pytest.approx(oracle.accuracy_score(actual, predicted), rel=1e-14)
    scores = d.class_scores(counts)
    expected = oracle.precision_recall_fscore_support(actual, predicted, labels=list(range(5)), zero_division=0)
    for ours, theirs in zip((scores.precision, scores.recall, scores.f1, scores.support), expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    for average in ("macro", "micro", "weighted"):
        theirs = oracle.f1_score(actual, predicted, average=average, zero_division=0)
        assert d.f_score(actual, predicted, average) == pytest.approx(theirs, rel=1e-13)
    loss = oracle.log_loss(actual, probabilities, labels=list(range(4)))
    assert d.log_loss(actual, probabilities) == pytest.approx(loss, rel=1e-12)
    brier = oracle.brier_score_loss(actual, probabilities, labels=list(range(4)), scale_by_half=True)
    assert d.brier_score(actual, probabilities) == pytest.approx(brier, rel=1e-12)


def test_balanced_accuracy_counts_only_the_classes_that_occur() -> None:
    actual, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 3, 1, 0, 2])
    assert d.balanced_accuracy(actual, predicted) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, rel=1e-14)


def test_the_brier_score_of_two_classes_is_the_usual_one() -> None:
    actual, _, probabilities = labels(7, classes=2)
    usual = np.mean((probabilities[:, 1] - actual) ** 2)
    assert d.brier_score(actual, probabilities) == pytest.approx(usual, rel=1e-12)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40).filter(
        lambda pairs: len({y for y, _ in pairs}) == 2
    )
)
def test_roc_and_its_area_with_ties(pairs: list[tuple[bool, int]]) -> None:
    y, s = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], float)
    curve = d.roc_curve(y, s)
    expected = oracle.roc_auc_score(y, s)
    assert d.auc(y, s) == pytest.approx(expected, abs=1e-12)
    assert np.trapezoid(curve.true_positive, curve.false_positive) == pytest.approx(expected, abs=1e-12)
    for fpr, tpr, least in zip(curve.false_positive, curve.true_positive, curve.threshold):
        assert fpr == np.mean(s[~y] >= least)
        assert tpr == np.mean(s[y] >= least)
    full = oracle.roc_curve(y, s, drop_intermediate=False)
    inner = np.interp(full[0] + full[1], curve.false_positive + curve.true_positive, curve.true_positive)
    np.testing.assert_allclose(inner, full[1], atol=1e-12)  # a point that was left out lies on the line
    turns = np.cross(
        np.diff(np.c_[curve.false_positive, np.zeros(len(curve.threshold)), curve.true_positive], axis=0)[:-1],
        np.diff(np.c_[curve.false_positive, np.zeros(len(curve.threshold)), curve.true_positive], axis=0)[1:],
    )[:, 1]
    assert (np.abs(turns) > 0).all()


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"actual: expected class ids from 0 to 2, got 3"):
        d.confusion_matrix([0, 3], [0, 1], classes=3)
    with pytest.raises(DataError, match=r"predicted: expected class ids of at least 0, got -1"):
        d.accuracy([0, 1], [0, -1])
    with pytest.raises(DataError, match=r"predicted: expected the shape of actual, \(2,\), got \(1,\)"):
        d.accuracy([0, 1], [0])
    with pytest.raises(DataError, match="at least one class id"):
        d.accuracy([], [])
    with pytest.raises(DataError, match=r"at least one class id .*float64"):
        d.accuracy([0.0], [0.0])
    with pytest.raises(DataError, match=r"row 1 is \[0.9, 0.9\]; expected numbers from 0 that sum to 1"):
        d.log_loss([0, 1], [[0.5, 0.5], [0.9, 0.9]])
    with pytest.raises(DataError, match=r"row 0 is .*nan"):
        d.brier_score([0], [[np.nan, 1.0]])
    with pytest.raises(DataError, match="expected 2 rows, one per example, got 1"):
        d.log_loss([0, 1], [[0.5, 0.5]])
    with pytest.raises(DataError, match="examples of both kinds, got 2 positive ones of 2"):
        d.roc_curve([True, True], [0.1, 0.2])
    with pytest.raises(DataError, match="score: expected finite numbers, got nan at index 1"):
        d.auc([True, False], [0.1, np.nan])
    with pytest.raises(DataError, match="truth values"):
        d.auc([1, 0], [0.1, 0.2])
    with pytest.raises(SettingError, match="macro, micro or weighted, got 'mean'"):
        d.f_score([0], [0], "mean")
    with pytest.raises(DataError, match=r"counts of shape \(K, K\), got \(1, 2\)"):
        d.class_scores([[1, 2]])
