"""MSTL as it is applied: seasons that repeat their last course, and exponential smoothing of the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .counted import Counted
from .exponential import ETSFit, ets_forecasts

__all__ = ["AppliedMSTL", "MSTLFit"]


@dataclass(frozen=True, eq=False)
class MSTLFit:
    """seasonal: (n,) of the fitted rows, which end at the row `end` of the run; factors: a season of each length."""

    ets: ETSFit
    start: int
    seasonal: np.ndarray
    factors: dict[int, np.ndarray]


class AppliedMSTL(Counted):
    """Seasons and an ETS of the rest, as they were fitted."""

    name = "mstl"

    def _apply(self, fitted: MSTLFit, values: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
        end = fitted.start + len(fitted.seasonal)
        season = np.zeros(len(values) + int(steps.max()))
        season[fitted.start : min(end, len(season))] = fitted.seasonal[: len(season) - fitted.start]
        for rows, part in fitted.factors.items():
            season[end:] += part[np.arange(max(len(season) - end, 0)) % rows]
        flat = (values - season[: len(values)])[fitted.start :]
        result = ets_forecasts(fitted.ets, flat, np.maximum(at - fitted.start, 0), steps)
        result += season[at[:, None] + steps]
        return np.where((at >= fitted.start)[:, None], result, np.nan)

    def _count(self, fitted: MSTLFit) -> int:
        return fitted.ets.count + sum(fitted.factors)

    def _chosen(self) -> tuple[str, ...]:
        every = (
            f"{run.fitted.ets.name} beside seasons of {' and '.join(map(str, run.fitted.factors))} rows"
            for run in self._runs.values()
        )
        return self._named(every)
