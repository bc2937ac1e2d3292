"""Which columns of a panel on disk hold one value within each series, found a group of series at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..panel import Panel
from ..static import changes_within

__all__ = ["StaticColumns"]


class StaticColumns:
    """As `find_static` of a table in memory says it, whatever series stand in a group together."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._unchanging = set(columns)
        self._lowest = dict.fromkeys(columns, np.inf)
        self._highest = dict.fromkeys(columns, -np.inf)

    def look_at(self, panel: Panel) -> None:
        """Take the series of a group into account."""
        for at, name in enumerate(panel.columns):
            if name not in self._unchanging:
                continue
            column = panel.values[:, at]
            if changes_within(column, panel.series_index) is not None:
                self._unchanging.remove(name)
                continue
            held = column[~np.isnan(column)]
            self._lowest[name] = min(self._lowest[name], held.min(initial=np.inf))
            self._highest[name] = max(self._highest[name], held.max(initial=-np.inf))

    def found(self, series: int) -> set[str]:
        """The columns of one value within each of so many series, and of several over all."""
        if series < 2:
            return set()
        return {name for name in self._unchanging if self._lowest[name] < self._highest[name]}
