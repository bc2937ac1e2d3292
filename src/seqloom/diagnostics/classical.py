"""ETS, Theta and STL+ETS of statsmodels as baselines, under a time limit.

Parameters are fitted once per series, on one unbroken run of training rows: the longest in the stretch that holds the
series' last training row. They are then applied at every origin of that stretch from one season after the run's first
row. A missing value after the run is replaced by the last known one. Origins elsewhere, and for STL+ETS those beyond an
evenly spaced choice, are not scored: their rows of the forecast are NaN, `scored_rows` finds the others, and the
baseline's `note` says how many there are.
"""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ..errors import DataError, SettingError, TrainingError
from ..extras import need
from .exponential import FEWEST_ROWS, ETSFit, TimeUp, ets_states, fit_ets, initial_states
from .target_history import Baseline, TargetHistory, check_origins, check_season, check_steps

__all__ = ["ETS", "STLETS", "Theta", "scored_rows"]

_LONGEST_SEASON = 1000
"""ETS keeps one state per row of the season, and all of them for every row of a chunk."""
_STL_SEASONS = 10
"""STL's seasonal smoother spans 7 seasons, its trend smoother under 2: what lies further back hardly counts."""
_STL_ROWS = 500
"""The window is never shorter than this, so that short seasons leave the smoothing parameters enough rows."""


def scored_rows(forecast: np.ndarray) -> np.ndarray:
    """Which origins of a forecast (N, K) were scored: (N,) bool, those whose row holds no NaN."""
    return np.asarray(np.isfinite(forecast).all(axis=1))


@dataclass(frozen=True)
class _Run:
    """A run of training rows of one series: its first row, its values, its stretch, and what was fitted on it."""

    first: int
    values: np.ndarray
    stretch: int
    fitted: Any = None


