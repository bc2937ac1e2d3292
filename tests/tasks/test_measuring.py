"""Evaluations of classifiers and regressions against scikit-learn, and what their drawings must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from seqloom.errors import DataError, SettingError
from seqloom.tasks.measuring import measure_classes, measure_numbers

oracle: Any = sklearn_metrics


def outputs(classes: int, count: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    actual = rng.choice(classes, count, p=rng.dirichlet(np.ones(classes) * 4))
    p = rng.dirichlet(np.ones(classes), count)
    p[np.arange(count), actual] += rng.uniform(0, 0.6, count)
    return actual, p / p.sum(axis=1, keepdims=True)


def test_two_classes_are_scored_for_the_positive_one() -> None:
    actual, p = outputs(2)
    evaluation = measure_classes(actual, p, ["ham", "spam"], first="f1", uncalibrated=p[:, ::-1])
    predicted = p.argmax(axis=1)
    expected = {
        "f1": oracle.f1_score(actual, predicted),
        "accuracy": oracle.accuracy_score(actual, predicted),
        "balanced_accuracy": oracle.balanced_accuracy_score(actual, predicted),
        "precision": oracle.precision_score(actual, predicted),
        "recall": oracle.recall_score(actual, predicted),
        "auc": oracle.roc_auc_score(actual, p[:, 1]),
        "log_loss": oracle.log_loss(actual, p),
        "brier": oracle.brier_score_loss(actual, p[:, 1]),
    }
    assert list(evaluation.scores) == list(expected)
    assert dict(evaluation.scores) == pytest.approx(expected, rel=1e-12)
    assert evaluation.lower_is_better == {"log_loss", "brier"}
    (curve,) = evaluation.details["roc"]
    assert curve["class"] == "spam"
    assert evaluation.details["calibration"]["what"] == "probability of spam"
    assert set(evaluation.details["calibration"]["before"]) == {"predicted", "observed", "count", "error"}
    other = measure_classes(actual, p, ["ham", "spam"], positive=0)
    assert other.scores["f1"] == pytest.approx(oracle.f1_score(actual, predicted, pos_label=0), rel=1e-12)


def test_many_classes_are_averaged_over_those_that_occur() -> None:
    actual, p = outputs(4)
    names = ["a", "b", "c", "never"]
    p = np.c_[p[:, :3] / p[:, :3].sum(axis=1, keepdims=True), np.zeros(len(p))]
    actual = np.minimum(actual, 2)
    evaluation = measure_classes(actual, p, names)
    predicted = p.argmax(axis=1)
    assert evaluation.first == "accuracy"
    assert evaluation.scores["f1"] == pytest.approx(oracle.f1_score(actual, predicted, average="macro"), rel=1e-12)
    assert evaluation.scores["precision"] == pytest.approx(
        oracle.precision_score(actual, predicted, average="macro"), rel=1e-12
    )
    area = oracle.roc_auc_score(actual, p[:, :3], multi_class="ovr")
    assert evaluation.scores["auc"] == pytest.approx(area, rel=1e-12)
    assert [curve["class"] for curve in evaluation.details["roc"]] == ["a", "b", "c"]
    assert evaluation.details["per_class"]["support"] == [*np.bincount(actual), 0]


def test_mistakes_are_the_wrong_ones_with_the_highest_loss_first() -> None:
    actual, p = outputs(3, seed=4)
    rows = 100 + np.arange(len(actual))
    evaluation = measure_classes(actual, p, list("abc"), rows=rows, show=lambda n: {"text": f"text {n}"})
    loss = -np.log(p[np.arange(len(actual)), actual])
    wrong = [n for n in np.argsort(-loss, kind="stable") if p[n].argmax() != actual[n]]
    mistakes = evaluation.details["mistakes"]
    assert [m["row"] for m in mistakes] == [100 + n for n in wrong[:30]]
    assert [m["text"] for m in mistakes] == [f"text {n}" for n in wrong[:30]]
    np.testing.assert_allclose(evaluation.predictions["loss"], loss)
    np.testing.assert_array_equal(evaluation.predictions["p_b"], p[:, 1])


def test_more_classes_than_can_be_drawn_are_gathered() -> None:
    rng = np.random.default_rng(0)
    actual, p = rng.integers(0, 41, 3000), rng.dirichlet(np.ones(41), 3000)
    details = measure_classes(actual, p, [f"k{i}" for i in range(41)]).details
    counts = np.array(details["confusion"]["counts"])
    assert details["confusion"]["classes"][-1] == "(others)"
    assert counts.shape == (31, 31)
    assert counts.sum() == 3000
    assert counts[:30].sum() == sum(details["per_class"]["support"])
    left_out = np.delete(np.bincount(actual), [int(name[1:]) for name in details["per_class"]["classes"]])
    assert len(left_out) == 11
    assert left_out.max() <= min(details["per_class"]["support"])
    assert len(details["roc"]) == 30
    assert max(len(curve["false_positive"]) for curve in details["roc"]) <= 200


def test_one_class_has_no_roc_curve_and_can_not_rank_by_it() -> None:
    p = np.array([[0.8, 0.2], [0.4, 0.6]])
    evaluation = measure_classes([0, 0], p, ["a", "b"])
    assert "auc" not in evaluation.scores
    assert evaluation.details["roc"] == []
    with pytest.raises(DataError, match="auc: undefined on these examples"):
        measure_classes([0, 0], p, ["a", "b"], first="auc")


def test_numbers() -> None:
    rng = np.random.default_rng(5)
    actual = rng.normal(3, 2, 50)
    predicted = actual + rng.normal(0.3, 1, 50)
    evaluation = measure_numbers(actual, predicted, first="rmse", show=lambda n: {"text": str(n)})
    assert list(evaluation.scores) == ["rmse", "mae", "mse", "r2"]
    assert evaluation.scores["r2"] == pytest.approx(oracle.r2_score(actual, predicted), rel=1e-12)
    assert evaluation.scores["rmse"] == pytest.approx(oracle.root_mean_squared_error(actual, predicted), rel=1e-12)
    assert evaluation.details["mistakes"][0]["row"] == int(np.abs(actual - predicted).argmax())
    assert "r2" not in measure_numbers([2.0, 2.0], [1.0, 2.0]).scores
    many = measure_numbers(np.arange(9000.0), np.arange(9000.0)).details["scatter"]["actual"]
    assert (len(many), many[0], many[-1]) == (2000, 0, 8999)


def test_what_is_refused() -> None:
    p = np.array([[0.8, 0.2]])
    with pytest.raises(DataError, match="expected 2 different names, one per column"):
        measure_classes([0], p, ["a", "a"])
    with pytest.raises(DataError, match="actual: expected class ids from 0 to 1, got 2"):
        measure_classes([2], p, ["a", "b"])
    with pytest.raises(SettingError, match=r"first: expected one of .*Did you mean 'accuracy'"):
        measure_classes([0], p, ["a", "b"], first="acuracy")
    with pytest.raises(DataError, match=r"rows: expected one name per example, \(1,\), got shape \(2,\)"):
        measure_classes([0], p, ["a", "b"], rows=[1, 2])
    with pytest.raises(DataError, match=r"expected \(N,\) numbers each, got \(2,\) and \(1,\)"):
        measure_numbers([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="predicted: expected finite numbers, got nan at index 1"):
        measure_numbers([1.0, 2.0], [1.0, np.nan])
