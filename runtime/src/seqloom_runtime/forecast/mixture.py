"""A fitted ensemble: the weighted average of its members' forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..statistical.target_history import TargetHistory
from .reach import widened
from .stand_in import standing_in

__all__ = ["ENSEMBLE", "MOST_MEMBERS", "RENAMED", "Member", "Mixture"]

ENSEMBLE = "ensemble"
"""The name of a model that is the weighted average of the best few of several."""

MOST_MEMBERS = 6
"""Candidates that an ensemble averages at most: more cost time and add little (Genre et al. 2013)."""

RENAMED = {"damped": "damped-persistence"}
"""Models of version 0.1.0 under the names that they have now: folders with the old ones are read."""


@dataclass(frozen=True, eq=False)
class Member:
    """One of the models that are averaged, and its share."""

    name: str
    weight: float
    forecaster: Any  # a fitted estimator, or one that only forecasts


@dataclass(frozen=True, eq=False)
class Mixture:
    """A fitted ensemble: its members, and by series the range that their forecasts must not leave.

    low, high: (S,) of the series `ids`, in the target's unit; a member whose forecast leads out is left out of it.
    candidates: the models that it chose from, by name; they are not saved. fallback: what stands in, of several series,
    for one that no member can forecast (`stand_in.FALLBACKS`).
    """

    members: tuple[Member, ...]
    ids: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    candidates: Mapping[str, Any] = field(default_factory=dict)
    fallback: str = "naive"

    @property
    def parameters(self) -> int:
        """Numbers that were fitted, over all members, and their weights."""
        return sum(member.forecaster.n_parameters_ for member in self.members) + len(self.members)

    @property
    def reads_columns(self) -> bool:
        """Whether a member is a network, which reads more than the target."""
        return any(hasattr(member.forecaster, "learned_") for member in self.members)

    def filled(
        self, values: np.ndarray, season: float | None, history: TargetHistory, origins: np.ndarray, steps: np.ndarray
    ) -> np.ndarray:
        """Forecasts (N, K) with what stands in where no member had one; of a single series they stay NaN."""
        lost = ~np.isfinite(values).all(axis=1)
        if len(self.ids) > 1 and lost.any():
            values[lost] = standing_in(self.fallback, season, history, origins[lost], steps)
        return values

    def averaged(
        self, each: np.ndarray, names: Sequence[str], read: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The average (N, K) of the members' forecasts (M, N, K) of these series, and who took part: (M, N) bool.

        A member without a forecast, or with one far out of the range of the training rows and of those read up to the
        origin, is left out, unless all are so far out. read: least and greatest of the latter, (N,) each.
        """
        place = {name: number for number, name in enumerate(self.ids)}
        at = np.array([place.get(name, len(self.ids)) for name in names], dtype=np.int64)
        low, high = np.append(self.low, -np.inf)[at], np.append(self.high, np.inf)[at]
        low, high = widened(low, high, *read)
        there = np.isfinite(each).all(axis=2)
        inside = there & (each >= low[:, None]).all(axis=2) & (each <= high[:, None]).all(axis=2)
        use = np.where(inside.any(axis=0), inside, there)
        weights = np.array([member.weight for member in self.members])[:, None] * use
        total = weights.sum(axis=0)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        values = (weights[:, :, None] * np.where(use[:, :, None], each, 0.0)).sum(axis=0)
        values[total <= 0] = np.nan
        return values, use