class _Classical(Baseline):
    """What the three share: the choice of training rows, the clock, and origins that can't be scored."""

    def __init__(self, season: float | None = None, time_limit: float = 30.0) -> None:
        if not (np.isfinite(time_limit) and time_limit > 0):
            raise SettingError(f"time_limit: expected a number of seconds above 0, got {time_limit}.")
        rows = 1 if season is None else round(check_season(season))
        self.season = None if rows == 1 else rows
        self._rounding = ""
        if season is not None and rows != season:
            self._rounding = f"{self.name} took the season of {season:g} rows as {rows}."
        if self.season is not None and self.season > _LONGEST_SEASON:
            raise SettingError(
                f"season: {self.name!r} takes seasons of at most {_LONGEST_SEASON} rows, got {season:g}; "
                "use a shorter one (a day instead of a year) or the baseline 'seasonal'."
            )
        self.time_limit = float(time_limit)
        self.note = ""
        self._runs: dict[int, _Run] = {}

    @property
    def parameters(self) -> int:
        """Smoothing parameters and initial states or seasonal factors, over all series."""
        return sum(self._count(run.fitted) for run in self._runs.values())

    def fit(self, history: TargetHistory) -> Self:
        """Fit each series that has enough training rows, all of them together within the time limit.

        Raises DataError where no series can be fitted, TrainingError where statsmodels fails or the time is over (a
        Theta fit can't be interrupted: its limit is checked afterwards), MissingDependencyError without statsmodels.
        """
        need("statsmodels", f"the baseline {self.name!r}")
        deadline = time.monotonic() + self.time_limit
        # Two seasons tell a season from a trend; the heuristic for the initial states takes ten rows.
        needed = FEWEST_ROWS + 2 * (self.season or 0)
        self._runs, self.note = {}, ""
        longest = 0
        # One deadline for all series: a time limit that each had would mean hours for a thousand of them.
        for series in np.unique(history.series_of_row[history.known]).tolist():
            run = _training_run(history, series)
            values = run.values
            longest = max(longest, len(values))
            # On a constant the likelihood of exponential smoothing is unbounded.
            if len(values) < needed or values.min() == values.max():
                continue
            fitted = _guarded(self.name, lambda values=values: self._fit_run(values, deadline), self.time_limit)
            self._runs[series] = replace(run, fitted=fitted)
        if not self._runs and longest < needed:
            season = f" for a season of {self.season} rows" if self.season else ""
            raise DataError(
                f"Baseline {self.name!r} needs {needed} training rows in a row without a gap or a missing value"
                f"{season}, there are {longest}; use a longer training part or leave {self.name!r} out."
            )
        if not self._runs:
            raise DataError(f"Baseline {self.name!r} can't be fitted: the training rows are constant; use 'naive'.")
        return self

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

        Raises NotFittedError before `fit`, TrainingError where statsmodels fails, DataError where not one origin can be
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
        result[good] = _guarded(self.name, lambda: self._forecast(history, origins[good], steps), self.time_limit)
        done = int(scored_rows(result).sum())
        self.note = " ".join(
            filter(None, (self._rounding, "" if done == len(origins) else self._say(done, len(origins))))
        )
        return result

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        result = np.full((len(origins), len(steps)), np.nan)
        series = history.series_of_row[origins]
        for number in np.unique(series).tolist():
            mine, run = series == number, self._runs[number]
            values = _carried(history.values[run.first : int(origins[mine].max()) + 1])
            result[mine] = self._apply(run.fitted, values, origins[mine] - run.first, steps)
        return result

    def _check_continues(self, history: TargetHistory, run: _Run) -> None:
        last = run.first + len(run.values) - 1
        if not np.array_equal(run.values, history.values[run.first : last + 1]):
            raise DataError(
                f"Baseline {self.name!r} goes on from the rows it was fitted on, but this history holds other "
                f"values in rows {run.first} to {last}; give the fitted history, or that with later rows appended."
            )

    def _say(self, done: int, asked: int) -> str:
        return f"{self.name} was scored at {done} of {asked} origins; the others don't follow on fitted rows."

    @abstractmethod
    def _fit_run(self, values: np.ndarray, deadline: float) -> Any: ...

    @abstractmethod
    def _apply(self, fitted: Any, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _count(self, fitted: Any) -> int: ...


class ETS(_Classical):
    """Exponential smoothing with additive errors: a level, perhaps a damped trend, perhaps a season.

    The model is chosen by AIC on the training rows (Hyndman et al. 2008, chapters 2 and 4); multiplicative seasonality
    is tried where all training values are above 0. f = l + (phi + … + phi^h) b, plus or times the season's last state.
    season: rows in a season, rounded to a whole number, or None.
    """

    name = "ets"

    def _fit_run(self, values: np.ndarray, deadline: float) -> ETSFit:
        kinds: list[str | None] = [None]
        if self.season:
            kinds += ["add", "mul"] if values.min() > 0 else ["add"]
        return fit_ets(values, [(trend, kind) for kind in kinds for trend in (False, True)], self.season, deadline)

    def _apply(self, fitted: ETSFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        level, slope, season = ets_states(fitted, values)
        result = np.repeat(level[at, None], len(steps), axis=1)
        if slope is not None:
            # phi + phi² + … + phi^h: what h steps of a damped trend add up to.
            damped = np.cumsum(fitted.damping ** np.arange(1, int(steps.max()) + 1))
            result += slope[at, None] * damped[steps - 1]
        if season is not None and self.season:
            # Which row of the last full season belongs to each step; −(−a // b) rounds up.
            back = self.season * -(-steps // self.season) - steps
            factor = season[at[:, None] - back]
            result = result * factor if fitted.seasonal == "mul" else result + factor
        return result

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count


@dataclass(frozen=True)
class _ThetaFit:
    alpha: float
    slope: float
    seasonal: np.ndarray
    multiplicative: bool


class Theta(_Classical):
    """The Theta method (Assimakopoulos & Nikolopoulos 2000): simple exponential smoothing with half the trend's slope.

    On n deseasonalised values: f = l_n + (b / 2) (h - 1 + 1/alpha - (1 - alpha)^n / alpha), put back into season
    (Hyndman & Billah 2003). alpha, b and the seasonal factors (where statsmodels' test finds a season) come from the
    training rows. season: rows in a season, rounded to a whole number, or None.
    """

    name = "theta"

    def _fit_run(self, values: np.ndarray, deadline: float) -> _ThetaFit:
        from statsmodels.tsa.forecasting.theta import ThetaModel

        season = self.season or 1
        model = ThetaModel(values, period=season, deseasonalize=self.season is not None)
        result = model.fit()
        if time.monotonic() > deadline:
            raise TimeUp
        slope, alpha = (float(value) for value in np.asarray(result.params))
        parts = np.asarray(result.forecast_components(season)["seasonal"], dtype=np.float64)
        # forecast_components starts at the row after the run; turn it so that entry 0 belongs to the run's first row.
        seasonal = np.roll(parts, len(values) % season)
        return _ThetaFit(alpha, slope, seasonal, not model.method.startswith("add"))

    def _apply(self, fitted: _ThetaFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        from scipy.signal import lfilter

        m, alpha = len(fitted.seasonal), fitted.alpha
        factor = fitted.seasonal[np.arange(len(values)) % m]
        flat = values / factor if fitted.multiplicative else values - factor
        # l_t = α y_t + (1 − α) l_{t−1} as one filter call; zi makes the first level the first value.
        level = np.asarray(lfilter([alpha], [1.0, alpha - 1.0], flat, zi=[(1.0 - alpha) * flat[0]])[0])
        rows = (at + 1.0)[:, None]
        # 1/α − (1 − α)^n/α of the formula above, for every origin's own n.
        lag = (1.0 - (1.0 - alpha) ** rows) / alpha if alpha > 0 else 0.0
        result = level[at, None] + 0.5 * fitted.slope * (steps - 1 + lag)
        ahead = fitted.seasonal[(at[:, None] + steps) % m]
        return result * ahead if fitted.multiplicative else result + ahead

    def _count(self, fitted: _ThetaFit) -> int:
        return 2 + (len(fitted.seasonal) if self.season else 0)


class STLETS(_Classical):
    """STL takes the season out (Cleveland et al. 1990), ETS forecasts the rest, the last season is put back.

    The smoothing parameters are fitted once; at every origin STL runs anew on the last 10 seasons (500 rows at
    least) up to it, because its curves at earlier rows change with later ones. That takes tens of milliseconds each,
    so at most `most_origins` evenly spaced origins are scored, and a half, a quarter, … of them where the time is over.
    """

    name = "stl-ets"

    def __init__(self, season: float, time_limit: float = 30.0, *, most_origins: int = 200) -> None:
        super().__init__(season, time_limit)
        if self.season is None:
            raise SettingError(f"season: 'stl-ets' needs a season of 2 rows or more, got {season:g}.")
        if most_origins < 1:
            raise SettingError(f"most_origins: expected 1 or more, got {most_origins}.")
        self.most_origins = most_origins
        self._limited = False

    def usable(self, history: TargetHistory, origins: Any, steps: Any) -> np.ndarray:
        """Origins in a fitted series' stretch with two seasons and ten rows from its first fitted row on: (N,) bool."""
        origins = check_origins(history, origins)
        good = super().usable(history, origins, steps)
        first = np.zeros(len(origins), dtype=np.int64)
        for number, run in self._runs.items():
            first[history.series_of_row[origins] == number] = run.first
        return good & (origins - first + 1 >= 2 * (self.season or 1) + FEWEST_ROWS)

    def _fit_run(self, values: np.ndarray, deadline: float) -> ETSFit:
        rest, _ = self._split(values)
        return fit_ets(rest, [(False, None), (True, None)], None, deadline)

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        deadline = time.monotonic() + self.time_limit
        distinct = np.unique(origins)
        # Evenly over the whole part: the first 200 origins would score one season only.
        spread = np.linspace(0, len(distinct) - 1, min(len(distinct), self.most_origins))
        chosen = distinct[np.unique(np.rint(spread).astype(np.int64))]
        found: dict[int, np.ndarray] = {}
        self._limited = False
        for level in _halving(len(chosen)):
            fresh: dict[int, np.ndarray] = {}
            for origin in chosen[level].tolist():
                if found and time.monotonic() > deadline:
                    # Half a level would not be evenly spaced, and would differ from run to run: it is left out.
                    self._limited = True
                    break
                fresh[origin] = self._at(history, origin, steps)
            if self._limited:
                break
            found.update(fresh)
        nothing = np.full(len(steps), np.nan)
        return np.stack([found.get(origin, nothing) for origin in origins.tolist()])

    def _at(self, history: TargetHistory, origin: int, steps: np.ndarray) -> np.ndarray:
        run = self._runs[int(history.series_of_row[origin])]
        values = _carried(history.values[run.first : origin + 1])
        return self._apply(run.fitted, values, np.array([len(values) - 1]), steps)[0]

    def _apply(self, fitted: ETSFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        rest, seasonal = self._split(values)
        # The window moves with the origin, so its first state is not that of the fit.
        start = initial_states(rest, fitted.trend)
        here = ETSFit(fitted.trend, None, fitted.params, fitted.damping, start[0], start[1], None)
        level, slope, _ = ets_states(here, rest)
        result = np.full(len(steps), level[-1])
        if slope is not None:
            result += slope[-1] * np.cumsum(fitted.damping ** np.arange(1, int(steps.max()) + 1))[steps - 1]
        season = self.season or 1
        # The last season that STL saw is repeated; it has no forecast of its own.
        return (result + seasonal[len(rest) - season + (steps - 1) % season])[None]

    def _split(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last rows of `values` (10 seasons, and at least 500 rows): without their season, and their season."""
        from statsmodels.tsa.seasonal import STL

        recent = values[-max(_STL_SEASONS * (self.season or 1), _STL_ROWS) :]
        seasonal = np.asarray(STL(recent, period=self.season).fit().seasonal)
        return recent - seasonal, seasonal

    def _say(self, done: int, asked: int) -> str:
        why = f", stopped by the time limit of {self.time_limit:g} s" if self._limited else ""
        return f"{self.name} was scored at {done} of {asked} origins, evenly spaced{why}."

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count


@contextmanager
def _quiet() -> Iterator[None]:
    """statsmodels warns about convergence and starting values; what matters is checked here instead."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _guarded(name: str, work: Callable[[], Any], limit: float) -> Any:
    try:
        with _quiet():
            return work()
    except TimeUp:
        raise TrainingError(
            f"Baseline {name!r} was not fitted within its time limit of {limit:g} s; raise the limit or leave it out."
        ) from None
    except (ValueError, ArithmeticError, IndexError, TypeError, np.linalg.LinAlgError) as error:
        raise TrainingError(f"Baseline {name!r} failed in statsmodels ({error}); leave it out.") from error


def _training_run(history: TargetHistory, series: int) -> _Run:
    """The longest unbroken run of training rows in the last stretch of the series that has any."""
    rows = np.flatnonzero(history.known & (history.series_of_row == series))
    stretch = int(history.start[rows[-1]])
    rows = rows[history.start[rows] == stretch]
    longest = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
    return _Run(int(longest[0]), history.values[longest], stretch)


def _carried(values: np.ndarray) -> np.ndarray:
    """Missing values replaced by the last known one before them; the first value is known."""
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))
    return values[last]


def _halving(count: int) -> list[np.ndarray]:
    """Indices 0..count-1 in levels: the first alone, then each level puts one between any two neighbours so far."""
    # Levels as in van der Corput's sequence: whichever was the last whole one, its origins lie evenly.
    stride = 1 << max(count - 1, 0).bit_length()
    levels = [np.arange(0, min(count, 1))]
    while stride > 1:
        levels.append(np.arange(stride // 2, count, stride))
        stride //= 2
    return [level for level in levels if len(level)]
