"""Series that a model can't forecast: why, in one sentence for all, and what stands in where no member of an ensemble
has a forecast, so that every series with a value has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..errors import DataError, shown
from ..statistical.baselines import Naive, SeasonalNaive
from ..statistical.target_history import TargetHistory, baseline_forecast
from .known_rows import history_of, observed

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["FALLBACKS", "Lost", "UnfitSeries", "standing_in", "standing_in_for", "why_unfit"]

FALLBACKS = ("naive", "seasonal")
"""What may stand in: forecasts that need no fit."""
_MOST_NAMED = 6


class UnfitSeries(DataError):
    """A series has not what a model needs; `why` says it after the name of the series: "has 2 rows"."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


def standing_in(
    kind: str, season: float | None, history: TargetHistory, origins: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """The forecast (N, K) of `kind` at the origins, the naive one where that has none."""
    found = np.full((len(origins), len(steps)), np.nan)
    for name in dict.fromkeys((kind, "naive")):
        lost = ~np.isfinite(found).all(axis=1)
        if lost.any() and (name == "naive" or season):
            rule = Naive() if name == "naive" or not season else SeasonalNaive(season)
            found[lost] = baseline_forecast(rule, history, origins[lost], steps)
    return found


def standing_in_for(
    forecaster: FittedForecaster, series: Panel, origin: int, steps: np.ndarray
) -> tuple[np.ndarray, str]:
    """What stands in for an ensemble at the row `origin` of a series: the values (K,), and the kind."""
    past = series.take(np.arange(origin + 1))
    history = history_of(past, forecaster.features_.roles.target, np.zeros(origin + 1, dtype=bool))
    kind, season = forecaster.members_.fallback, forecaster.season_
    kind = kind if origin >= (season or 0) else "naive"
    return standing_in(kind, season, history, np.array([origin]), steps)[0], kind


def why_unfit(forecaster: FittedForecaster, name: str) -> str:
    """Why a statistical method was not fitted on a series, as it follows on its name; "" where it was."""
    fitted, target = forecaster.context_, forecaster.features_.roles.target
    if name not in fitted.ids:
        return "was not among the series of the fit" if forecaster.baseline_.statistical else ""
    if not forecaster.baseline_.statistical or forecaster.baseline_.fits(fitted.ids.index(name)):
        return ""
    rows = fitted.series(name)
    values = rows.column(target)[observed(rows, target)]
    if len(values) > 1 and values.min() == values.max():
        return "is constant"
    baseline = forecaster.baseline_
    needed = int(getattr(getattr(baseline, "inner", baseline), "rows_needed", 0))  # "inner" of one of logarithms
    return _rows(len(values)) if len(values) < needed else f"has no {needed} rows in a row to be fitted on"


def _rows(count: int) -> str:
    return f"has {count:,} row{'' if count == 1 else 's'}"


@dataclass
class Lost:
    """What members of an ensemble could not forecast: series → why, by member; and the series where no one could."""

    why: dict[str, dict[str, str]] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)

    def add(self, series: str, member: str, why: str) -> None:
        self.why.setdefault(series, {})[member] = why

    def told(self) -> list[str]:
        """One sentence for all series that the same members could not forecast."""
        groups: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for series, members in self.why.items():
            groups.setdefault((tuple(members), self.replaced.get(series, "")), []).append(series)
        return [_sentence(members, kind, series, self.why) for (members, kind), series in groups.items()]


def _sentence(members: Iterable[str], kind: str, series: list[str], why: Mapping[str, Mapping[str, str]]) -> str:
    """Which members can't forecast which series, and who does."""
    them = "it" if len(series) == 1 else "them"
    instead = f"the {'seasonal naive' if kind == 'seasonal' else kind} forecast stands in for {them}"
    who = instead if kind else f"the other members forecast {them}"
    each = [f"{shown(name)} {' and '.join(dict.fromkeys(why[name].values()))}" for name in series[:_MOST_NAMED]]
    more = [f"{len(series) - _MOST_NAMED:,} more"] if len(series) > _MOST_NAMED else []
    count = "1 series" if len(series) == 1 else f"{len(series):,} series"
    return f"{', '.join(members)} can't forecast {count}, so that {who}: {', '.join([*each, *more])}."
