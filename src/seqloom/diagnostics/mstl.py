"""MSTL: several seasons taken out at once, the rest forecast by exponential smoothing."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.statistical.baselines import week_beside
from seqloom_runtime.statistical.mstl import AppliedMSTL, MSTLFit

from .auto_ets import fit_auto_ets
from .auto_theta import is_seasonal
from .fitting import Fitting

__all__ = ["MSTL"]

_MOST_ROWS = 10_000
"""The last rows that are decomposed."""


class MSTL(Fitting, AppliedMSTL):
    """MSTL (Bandara, Hyndman & Bergmeir 2021) takes the seasons out, the ETS with the best AICc forecasts the rest.

    The seasons are the given one and, where it may be a day (24, 48, 96, 144, … rows), a week of seven, where it is one
    of 7 rows, a year of 365: if the steps of what the given one leaves are correlated over that many rows, and the
    training rows hold three. Each repeats its last course of the training rows at every later origin; level and trend
    go on by their state.
    season: rows in a season, rounded to a whole number.
    """

    @staticmethod
    def work(rows: int, season: float | None) -> float:
        """As counted: some thirty passes of loess over the rows, and an ETS of the rest."""
        return 0.02 + 1e-4 * min(rows, _MOST_ROWS)

    def _fit_run(self, values: np.ndarray) -> MSTLFit:
        from statsmodels.tsa.seasonal import MSTL as Decomposition
        from statsmodels.tsa.seasonal import STL

        season = self.season or 2
        recent = values[-_MOST_ROWS:]
        first = np.asarray(STL(recent, period=season).fit().seasonal)
        longer = [rows for rows in _longer(season) if is_seasonal(np.diff(recent - first), rows)]
        parts = {season: first}
        if longer:
            found = Decomposition(recent, periods=(season, *longer)).fit()
            parts = dict(zip((season, *longer), np.asarray(found.seasonal).T))
        seasonal = np.sum(list(parts.values()), axis=0)
        factors = {rows: part[-rows:] for rows, part in parts.items()}
        return MSTLFit(fit_auto_ets(recent - seasonal, None), len(values) - len(recent), seasonal, factors)

    def _count(self, fitted: MSTLFit) -> int:
        return fitted.ets.count + sum(fitted.factors)


def _longer(season: int) -> list[int]:
    """Rows of the season that may lie beside one of so many.

    It is looked for in steps: a level that wanders is correlated over any number of rows.
    """
    if season == 7:
        return [365]
    week = week_beside(season)
    return [] if week is None else [week]
