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

from .. import native
from .misses import Misses
from .recent_quantiles import FORGOTTEN, coming_of, quantiles, quantiles_at, stride_of

__all__ = ["RollingIntervals"]

_SHORTEST = 50  # rows that a half-life has at least
_HORIZONS = 4  # that a half-life has
_SCALE_PRIOR = 1.0  # horizons' worth of errors that a series' scale before weighs
_LEAST = 1e-9  # of a series' mean error, over its group's
_PIECE = 4096  # windows whose intervals are made at once
_AT_ONCE = 1024  # ticks, times series, of which quantiles are held at once


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
        centre, radius = (part[0, series] for part in self._bases(np.array([self.at])))
        none = np.zeros((1, len(self.levels)))
        low, high = _ends(centre, radius, np.concatenate([self.factors, none])[series])
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
        low = np.full((len(tick), len(self.levels), len(self.steps)), np.nan)
        high = low.copy()
        state = self._on(series, tick, errors, until, (low, high))
        if len(self.scale) > 1:  # in place: these are the largest arrays
            unit = self.scale[series][:, None, None]
        else:
            unit = self.scale[0]
        low *= unit
        high *= unit
        return state, low, high

    def gone_on(self, series: np.ndarray, tick: np.ndarray, errors: np.ndarray, until: int) -> RollingIntervals:
        """The state at the tick `until` alone, as `rolled` gives it."""
        return self._on(series, tick, errors, until, None)

    def _on(
        self,
        series: np.ndarray,
        tick: np.ndarray,
        errors: np.ndarray,
        until: int,
        ends: tuple[np.ndarray, np.ndarray] | None,
    ) -> RollingIntervals:
        order = np.argsort(tick, kind="stable")
        told = np.isin(tick * len(self.scale) + series, self.tick * len(self.scale) + self.series)
        new = (tick[:, None] + self.steps > self.at) | ~told[:, None]
        fresh = np.where(new, errors / self.scale[series][:, None], np.nan)
        windows = series[order], tick[order], fresh[order]
        found = _merged(self, *windows)
        factors = found._walk(windows, until, order, ends)
        return replace(found, at=max(self.at, until), factors=factors)

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
        return start.gone_on(self.series[later], self.tick[later], known[later] * unit, tick)

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
        windows: tuple[np.ndarray, np.ndarray, np.ndarray],
        until: int,
        places: np.ndarray,
        ends: tuple[np.ndarray, np.ndarray] | None,
    ) -> np.ndarray:
        """ln f at `until`; the intervals of the windows (in order of tick) into `ends`, low and high, at `places`."""
        series, tick, _ = windows
        before, refresh = self.at, max(1, self.half_life // 4)
        misses = Misses(self.factors, self.levels, self.steps, windows, before)
        moments = np.arange(before + refresh - (before - self.begin) % refresh, until + 1, refresh)
        moments = np.append(before, moments)
        size, first = max(1, _AT_ONCE // len(self.scale)), int(np.searchsorted(tick, before))
        for at in range(0, len(moments), size):
            now, after = moments[at : at + size], moments[at + size : at + size + 1]
            centre, radius = self._bases(now)
            for start, end in _pieces(tick, int(now[0]), int(after[0]) if len(after) else until + 1):
                # At the beginning also the windows before it, whose targets are open.
                rows = slice(*np.searchsorted(tick, [start if start > before else tick[:1].min(initial=start), end]))
                moment = np.maximum(np.searchsorted(now, tick[rows], side="right") - 1, 0)
                factors = misses.go_on(rows, start, end, moment, (centre, radius))
                if ends is not None:
                    issued = slice(max(first, rows.start), rows.stop)
                    of, own = moment[issued.start - rows.start :], series[issued]
                    made = _ends(centre[of, own], radius[of, own], factors[issued.start - rows.start :])
                    ends[0][places[issued]], ends[1][places[issued]] = made
        return misses.factors

    def _known(self, now: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Errors (N, K) known at the tick `now` and not forgotten, else 0, their series (N,), weights (N, K)."""
        horizon = int(self.steps[-1])
        first = max(self.since, now - FORGOTTEN * self.half_life) - horizon
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

    def _bases(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre and radius (R, S + 1, L, K) in units of the series' scale, from the errors known at each tick of
        `moments` (R,), rising; the last for a series without errors."""
        kernel, size = getattr(native.module(), "interval_quantiles", None), len(self.scale)
        if kernel is None or len(set(self.group.tolist())) < size:
            found = [self._base(now) for now in moments.tolist()]
            return np.stack([centre for centre, _ in found]), np.stack([radius for _, radius in found])
        oldest = max(self.since, int(moments[0]) - FORGOTTEN * self.half_life) - int(self.steps[-1])
        rows = slice(*np.searchsorted(self.tick, [oldest, int(moments[-1])]))
        centre = np.zeros((len(moments), size + 1, len(self.levels), len(self.steps)))
        radius = centre.copy()
        for series in range(size):
            of = self.series[rows] == series if size > 1 else slice(None)
            windows = self.tick[rows][of], self.errors[rows][of]
            about = (self.steps, moments, self.since, self.half_life, self.levels)
            centre[:, series], radius[:, series] = quantiles_at(kernel, windows, *about, native.threads())
        if size == 1:
            centre[:, -1], radius[:, -1] = centre[:, 0], radius[:, 0]
        return centre, radius

    def _base(self, now: int) -> tuple[np.ndarray, np.ndarray]:
        """The same (S + 1, L, K) at one tick, whatever the groups: the reference."""
        errors, series, weight = self._known(now)
        size, prior = len(self.scale), int(self.steps[-1]) * len(self.steps)
        own = _own_scales(errors, series, weight, self.group, prior, size)
        centre = np.zeros((size + 1, len(self.levels), len(self.steps)))
        radius = centre.copy()
        groups = sorted(set(self.group.tolist()))  # np.unique would import numpy.ma
        for group in groups:
            members = np.flatnonzero(self.group == group)
            pick = np.flatnonzero(self.group[series] == group)
            stride = stride_of(len(pick), alone=len(members) == 1)
            pick = pick[(len(pick) - 1) % stride :: stride]
            coming = coming_of(self.steps, stride)
            found = quantiles(errors[pick] / own[series[pick]][:, None], weight[pick], self.levels, coming)
            centre[members], radius[members] = (part * own[members][:, None, None] for part in found)
            if len(groups) == 1:
                centre[-1], radius[-1] = found
        return centre, radius


def _pieces(tick: np.ndarray, at: int, last: int) -> Iterator[tuple[int, int]]:
    """From which tick to which intervals are made at once: never of many windows more than a piece."""
    while at < last:
        most = int(np.searchsorted(tick, at)) + _PIECE
        to = last if most >= len(tick) else min(last, max(at + 1, int(tick[most])))
        yield at, to
        at = to


def _ends(centre: np.ndarray, radius: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high (N, L, K) from centre, radius and ln f (N, L): each level holds the one below, and the forecast."""
    reach = radius * np.exp(factors)[:, :, None]
    low, high = np.minimum(centre - reach, 0.0), np.maximum(centre + reach, 0.0)
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
