"""STL+ETS as it is applied: exponential smoothing of what STL leaves, and the last season that STL saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, SettingError
from .exponential import ETSFit, ets_states, initial_states
from .fitted_runs import FEWEST_ROWS, FittedRuns
from .target_history import TargetHistory, check_origins

__all__ = ["AppliedSTLETS", "STLFit"]

_NEAR = 1e-9  # of the largest value: by how much rest and season, added up, may miss the rows


@dataclass(frozen=True, eq=False)
class STLFit:
    """ets: fitted on the training rows without their season. rest, season (W,): the last W of `rows` rows since the
    first fitted one, as STL took them apart, where they were kept."""

    ets: ETSFit
    rows: int = 0
    rest: np.ndarray | None = None
    season: np.ndarray | None = None


class AppliedSTLETS(FittedRuns):
    """STL takes the season out (Cleveland et al. 1990), ETS forecasts the rest, the last season is put back.

    STL's curves change with later rows: without it, forecasts are from the rows that were kept alone.
    """

    name = "stl-ets"

    def __init__(self, season: float) -> None:
        super().__init__(season)
        if self.season is None:
            raise SettingError(f"season: 'stl-ets' needs a season of 2 rows or more, got {season:g}.")

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins in a fitted series' stretch with two seasons and ten rows from its first fitted row on: (N,) bool."""
        origins = check_origins(history, origins)
        good = super().usable(history, origins, steps)
        first = np.zeros(len(origins), dtype=np.int64)
        for number, run in self._runs.items():
            first[history.series_of_row[origins] == number] = run.first
        return good & (origins - first + 1 >= 2 * (self.season or 1) + FEWEST_ROWS)

    def _apply(self, fitted: STLFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return self._ahead(fitted, *self._split(fitted, values), steps)[None]

    def _ahead(self, fitted: STLFit, rest: np.ndarray, seasonal: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """(K,): from the end of a window that was taken apart into `rest` and `seasonal`."""
        # The window moves with the origin, so its first state is not that of the fit.
        ets = fitted.ets
        start = initial_states(rest, ets.trend)
        here = ETSFit(ets.trend, None, ets.params, ets.damping, start[0], start[1], None)
        level, slope, _ = ets_states(here, rest)
        result = np.full(len(steps), level[-1])
        if slope is not None:
            result += slope[-1] * np.cumsum(ets.damping ** np.arange(1, int(steps.max()) + 1))[steps - 1]
        season = self.season or 1
        # The last season that STL saw is repeated; it has no forecast of its own.
        return result + seasonal[len(rest) - season + (steps - 1) % season]

    def _split(self, fitted: STLFit, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last rows of `values` without their season, and their season."""
        if fitted.rest is not None and fitted.season is not None and fitted.rows == len(values):
            recent = values[-len(fitted.rest) :]
            if np.abs(fitted.rest + fitted.season - recent).max() <= _NEAR * np.abs(recent).max():
                return fitted.rest, fitted.season
        raise DataError(
            "'stl-ets' takes the season out of new rows anew, which needs the packages seqloom and statsmodels: use "
            "seqloom predict."
        )

    def _count(self, fitted: STLFit) -> int:
        return fitted.ets.count
