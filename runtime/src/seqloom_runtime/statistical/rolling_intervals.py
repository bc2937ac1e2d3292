"""Prediction intervals over rolling origins: conformal, per series and step, adaptive to drift.

At an origin t an interval is made from the errors whose target row is known at t, and from nothing else:

    low = forecast + s (c_k - f r_k),   high = forecast + s (c_k + f r_k)

- s, the series' own scale: its recent mean error relative to all series', drawn to what its rows before had (in steps
  of a row) while it has few errors of its own;
- c_k ± r_k, per step and level: the weighted conformal quantiles of the errors in units of s, whose weights halve with
  every `half_life` rows of age (Barber et al. 2023, Conformal prediction beyond exchangeability); halfway between the
  quantile of |error| and those of both tails, since both tails of few errors are a poor estimate. Of levels
  from 0.9 on the next error weighs more the further ahead it is, as windows that overlap share what they miss;
- f, per series and level: what has been missed too often or too seldom since the calibration ended. ln f grows by
  (missed - (1 - level)) / horizon with every row, as in adaptive conformal inference (Gibbs & Candès 2021) on the
  radius rather than on the level, so that it can leave the range of past errors. The share of values that are missed
  over a long run then comes to 1 - level whatever the errors do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .misses import Misses

__all__ = ["RollingIntervals"]

_SHORTEST = 50  # rows that a half-life has at least
_HORIZONS = 4  # that a half-life has
_FORGOTTEN = 10  # half-lives after which an error weighs less than a thousandth and is left out
_SCALE_PRIOR = 1.0  # horizons' worth of errors that a series' scale before weighs
_LEAST = 1e-9  # of a series' mean error, over its group's
_HIGH = 0.9  # from which level on
_SHARED = 0.5  # the next error k steps ahead weighs k to this power: windows that overlap share what they miss
_ROWS_SORTED = 4_000  # windows that quantiles are taken over; of more, equally spaced ones
_ROWS_ALONE = 500  # the same of a group of one series
_PIECE = 4096  # windows whose thresholds are held at once
_TAILS = 20.0  # total weight of errors at which the tails count a quarter, half of the most they can


@dataclass(frozen=True, eq=False)
class RollingIntervals:
    """What the intervals at an origin are made of, and the origins' rows up to which it has been counted.

    levels: L rising fractions. steps: (K,) rows ahead. scale: (S,) of each series, in the target's unit. group: (S,),
    whose errors are alike. series, tick (N,) and errors (N, K): windows in order of their origins' ticks, each error
    the actual value less the forecast over the series' scale, NaN where unknown. Errors count from target tick `since`
    on. `begin` is the tick at which f was 1, `at` the one up to which errors have been counted. factors: (S, L), ln f.
    """

    levels: tuple[float, ...]
    steps: np.ndarray
    scale: np.ndarray
    group: np.ndarray
    series: np.ndarray
    tick: np.ndarray
    errors: np.ndarray
    since: int
    begin: int
    at: int
    factors: np.ndarray

    @classmethod
    def make(
        cls,
        levels: tuple[float, ...],
        steps: np.ndarray,
        scale: np.ndarray,
        group: np.ndarray,
        windows: tuple[np.ndarray, np.ndarray, np.ndarray],
        *,
        since: int,
        begin: int,
    ) -> RollingIntervals:
        """Calibrated on the errors of `windows` (series (N,), tick (N,), errors (N, K) in the target's unit) whose
        target rows lie in since … begin; `levels` in any order."""
        series, tick, errors = windows
        order = np.argsort(tick, kind="stable")
        return cls(
            tuple(sorted(levels)),
            np.asarray(steps, np.int64),
            scale,
            group,
            series[order],
            tick[order],
            (errors / scale[series][:, None])[order],
            since,
            begin,
            begin,
            np.zeros((len(scale), len(levels))),
        )

    @property
    def half_life(self) -> int:
        """Rows after which an error weighs half as much."""
        return max(_HORIZONS * int(self.steps[-1]), _SHORTEST)

    def offsets(self, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is added to forecasts from the tick `at`: low and high, (N, L, K) in the target's unit.

        series: (N,) numbers of series; -1 for a series that has no errors, in units of 1.
        """
        centre, radius = self._base(self.at)
        none = np.zeros((1, len(self.levels)))
        low, high = _ends(centre, radius, np.concatenate([self.factors, none])[series], series)
        unit = np.concatenate([self.scale, [1.0]])[series][:, None, None]
        return low * unit, high * unit

    def of_levels(self, levels: tuple[float, ...]) -> RollingIntervals:
        """The same for other levels, in any order: their factors lie between those of the levels around them."""
        wanted = tuple(sorted(levels))
        factors = np.stack([np.interp(wanted, self.levels, each) for each in self.factors])
        return replace(self, levels=wanted, factors=factors.reshape(len(self.factors), len(wanted)))

    def counts(self) -> np.ndarray:
        """How many errors of each series' group are known of the step that has fewest: (S,)."""
        target = self.tick[:, None] + self.steps
        known = np.isfinite(self.errors) & (target >= self.since) & (target <= self.at)
        groups, place = np.unique(self.group, return_inverse=True)
        at = self.group[self.series]
        fewest = [known[at == group].sum(axis=0).min(initial=len(known)) for group in groups]
        return np.array(fewest, dtype=np.int64)[place]

    def paths(self, series: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
        """What is added to forecasts from the tick `at` for sample paths: (N, count, K) in the target's unit.

        Whole windows of past errors of the series' group, drawn with the weights that the intervals give them, in units
        of the series' own recent error, widened as its intervals are. NaN where no whole window is known. series: as of
        `offsets`.
        """
        now, horizon = self.at, int(self.steps[-1])
        whole = np.isfinite(self.errors).all(axis=1) & (self.tick + horizon <= now)
        whole &= self.tick + self.steps[0] >= self.since
        weight = np.where(whole, 0.5 ** (np.maximum(now - self.tick - horizon, 0) / self.half_life), 0.0)
        own = self._own(now)
        unit = np.append(self.scale * own * np.exp(self.factors.mean(axis=1)), 1.0)
        found = np.full((len(series), count, len(self.steps)), np.nan)
        for place, number in enumerate(series):
            mine = weight * (self.group[self.series] == self.group[number]) if number >= 0 else weight
            if mine.sum() > 0:
                drawn = generator.choice(len(mine), count, p=mine / mine.sum())
                found[place] = self.errors[drawn] / own[self.series[drawn]][:, None] * unit[number]
        return found

    def rolled(
        self, series: np.ndarray, tick: np.ndarray, errors: np.ndarray, until: int
    ) -> tuple[RollingIntervals, np.ndarray, np.ndarray]:
        """Go on to the tick `until` with new windows: the state there, and low and high (N, L, K) for each window.

        series, tick (N,), errors (N, K) in the target's unit, NaN where unknown: of windows that are known already
        only errors whose target row lies after `at` are new. The interval at an origin knows the errors of targets up
        to that origin; windows whose origin lies before `at` have none (NaN), but their errors count when they become
        known.
        """
        order = np.argsort(tick, kind="stable")
        told = np.isin(tick * len(self.scale) + series, self.tick * len(self.scale) + self.series)
        new = (tick[:, None] + self.steps > self.at) | ~told[:, None]
        fresh = np.where(new, errors / self.scale[series][:, None], np.nan)
        found = _merged(self, series[order], tick[order], fresh[order])
        low = np.full((len(tick), len(self.levels), len(self.steps)), np.nan)
        high = low.copy()
        factors = found._walk(series[order], tick[order], fresh[order], until, order, low, high)
        unit = self.scale[series][:, None, None]
        return replace(found, at=max(self.at, until), factors=factors), low * unit, high * unit

    def back_at(self, tick: int) -> RollingIntervals:
        """The state at an earlier tick, made again from the errors that were known there."""
        if tick >= self.at:
            return self
        known = np.where(self.tick[:, None] + self.steps <= tick, self.errors, np.nan)
        begin = min(tick, self.begin)
        calibrated = np.where(self.tick[:, None] + self.steps <= begin, self.errors, np.nan)
        start = replace(self, errors=calibrated, at=begin, begin=begin, factors=np.zeros_like(self.factors))
        if tick <= self.begin:
            return start
        later = self.tick + self.steps[-1] > begin
        unit = self.scale[self.series[later]][:, None]
        return start.rolled(self.series[later], self.tick[later], known[later] * unit, tick)[0]

    def thinned(self, numbers: int) -> RollingIntervals:
        """With about `numbers` errors at most: half of them the latest, the others equally spaced over those before."""
        most = max(2, numbers // len(self.steps))
        if len(self.tick) <= most:
            return self
        first = len(self.tick) - most // 2
        early = np.unique(np.linspace(0, first - 1, most - most // 2).astype(np.int64))
        keep = np.concatenate([early, np.arange(first, len(self.tick))])
        return replace(self, series=self.series[keep], tick=self.tick[keep], errors=self.errors[keep])

    def _walk(
        self,
        series: np.ndarray,
        tick: np.ndarray,
        errors: np.ndarray,
        until: int,
        places: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
    ) -> np.ndarray:
        """ln f at `until`, and the intervals of the windows (in order of tick) into `low` and `high` at `places`."""
        before, refresh = self.at, max(1, self.half_life // 4)
        misses = Misses(self.factors, self.levels, self.steps, (series, tick, errors), before, until)
        bounds = np.searchsorted(tick, np.arange(before, until + 2))
        bounds[0] = 0  # at the start also those before it, whose targets are open
        centre, radius = self._base(before)
        for start, end in _pieces(bounds, before, refresh - (before - self.begin) % refresh, refresh):
            if start > before and (start - self.begin) % refresh == 0:
                centre, radius = self._base(start)
            rows = slice(bounds[start - before], bounds[end - before])
            factors = misses.go_on(start, end, bounds, (centre, radius))
            issued = np.flatnonzero(tick[rows] >= before)
            at = places[rows][issued]
            low[at], high[at] = _ends(centre, radius, factors[issued], series[rows][issued])
        return misses.factors

    def _known(self, now: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Errors (N, K) known at the tick `now` and not forgotten, else 0, their series (N,), weights (N, K)."""
        horizon = int(self.steps[-1])
        first = max(self.since, now - _FORGOTTEN * self.half_life) - horizon
        rows = slice(*np.searchsorted(self.tick, [first, now]))
        age = now - (self.tick[rows][:, None] + self.steps)
        errors = self.errors[rows]
        known = np.isfinite(errors) & (age >= 0) & (now - age >= self.since)
        weight = np.where(known, 0.5 ** (np.maximum(age, 0) / self.half_life), 0.0)
        return np.where(known, errors, 0.0), self.series[rows], weight

    def _own(self, now: int) -> np.ndarray:
        """(S,): the mean error of each series that is known at the tick `now`, over its group's."""
        prior = int(self.steps[-1]) * len(self.steps)
        return _own_scales(*self._known(now), self.group, prior, len(self.scale))

    def _base(self, now: int) -> tuple[np.ndarray, np.ndarray]:
        """Centre and radius (S + 1, L, K) in units of the series' scale, from the errors known at the tick `now`; the
        last for a series without errors."""
        errors, series, weight = self._known(now)
        size, prior = len(self.scale), int(self.steps[-1]) * len(self.steps)
        own = _own_scales(errors, series, weight, self.group, prior, size)
        centre = np.zeros((size + 1, len(self.levels), len(self.steps)))
        radius = centre.copy()
        groups = sorted(set(self.group.tolist()))  # np.unique would import numpy.ma
        for group in groups:
            members = np.flatnonzero(self.group == group)
            pick = np.flatnonzero(self.group[series] == group)
            stride = _stride(pick, members)
            pick = pick[(len(pick) - 1) % stride :: stride]
            coming = np.maximum(self.steps**_SHARED / stride, 1.0)
            found = _quantiles(errors[pick] / own[series[pick]][:, None], weight[pick], self.levels, coming)
            centre[members], radius[members] = (part * own[members][:, None, None] for part in found)
            if len(groups) == 1:
                centre[-1], radius[-1] = found
        return centre, radius


def _pieces(bounds: np.ndarray, before: int, first: int, refresh: int) -> Iterator[tuple[int, int]]:
    """From which tick to which a walk goes at once: never over a refresh, nor over many windows more than a piece."""
    at, last = 0, len(bounds) - 1
    while at < last:
        to = min(last, at + refresh - (at - first) % refresh)
        to = min(to, max(at + 1, int(np.searchsorted(bounds, bounds[at] + _PIECE, side="right")) - 1))
        yield before + at, before + to
        at = to


def _stride(picked: np.ndarray, members: np.ndarray) -> int:
    return max(1, len(picked) // (_ROWS_ALONE if len(members) == 1 else _ROWS_SORTED))


def _ends(
    centre: np.ndarray, radius: np.ndarray, factors: np.ndarray, series: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high (N, L, K) of series (N,), ln f (N, L): each level holds the one below, and the forecast itself."""
    reach = radius[series] * np.exp(factors)[:, :, None]
    low, high = np.minimum(centre[series] - reach, 0.0), np.maximum(centre[series] + reach, 0.0)
    return np.minimum.accumulate(low, axis=1), np.maximum.accumulate(high, axis=1)


def _own_scales(
    errors: np.ndarray, series: np.ndarray, weight: np.ndarray, group: np.ndarray, prior: float, size: int
) -> np.ndarray:
    """(S,): the mean error of each series over its group's, drawn to 1 while it has few; 1 of a series alone."""
    own = np.ones(size)
    if size == 1:
        return own
    for number in np.unique(group):
        members = group == number
        pick = members[series]
        if members.sum() == 1 or not pick.any():
            continue
        size_of, mass = np.abs(errors[pick]) * weight[pick], weight[pick]
        usual = size_of.sum(axis=0) / np.maximum(mass.sum(axis=0), 1e-300)
        usual = np.where(usual > 0, usual, 1.0)
        total = np.bincount(series[pick], (size_of / usual).sum(axis=1), size)
        count = np.bincount(series[pick], mass.sum(axis=1), size)
        # In logarithms, so that a series far from the others is not held by them on either side.
        ratio = np.log(np.maximum(total / np.maximum(count, 1e-300), _LEAST))
        own[members] = np.exp(count / (count + _SCALE_PRIOR * prior) * ratio)[members]
    return own


def _quantiles(
    errors: np.ndarray, weight: np.ndarray, levels: tuple[float, ...], coming: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radius (L, K) from errors (N, K) of weights (N, K); coming (K,): the weight of the next error for the
    high levels, 1 for the others."""
    shape = (len(levels), errors.shape[1])
    if not len(errors):
        return np.zeros(shape), np.zeros(shape)
    errors, weight = np.ascontiguousarray(errors.T), np.ascontiguousarray(weight.T)  # each step's lie side by side
    sizes, total = _Sorted.make(np.abs(errors), weight), weight.sum(axis=1)
    signed = _Sorted.make(errors, weight)
    flipped = signed.flipped()
    tails = 0.5 * total / (total + _TAILS)
    low, high = np.empty(shape), np.empty(shape)
    for place, level in enumerate(levels):
        next_one = coming if level >= _HIGH else np.ones_like(coming)
        middle = sizes.at(level, next_one)
        high[place] = (1 - tails) * middle + tails * signed.at((1 + level) / 2, next_one)
        low[place] = (1 - tails) * -middle - tails * flipped.at((1 + level) / 2, next_one)
    return (low + high) / 2, (high - low) / 2


class _Sorted:
    """Values (K, N) with weights, sorted once, for weighted conformal quantiles."""

    def __init__(self, values: np.ndarray, weight: np.ndarray, last: np.ndarray) -> None:
        self._values, self._weight, self._last = values, weight, last
        self._mass = np.cumsum(weight, axis=1)

    @classmethod
    def make(cls, values: np.ndarray, weight: np.ndarray) -> _Sorted:
        """What weighs nothing goes last, so that the largest known value is found before it."""
        order = np.argsort(np.where(weight > 0, values, np.inf), axis=1)  # equal values may stand in any order
        each = np.arange(len(values))[:, None]
        return cls(values[each, order], weight[each, order], np.maximum((weight > 0).sum(axis=1) - 1, 0))

    def flipped(self) -> _Sorted:
        """Of the values with the other sign: what weighs nothing stands first, where no mass is reached."""
        last = np.full_like(self._last, self._values.shape[1] - 1)
        return _Sorted(-self._values[:, ::-1], self._weight[:, ::-1], last)

    def at(self, level: float, coming: np.ndarray) -> np.ndarray:
        """(K,): the smallest value whose mass is `level` of all, the new error's weight `coming` (K,) counted as
        infinite; the largest where the errors known don't reach that far."""
        needed = level * (self._mass[:, -1] + coming) - 1e-9
        place = np.minimum((self._mass < needed[:, None]).sum(axis=1), self._last)
        return self._values[np.arange(len(place)), place]


def _merged(state: RollingIntervals, series: np.ndarray, tick: np.ndarray, errors: np.ndarray) -> RollingIntervals:
    """The state with further windows among its own, in order of their origins."""
    some = np.isfinite(errors).any(axis=1)
    all_ticks = np.concatenate([state.tick, tick[some]])
    order = np.argsort(all_ticks, kind="stable")
    return replace(
        state,
        series=np.concatenate([state.series, series[some]])[order],
        tick=all_ticks[order],
        errors=np.concatenate([state.errors, errors[some]])[order],
    )
