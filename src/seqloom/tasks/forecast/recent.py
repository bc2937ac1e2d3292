"""The known rows of short series, and the last ones of very many, for the chart of the forecast: predictions.csv begins
with the validation rows, and holds few windows of each of very many series."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.forecast.known_rows import observed
from seqloom_runtime.forecast.targets import owner_of
from seqloom_runtime.tables import ROWS_WRITTEN

from .windowed import ForecastData

__all__ = ["recent_rows"]

_SHORT = 300
"""Rows of a series up to which all of them are kept: of longer ones the scored rows fill a chart."""
_MOST_SERIES = 6


def recent_rows(data: ForecastData) -> list[dict[str, Any]]:
    """By series (the first few) the times as written in predictions.csv, and the target's known values; none of several
    targets, or where a series is long and predictions.csv has all its windows."""
    panel, roles = data.panel, data.features.roles
    whole = (len(data.valid) + len(data.test)) * len(data.spec.steps) <= ROWS_WRITTEN or len(panel.ids) < 2
    if roles.wide is not None or (whole and int(np.diff(panel.offsets).max(initial=0)) > _SHORT):
        return []
    known = observed(panel, roles.target)
    kept = []
    for series, name in enumerate(panel.ids[:_MOST_SERIES]):
        rows = np.arange(panel.offsets[series], panel.offsets[series + 1])
        rows = rows[known[rows]][-_SHORT:]
        times, values = data.row_texts(rows).tolist(), data.target[rows].astype(float).tolist()
        kept.append({"id": owner_of(roles, name), "time": times, "actual": values})
    return kept
