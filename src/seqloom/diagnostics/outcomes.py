"""What is scored: the answers of a model beside the actual ones, as the functions of the table of scores take them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .classification import ClassScores, class_scores, confusion_matrix

__all__ = ["Classes", "Forecasts", "Numbers", "Quantiles"]


@dataclass(frozen=True, eq=False)
class Classes:
    """What a classifier said: actual (N,) ids, probabilities (N, K); of two classes `positive` is the positive one."""

    actual: np.ndarray
    probabilities: np.ndarray
    positive: int = 1

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable class of each example, (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def counts(self) -> np.ndarray:
        """The confusion matrix (K, K), actual by predicted."""
        return confusion_matrix(self.actual, self.predicted, self.probabilities.shape[1])

    @cached_property
    def each(self) -> ClassScores:
        """Precision, recall and F1 of each class."""
        return class_scores(self.counts)

    @property
    def curves(self) -> list[int]:
        """The classes that have a ROC curve: the positive one of two, else all that occur beside another."""
        wanted = [self.positive] if self.probabilities.shape[1] == 2 else list(range(self.probabilities.shape[1]))
        return [k for k in wanted if 0 < int((self.actual == k).sum()) < len(self.actual)]

    def mean(self, values: np.ndarray) -> float:
        """Of values (K,) the positive class's of two, else the mean over the classes that occur or were predicted."""
        # Of two classes one is what is looked for; the mean with the other would hide how well it is found.
        if len(values) == 2:
            return float(values[self.positive])
        return float(values[(self.each.support + self.counts.sum(axis=0)) > 0].mean())


@dataclass(frozen=True, eq=False)
class Numbers:
    """Predicted numbers beside the actual ones, (N,) each, in the target's unit."""

    actual: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts (N windows, K steps) beside the actual values, and what relative scores divide by, where known."""

    actual: np.ndarray
    predicted: np.ndarray
    target_scale: Any = None
    mase_scale: Any = None
    baseline_mae: float | None = None
    rmsse_scale: Any = None


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Quantiles (M, Q) of forecasts beside the actual values (M,), and their levels, Q rising fractions."""

    actual: np.ndarray
    quantiles: np.ndarray
    levels: tuple[float, ...]
