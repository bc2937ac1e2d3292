"""Do probabilities mean what they say: calibration curves, and probabilities calibrated on held-out examples.

Fit on examples that neither trained the model nor choose between models; of all that get p = 0.8, 80 % should happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError
from seqloom_runtime.probability import softmax

from .classification import class_ids

__all__ = [
    "CalibrationCurve",
    "calibration_curve",
    "fit_platt",
    "fit_temperature",
    "platt",
    "softmax",
]

_STEPS = 100
# Logits that say nothing, or the opposite of what is right, would ask for an infinite temperature.
_HOTTEST = 1e3


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Of each bin that holds examples: mean predicted probability, observed frequency, examples; and the mean gap.

    `error` is Σ count/N · |observed − predicted| (expected calibration error, Naeini et al. 2015).
    """

    predicted: np.ndarray
    observed: np.ndarray
    count: np.ndarray
    error: float


def calibration_curve(happened: Any, probability: Any, bins: int = 10, strategy: str = "uniform") -> CalibrationCurve:
    """How often what was given a probability happened.

    happened (N,) bool, probability (N,) in 0..1: of the positive class, or of the predicted class and whether it was
    right. `strategy`: "uniform" cuts 0..1 into `bins` parts, each without its lower end; "quantile" puts equally many
    examples in each.

    >>> curve = calibration_curve([True, False, True, True], [0.55, 0.6, 0.9, 0.95], bins=2, strategy="quantile")
    >>> curve.predicted.tolist(), curve.observed.tolist()
    ([0.575, 0.925], [0.5, 1.0])
    """
    y, p = np.asarray(happened), np.asarray(probability, dtype=np.float64)
    if y.dtype != bool or y.ndim != 1 or p.shape != y.shape or not len(y):
        raise DataError(f"happened, probability: expected (N,) truth values and numbers, got {y.shape} and {p.shape}.")
    # Rounding may leave a probability a little above 1.
    if not ((p >= 0) & (p <= 1 + 1e-9)).all():  # NaN fails too
        raise DataError("probability: expected numbers from 0 to 1.")
    if bins < 1 or strategy not in ("uniform", "quantile"):
        raise SettingError(f"bins, strategy: expected at least 1 and uniform or quantile, got {bins} and {strategy!r}.")
    if strategy == "uniform":
        bin_of = np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)
    else:
        bin_of = np.empty(len(p), np.int64)
        # By rank, not by quantiles of p: equal probabilities may then part, but every bin has its examples.
        bin_of[np.argsort(p, kind="stable")] = np.arange(len(p)) * bins // len(p)
    count = np.bincount(bin_of, minlength=bins)
    held = count > 0
    predicted = np.bincount(bin_of, weights=p, minlength=bins)[held] / count[held]
    observed = np.bincount(bin_of, weights=y, minlength=bins)[held] / count[held]
    error = float(np.sum(count[held] * np.abs(observed - predicted)) / len(p))
    return CalibrationCurve(predicted, observed, count[held], error)


def fit_temperature(actual: Any, logits: Any) -> float:
    """The temperature T that minimises the mean cross-entropy of softmax(z/T) on held-out logits (Guo et al. 2017).

    actual (N,) ids, logits (N, K). As in Platt's method the target of the actual class is (N+1)/(N+2), the rest goes to
    the others alike: N examples without a mistake are no proof of certainty. The loss is convex in 1/T: the root of its
    slope is found by bisection, within 1e-3..1e3. Predicted classes stay the same; only the probabilities change.

    >>> round(fit_temperature([0, 1, 0, 0], [[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]]), 4)
    5.7708
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim != 2 or not z.size or not np.isfinite(z).all():
        raise DataError(f"logits: expected finite numbers (N, K), got shape {z.shape}.")
    a = class_ids(actual, "actual", z.shape[1])
    if len(a) != len(z):
        raise DataError(f"logits: expected {len(a)} rows, one per example, got {len(z)}.")
    others = 1 / (len(z) + 2) / max(1, z.shape[1] - 1)
    z = z - z[np.arange(len(z)), a][:, None]  # the actual class at 0: its target doesn't enter the slope

    def slope(inverse: float) -> float:
        return float(np.mean(np.sum((softmax(z, 1 / inverse) - others) * z, axis=1)))

    low, high = 1 / _HOTTEST, _HOTTEST
    if slope(low) >= 0:
        return _HOTTEST
    if slope(high) <= 0:
        return 1 / _HOTTEST
    for _ in range(_STEPS):
        # The geometric mean: temperatures span six powers of ten.
        middle = np.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(1 / np.sqrt(low * high))


def platt(score: Any, coefficients: tuple[float, float]) -> np.ndarray:
    """P(positive) = 1 / (1 + exp(a s + b)) of scores (N,) with the (a, b) that `fit_platt` found."""
    a, b = coefficients
    z = a * np.asarray(score, dtype=np.float64) + b
    # 1 / (1 + e^z) without overflow for large z.
    return np.exp(-np.logaddexp(0.0, z))


def fit_platt(positive: Any, score: Any) -> tuple[float, float]:
    """The (a, b) of P(positive) = 1 / (1 + exp(a s + b)) on held-out scores (Platt 1999, by Newton as Lin et al. 2007).

    positive (N,) bool, score (N,). Targets are (N₊+1)/(N₊+2) and 1/(N₋+2) instead of 1 and 0, so that few examples or
    a perfect separation don't give certainty.

    >>> a, b = fit_platt([True, True, False, False], [2.0, 1.0, -1.0, -2.0])
    >>> bool(platt([2.0], (a, b))[0] > 0.7)
    True
    """
    y, s = np.asarray(positive), np.asarray(score, dtype=np.float64)
    if y.dtype != bool or y.ndim != 1 or s.shape != y.shape or not len(y) or not np.isfinite(s).all():
        raise DataError(f"positive, score: expected (N,) truth values and finite numbers, got {y.shape} and {s.shape}.")
    ups, downs = int(y.sum()), int((~y).sum())
    target = np.where(y, (ups + 1) / (ups + 2), 1 / (downs + 2))
    # Scores in the millions would make the Hessian nearly singular; the factor comes off again at the end.
    size = float(np.abs(s).max()) or 1.0
    design = np.stack([s / size, np.ones_like(s)], axis=1)
    # The start of Lin et al.: the prior's odds, no slope.
    w = np.array([0.0, np.log((downs + 1) / (ups + 1))])

    def loss(w: np.ndarray) -> float:
        z = design @ w
        return float(np.sum(target * np.logaddexp(0, z) + (1 - target) * np.logaddexp(0, -z)))

    best = loss(w)
    for _ in range(_STEPS):
        p = np.exp(-np.logaddexp(0, design @ w))
        gradient = design.T @ (target - p)
        # The ridge of Lin et al., for scores that are all equal.
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step, stride = np.linalg.solve(hessian, gradient), 1.0
        # Newton alone overshoots where p is near 0 or 1; halving keeps the loss falling.
        while stride > 1e-10 and loss(w - stride * step) > best:
            stride /= 2
        w = w - stride * step
        now = loss(w)
        if best - now <= 1e-14 * abs(best):
            break
        best = now
    return float(w[0] / size), float(w[1])
