"""What rolling intervals have missed, row by row, and the widths that follow from it (`rolling_intervals.py`)."""

from __future__ import annotations

import numpy as np

__all__ = ["Misses"]

_SLOWEST = 25  # rows over which f reacts at least
_COUNTED = 1 << 16  # windows that are counted at once


class Misses:
    """The misses of a walk over windows, by the row at which each becomes known, and ln f, which follows them.

    An error is missed by a level where f is below a threshold of its own, for this level and each below it. The
    thresholds are found for many windows at once, so that a row takes one comparison.
    """

    def __init__(
        self,
        factors: np.ndarray,
        levels: tuple[float, ...],
        steps: np.ndarray,
        windows: tuple[np.ndarray, np.ndarray, np.ndarray],
        before: int,
        until: int,
    ) -> None:
        """factors: (S, L), ln f at the tick `before`. windows: series (N,), tick (N,) rising, errors (N, K) in units of
        the series' scale, NaN where unknown; those of targets up to `before` have been counted already."""
        self.factors = factors.copy()
        self._series, self._tick, self._errors = windows
        self._before, self._steps = before, steps
        self._known = np.isfinite(self._errors) & (self._tick[:, None] + steps > before)
        self._pace = 1.0 / max(int(steps[-1]), _SLOWEST)
        self._allowed = 1 - np.array(levels)[None, :, None]
        span = max(1, until - before + 1)
        # Targets behind the end are put there too, and not read.
        self._missed = np.zeros((span + int(steps[-1]), *factors.shape), np.float32)
        self._counted = self._count(span)

    def _count(self, span: int) -> np.ndarray:
        """(span, S, 1): how many errors of each series become known in each row."""
        found = np.zeros((span, len(self.factors)), np.float32)
        for at in range(0, len(self._tick), _COUNTED):
            rows = slice(at, at + _COUNTED)
            when = self._tick[rows, None] + self._steps - self._before
            row, step = np.nonzero(self._known[rows] & (when < span))
            np.add.at(found, (when[row, step], self._series[rows][row]), 1)
        return found[:, :, None]

    def go_on(self, start: int, end: int, bounds: np.ndarray, base: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """From the tick `start` up to `end`: ln f (N, L) of the windows whose origins lie between, at their origins.

        bounds: the first window of each tick from `before` on. base: centre and radius (S + 1, L, K).
        """
        first = bounds[start - self._before]
        threshold = self._thresholds(slice(first, bounds[end - self._before]), *base)
        found = np.empty(threshold.shape[:2])
        for told in range(start - self._before, end - self._before):
            if told > 0:
                self.factors += self._pace * self._missed[told] / np.maximum(self._counted[told], 1)
            one, two = bounds[told], bounds[told + 1]
            if one < two:
                at = slice(one - first, two - first)
                found[at] = self.factors[self._series[one:two]]
                wrong = np.logical_and.accumulate(np.exp(found[at])[:, :, None] < threshold[at], axis=1)
                self._put(slice(one, two), (wrong - self._allowed) * self._known[one:two, None], at_start=told == 0)
        return found

    def _thresholds(self, rows: slice, centre: np.ndarray, radius: np.ndarray) -> np.ndarray:
        """(N, L, K): the f below which the error lies beyond the end on its side; infinite where it always does."""
        who, error = self._series[rows], self._errors[rows][:, None]
        beyond = np.where(error < 0, centre[who] - error, error - centre[who])
        reach = radius[who]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(reach > 0, beyond / reach, np.where(beyond > 0, np.inf, -np.inf))
        return np.where(error == 0, -np.inf, found)  # the forecast itself is always held

    def _put(self, rows: slice, wrong: np.ndarray, *, at_start: bool) -> None:
        """Misses (N, L, K) of windows of one tick, or at the start of many, to the rows in which they become known."""
        if at_start:  # several windows of one series may have targets in the same row
            row, step = np.nonzero(self._known[rows])
            when = self._tick[rows][row] + self._steps[step] - self._before
            np.add.at(self._missed, (when, self._series[rows][row]), wrong[row, :, step])
            return
        when = self._tick[rows.start] + self._steps - self._before
        if len(wrong) == 1:
            self._missed[when, self._series[rows.start]] += wrong[0].T
        else:
            self._missed[when[:, None], self._series[rows]] += wrong.transpose(2, 0, 1)
