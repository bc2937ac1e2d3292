"""A baseline of the logarithms: for series whose swings grow with their level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from ..errors import DataError
from .target_history import Baseline, TargetHistory, check_origins

__all__ = ["Logged"]

_FACTOR = 2.0
"""How far below the smallest and above the largest row up to an origin a forecast may lie, as a factor."""


class Logged(Baseline):
    """Another baseline, fitted on and applied to log y; f = exp of its forecast, which is the median ahead.

    All training rows must be above 0. A later row that isn't is read as the smallest training row of its series.
    A small step in the logarithm is a large one of the target, so a forecast is cut at half the smallest and twice the
    largest row of the series' training rows and its rows up to the origin; `note` says at how many origins.
    """

    def __init__(self, inner: Baseline) -> None:
        self.inner, self._plain = inner, inner.name
        self.statistical = inner.statistical
        # The other one speaks under this name too: what it says is of the logarithms.
        self.name = inner.name = f"log-{self._plain}"
        self.note = ""
        self._least: np.ndarray | None = None
        self._most = np.empty(0)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest training row of each series, and of all together, (S + 1,) each."""
        if self._least is None:
            raise self._not_fitted()
        return self._least, self._most

    @bounds.setter
    def bounds(self, found: tuple[np.ndarray, np.ndarray]) -> None:
        self._least, self._most = found

    @property
    def parameters(self) -> int:
        """Those of the other baseline."""
        return self.inner.parameters

    def fit(self, history: TargetHistory) -> Self:
        """Fit the other baseline on the logarithms; raises DataError where a training row is 0 or less."""
        known = history.known
        if not known.any():
            raise DataError("train: no training row has a value, so there is nothing to fit.")
        low = history.values[known].min()
        if low <= 0:
            row = int(np.flatnonzero(known & (history.values == low))[0])
            raise DataError(
                f"Baseline {self.name!r} takes logarithms, and the training rows hold {low:g} (row {row}); use "
                f"{self._plain!r} or leave it out."
            )
        count = int(history.series_of_row[known].max()) + 1
        # The last place is for a series without training rows.
        least, most = np.full(count + 1, np.inf), np.full(count + 1, -np.inf)
        np.minimum.at(least, history.series_of_row[known], history.values[known])
        np.maximum.at(most, history.series_of_row[known], history.values[known])
        least[~np.isfinite(least)], most[~np.isfinite(most)] = low, history.values[known].max()
        self._least, self._most = least, most
        self.inner.fit(self.logarithms(history))
        return self

    def fits(self, series: int) -> bool:
        """As of the other baseline."""
        return self.inner.fits(series)

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Where the other baseline can be used: (N,) bool."""
        return self.inner.usable(self.logarithms(history), origins, steps)

    def forecast(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """As the other baseline forecasts; NaN where it could not."""
        if self._least is None:
            raise self._not_fitted()
        logarithms = self.logarithms(history)
        found = self.inner.forecast(logarithms, origins, steps)
        low, high = self._bounds(history, check_origins(history, origins))
        with np.errstate(over="ignore"):
            values = np.exp(found)
        bounded = np.clip(values, low[:, None], high[:, None])
        cut = int(((bounded != values) & np.isfinite(found)).any(axis=1).sum())
        said = f"{self.name} ran away at {cut} of {len(found)} origins, and was cut there." if cut else ""
        self.note = " ".join(filter(None, (self.inner.note, said)))
        return bounded

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return self.forecast(history, origins, steps)

    def _place(self, history: TargetHistory) -> np.ndarray:
        """Row of the fitted bounds for each row of the history."""
        assert self._least is not None
        return np.minimum(history.series_of_row, len(self._least) - 1)

    def logarithms(self, history: TargetHistory) -> TargetHistory:
        """The history of the logarithms; raises NotFittedError before `fit`."""
        if self._least is None:
            raise self._not_fitted()
        values = history.values
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.log(np.where(values > 0, values, self._least[self._place(history)]))
        return replace(history, values=np.where(np.isnan(values), np.nan, found))

    def _bounds(self, history: TargetHistory, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self._least is not None
        place = self._place(history)
        low, high = self._least[place[origins]].copy(), self._most[place[origins]].copy()
        values = history.values
        for start in np.unique(history.start[origins]).tolist():
            mine = history.start[origins] == start
            rows = values[start : int(origins[mine].max()) + 1]
            least = np.minimum.accumulate(np.where(rows > 0, rows, np.inf))
            most = np.maximum.accumulate(np.where(np.isfinite(rows), rows, -np.inf))
            low[mine] = np.minimum(low[mine], least[origins[mine] - start])
            high[mine] = np.maximum(high[mine], most[origins[mine] - start])
        return low / _FACTOR, high * _FACTOR
