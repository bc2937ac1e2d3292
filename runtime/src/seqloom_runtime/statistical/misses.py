"""What rolling intervals have missed, row by row, and the widths that follow from it (`rolling_intervals.py`)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .. import native

__all__ = ["Misses"]

_SLOWEST = 25  # rows over which f reacts at least


class Misses:
    """The misses of a walk over windows, by the row at which each becomes known, and ln f, which follows them.

    An error is missed by a level where f is below a threshold of its own, for this level and each below it. The
    compiled module walks where it is there; NumPy, which finds the thresholds of many windows at once, gives the same
    bits.
    """

    def __init__(
        self,
        factors: np.ndarray,
        levels: tuple[float, ...],
        steps: np.ndarray,
        windows: tuple[np.ndarray, np.ndarray, np.ndarray],
        before: int,
    ) -> None:
        """factors: (S, L), ln f at the tick `before`. windows: series (N,), tick (N,) rising, errors (N, K) in units of
        the series' scale, NaN where unknown; those of targets up to `before` have been counted already."""
        self.factors = np.array(factors, np.float64, order="C")
        series, tick, errors = windows
        self._series, self._tick = np.ascontiguousarray(series, np.int64), np.ascontiguousarray(tick, np.int64)
        self._errors = np.ascontiguousarray(errors, np.float64)
        self._before, self._steps = before, np.ascontiguousarray(steps, np.int64)
        self._pace = 1.0 / max(int(steps[-1]), _SLOWEST)
        self._allowed = 1 - np.array(levels)
        # Of each row ahead, whose place is its number in a ring: what is missed and how many errors become known.
        self._missed = np.zeros((int(steps[-1]) + 1, *factors.shape), np.float32)
        self._counted = np.zeros((int(steps[-1]) + 1, len(factors)), np.float32)

    def go_on(
        self, rows: slice, start: int, end: int, moment: np.ndarray, base: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """From the tick `start` up to `end`: ln f (n, L) of the windows `rows`, whose origins lie between (at the
        beginning also before it), at their origins.

        base: centre and radius (R, S + 1, L, K), of which those of `moment` (n,) are a window's.
        """
        kernel: Any = getattr(native.module(), "interval_walk", None)
        if kernel is None:
            return self._go_on_numpy(rows, start, end, moment, *base)
        part = (self._series[rows], self._tick[rows], self._errors[rows], moment)
        found = np.empty((len(moment), self.factors.shape[1]))
        ticks = np.array([self._before, start, end])
        follows = (self._pace, self._allowed, self.factors, self._missed, self._counted)
        kernel(*part, self._steps, *base, ticks, *follows, found, _grown)
        return found

    def _go_on_numpy(
        self, rows: slice, start: int, end: int, moment: np.ndarray, centre: np.ndarray, radius: np.ndarray
    ) -> np.ndarray:
        """The reference."""
        series, tick, errors = self._series[rows], self._tick[rows], self._errors[rows]
        known = np.isfinite(errors) & (tick[:, None] + self._steps > self._before)
        threshold = _thresholds(errors[:, None], centre[moment, series], radius[moment, series])
        found = np.empty(threshold.shape[:2])
        bounds = np.searchsorted(tick, np.arange(start, end + 1))
        bounds[0] = 0
        for now, (one, two) in zip(range(start, end), pairwise(bounds)):
            if now > self._before:
                self._follow((now - self._before) % len(self._missed))
            if one < two:
                at = slice(one, two)
                found[at] = self.factors[series[at]]
                wrong = np.logical_and.accumulate(np.exp(found[at])[:, :, None] < threshold[at], axis=1)
                missed = (wrong - self._allowed[None, :, None]) * known[at, None]
                when = (tick[at, None] + self._steps - self._before) % len(self._missed)
                self._put(when, series[at], missed, known[at], alike=now > self._before)
        return found

    def _follow(self, slot: int) -> None:
        """ln f takes in what became known in a row, whose place in the ring is free again."""
        self.factors += self._pace * self._missed[slot] / np.maximum(self._counted[slot], 1)[:, None]
        self._missed[slot] = 0
        self._counted[slot] = 0

    def _put(self, when: np.ndarray, series: np.ndarray, missed: np.ndarray, known: np.ndarray, *, alike: bool) -> None:
        """Misses (n, L, K) of windows, of one tick where they are alike, to the rows in which they become known."""
        if alike:
            self._missed[when[:1].T, series] += missed.transpose(2, 0, 1)
            self._counted[when[:1].T, series] += known.T
            return
        row, step = np.nonzero(known)  # several windows of one series may have targets in the same row
        np.add.at(self._missed, (when[row, step], series[row]), missed[row, :, step])
        np.add.at(self._counted, (when[row, step], series[row]), 1)


def _thresholds(error: np.ndarray, centre: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(n, L, K): the f below which the error lies beyond the end on its side; infinite where it always does."""
    beyond = np.where(error < 0, centre - error, error - centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(reach > 0, beyond / reach, np.where(beyond > 0, np.inf, -np.inf))
    return np.where(error == 0, -np.inf, found)  # the forecast itself is always held


def _grown(factor: float) -> float:
    """f, for the compiled walk: asked where the last bits of its own exp would decide."""
    return float(np.exp(np.array([factor]))[0])
