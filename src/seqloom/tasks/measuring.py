"""From a model's outputs to its `Evaluation`: one way for every task that predicts classes or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError, suggest

from ..diagnostics import Classes, Numbers, auc, calibration_curve, measured, roc_curve
from ..diagnostics.classification import class_ids, class_probabilities
from .comparison import Evaluation

__all__ = ["measure_classes", "measure_numbers"]

_MISTAKES = 30
_MOST_CLASSES = 30
_CURVE = 200
_SCATTER = 2_000
_COLUMNS = 20


def measure_classes(
    actual: Any,
    probabilities: Any,
    classes: Sequence[str],
    *,
    first: str = "accuracy",
    positive: int = 1,
    rows: Any = None,
    show: Callable[[int], Mapping[str, Any]] | None = None,
    uncalibrated: Any = None,
    details: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Scores, predictions and drawings of a classifier: actual (N,) ids, probabilities (N, K), K names in `classes`.

    Scores: those of `diagnostics.SCORES` for classes, `first` before the others. With two classes f1, precision, recall
    and auc are those of the class `positive`, else plain means over the classes that occur (auc: each against the
    rest); auc is left out where a single class occurs. `rows` (N,) names the examples (their positions by default);
    `show(n)` gives the `text` or `series` of example n for the list of mistakes; `uncalibrated` (N, K) probabilities
    draw a second calibration curve; `details` are added. Raises DataError where the shapes or values don't fit,
    SettingError for another `first`.

    >>> evaluation = measure_classes([0, 1, 1], np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]), ["ham", "spam"])
    >>> round(evaluation.scores["accuracy"], 3), evaluation.predictions["predicted"].tolist()
    (0.667, ['ham', 'spam', 'ham'])
    """
    p = class_probabilities(probabilities)
    if p.shape[1] != len(classes) or len(set(classes)) != len(classes):
        raise DataError(f"classes: expected {p.shape[1]} different names, one per column, got {list(classes)[:10]}.")
    a = class_ids(actual, "actual", len(classes))
    names, row = np.array(list(classes), dtype=object), _rows(rows, len(a))
    outcome = Classes(a, p, positive)
    predicted = outcome.predicted
    loss = -np.log(np.maximum(p[np.arange(len(a)), a], np.finfo(np.float64).eps))
    columns: dict[str, Any] = {"row": row, "actual": names[a], "predicted": names[predicted], "loss": loss}
    if len(classes) <= _COLUMNS:
        columns |= {f"p_{name}": p[:, k] for k, name in enumerate(classes)}
    found: dict[str, Any] = _class_details(outcome, classes)
    if uncalibrated is not None:
        before = _calibration(a, class_probabilities(uncalibrated, "uncalibrated"), classes, positive)
        found["calibration"]["before"] = {k: v for k, v in before.items() if k != "what"}
    wrong = np.flatnonzero(predicted != a)
    worst = wrong[np.argsort(-loss[wrong], kind="stable")][:_MISTAKES]
    found["mistakes"] = [
        {
            "row": row[n],
            "actual": names[a[n]],
            "predicted": names[predicted[n]],
            "loss": float(loss[n]),
            **(show(int(n)) if show else {}),
        }
        for n in worst
    ]
    scores = _ranked(measured("classes", outcome), first)
    return Evaluation(scores, predictions=columns, details={**found, **(details or {})})


