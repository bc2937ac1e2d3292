"""Intermittent demand: series of which most rows are 0, forecast by their mean demand a row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import product
from typing import Any, Self

import numpy as np

from ..errors import DataError
from .target_history import Baseline, TargetHistory

__all__ = ["TSB", "Croston"]

_GRID = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)


class _Intermittent(Baseline):
    """What both share: smoothing chosen per series on training rows, and states that any history gives."""

    def __init__(self) -> None:
        self._chosen: np.ndarray | None = None
        self._count = 0

    @property
    def parameters(self) -> int:
        """The chosen numbers of each series with training rows."""
        return self._count

    def fit(self, history: TargetHistory) -> Self:
        """Choose the smoothing of each series by its squared one-step errors; DataError without training rows."""
        known = history.known
        if not known.any():
            raise DataError("train: no training row has a value, so there is nothing to choose the smoothing on.")
        options = self._options()
        series = history.series_of_row
        count = int(series.max()) + 1
        error = np.zeros((len(options), count))
        rows = np.flatnonzero(known)
        # A row is scored where the row before it lies in the same stretch.
        rows = rows[rows > history.start[rows]]
        last = int(rows.max(initial=-1))
        for number, option in enumerate(options):
            level = self._levels(history, np.array(option), last)
            miss = history.values[rows] - level[rows - 1]
            error[number] = np.bincount(series[rows], weights=np.nan_to_num(miss) ** 2, minlength=count)
        # The last one is for a series without training rows: what suits all together, each in its own unit.
        size = np.maximum(error.max(axis=0), 1e-300)
        best = np.append(error.argmin(axis=0), (error / size).sum(axis=1).argmin())
        seen = np.zeros(count + 1, dtype=bool)
        seen[np.unique(series[rows])] = True
        best[~seen] = best[-1]
        self._chosen = np.array(options)[best]
        self._count = len(options[0]) * len(np.unique(series[known]))
        return self

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        if self._chosen is None:
            raise self._not_fitted()
        result = np.empty(len(origins))
        place = np.minimum(history.series_of_row[origins], len(self._chosen) - 1)
        for number in np.unique(place).tolist():
            mine = place == number
            result[mine] = self._levels(history, self._chosen[number], int(origins[mine].max()), origins[mine])
        return np.repeat(result[:, None], len(steps), axis=1)

    def _levels(
        self, history: TargetHistory, option: np.ndarray, last: int, origins: np.ndarray | None = None
    ) -> np.ndarray:
        """The forecast after every row up to `last` (R,), or after each of `origins` (N,)."""
        found = np.zeros(last + 1)
        wanted = None if origins is None else set(np.unique(history.start[origins]).tolist())
        for first, end in _stretches(history, last):
            if wanted is None or first in wanted:
                found[first:end] = self._stretch(history.values[first:end], option)
        return found if origins is None else found[origins]

    def _stretch(self, values: np.ndarray, option: np.ndarray) -> np.ndarray:
        """The forecast after every row of a stretch (n,): 0 before the first demand, missing rows change nothing."""
        there = np.isfinite(values)
        known = values[there]
        demand = np.flatnonzero(known)
        level = np.zeros(len(known))
        if len(demand):
            level[demand[0] :] = self._smoothed(known, demand, option)
        # Each row takes the forecast after the last row that has a value.
        count = np.cumsum(there)
        return np.append(0.0, level)[count]

    @abstractmethod
    def _options(self) -> list[tuple[float, ...]]: ...

    @abstractmethod
    def _smoothed(self, values: np.ndarray, demand: np.ndarray, option: np.ndarray) -> np.ndarray:
        """The forecast after every row from the first demand on, whose rows are `demand` (D,)."""


class Croston(_Intermittent):
    """Croston's method: f = c z / p, of the smoothed size z of a demand and the smoothed rows p between two.

    z and p are smoothed with alpha at each row that is not 0; c is 1 (Croston 1972) or 1 − alpha / 2 (Syntetos & Boylan
    2005, which is unbiased). alpha and c have the smallest squared one-step error on the series' training rows.

    >>> history = TargetHistory.single([0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0])
    >>> Croston().fit(history).forecast(history, [6], [1, 2]).round(2).tolist()
    [[1.7, 1.7]]
    """

    name = "croston"

    def _options(self) -> list[tuple[float, ...]]:
        return [*((alpha, 1.0) for alpha in _GRID), *((alpha, 1.0 - alpha / 2) for alpha in _GRID)]

    def _smoothed(self, values: np.ndarray, demand: np.ndarray, option: np.ndarray) -> np.ndarray:
        size = _smooth(values[demand], option[0])
        # The rows before the first demand, and it itself, are the first interval.
        apart = _smooth(np.diff(demand, prepend=-1).astype(np.float64), option[0])
        place = np.searchsorted(demand, np.arange(demand[0], len(values)), side="right") - 1
        return option[1] * size[place] / apart[place]


class TSB(_Intermittent):
    """Teunter, Syntetos & Babai (2011): f = d z, of the smoothed size z of a demand and its smoothed probability d.

    d is smoothed with beta at every row, so a demand that ends is forgotten; z with alpha at each row that is not 0.
    alpha and beta have the smallest squared one-step error on the series' training rows.

    >>> history = TargetHistory.single([0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0])
    >>> TSB().fit(history).forecast(history, [6], [1, 2]).round(2).tolist()
    [[1.96, 1.96]]
    """

    name = "tsb"

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: a pass over the rows for each of 49 options."""
        return 1e-5 * rows

    def _options(self) -> list[tuple[float, ...]]:
        return list(product(_GRID, _GRID))

    def _smoothed(self, values: np.ndarray, demand: np.ndarray, option: np.ndarray) -> np.ndarray:
        size = _smooth(values[demand], option[0])
        rows = np.arange(demand[0], len(values))
        happened = (values[rows] != 0).astype(np.float64)
        # The probability begins with what the first interval says.
        happened[0] = 1.0 / (demand[0] + 1)
        return _smooth(happened, option[1]) * size[np.searchsorted(demand, rows, side="right") - 1]


def _smooth(values: np.ndarray, alpha: Any) -> np.ndarray:
    """s_t = alpha v_t + (1 − alpha) s_{t−1} from s_0 = v_0, after every value; a loop, since NumPy has no filter."""
    found = np.empty(len(values))
    level = float(values[0])
    for place, value in enumerate(values.tolist()):
        level += alpha * (value - level)
        found[place] = level
    return found


def _stretches(history: TargetHistory, last: int) -> Iterator[tuple[int, int]]:
    """The first row and the end of each gap-free stretch up to the row `last`."""
    first = np.unique(history.start[: last + 1])
    yield from zip(first.tolist(), [*first[1:].tolist(), last + 1])
