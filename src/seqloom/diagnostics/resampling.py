"""How sure an AUROC is where examples belong together: whole groups are drawn anew, the same ones for every model."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError

__all__ = ["auc_draws"]


def auc_draws(positive: Any, score: Any, groups: Any, *, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """AUROC of `score` on groups drawn with replacement (draws,), a cluster bootstrap; NaN where one kind was drawn.

    positive (N,) bool, score (N,), groups (N,) a key of each example; rows of one record are no independent examples,
    so records are drawn. The same seed draws the same groups, whatever the score: differences of two are paired.
    Raises DataError for unlike shapes. Source: Field & Welsh (2007), Bootstrapping clustered data.

    >>> bool((auc_draws([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0, 1, 2, 2], draws=5)[:3] == 1).all())
    True
    """
    truth, values = np.asarray(positive).astype(bool), np.asarray(score, dtype=np.float64)
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    if truth.ndim != 1 or values.shape != truth.shape or group.shape != truth.shape:
        raise DataError("positive, score, groups: expected (N,) each.")
    rank = np.unique(values, return_inverse=True)[1]
    rng, count = np.random.Generator(np.random.Philox(key=seed)), int(group.max(initial=-1)) + 1
    found = np.full(draws, np.nan)
    for n in range(draws):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[group].astype(np.float64)
        if (weight[truth] > 0).any() and (weight[~truth] > 0).any():
            found[n] = _area(rank, truth, weight)
    return found


def _area(rank: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """AUROC of weighted examples, ties counting a half."""
    above = np.bincount(rank, weights=weight * truth)
    below = np.bincount(rank, weights=weight * ~truth, minlength=len(above))
    above = np.pad(above, (0, len(below) - len(above)))
    return float((above * (np.cumsum(below) - 0.5 * below)).sum() / (above.sum() * below.sum()))
