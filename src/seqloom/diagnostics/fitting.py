"""What the fits of statistical methods share: their training rows, the limit of work, the failures of statsmodels.

Parameters are fitted once per series, on one unbroken run of training rows: the longest in the stretch that holds the
series' last training row. How they are applied is the runtime's part: `seqloom_runtime.statistical.fitted_runs`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import numpy as np

from seqloom_runtime.errors import DataError, SettingError, TrainingError
from seqloom_runtime.extras import need
from seqloom_runtime.statistical.fitted_runs import FEWEST_ROWS, FittedRuns, Run
from seqloom_runtime.statistical.target_history import TargetHistory

__all__ = ["Fitting", "quiet"]


class Fitting(FittedRuns):
    """What fits a statistical method: put before the class that applies it.

    time_limit: units of work (`work`) that a fit may be; above it, it is refused before it begins, on any machine.
    seasonless: whether a model without a season is fitted where no series has the rows for one; the note says so.
    """

    seasonless = False

    def __init__(self, season: float | None = None, time_limit: float = 30.0) -> None:
        if not (np.isfinite(time_limit) and time_limit > 0):
            raise SettingError(f"time_limit: expected a number of units of work above 0, got {time_limit}.")
        super().__init__(season)
        self.time_limit = float(time_limit)

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """What fitting one series costs, in the unit of `baseline_cost`."""
        return 1e-6 * rows

    def fit(self, history: TargetHistory) -> Self:
        """Fit each series that has enough training rows.

        Raises DataError where no series can be fitted, TrainingError where the estimated work is above the limit or
        statsmodels fails, MissingDependencyError without statsmodels.
        """
        need("statsmodels", f"the baseline {self.name!r}")
        self._runs, self.note = {}, ""
        if self._left_season is not None:  # by an earlier fit
            self.season, self._left_season = self._left_season, None
        self._check_work(history)
        runs = {
            series: _training_run(history, series)
            for series in np.unique(history.series_of_row[history.known]).tolist()
        }
        longest = max((len(run.values) for run in runs.values()), default=0)
        if self.seasonless and self.season and FEWEST_ROWS <= longest < self.rows_needed:
            self.season, self._left_season = None, self.season
        needed = self.rows_needed
        for series, run in runs.items():
            values = run.values
            # On a constant the likelihood of exponential smoothing is unbounded.
            if len(values) < needed or values.min() == values.max():
                continue
            self._runs[series] = replace(run, fitted=_guarded(self.name, lambda values=values: self._fit_run(values)))
        if not self._runs and longest < needed:
            season = f" for a season of {self.season} rows" if self.season else ""
            raise DataError(
                f"Baseline {self.name!r} needs {needed} training rows in a row without a gap or a missing value"
                f"{season}, there are {longest}; use a longer training part or leave {self.name!r} out."
            )
        if not self._runs:
            raise DataError(f"Baseline {self.name!r} can't be fitted: the training rows are constant; use 'naive'.")
        return self

    def _check_work(self, history: TargetHistory) -> None:
        numbers = np.unique(history.series_of_row[history.known]).tolist()
        rows = np.bincount(history.series_of_row[history.known])
        estimate = sum(self.work(int(rows[number]), self.season) for number in numbers)
        if estimate > self.time_limit:
            amount = f"{estimate:,.0f}" if estimate >= 10 else f"{estimate:.2g}"
            raise TrainingError(
                f"Baseline {self.name!r} is estimated at {amount} units of work (about a second each) for "
                f"{len(numbers):,} series of {int(rows.max()):,} training rows at most, above its limit of "
                f"{self.time_limit:g}; leave it out, raise time_limit, or name fewer series."
            )

    @abstractmethod
    def _fit_run(self, values: np.ndarray) -> Any: ...


@contextmanager
def quiet() -> Iterator[None]:
    """statsmodels warns about convergence and starting values; what matters is checked here instead."""
    # Its first import sets filters of its own, which must not come behind ours.
    import statsmodels.tools.sm_exceptions  # noqa: F401

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _guarded(name: str, work: Callable[[], Any]) -> Any:
    try:
        with quiet():
            return work()
    except (ValueError, ArithmeticError, IndexError, TypeError, np.linalg.LinAlgError) as error:
        raise TrainingError(f"Baseline {name!r} failed in statsmodels ({error}); leave it out.") from error


def _training_run(history: TargetHistory, series: int) -> Run:
    """The longest unbroken run of training rows in the last stretch of the series that has any."""
    rows = np.flatnonzero(history.known & (history.series_of_row == series))
    stretch = int(history.start[rows[-1]])
    rows = rows[history.start[rows] == stretch]
    longest = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
    return Run(int(longest[0]), history.values[longest], stretch)
