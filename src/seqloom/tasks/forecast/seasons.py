"""The season of rows whose times tell none, found in the training rows: a lag at which their steps repeat."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.forecast.known_rows import observed

__all__ = ["found_season"]

_MOST_ROWS = 4000  # the last ones of a series
_MOST_SERIES = 30  # the longest ones
_CYCLES = 3  # that the rows must hold
_LEAST = 0.3  # autocorrelation of the steps
_ENOUGH = 0.7  # however few the rows
_BETTER = 0.1  # that a longer season must be above a shorter one: its multiples repeat too


def found_season(panel: Panel, target: str, before: int) -> int | None:
    """The season in rows that the target repeats in rows before the tick `before`, or None.

    The lag, from 2 rows to a third of the rows, at which the autocorrelation of the steps from row to row has its
    highest peak, if that is at least 0.3 and clear of chance; of many series on the mean.

    >>> rows = np.arange(200)
    >>> panel = Panel.from_numpy(np.sin(2 * np.pi * rows / 24) + 0.01 * rows, ["y"])
    >>> found_season(panel, "y", 140)
    24
    """
    pieces = [_steps(panel.series(number), target, before) for number in range(len(panel.ids))]
    pieces = sorted((piece for piece in pieces if len(piece) >= 2 * _CYCLES), key=len, reverse=True)[:_MOST_SERIES]
    if not pieces:
        return None
    longest = len(pieces[0]) // _CYCLES
    total, weight = np.zeros(longest + 2), np.zeros(longest + 2)
    for piece in pieces:
        lags = min(len(piece) // _CYCLES, longest) + 2
        each = _autocorrelation(piece, lags)
        if each is not None:
            total[:lags] += len(piece) * each
            weight[:lags] += len(piece)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    rows = sum(map(len, pieces))
    # Steps between values without a pattern have autocorrelations of about 1.2 / √rows, and many lags are looked at.
    least = max(_LEAST, min(4 / np.sqrt(rows), _ENOUGH))
    best: int | None = None
    for lag in range(2, longest + 1):
        # Rows of a smooth and noisy line are alike two rows apart too, but not much less so at every lag between.
        peak = mean[lag] > mean[lag - 1] and mean[lag] >= mean[lag + 1] and mean[lag] > mean[1:lag].min() + _LEAST
        if peak and mean[lag] > least and (best is None or mean[lag] > mean[best] + _BETTER):
            best = lag
    return best


def _steps(series: Panel, target: str, before: int) -> np.ndarray:
    """The steps between neighbouring rows in the last stretch before the tick without a missing value."""
    series = series.take(series.tick < before)
    known = observed(series, target)
    if not known.any():
        return np.empty(0)
    last = int(np.flatnonzero(known)[-1])
    broken = ~known[: last + 1]
    broken[1:] |= np.diff(series.tick[: last + 1]) != 1
    cut = np.flatnonzero(broken)
    first = int(cut[-1]) + (0 if known[cut[-1]] else 1) if len(cut) else 0
    return np.diff(series.column(target)[first : last + 1][-_MOST_ROWS:])


def _autocorrelation(steps: np.ndarray, lags: int) -> np.ndarray | None:
    """At lags 0 to `lags` - 1; None of steps that don't vary."""
    steps = steps - steps.mean()
    if not np.abs(steps).max() > 0:
        return None
    steps = steps / np.abs(steps).max()
    spectrum = np.fft.rfft(steps, 2 * len(steps))
    found = np.fft.irfft(spectrum * np.conj(spectrum))[:lags]
    return found / found[0]
