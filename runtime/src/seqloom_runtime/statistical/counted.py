"""Statistical methods chosen by a criterion, whose forecasts can't run away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from .fitted_runs import FittedRuns, carried
from .target_history import TargetHistory

__all__ = ["Counted"]

_NAMED = 3  # series at most whose models the note names
_AWAY = 3.0
"""Ranges of the rows up to an origin by which a forecast may leave them."""


class Counted(FittedRuns):
    """A `FittedRuns` with a longest season that it models, and bounds around its forecasts."""

    longest_season: ClassVar[int] = 1000
    criterion: ClassVar[str] = "AICc"

    def __init__(self, season: float | None = None) -> None:
        super().__init__(season)
        self._unseasonal = ""
        if self.season is not None and self.season > self.longest_season:
            self._unseasonal = (
                f"{self.name} models seasons of at most {self.longest_season} rows, so it was fitted without the one "
                f"of {self.season:,} rows."
            )
            self.season, self._rounding = None, ""
        self._clipped = 0

    def _refuse_season(self, season: float) -> None:
        """A season too long to model is left out and told, not refused."""

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        result = super()._forecast(history, origins, steps)
        low, high = self._bounds(history, origins)
        bounded = np.clip(result, low[:, None], high[:, None])
        self._clipped = int((bounded != result).any(axis=1).sum())
        return bounded

    def _bounds(self, history: TargetHistory, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows up to each origin, and three of their ranges below and above: (N,) each."""
        low, high = np.empty(len(origins)), np.empty(len(origins))
        series = history.series_of_row[origins]
        for number in np.unique(series).tolist():
            mine, run = series == number, self._runs[number]
            values = carried(history.values[run.first : int(origins[mine].max()) + 1])
            least, most = np.minimum.accumulate(values), np.maximum.accumulate(values)
            at = origins[mine] - run.first
            away = _AWAY * np.maximum(most[at] - least[at], np.ptp(run.values))
            low[mine], high[mine] = least[at] - away, most[at] + away
        return low, high

    def _remarks(self) -> tuple[str, ...]:
        cut = f"{self.name} ran away from the rows before it at {self._clipped} origins, and was cut there."
        return (self._unseasonal, *self._chosen(), cut if self._clipped else "")

    def _chosen(self) -> tuple[str, ...]:
        """Which models were chosen."""
        return ()

    def _named(self, names: Iterable[str], ending: str = "") -> tuple[str, ...]:
        """The sentence for `_chosen`, where the series are few enough to name their models."""
        if len(self._runs) > _NAMED:
            return ()
        return (f"{', '.join(dict.fromkeys(names))}, chosen by {self.criterion}{ending}.",)
