"""STL (Cleveland et al. 1990) of many windows of one length at once, the same bits as statsmodels for each alone.

What a loess makes of a point is a sum over its neighbours whose weights depend on the places alone. They are worked
out once for a length, and every sum is then taken in statsmodels' order over all windows together: 200 windows of 520
rows in the time of 5. No rows are weighed down as outliers, and every point is smoothed (no jumps).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["MOST_WEIGHTS", "seasonal_parts", "weights_needed"]

MOST_WEIGHTS = 4_000_000
"""Above so many weights (32 MB) a window is long enough that statsmodels loses no time on it."""
_SEASONAL = 7
_ROUNDS = 5
_TOGETHER = 64  # windows: what a pass reads and writes then fits the second-level cache


def weights_needed(rows: int, season: int) -> int:
    """How many weights a window of so many rows takes."""
    return rows * (_odd_above(season) + _trend_length(season))


def seasonal_parts(windows: np.ndarray, season: int) -> np.ndarray:
    """The seasonal part of each window: (N, rows) for windows (N, rows) of two seasons or more, both float64."""
    found = np.empty_like(windows)
    for first in range(0, len(windows), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        found[some] = _season(np.ascontiguousarray(windows[some].T), season).T
    return found


def _season(y: np.ndarray, season: int) -> np.ndarray:
    """The seasonal part of windows that stand side by side: (rows, N)."""
    rows = len(y)
    low_pass, trend_loess = _loess(rows, _odd_above(season)), _loess(rows, _trend_length(season))
    seasonal, trend = np.zeros_like(y), np.zeros_like(y)
    for _ in range(_ROUNDS):
        cycles = _smooth_cycles(y - trend, season)
        level = _moving_mean(_moving_mean(_moving_mean(cycles, season), season), 3)
        seasonal = cycles[season : season + rows] - low_pass(level)
        trend = trend_loess(y - seasonal)
    return seasonal


def _smooth_cycles(y: np.ndarray, season: int) -> np.ndarray:
    """Each place in the season smoothed over the seasons, and one season more on either side: (rows + 2 seasons, N)."""
    rows, count = y.shape
    cycles = -(-rows // season)
    full = (rows - 1) % season + 1  # places that the last season has too
    padded = np.zeros((cycles * season, count))
    padded[:rows] = y
    padded = padded.reshape(cycles, season, count)
    found = np.zeros((cycles + 2, season, count))
    for places, length in ((slice(0, full), cycles), (slice(full, season), cycles - 1)):
        part = padded[:length, places]
        if part.shape[1]:
            smoothed = _loess(length, _SEASONAL, beyond=True)(np.ascontiguousarray(part.reshape(length, -1)))
            found[: length + 2, places] = smoothed.reshape(length + 2, -1, count)
    return found.reshape(-1, count)[: rows + 2 * season]


def _moving_mean(x: np.ndarray, length: int) -> np.ndarray:
    """The mean of every `length` neighbouring rows, by a running sum."""
    steps = np.empty((len(x) - length + 1, x.shape[1]))
    steps[0] = np.cumsum(x[:length], axis=0)[-1]
    np.subtract(x[length:], x[: len(x) - length], out=steps[1:])
    return np.cumsum(steps, axis=0) / float(length)


@dataclass(frozen=True, eq=False)
class _Loess:
    """weights: (width, points, 1), left: (points,), the first row that each point reads."""

    weights: np.ndarray
    left: np.ndarray

    def __call__(self, y: np.ndarray) -> np.ndarray:
        total = np.zeros((len(self.left), y.shape[1]))
        read = np.empty_like(total)
        for number, weight in enumerate(self.weights):
            np.take(y, self.left + number, axis=0, out=read, mode="clip")
            read *= weight
            total += read
        return total


@lru_cache(maxsize=16)
def _loess(rows: int, width: int, *, beyond: bool = False) -> _Loess:
    """Local lines over `width` neighbours of each of `rows` points, and `beyond` of a point before and one behind."""
    wide = min(width, rows)
    points = np.arange(1, rows + 1)
    # A window stays at the first rows until its point is past the middle of it, and ends with the last row.
    left = np.clip(points - (width + 2) // 2, 0, rows - wide) if width < rows else np.zeros(rows, dtype=np.int64)
    if beyond:
        points = np.concatenate([[0], points, [rows + 1]])
        left = np.concatenate([[0], left, [rows - wide]])
    if rows < 2:  # a single row is what it is
        weights = np.ones((1, len(points), 1))
        return _Loess(weights, left)
    return _Loess(np.ascontiguousarray(_weights(points, left, wide, rows, width).T)[:, :, None], left)


def _weights(points: np.ndarray, left: np.ndarray, wide: int, rows: int, width: int) -> np.ndarray:
    """(points, wide): tricube weights of a local line, its sums in the order of the rows."""
    reach = np.maximum(points - left - 1, left + wide - points).astype(np.float64)
    if width > rows:
        reach += (width - rows) // 2.0
    place = left[:, None] + np.arange(1, wide + 1)
    distance = np.abs(place - points[:, None])
    # Of the C library, as statsmodels has it: NumPy's own powers differ in the last bit on some processors.
    known: dict[tuple[int, float], float] = {}
    weights = np.zeros(distance.shape)
    for at, (row, h) in enumerate(zip(distance.tolist(), reach.tolist())):
        for number, r in enumerate(row):
            if (r, h) not in known:
                known[r, h] = _tricube(float(r), h)
            weights[at, number] = known[r, h]
    weights /= _summed(weights)[:, None]
    centre = _summed(weights * place)
    apart = place - centre[:, None]
    spread = _summed(weights * (apart * apart))
    sloped = (reach > 0) & (np.sqrt(spread) > 0.001 * (rows - 1.0))
    slope = (points - centre)[sloped] / spread[sloped]
    weights[sloped] *= slope[:, None] * apart[sloped] + 1.0
    return weights


def _tricube(r: float, h: float) -> float:
    if r > 0.999 * h:
        return 0.0
    return 1.0 if r <= 0.001 * h else math.pow(1.0 - math.pow(r / h, 3.0), 3.0)


def _summed(values: np.ndarray) -> np.ndarray:
    """Row sums, one term after the other."""
    return np.cumsum(values, axis=1)[:, -1]


def _odd_above(season: int) -> int:
    return season + 1 + (season % 2)


def _trend_length(season: int) -> int:
    length = math.ceil(1.5 * season / (1 - 1.5 / _SEASONAL))
    return length + (length % 2 == 0)
