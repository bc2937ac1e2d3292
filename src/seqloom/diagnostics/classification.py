"""Scores of classifiers as plain numbers: class ids and probabilities in, floats and small arrays out.

N examples of K classes. `actual` and `predicted` are (N,) ids from 0 to K−1, `probabilities` (N, K) with rows that
sum to 1. Where a ratio has nothing below its line (a class that is never predicted has no precision), it counts as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError

__all__ = [
    "ClassScores",
    "RocCurve",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier_score",
    "class_ids",
    "class_probabilities",
    "class_scores",
    "confusion_matrix",
    "f_score",
    "log_loss",
    "roc_curve",
]

# float16 probabilities over many classes sum to 1 no better.
_ROW_SUM_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of each class, each (K,): precision, recall and F1 in 0..1, and `support`, how often the class occurs."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The points of a ROC curve from (0, 0) to (1, 1), each (P,); `threshold` descends and begins with infinity."""

    false_positive: np.ndarray
    true_positive: np.ndarray
    threshold: np.ndarray


def confusion_matrix(actual: Any, predicted: Any, classes: int | None = None) -> np.ndarray:
    """Counts (K, K) int64: row the actual class, column the predicted one; K is `classes` or the largest id + 1.

    Raises DataError for unlike lengths, no examples, or values that are no ids below `classes`.

    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1], classes=3).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    """
    a, p = class_ids(actual, "actual", classes), class_ids(predicted, "predicted", classes)
    if a.shape != p.shape:
        raise DataError(f"predicted: expected the shape of actual, {a.shape}, got {p.shape}.")
    size = int(max(a.max(), p.max())) + 1 if classes is None else classes
    # Each pair as one number: one pass without a loop over classes.
    return np.bincount(a * size + p, minlength=size * size).reshape(size, size)


