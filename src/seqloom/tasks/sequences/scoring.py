"""Scores of numbers predicted for sequences or their steps, one or several for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError

from ..comparison import Evaluation
from ..measuring import measure_numbers
from .prepared import Examples, Scale

__all__ = ["explained", "measure_values", "target_scale"]


def target_scale(examples: Examples, how: str) -> Scale:
    """Mean and population standard deviation, by column, of the targets that count; DataError where none does."""
    wide = examples.target[:, None] if examples.target.ndim == 1 else examples.target
    counted = wide[examples.weight > 0].astype(np.float64)
    if not len(counted):
        raise DataError("y: expected at least one target that counts among the training sequences.")
    if how == "none":
        return Scale()
    with np.errstate(over="ignore"):
        # Less the first value, so that a constant target has the deviation 0 however its mean is rounded.
        std = (counted - counted[0]).std(axis=0)
    if not np.isfinite(std).all():
        raise DataError("y: expected targets that can be standardised, they are too large; scale them down.")
    # A constant target has no deviation to divide by, and 0 stays 0 with a divisor of 1.
    return Scale(counted.mean(axis=0), np.where(std > 0, std, 1.0))


def measure_values(
    actual: np.ndarray,
    predicted: np.ndarray,
    *,
    rows: np.ndarray,
    first: str = "mae",
    show: Callable[[int], Mapping[str, Any]] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Evaluation:
    """The evaluation of numbers (M,) or (M, K): of several targets over all, with a column `target` beside `row`."""
    if actual.ndim == 1:
        return measure_numbers(actual, predicted, rows=rows, first=first, show=show, details=details)
    columns = actual.shape[1]

    def shown(n: int) -> Mapping[str, Any]:
        return {} if show is None else show(n // columns)

    evaluation = measure_numbers(
        actual.ravel(), predicted.ravel(), rows=np.repeat(rows, columns), first=first, show=shown, details=details
    )
    named = {"row": evaluation.predictions["row"], "target": np.tile(np.arange(columns), len(actual))}
    return replace(evaluation, predictions={**named, **evaluation.predictions})


def explained(actual: np.ndarray, predicted: np.ndarray) -> float:
    """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², the mean over columns; of a constant column 1 where it is met and 0 where not."""
    wide, found = (values[:, None] if values.ndim == 1 else values for values in (actual, predicted))
    left = np.square(wide - found).sum(axis=0)
    spread = np.square(wide - wide.mean(axis=0)).sum(axis=0)
    shares = np.where(spread > 0, 1 - left / np.where(spread > 0, spread, 1.0), (left == 0).astype(float))
    return float(shares.mean())
