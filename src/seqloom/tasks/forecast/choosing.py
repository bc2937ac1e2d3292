"""How candidates stand on the windows that choose: a ratio to the naive forecast, how sure it is, and what follows.

The windows overlap, so that an error tells much of what the next one tells: the standard error of a ratio is that of
sums over origins whose neighbours, up to a horizon apart, are counted as related (Newey & West 1987).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...diagnostics import make_baseline
from .windowed import ForecastData, baseline_forecast

__all__ = ["FEWEST_WINDOWS", "MOST_MEMBERS", "Standing", "best_of", "naive_windows", "standing", "weigh"]

FEWEST_WINDOWS = 5
"""Full windows that choose, where the table allows so many."""

MOST_MEMBERS = 4
"""Candidates that an ensemble averages at most: more cost time and add little (Genre et al. 2013)."""

_TOLERANCE = 1.8
"""How much worse than the best a member's error may be: what is further away drags more than it steadies."""


@dataclass(frozen=True)
class Standing:
    """How a candidate did on the windows that choose.

    ratio: its mean absolute error over that of the naive forecast of the same windows; below 1 is better, inf where
    nothing was scored. error: the standard error of the ratio, None where too few origins say. windows: how many.
    """

    ratio: float
    error: float | None
    windows: int


def naive_windows(data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The naive forecast at the origins: (N, K) in the target's unit."""
    return baseline_forecast(make_baseline("naive").fit(data.history), data.history, origins, data.spec.steps)


def standing(
    data: ForecastData, origins: np.ndarray, forecasts: np.ndarray, naive: np.ndarray, *, recent: bool = False
) -> Standing:
    """How `forecasts` (N, K) at the origins stand to `naive` (N, K); windows that could not be forecast don't count,
    and each of several series counts in its own scale (`ForecastData.choosing_unit`).

    `recent` weighs later windows more: each a half of one that comes a quarter of all their rows later.
    """
    span = data.panel.tick[origins] if recent and len(origins) else np.zeros(len(origins), np.int64)
    length = max((int(span.max()) - int(span.min())) / 4, 1.0) if len(span) else 1.0
    share = 0.5 ** ((span.max(initial=0) - span) / length)
    use = np.isfinite(forecasts).all(axis=1)
    origins, share = origins[use], share[use]
    if not len(origins):
        return Standing(float("inf"), None, 0)
    unit = data.choosing_unit(origins)
    truth = data.truth(origins) / unit
    mine, theirs = (np.abs(each[use] / unit - truth) for each in (forecasts, naive))
    known = np.isfinite(truth) & np.isfinite(theirs)
    mine, theirs = (share * np.where(known, each, 0.0).sum(axis=1) for each in (mine, theirs))
    if theirs.sum() <= 0:
        return Standing(1.0 if mine.sum() == 0 else float("inf"), None, len(origins))
    ratio = float(mine.sum() / theirs.sum())
    error = _standard_error(data.panel.tick[origins], mine - ratio * theirs, int(data.spec.steps[-1]))
    return Standing(ratio, None if error is None else error / float(theirs.sum()), len(origins))


def _standard_error(ticks: np.ndarray, rests: np.ndarray, reach: int) -> float | None:
    """The standard error of a sum over origins that are related up to `reach` rows apart; None of a single one."""
    at = ticks - ticks.min()
    sums = np.bincount(at, weights=rests)
    there = len(np.unique(at))
    if there < 2:
        return None
    # With lags as long as the part itself the estimate would fall to 0, as the rests add up to nothing.
    reach = max(1, min(reach, len(sums) // 4))
    total = float(sums @ sums)
    for lag in range(1, reach):
        total += 2 * (1 - lag / reach) * float(sums[lag:] @ sums[:-lag])
    return float(np.sqrt(max(total, 0.0) * there / (there - 1)))


def weigh(standings: Mapping[str, Standing]) -> dict[str, float]:
    """The weights of the best few candidates, which add up to 1, the best first.

    The inverse squares of their ratios (Bates & Granger 1969), among those that are within a standard error of the
    best, or 80 % of it; of a method and the same of logarithms, or chosen automatically, the better one. Empty where no
    candidate was scored.

    >>> found = weigh({"a": Standing(0.5, 0.1, 20), "b": Standing(0.6, 0.1, 20), "c": Standing(2.0, 0.1, 20)})
    >>> {name: round(weight, 3) for name, weight in found.items()}
    {'a': 0.59, 'b': 0.41}
    """
    scored = {name: each for name, each in standings.items() if np.isfinite(each.ratio)}
    if not scored:
        return {}
    ranked = sorted(scored, key=lambda name: scored[name].ratio)  # sorted is stable: of equals the first named
    best = scored[ranked[0]]
    limit = max(best.ratio * _TOLERANCE, best.ratio + (best.error or 0.0))
    near = []
    for name in ranked:
        if scored[name].ratio <= limit and _family(name) not in map(_family, near):
            near.append(name)
    near = near[:MOST_MEMBERS]
    if best.ratio == 0:  # without an error there is nothing to average
        near = [ranked[0]]
        return dict.fromkeys(near, 1.0)
    raw = {name: scored[name].ratio ** -2 for name in near}
    total = sum(raw.values())
    return {name: value / total for name, value in raw.items()}


def _family(name: str) -> str:
    """What a statistical method is a variant of: their errors are so alike that an average of them steadies little."""
    return name.removeprefix("log-").removeprefix("auto-")


def best_of(standings: Mapping[str, Standing], first: str, prefer: str | None = None) -> str:
    """The candidate with the lowest ratio, `first` where none is below its own.

    `prefer` (the ensemble) is taken unless a single candidate is better by more than a standard error: an average of
    several is the safer forecast where the windows can't tell them apart.
    """
    best = first
    for name, each in standings.items():
        if name != prefer and each.ratio < standings[best].ratio:
            best = name
    if prefer is not None and prefer in standings:
        margin = standings[best].error or 0.0
        if standings[prefer].ratio <= standings[best].ratio + margin and np.isfinite(standings[prefer].ratio):
            return prefer
    return best