def accuracy(actual: Any, predicted: Any) -> float:
    """Fraction of examples whose class was predicted.

    >>> accuracy([0, 0, 1, 2], [0, 1, 1, 1])
    0.5
    """
    counts = confusion_matrix(actual, predicted)
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(actual: Any, predicted: Any) -> float:
    """Mean recall of the classes that occur: guessing the most frequent class gives 1/K however unequal they are.

    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    scores = class_scores(confusion_matrix(actual, predicted))
    return float(scores.recall[scores.support > 0].mean())


def class_scores(confusion: Any) -> ClassScores:
    """Precision, recall, F1 and support of each class from a confusion matrix (K, K).

    >>> class_scores([[3, 1], [0, 2]]).precision.round(3).tolist()
    [1.0, 0.667]
    """
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise DataError(f"confusion: expected counts of shape (K, K), got {counts.shape}.")
    hits, found, there = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    return ClassScores(_ratio(hits, found), _ratio(hits, there), _ratio(2 * hits, found + there), there)


def f_score(actual: Any, predicted: Any, average: str = "macro") -> float:
    """F1 over the classes that occur or are predicted.

    `average`: "macro" takes their plain mean, "weighted" weights by how often each occurs, "micro" counts all hits and
    misses together (the accuracy, where each example has one class). Raises SettingError for another word.

    >>> f_score([0, 0, 0, 1], [0, 0, 1, 1], "macro")
    0.7333333333333334
    """
    counts = confusion_matrix(actual, predicted)
    scores = class_scores(counts)
    # A class of the training data that is absent here would count as F1 0.
    met = (counts.sum(axis=0) + scores.support) > 0
    if average == "macro":
        return float(scores.f1[met].mean())
    if average == "weighted":
        return float(np.average(scores.f1[met], weights=scores.support[met]))
    if average == "micro":
        return float(np.trace(counts) / counts.sum())
    raise SettingError(f"average: expected macro, micro or weighted, got {average!r}.")


def roc_curve(positive: Any, score: Any) -> RocCurve:
    """The ROC curve (Fawcett 2006): the share of negatives and of positives with at least each threshold's score.

    positive (N,) bool, score (N,), higher for "more likely positive". Examples of equal score enter together; points
    on a straight stretch between their neighbours are left out. Raises DataError where one of the kinds is missing.

    >>> curve = roc_curve([True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    >>> curve.false_positive.tolist(), curve.true_positive.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    y, s = _ranked(positive, score)
    # Stable, so that equal scores keep their order and the curve its bytes.
    order = np.argsort(-s, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(s[order]) != 0, True])  # the last example of each score
    hits = np.r_[0, np.cumsum(y[order])[last]]
    misses = np.r_[0, last + 1 - hits[1:]]
    right, up = np.diff(misses), np.diff(hits)
    # Slopes compared crosswise, in whole numbers: exact, and nothing is divided by 0.
    bends = right[1:] * up[:-1] != right[:-1] * up[1:]
    keep = np.r_[True, bends, True]
    threshold = np.r_[np.inf, s[order][last]]
    return RocCurve(misses[keep] / misses[-1], hits[keep] / hits[-1], threshold[keep])


def auc(positive: Any, score: Any) -> float:
    """Area under the ROC curve: how often a positive example scores above a negative one, ties counting a half.

    By ranks (Mann and Whitney 1947). Raises DataError where one of the kinds is missing.

    >>> auc([True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    0.75
    """
    y, s = _ranked(positive, score)
    _, inverse, count = np.unique(s, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2  # of each distinct score, ties at their mean
    positives = int(y.sum())
    # The smallest sum of ranks that the positives can have is subtracted: what is left counts the pairs that are in
    # order.
    above = float(rank[inverse][y].sum()) - positives * (positives + 1) / 2
    return above / (positives * (len(y) - positives))


def log_loss(actual: Any, probabilities: Any) -> float:
    """Mean of −ln p(actual class), in nats; probabilities below the smallest float64 step above 0 count as that.

    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.2, 0.8]]), 4)
    0.4581
    """
    p = class_probabilities(probabilities)
    a = _matching(actual, p)
    # As scikit-learn clips: one certain mistake would otherwise make the mean infinite.
    return float(np.mean(-np.log(np.maximum(p[np.arange(len(p)), a], np.finfo(np.float64).eps))))


def brier_score(actual: Any, probabilities: Any) -> float:
    """Mean of ½ Σ_k (p_k − [actual is k])², 0 perfect and 1 worst; with two classes (p − y)² (Brier 1950, halved).

    >>> round(brier_score([0, 1], [[0.5, 0.5], [0.2, 0.8]]), 4)
    0.145
    """
    p = class_probabilities(probabilities)
    a = _matching(actual, p)
    hit = np.zeros_like(p)
    hit[np.arange(len(p)), a] = 1.0
    return float(np.mean(np.sum(np.square(p - hit), axis=1)) / 2)


def class_ids(values: Any, name: str, classes: int | None = None) -> np.ndarray:
    """`values` as (N,) int64 ids from 0 to `classes` − 1; raises DataError, under `name`, where they are not."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array) or not (np.issubdtype(array.dtype, np.integer) or array.dtype == bool):
        raise DataError(f"{name}: expected at least one class id (N,), got {array.dtype} of shape {array.shape}.")
    low, high = int(array.min()), int(array.max())
    if low < 0 or (classes is not None and high >= classes):
        bounds = "of at least 0" if classes is None else f"from 0 to {classes - 1}"
        raise DataError(f"{name}: expected class ids {bounds}, got {low if low < 0 else high}.")
    return array.astype(np.int64)


def class_probabilities(values: Any, name: str = "probabilities") -> np.ndarray:
    """`values` as (N, K) float64; raises DataError unless each row is finite, not negative, and sums to 1."""
    array = np.asarray(values)
    if array.ndim != 2 or not array.size or not np.issubdtype(array.dtype, np.floating):
        raise DataError(f"{name}: expected one row per example (N, K), got {array.dtype} of shape {array.shape}.")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=1) | (array < 0).any(axis=1)
    bad |= ~(np.abs(array.sum(axis=1) - 1) <= _ROW_SUM_ERROR)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(f"{name}: row {row} is {array[row].tolist()}; expected numbers from 0 that sum to 1.")
    return array


def _matching(actual: Any, probabilities: np.ndarray) -> np.ndarray:
    a = class_ids(actual, "actual", probabilities.shape[1])
    if len(a) != len(probabilities):
        raise DataError(f"probabilities: expected {len(a)} rows, one per example, got {len(probabilities)}.")
    return a


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _ranked(positive: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    y, s = np.asarray(positive), np.asarray(score)
    if y.dtype != bool or y.ndim != 1 or s.shape != y.shape:
        raise DataError(
            f"positive, score: expected (N,) truth values and (N,) numbers, got {y.dtype} of shape {y.shape} and "
            f"{s.dtype} of shape {s.shape}."
        )
    s = s.astype(np.float64)
    if not np.isfinite(s).all():
        row = int(np.flatnonzero(~np.isfinite(s))[0])
        raise DataError(f"score: expected finite numbers, got {s[row]} at index {row}.")
    if not 0 < y.sum() < len(y):
        raise DataError(f"positive: expected examples of both kinds, got {int(y.sum())} positive ones of {len(y)}.")
    return y, s
