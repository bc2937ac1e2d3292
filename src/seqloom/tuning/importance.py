"""How much each parameter mattered: the share of the spread of results that its value alone explains.

Of the trials of a model that ended or were stopped, ranks of their results are averaged within three groups of a range
(its thirds, on its own scale) or for each choice; η² is the variance between these groups over the whole variance,
corrected for what groups of so few trials would show by chance (ω², Hays 1963). It needs no model of the results, and
says nothing of parameters that matter together only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .dimensions import Dimension, Range

if TYPE_CHECKING:
    from .storage import Trial

__all__ = ["importances", "omega_squared"]

_FEWEST = 8
_GROUPS = 3


def importances(trials: Sequence[Trial], model: str, space: Mapping[str, Dimension]) -> dict[str, float]:
    """The importance of each parameter, 0 to 1, the largest first; nothing where fewer than eight trials tell."""
    told = [(trial, standing) for trial, standing in _ranked(trials) if trial.model == model and trial.parameters]
    if len(told) < _FEWEST:
        return {}
    ranks = np.array([standing for _, standing in told])
    found = {}
    for name, dimension in space.items():
        groups = np.array([_group(trial.parameters[name], dimension) for trial, _ in told])
        found[name] = round(omega_squared(ranks, groups), 4)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _ranked(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """Trials that ended, by value, then those that were stopped, the later the better, by what they had reached."""

    def order(trial: Trial) -> tuple[float, float]:
        if trial.value is not None:
            return (-math.inf, trial.value)
        last = max((rung for rung, value in trial.rungs.items() if value is not None), default=-1)
        return (-float(last), trial.rungs.get(last) or math.inf)

    known = [trial for trial in trials if trial.state in ("complete", "pruned")]
    return [(trial, float(place)) for place, trial in enumerate(sorted(known, key=order))]


def _group(value: Any, dimension: Dimension) -> int:
    if not isinstance(dimension, Range):
        return next(i for i, each in enumerate(dimension.values) if type(each) is type(value) and each == value)
    low, high, at = dimension.low, dimension.high, float(value)
    if dimension.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return min(_GROUPS - 1, int(_GROUPS * (at - low) / (high - low)))


def omega_squared(values: np.ndarray, groups: np.ndarray) -> float:
    """ω² of `values` (N,) by `groups` (N,): the share of variance between groups, at least 0.

    >>> omega_squared(np.array([1.0, 2.0, 11.0, 12.0]), np.array([0, 0, 1, 1])) > 0.9
    True
    """
    kinds = np.unique(groups)
    whole = float(((values - values.mean()) ** 2).sum())
    if len(kinds) < 2 or len(values) <= len(kinds) or whole == 0:
        return 0.0
    between = sum(
        float(np.count_nonzero(groups == kind)) * (float(values[groups == kind].mean()) - float(values.mean())) ** 2
        for kind in kinds
    )
    within = (whole - between) / (len(values) - len(kinds))
    return max(0.0, (between - (len(kinds) - 1) * within) / (whole + within))
