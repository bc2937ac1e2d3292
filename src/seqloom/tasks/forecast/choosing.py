"""How candidates stand on the windows that choose: a ratio to the naive forecast, how sure it is, and what follows.

The windows overlap, so that an error tells much of what the next one tells: the standard error of a ratio is that of
sums over origins whose neighbours, up to a horizon apart, are counted as related (Newey & West 1987). Few windows tell
little of which candidate is better, so that ratios are drawn towards what is usual (`expected`), as in empirical Bayes:
the fewer windows without overlap there are, the more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqloom_runtime.forecast.mixture import MOST_MEMBERS
from seqloom_runtime.statistical.target_history import baseline_forecast

from ...diagnostics import BASELINES, make_baseline
from .models import candidate_changes, is_network
from .windowed import ForecastData

__all__ = [
    "FEWEST_WINDOWS",
    "MOST_MEMBERS",
    "Standing",
    "best_of",
    "expected",
    "naive_windows",
    "ratio_to",
    "standing",
    "weigh",
]

FEWEST_WINDOWS = 5
"""Full windows that choose, where the table allows so many."""


_USUAL = 4.0
"""How many windows without overlap what is usual weighs as much as: of 1, 2, 4 and 8 the best on the development data,
by little."""

_NETWORK, _LOGARITHMS = 1.15, 1.05
"""How much worse than the statistical methods a network, and a method of logarithms, is expected to be. Alone, on the
small development tables, linear and GRU were up to 12 % worse, logarithms 5 to 14 % worse than the values; among 1.1 to
1.2 and 1 to 1.1 it mattered little which."""

_TOLERANCE, _MORE = 1.2, 0.6
"""How much worse than the best a member's error may be: what is further away drags more than it steadies; and how
much more where no windows tell."""


@dataclass(frozen=True)
class Standing:
    """How a candidate did on the windows that choose.

    ratio: its mean absolute error over that of the naive forecast of the same windows (of intermittent demand its root
    mean squared error); below 1 is better, inf where nothing was scored. error: the standard error of the ratio, None
    where too few origins say. windows: how many; apart: how many of them would have room without an overlap, over all
    series.
    """

    ratio: float
    error: float | None
    windows: int
    apart: float = float("inf")


def ratio_to(mine: float, theirs: float, squared: bool) -> float:
    """One sum of errors over another, of `squared` ones its root; 1 where neither errs, inf where only theirs is 0."""
    if theirs <= 0:
        return 1.0 if mine == 0 else float("inf")
    return float(np.sqrt(mine / theirs) if squared else mine / theirs)


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
    apart = _apart(data.panel.series_of(origins), data.panel.tick[origins], int(data.spec.steps[-1]))
    unit = data.choosing_unit(origins)
    truth = data.truth(origins) / unit
    squared = data.intermittent
    mine, theirs = (np.abs(each[use] / unit - truth) ** (2 if squared else 1) for each in (forecasts, naive))
    known = np.isfinite(truth) & np.isfinite(theirs)
    mine, theirs = (share * np.where(known, each, 0.0).sum(axis=1) for each in (mine, theirs))
    ratio = ratio_to(mine.sum(), theirs.sum(), squared)
    if theirs.sum() <= 0:
        return Standing(ratio, None, len(origins), apart)
    rests = mine - mine.sum() / theirs.sum() * theirs
    error = _standard_error(data.panel.tick[origins], rests, int(data.spec.steps[-1]))
    if error is not None:  # of a root half as much, over the root
        error /= float(theirs.sum()) * (max(2 * ratio, 1e-300) if squared else 1.0)
    return Standing(ratio, error, len(origins), apart)


def _apart(series: np.ndarray, ticks: np.ndarray, reach: int) -> float:
    """How many windows of `reach` rows have room between the first and the last of each series, added up."""
    order = np.lexsort((ticks, series))
    series, ticks = series[order], ticks[order]
    first = np.flatnonzero(np.diff(series, prepend=series[0] - 1))
    last = np.append(first[1:], len(series)) - 1
    return float(((ticks[last] - ticks[first]) / reach + 1).sum())


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


def expected(standings: Mapping[str, Standing]) -> dict[str, float]:
    """By name the ratio that each scored candidate is expected to have on rows to come.

    With n windows apart, the weighted geometric mean of its own ratio (n) and of what is usual (`_USUAL`): the
    geometric mean over the statistical candidates, or over all where there are none, for a network 15 % more, for
    logarithms 5 % more.

    >>> few = expected({"ets": Standing(0.8, 0.1, 9, 2.0), "gru": Standing(0.5, 0.1, 9, 2.0)})
    >>> {name: round(ratio, 3) for name, ratio in few.items()}
    {'ets': 0.8, 'gru': 0.751}
    """
    scored = {name: each for name, each in standings.items() if np.isfinite(each.ratio)}
    statistical = [name for name in scored if name != "naive" and candidate_changes(name)["model"] in BASELINES]
    known = [scored[name].ratio for name in statistical or scored]
    if not known or min(known) <= 0:
        return {name: each.ratio for name, each in scored.items()}
    usual = float(np.exp(np.mean(np.log(known))))
    found = {}
    for name, each in scored.items():
        prior = usual * (_NETWORK if is_network(name) else 1.0)
        prior *= _LOGARITHMS if name.startswith("log-") else 1.0
        share = _share(each.apart)
        found[name] = each.ratio**share * prior ** (1 - share)
    return found


def _share(apart: float) -> float:
    """How much so many windows without overlap weigh beside what is usual, 0 to 1."""
    return 1.0 if np.isinf(apart) else apart / (apart + _USUAL)


def weigh(standings: Mapping[str, Standing]) -> dict[str, float]:
    """The weights of the best few candidates, which add up to 1, the best first.

    The inverse squares of their expected ratios (Bates & Granger 1969), among those that are within a standard error of
    the best, or 20 % of it, up to 80 % where few windows lie apart; of a method and the same of logarithms, or chosen
    automatically, the better one, and of candidates with the same errors the first. Empty where none was scored.

    >>> found = weigh({"a": Standing(0.5, 0.1, 20), "b": Standing(0.6, 0.1, 20), "c": Standing(2.0, 0.1, 20)})
    >>> {name: round(weight, 3) for name, weight in found.items()}
    {'a': 0.59, 'b': 0.41}
    """
    ratios = expected(standings)
    if not ratios:
        return {}
    ranked = sorted(ratios, key=ratios.__getitem__)  # sorted is stable: of equals the first named
    best = ratios[ranked[0]]
    first = standings[ranked[0]]
    limit = max(best * (_TOLERANCE + _MORE * (1 - _share(first.apart))), best + (first.error or 0.0))
    near: list[str] = []
    for name in ranked:
        # A network whose linear path alone is kept forecasts what the linear model does: it would count twice.
        same = any(np.isclose(standings[name].ratio, standings[other].ratio, rtol=1e-6, atol=0) for other in near)
        if ratios[name] <= limit and not same and _family(name) not in map(_family, near):
            near.append(name)
    near = near[:MOST_MEMBERS]
    if best == 0:  # without an error there is nothing to average
        return {ranked[0]: 1.0}
    raw = {name: ratios[name] ** -2 for name in near}
    total = sum(raw.values())
    return {name: value / total for name, value in raw.items()}


def _family(name: str) -> str:
    """What a statistical method is a variant of: their errors are so alike that an average of them steadies little."""
    return name.removeprefix("log-").removeprefix("auto-")


def best_of(standings: Mapping[str, Standing], first: str, prefer: str | None = None) -> str:
    """The candidate with the lowest expected ratio, `first` where none is below its own.

    `prefer` (the ensemble) is taken unless a single candidate is better by more than two standard errors, or more where
    few windows lie apart: an average of several is the safer forecast where the windows can't tell them apart.
    """
    ratios, best = expected(standings), first
    for name, ratio in ratios.items():
        if name != prefer and ratio < ratios.get(best, float("inf")):
            best = name
    if prefer in ratios and prefer is not None:
        # The error is itself estimated, from as few windows as lie apart.
        margin = 2 * (standings[best].error or 0.0) * (1 + _USUAL / max(standings[best].apart, 1.0))
        if ratios[prefer] <= ratios.get(best, float("inf")) + margin:
            return prefer
    return best


def fallback_of(stands: Mapping[str, Standing]) -> str:
    """Which of `FALLBACKS` stands in, by the windows that choose: the seasonal naive forecast where it beat the naive
    one, to which ratios are."""
    return "seasonal" if "seasonal" in stands and stands["seasonal"].ratio < 1 else "naive"
