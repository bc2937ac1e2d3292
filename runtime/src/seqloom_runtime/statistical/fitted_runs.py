"""What fitted statistical methods share: their training rows, the origins that go on from them, their failures.

Parameters are fitted once per series, on one unbroken run of training rows: the longest in the stretch that holds the
series' last training row. They are then applied at every origin of that stretch from one season after the run's first
row. A missing value after the run is replaced by the last known one. Origins elsewhere are not scored: their rows of
the forecast are NaN, `scored_rows` finds the others, and the baseline's `note` says how many there are.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, TrainingError
from .target_history import Baseline, TargetHistory, check_origins, check_season, check_steps

__all__ = ["FEWEST_ROWS", "FittedRuns", "Run", "carried", "scored_rows"]

_LONGEST_SEASON = 1000
"""ETS keeps one state per row of the season."""
FEWEST_ROWS = 10
"""The heuristic for initial states regresses on ten rows."""


def scored_rows(forecast: np.ndarray) -> np.ndarray:
    """Which origins of a forecast (N, K) were scored: (N,) bool, those whose row holds no NaN."""
    return np.asarray(np.isfinite(forecast).all(axis=1))


@dataclass(frozen=True)
class Run:
    """A run of training rows of one series: its first row, its values, its stretch, and what was fitted on it."""

    first: int
    values: np.ndarray
    stretch: int
    fitted: Any = None


class FittedRuns(Baseline):
    """What all of them share once they are fitted: the rows of each fit, and origins that can't be scored."""

    statistical = True

    def __init__(self, season: float | None = None) -> None:
        rows = 1 if season is None else round(check_season(season))
        self.season = None if rows == 1 else rows
        self._rounding = ""
        if season is not None and rows != season:
            self._rounding = f"{self.name} took the season of {season:g} rows as {rows}."
        if self.season is not None and self.season > _LONGEST_SEASON:
            self._refuse_season(float(season or 0))
        self._left_season: int | None = None
        self.note = ""
        self._runs: dict[int, Run] = {}

    def _refuse_season(self, season: float) -> None:
        raise SettingError(
            f"season: {self.name!r} takes seasons of at most {_LONGEST_SEASON} rows, got {season:g}; "
            "use a shorter one (a day instead of a year) or the baseline 'seasonal'."
        )

    @property
    def parameters(self) -> int:
        """Smoothing parameters and initial states or seasonal factors, over all series."""
        return sum(self._count(run.fitted) for run in self._runs.values())

    @property
    def rows_needed(self) -> int:
        """Training rows in a row that a series must have: two seasons tell a season from a trend, and the heuristic
        for the initial states takes ten."""
        return FEWEST_ROWS + 2 * (self.season or 0)

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins in a fitted series' stretch, one season or more after its first fitted row: (N,) bool."""
        check_steps(steps)
        origins = check_origins(history, origins)
        series, stretch = history.series_of_row[origins], history.start[origins]
        good = np.zeros(len(origins), dtype=bool)
        for number, run in self._runs.items():
            # Smoothing carries its state from row to row; across a gap there is none to carry.
            good |= (series == number) & (stretch == run.stretch) & (origins >= run.first + (self.season or 1) - 1)
        return good

    def forecast(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Forecast as every baseline does: (N, K) float64, but NaN at origins that were not scored; see `note`.

        Raises NotFittedError before `fit`, TrainingError where a method fails, DataError where not one origin can be
        scored, or the history is neither the fitted one nor one that goes on from it (states need every row since).
        """
        if not self._runs:
            raise self._not_fitted()
        origins, steps = check_origins(history, origins), check_steps(steps)
        good = self.usable(history, origins, steps)
        if len(origins) and not good.any():
            raise DataError(
                f"Baseline {self.name!r} can score none of {len(origins)} origins: each lies across a gap from the "
                f"fitted rows of its series, or too near to their first; leave {self.name!r} out."
            )
        for number in np.unique(history.series_of_row[origins[good]]).tolist():
            self._check_continues(history, self._runs[number])
        result = np.full((len(origins), len(steps)), np.nan)
        try:
            with np.errstate(all="ignore"):
                result[good] = self._forecast(history, origins[good], steps)
        except (ValueError, ArithmeticError, IndexError, TypeError, np.linalg.LinAlgError) as error:
            if isinstance(error, DataError):
                raise
            raise TrainingError(f"Baseline {self.name!r} failed ({error}); leave it out.") from error
        done = int(scored_rows(result).sum())
        fewer = "" if done == len(origins) else self._say(done, len(origins))
        said = (self._rounding, self._without_season(), *self._remarks(), fewer)
        self.note = " ".join(filter(None, said))
        return result

    def _without_season(self) -> str:
        if self._left_season is None:
            return ""
        need = FEWEST_ROWS + 2 * self._left_season
        return (
            f"{self.name} was fitted without the season of {self._left_season} rows: that takes {need} training rows "
            "in a row, which no series has."
        )

    def fits(self, series: int) -> bool:
        """Whether that series of the fitted history had the rows to be fitted on."""
        return series in self._runs

    def _remarks(self) -> tuple[str, ...]:
        """What else the note says."""
        return ()

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        result = np.full((len(origins), len(steps)), np.nan)
        series = history.series_of_row[origins]
        for number in np.unique(series).tolist():
            mine, run = series == number, self._runs[number]
            values = carried(history.values[run.first : int(origins[mine].max()) + 1])
            result[mine] = self._apply(run.fitted, values, origins[mine] - run.first, steps)
        return result

    def _check_continues(self, history: TargetHistory, run: Run) -> None:
        last = run.first + len(run.values) - 1
        if not np.array_equal(run.values, history.values[run.first : last + 1]):
            raise DataError(
                f"Baseline {self.name!r} goes on from the rows it was fitted on, but this history holds other "
                f"values in rows {run.first} to {last}; give the fitted history, or that with later rows appended."
            )

    def _say(self, done: int, asked: int) -> str:
        return f"{self.name} was scored at {done} of {asked} origins; the others don't follow on fitted rows."

    @abstractmethod
    def _apply(self, fitted: Any, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _count(self, fitted: Any) -> int: ...


def carried(values: np.ndarray) -> np.ndarray:
    """Missing values replaced by the last known one before them; the first value is known."""
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))
    return values[last]
