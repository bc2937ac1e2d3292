"""Weighted conformal quantiles of past errors, which rolling intervals are made of (`rolling_intervals.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["FORGOTTEN", "coming_of", "quantiles", "quantiles_at", "stride_of"]

FORGOTTEN = 10  # half-lives after which an error weighs less than a thousandth and is left out
_HIGH = 0.9  # from which level on
_SHARED = 0.5  # the next error k steps ahead weighs k to this power: windows that overlap share what they miss
_ROWS_SORTED = 4_000  # windows that quantiles are taken over; of more, equally spaced ones
_ROWS_ALONE = 500  # the same of a group of one series
_TAILS = 20.0  # total weight of errors at which the tails count a quarter, half of the most they can


def quantiles(
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
    middle, above, below = np.empty(shape), np.empty(shape), np.empty(shape)
    for place, level in enumerate(levels):
        next_one = coming if level >= _HIGH else np.ones_like(coming)
        middle[place] = sizes.at(level, next_one)
        above[place] = signed.at((1 + level) / 2, next_one)
        below[place] = flipped.at((1 + level) / 2, next_one)
    return _around(middle, above, below, total)


def quantiles_at(
    kernel: Any,
    windows: tuple[np.ndarray, np.ndarray],
    steps: np.ndarray,
    now: np.ndarray,
    since: int,
    half_life: int,
    levels: tuple[float, ...],
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radius (R, L, K) from the errors of one series that are known at each tick of `now` (R,), rising.

    windows: tick (N,) rising and errors (N, K). What the compiled module's `interval_quantiles` finds is what
    `quantiles` gives at each tick, to the bit: it keeps sorted what stays known from one tick to the next.
    """
    tick, errors = windows
    shape = (len(now), len(levels), len(steps))
    found, total = np.empty((3, *shape)), np.empty((len(now), len(steps)))
    weights = 0.5 ** (np.arange(FORGOTTEN * half_life + int(steps[-1]) + 1) / half_life)
    shared, ends = steps**_SHARED, np.array(levels, np.float64)
    tick, steps, now = (np.ascontiguousarray(part, np.int64) for part in (tick, steps, now))
    errors = np.ascontiguousarray(errors, np.float64)
    kernel(tick, errors, steps, now, since, weights, _ROWS_ALONE, ends, shared, _HIGH, found, total, threads)
    return _around(found[0], found[1], found[2], total[:, None])


def stride_of(windows: int, *, alone: bool) -> int:
    """Of how many windows one is taken, where the errors are those of a series alone or of many."""
    return max(1, windows // (_ROWS_ALONE if alone else _ROWS_SORTED))


def coming_of(steps: np.ndarray, stride: int) -> np.ndarray:
    """(K,): the weight of the next error for the high levels."""
    return np.maximum(steps**_SHARED / stride, 1.0)


def _around(
    middle: np.ndarray, above: np.ndarray, below: np.ndarray, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radius (…, L, K) from the quantiles of |error|, error and minus error, and the total weight (…, K)."""
    tails = 0.5 * total / (total + _TAILS)
    high = (1 - tails) * middle + tails * above
    low = (1 - tails) * -middle - tails * below
    return (low + high) / 2, (high - low) / 2


class _Sorted:
    """Values (K, N) with weights, sorted once, for weighted conformal quantiles."""

    def __init__(self, values: np.ndarray, weight: np.ndarray, last: np.ndarray) -> None:
        self._values, self._weight, self._last = values, weight, last
        self._mass = np.cumsum(weight, axis=1)

    @classmethod
    def make(cls, values: np.ndarray, weight: np.ndarray) -> _Sorted:
        """What weighs nothing goes last, so that the largest known value is found before it."""
        # Equal values in the order of their rows, so that masses are added in one order.
        order = np.argsort(np.where(weight > 0, values, np.inf), axis=1, kind="stable")
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
