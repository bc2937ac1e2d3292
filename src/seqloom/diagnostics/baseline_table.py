"""The table of baselines by name: what each forecasts, what it needs, what it costs, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import SettingError, suggest
from seqloom_runtime.statistical.baselines import DampedNaive, Drift, Mean, Naive, SeasonalNaive, SeasonalWeek
from seqloom_runtime.statistical.intermittent import TSB, Croston
from seqloom_runtime.statistical.logged import Logged
from seqloom_runtime.statistical.target_history import Baseline, check_season

from .arima import Arima
from .auto_ets import AutoETS
from .auto_theta import AutoTheta
from .classical import ETS, STLETS, DampedTrend, Theta
from .fitting import Fitting
from .mstl import MSTL

__all__ = ["BASELINES", "BaselineKind", "baseline_cost", "make_baseline"]


def _one_pass(rows: int, season: float | None) -> float:
    return 1e-6 * rows


@dataclass(frozen=True)
class BaselineKind:
    """One entry of the registry: what it forecasts, what it needs. season: unused, optional or required.

    statsmodels: needs that package, and goes on from the rows that it was fitted on. work: rows of a series and the
    season to what a fit costs, in the unit of `baseline_cost`.
    """

    name: str
    summary: str
    season: str
    make: Callable[[Any, float], Baseline]
    statsmodels: bool = False
    work: Callable[[int, float | None], float] = _one_pass


BASELINES: dict[str, BaselineKind] = {
    kind.name: kind
    for kind in (
        BaselineKind("naive", "the last known value", "unused", lambda season, limit: Naive()),
        BaselineKind("seasonal", "the value one season ago", "required", lambda season, limit: SeasonalNaive(season)),
        BaselineKind(
            "seasonal-week",
            "the value a week ago, of rows within a day",
            "required",
            lambda season, limit: SeasonalWeek(season),
        ),
        BaselineKind("drift", "the line through the first and the last value", "unused", lambda season, limit: Drift()),
        BaselineKind("mean", "the mean of the training rows", "unused", lambda season, limit: Mean()),
        BaselineKind(
            "damped-persistence",
            "the last value, shrunk towards the usual one at the time of day",
            "unused",
            lambda season, limit: DampedNaive(),
        ),
        BaselineKind(
            "ets", "exponential smoothing", "optional", lambda season, limit: ETS(season, limit), True, ETS.work
        ),
        BaselineKind(
            "damped-trend",
            "exponential smoothing with a damped trend",
            "optional",
            lambda season, limit: DampedTrend(season, limit),
            True,
            DampedTrend.work,
        ),
        BaselineKind(
            "theta", "the Theta method", "optional", lambda season, limit: Theta(season, limit), True, Theta.work
        ),
        BaselineKind(
            "stl-ets",
            "the season taken out by STL, the rest by exponential smoothing",
            "required",
            lambda season, limit: STLETS(season, limit),
            True,
            STLETS.work,
        ),
        BaselineKind(
            "arima",
            "ARIMA of orders chosen by AICc",
            "optional",
            lambda season, limit: Arima(season, limit),
            True,
            Arima.work,
        ),
        BaselineKind(
            "log-arima",
            "ARIMA of the logarithms",
            "optional",
            lambda season, limit: Logged(Arima(season, limit)),
            True,
            Arima.work,
        ),
        BaselineKind(
            "auto-ets",
            "exponential smoothing of a kind chosen by AICc",
            "optional",
            lambda season, limit: AutoETS(season, limit),
            True,
            AutoETS.work,
        ),
        BaselineKind(
            "log-auto-ets",
            "exponential smoothing of the logarithms",
            "optional",
            lambda season, limit: Logged(AutoETS(season, limit)),
            True,
            AutoETS.work,
        ),
        BaselineKind(
            "auto-theta",
            "the Theta method of a kind chosen by AIC",
            "optional",
            lambda season, limit: AutoTheta(season, limit),
            True,
            AutoTheta.work,
        ),
        BaselineKind(
            "log-auto-theta",
            "the Theta method of the logarithms",
            "optional",
            lambda season, limit: Logged(AutoTheta(season, limit)),
            True,
            AutoTheta.work,
        ),
        BaselineKind(
            "mstl",
            "several seasons taken out by MSTL, the rest by exponential smoothing",
            "required",
            lambda season, limit: MSTL(season, limit),
            True,
            MSTL.work,
        ),
        BaselineKind(
            "log-mstl",
            "MSTL and exponential smoothing of the logarithms",
            "required",
            lambda season, limit: Logged(MSTL(season, limit)),
            True,
            MSTL.work,
        ),
        BaselineKind("croston", "the mean demand, by its sizes and the rows between", "unused", lambda s, t: Croston()),
        BaselineKind(
            "tsb",
            "the mean demand, by its sizes and its probability",
            "unused",
            lambda season, limit: TSB(),
            work=TSB.work,
        ),
    )
}
"""Every baseline by name."""


def baseline_cost(name: str, rows: int, series: int = 1, season: float | None = None) -> float:
    """About what a fit of that baseline costs, counted and not timed: 1 is some second of one core.

    rows: training rows of each of so many series; season: rows in a season, where one is given. A preset takes what
    fits into its budget. Raises SettingError for unknown names.

    >>> baseline_cost("arima", 200, season=12) < baseline_cost("arima", 1000, series=359)
    True
    """
    return float(series * _kind(name).work(rows, season))


def make_baseline(
    name: str, *, season: float | None = None, time_limit: float = 30.0, seasonless: bool = False
) -> Baseline:
    """The baseline of that name, not fitted yet.

    season: rows in a season, needed by "seasonal" and "stl-ets", used by "ets" and "theta" where given, ignored by the
    others; time_limit: units of work (`baseline_cost`) that a fit of a statistical method may be; seasonless: whether
    one that can do without its season is fitted without where no series has the rows for it, which its note says.
    Raises SettingError for unknown names and for a season that is needed and not given.

    >>> make_baseline("naive").name
    'naive'
    """
    kind = _kind(name)
    if season is not None:
        season = check_season(season)
    elif kind.season == "required":
        raise SettingError(
            f"Baseline {name!r} ({kind.summary}) needs to know how long a season is; give season in rows, for example "
            "12 for a year of months or 144 for a day of 10-minute rows."
        )
    made = kind.make(season, time_limit)
    fitted = made.inner if isinstance(made, Logged) else made
    if seasonless and kind.season == "optional" and isinstance(fitted, Fitting):
        fitted.seasonless = True
    return made


def _kind(name: str) -> BaselineKind:
    kind = BASELINES.get(name)
    if kind is None:
        raise SettingError(
            f"Unknown baseline {name!r}; known are {', '.join(BASELINES)}.{suggest(str(name), BASELINES)}"
        )
    return kind