def measure_numbers(
    actual: Any,
    predicted: Any,
    *,
    first: str = "mae",
    rows: Any = None,
    show: Callable[[int], Mapping[str, Any]] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Scores, predictions and drawings of a regression: actual and predicted (N,), in the target's unit.

    Scores: those of `diagnostics.SCORES` for numbers, `first` before the others; r2 is left out where the actual values
    are all the same. The other arguments are those of `measure_classes`.

    >>> measure_numbers([1.0, 2.0], [1.0, 4.0], first="mse").scores["mse"]
    2.0
    """
    a, p = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if a.ndim != 1 or a.shape != p.shape or not len(a):
        raise DataError(f"actual, predicted: expected (N,) numbers each, got {a.shape} and {p.shape}.")
    for name, values in (("actual", a), ("predicted", p)):
        if not np.isfinite(values).all():
            place = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(f"{name}: expected finite numbers, got {values[place]} at index {place}.")
    error, row = p - a, _rows(rows, len(a))
    worst = np.argsort(-np.abs(error), kind="stable")[:_MISTAKES]
    picked = _spread(len(a), _SCATTER)
    found: dict[str, Any] = {
        "scatter": {"actual": a[picked], "predicted": p[picked]},
        "mistakes": [
            {
                "row": row[n],
                "actual": float(a[n]),
                "predicted": float(p[n]),
                "loss": float(error[n] ** 2),
                **(show(int(n)) if show else {}),
            }
            for n in worst
        ],
    }
    columns = {"row": row, "actual": a, "predicted": p}
    scores = _ranked(measured("numbers", Numbers(a, p)), first)
    return Evaluation(scores, predictions=columns, details={**found, **(details or {})})


def _class_details(outcome: Classes, classes: Sequence[str]) -> dict[str, Any]:
    a, p, counts, each = outcome.actual, outcome.probabilities, outcome.counts, outcome.each
    order = np.sort(np.argsort(-each.support, kind="stable")[:_MOST_CLASSES])
    shown = [classes[k] for k in order]
    matrix = counts[np.ix_(order, order)]
    if len(order) < len(classes):
        rest = np.setdiff1d(np.arange(len(classes)), order)
        matrix = np.block(
            [
                [matrix, counts[np.ix_(order, rest)].sum(axis=1, keepdims=True)],
                [counts[np.ix_(rest, order)].sum(axis=0, keepdims=True), counts[np.ix_(rest, rest)].sum()],
            ]
        )
    curves = []
    for k in outcome.curves[:_MOST_CLASSES]:
        curve = roc_curve(a == k, p[:, k])
        picked = _spread(len(curve.threshold), _CURVE)
        curves.append(
            {
                "class": classes[k],
                "false_positive": curve.false_positive[picked],
                "true_positive": curve.true_positive[picked],
                "auc": auc(a == k, p[:, k]),
            }
        )
    return {
        "confusion": {"classes": shown + ["(others)"] * (len(order) < len(classes)), "counts": matrix},
        "per_class": {
            "classes": shown,
            "precision": each.precision[order],
            "recall": each.recall[order],
            "f1": each.f1[order],
            "support": each.support[order],
        },
        "roc": curves,
        "calibration": _calibration(a, p, classes, outcome.positive),
    }


def _calibration(a: np.ndarray, p: np.ndarray, classes: Sequence[str], positive: int) -> dict[str, Any]:
    if p.shape[1] == 2:
        curve, what = calibration_curve(a == positive, p[:, positive]), f"probability of {classes[positive]}"
    else:
        curve = calibration_curve(p.argmax(axis=1) == a, p.max(axis=1))
        what = "probability of the predicted class"
    return {
        "predicted": curve.predicted,
        "observed": curve.observed,
        "count": curve.count,
        "error": curve.error,
        "what": what,
    }


def _ranked(found: Mapping[str, float | None], first: str) -> dict[str, float]:
    """The scores that are defined, the one that ranks before the others."""
    if first not in found:
        raise SettingError(f"first: expected one of {', '.join(found)}, got {first!r}.{suggest(first, found)}")
    scores = {name: value for name, value in found.items() if value is not None}
    if first not in scores:
        raise DataError(f"{first}: undefined on these examples, because all of them are alike; rank by another score.")
    return {first: scores[first], **scores}


def _rows(rows: Any, count: int) -> np.ndarray:
    row = np.arange(count) if rows is None else np.asarray(rows)
    if row.shape != (count,):
        raise DataError(f"rows: expected one name per example, ({count},), got shape {row.shape}.")
    return row


def _spread(count: int, limit: int) -> np.ndarray:
    """At most `limit` positions of `count`, evenly spread, the ends among them."""
    if count <= limit:
        return np.arange(count)
    return np.arange(limit) * (count - 1) // (limit - 1)
