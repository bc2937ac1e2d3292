"""ETS, Theta and STL+ETS of statsmodels as baselines, under a limit of work.

They are fitted as `fitting.py` says. STL+ETS scores an evenly spaced choice of origins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from seqloom_runtime.errors import SettingError
from seqloom_runtime.statistical.exponential import AppliedETS, ETSFit
from seqloom_runtime.statistical.fitted_runs import carried
from seqloom_runtime.statistical.stl_ets import AppliedSTLETS, STLFit
from seqloom_runtime.statistical.target_history import TargetHistory
from seqloom_runtime.statistical.theta import AppliedTheta, ThetaLine

from .exponential import fit_ets
from .fitting import Fitting, quiet
from .stl import MOST_WEIGHTS, seasonal_parts, weights_needed

__all__ = ["ETS", "STLETS", "DampedTrend", "Theta"]

_STL_SEASONS = 10
"""STL's seasonal smoother spans 7 seasons, its trend smoother under 2: what lies further back hardly counts."""
_STL_ROWS = 500
"""The window is never shorter than this, so that short seasons leave the smoothing parameters enough rows."""
_FEW_WINDOWS = 8
"""From so many windows of one length on, their weights are worth working out."""


class ETS(Fitting, AppliedETS):
    """Exponential smoothing with additive errors: a level, perhaps a damped trend, perhaps a season.

    The model is chosen by AIC on the training rows (Hyndman et al. 2008, chapters 2 and 4); multiplicative seasonality
    is tried where all training values are above 0. f = l + (phi + … + phi^h) b, plus or times the season's last state.
    season: rows in a season, rounded to a whole number, or None.
    """

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As measured: two models, or six where a season is known."""
        length = round(season or 1)
        return (6 if length > 1 else 2) * (0.007 + 6e-6 * rows + 2e-7 * rows * length)

    def _fit_run(self, values: np.ndarray) -> ETSFit:
        kinds: list[str | None] = [None]
        if self.season:
            kinds += ["add", "mul"] if values.min() > 0 else ["add"]
        return fit_ets(values, self._kinds(kinds), self.season)

    def _kinds(self, seasonal: list[str | None]) -> list[tuple[bool, str | None]]:
        """Of each model to fit whether it has a trend, and its season."""
        return [(trend, kind) for kind in seasonal for trend in (False, True)]

    def _count(self, fitted: ETSFit) -> int:
        return fitted.count


class DampedTrend(ETS):
    """Exponential smoothing whose trend flattens out (Gardner & McKenzie 1985), with a season where one is known.

    f = l + (phi + phi² + … + phi^h) b, plus or times the season's last state; phi, l and b from the training rows as in
    `ETS`, which keeps the trend only where AIC prefers it.
    """

    name = "damped-trend"

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """Half the models of `ETS`."""
        return ETS.work(rows, season) / 2

    def _kinds(self, seasonal: list[str | None]) -> list[tuple[bool, str | None]]:
        return [(True, kind) for kind in seasonal]


class Theta(Fitting, AppliedTheta):
    """The Theta method (Assimakopoulos & Nikolopoulos 2000): simple exponential smoothing with half the trend's slope.

    On n deseasonalised values: f = l_n + (b / 2) (h - 1 + 1/alpha - (1 - alpha)^n / alpha), put back into season
    (Hyndman & Billah 2003). alpha, b and the seasonal factors (where statsmodels' test finds a season) come from the
    training rows. season: rows in a season, rounded to a whole number, or None.
    """

    name = "theta"

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As measured: one fit."""
        return 0.02 + 7e-5 * rows

    def _fit_run(self, values: np.ndarray) -> ThetaLine:
        from statsmodels.tsa.forecasting.theta import ThetaModel

        season = self.season or 1
        model = ThetaModel(values, period=season, deseasonalize=self.season is not None)
        result = model.fit()
        slope, alpha = (float(value) for value in np.asarray(result.params))
        parts = np.asarray(result.forecast_components(season)["seasonal"], dtype=np.float64)
        # forecast_components starts at the row after the run; turn it so that entry 0 belongs to the run's first row.
        seasonal = np.roll(parts, len(values) % season)
        return ThetaLine(alpha, slope, seasonal, not model.method.startswith("add"))

    def _count(self, fitted: ThetaLine) -> int:
        return 2 + (len(fitted.seasonal) if self.season else 0)


class STLETS(Fitting, AppliedSTLETS):
    """STL takes the season out (Cleveland et al. 1990), ETS forecasts the rest, the last season is put back.

    The smoothing parameters are fitted once; at every origin STL runs anew on the last 10 seasons (500 rows at
    least) up to it, because its curves at earlier rows change with later ones. So at most `most_origins` evenly spaced
    origins are scored, and a half, a quarter, … of them where that is above the limit of work.
    """

    name = "stl-ets"

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As measured: STL and two models."""
        return 0.05

    @staticmethod
    def pass_work(rows: int, season: float | None) -> float:
        """What an origin costs where STL runs on ten seasons or 500 rows for it alone."""
        # Together they cost a twentieth; the figure stays, as it decides which origins are scored.
        return 5e-5 * min(rows, max(_STL_SEASONS * round(season or 1), _STL_ROWS))

    def __init__(self, season: float, time_limit: float = 30.0, *, most_origins: int = 200) -> None:
        super().__init__(season, time_limit)
        if most_origins < 1:
            raise SettingError(f"most_origins: expected 1 or more, got {most_origins}.")
        self.most_origins = most_origins
        self._limited = False

    def _fit_run(self, values: np.ndarray) -> STLFit:
        rest, _ = self._parts(values)
        return STLFit(fit_ets(rest, [(False, None), (True, None)], None))

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        distinct = np.unique(origins)
        # Evenly over the whole part: the first 200 origins would score one season only.
        spread = np.linspace(0, len(distinct) - 1, min(len(distinct), self.most_origins))
        chosen = distinct[np.unique(np.rint(spread).astype(np.int64))]
        found: dict[int, np.ndarray] = {}
        self._limited = False
        left = self.time_limit
        for level in _halving(len(chosen)):
            level = chosen[level].tolist()
            left -= sum(self.pass_work(origin + 1 - int(history.start[origin]), self.season) for origin in level)
            if found and left < 0:  # half a level would not be evenly spaced
                self._limited = True
                break
            found |= dict(zip(level, self._at(history, level, steps)))
        nothing = np.full(len(steps), np.nan)
        return np.stack([found.get(origin, nothing) for origin in origins.tolist()])

    def _at(self, history: TargetHistory, origins: list[int], steps: np.ndarray) -> list[np.ndarray]:
        """The forecast of each origin: the windows of one length are taken apart together."""
        runs = [self._runs[int(history.series_of_row[origin])] for origin in origins]
        windows = [self._recent(carried(history.values[run.first : end + 1])) for run, end in zip(runs, origins)]
        lengths = np.array([len(window) for window in windows])
        found: list[np.ndarray] = [np.empty(0)] * len(origins)
        for length in np.unique(lengths).tolist():
            mine = np.flatnonzero(lengths == length).tolist()
            for at, seasonal in zip(mine, self._seasons(np.stack([windows[at] for at in mine]))):
                found[at] = self._ahead(runs[at].fitted, windows[at] - seasonal, seasonal, steps)
        return found

    def _split(self, fitted: STLFit, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._parts(values)

    def _recent(self, values: np.ndarray) -> np.ndarray:
        """The last rows of `values` that are looked at: 10 seasons, and at least 500 rows."""
        return values[-max(_STL_SEASONS * (self.season or 1), _STL_ROWS) :]

    def _seasons(self, windows: np.ndarray) -> np.ndarray:
        """The season of each window (N, rows), the same numbers whichever way it is taken out."""
        from statsmodels.tsa.seasonal import STL

        season = self.season or 1
        # The weights of a length cost what a few windows do; those of a very long one would fill the memory.
        if len(windows) >= _FEW_WINDOWS and weights_needed(windows.shape[1], season) <= MOST_WEIGHTS:
            return seasonal_parts(windows, season)
        with quiet():
            return np.stack([np.asarray(STL(window, period=season).fit().seasonal) for window in windows])

    def _parts(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What `_recent` leaves of `values`: without its season, and its season."""
        recent = self._recent(values)
        seasonal = self._seasons(recent[None])[0]
        return recent - seasonal, seasonal

    def kept(self, history: TargetHistory, origins: Mapping[int, int]) -> AppliedSTLETS:
        """What forecasts without statsmodels from the rows `origins`, by the number of their series, alone."""
        made = AppliedSTLETS(self.season or 1)
        for number, run in self._runs.items():
            values = carried(history.values[run.first : origins.get(number, -1) + 1])
            if len(values) >= len(run.values):
                run = replace(run, fitted=STLFit(run.fitted.ets, len(values), *self._parts(values)))
            made._runs[number] = run
        return made

    def _say(self, done: int, asked: int) -> str:
        why = f", as many as its limit of {self.time_limit:g} units of work allows" if self._limited else ""
        return f"{self.name} was scored at {done} of {asked} origins, evenly spaced{why}."


def _halving(count: int) -> list[np.ndarray]:
    """Indices 0..count-1 in levels: the first alone, then each level puts one between any two neighbours so far."""
    # Levels as in van der Corput's sequence: whichever was the last whole one, its origins lie evenly.
    stride = 1 << max(count - 1, 0).bit_length()
    levels = [np.arange(0, min(count, 1))]
    while stride > 1:
        levels.append(np.arange(stride // 2, count, stride))
        stride //= 2
    return [level for level in levels if len(level)]
