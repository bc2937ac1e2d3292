"""How sure a lead in AUROC is where examples belong together: whole groups are drawn anew, for both models alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["auc_differences"]


def auc_differences(
    positive: Any, one: Any, other: Any, groups: Any, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """AUROC of `one` less that of `other` on groups drawn with replacement (draws,): a paired cluster bootstrap.

    positive (N,) bool, one and other (N,) scores, groups (N,) a key of each example; rows of one record are no
    independent examples, so records are drawn. A draw with one kind alone is left out. Raises DataError for unlike
    shapes. Source: Field & Welsh (2007), Bootstrapping clustered data.

    >>> found = auc_differences([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.5, 0.5, 0.5, 0.5], [0, 1, 2, 3], draws=50)
    >>> bool((found == 0.5).all())
    True
    """
    truth = np.asarray(positive).astype(bool)
    scores = [np.asarray(values, dtype=np.float64) for values in (one, other)]
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    if truth.ndim != 1 or any(values.shape != truth.shape for values in (*scores, group)):
        raise DataError("positive, one, other, groups: expected (N,) each.")
    ranks = [np.unique(values, return_inverse=True)[1] for values in scores]
    rng, count = np.random.Generator(np.random.Philox(key=seed)), int(group.max(initial=-1)) + 1
    found = []
    for _ in range(draws):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[group].astype(np.float64)
        if (weight[truth] > 0).any() and (weight[~truth] > 0).any():
            first, second = (_area(rank, truth, weight) for rank in ranks)
            found.append(first - second)
    return np.array(found)


def _area(rank: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """AUROC of weighted examples, ties counting a half."""
    above = np.bincount(rank, weights=weight * truth)
    below = np.bincount(rank, weights=weight * ~truth, minlength=len(above))
    above = np.pad(above, (0, len(below) - len(above)))
    return float((above * (np.cumsum(below) - 0.5 * below)).sum() / (above.sum() * below.sum()))
