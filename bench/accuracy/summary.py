"""The small tables in a few numbers: ratios to the best single statistical method, and to the best of each table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from .results import Results
from .scores import geometric_mean
from .small import STATISTICAL
from .tables import ORIGINS, SMALL

__all__ = ["means_by_table", "small_summary"]


def means_by_table(results: Results, method: str, tables: Iterable[str]) -> dict[str, float]:
    """Table → the mean over its five origins of the method's MAE; a table that lacks an origin is left out."""
    found = {}
    for name in tables:
        rows = results.of(name, method)
        if len(rows) == ORIGINS:
            found[name] = fmean(row["scores"]["mae"] for row in rows)
    return found


def small_summary(errors: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """What the small tables say, of method → table → MAE.

    best: the single statistical method with the lowest geometric mean over the tables that all have. relative:
    method → (tables, geometric mean against the best, against the best statistical one of each table, the worst of
    those ratios).
    """
    whole = {name: errors[name] for name in STATISTICAL if name in errors}
    tables = [table for table in SMALL if whole and all(table in each for each in whole.values())]
    if not tables:
        return {"best": None, "tables": [], "relative": {}}
    best = min(whole, key=lambda name: geometric_mean(whole[name][table] for table in tables))
    relative = {}
    for method, each in errors.items():
        common = [table for table in tables if table in each]
        if common:
            hindsight = {table: min(other[table] for other in whole.values()) for table in common}
            relative[method] = (
                len(common),
                geometric_mean(each[table] / whole[best][table] for table in common),
                geometric_mean(each[table] / hindsight[table] for table in common),
                max(each[table] / hindsight[table] for table in common),
            )
    return {"best": best, "tables": tables, "relative": relative}
