"""docs/accuracy.md: tables made of the kept rows alone; what is missing is shown as missing, and losses stay in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from .results import Results
from .scores import geometric_mean
from .small import STATISTICAL
from .tables import SMALL

__all__ = ["small_summary", "write_page"]


def write_page(results: Results, path: Path) -> None:
    """Write the page anew."""
    parts = [_intro(), _small(results)]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _intro() -> str:
    return """# How good the forecasts are

Written by `python -m bench.accuracy` from `bench/accuracy/results.jsonl`; don't edit by hand. Every method forecasts
the same windows (`bench/accuracy/tables.py`) and gets the rows before each origin alone; one function scores them all.
Ours are made by `seqloom forecast` as a user types it. Peers run in an environment of their own
(`bench/accuracy-constraints.txt`). Lower is better unless said otherwise; losses stay in, and a cell without a number
was not run or could not be forecast. Seconds are of one thread on a shared 2-core machine: read them as rough."""


def means_by_table(results: Results, method: str) -> dict[str, float]:
    """Table → the mean over its five origins of the method's MAE; a table that lacks an origin is left out."""
    found = {}
    for name in SMALL:
        rows = results.of(name, method)
        if len(rows) == 5:
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


def _small(results: Results) -> str:
    methods = results.methods(SMALL)
    methods.sort(key=lambda name: (name not in STATISTICAL, name))
    errors = {name: means_by_table(results, name) for name in methods}
    summary = small_summary(errors)
    if summary["best"] is None:
        return ""
    rows = [
        [table, str(SMALL[table].season), str(SMALL[table].horizon), *(_number(errors[m].get(table)) for m in methods)]
        for table in SMALL
    ]
    over = [
        [method, str(count), f"{mean:.3f}", f"{hind:.3f}", f"{worst:.2f}", *_extra(results, method)]
        for method, (count, mean, hind, worst) in sorted(summary["relative"].items(), key=lambda item: item[1][1])
    ]
    return "\n\n".join(
        [
            "## Small tables",
            "Test MAE, mean over five origins spread over the last two seasons (of two horizons where there is no "
            "season). The peers know the season of each table; ours is the bare command with the horizon alone, "
            "which for tables without times (tourism, exchange rate, heart rate, taylor) means no season. AutoARIMA "
            "runs without a season where it is longer than 24 rows.",
            _table(["table", "season", "horizon", *methods], rows),
            f"Against {summary['best']}, the best single statistical method, and against the best of them on each "
            "table in hindsight: geometric means of the ratios of MAE.",
            _table(
                ["method", "tables", "against best single", "against best of each", "worst", "within 80 %", "seconds"],
                over,
            ),
        ]
    )


def _extra(results: Results, method: str) -> list[str]:
    rows = [row for table in SMALL for row in results.of(table, method)]
    inside = [row["scores"]["within_80"] for row in rows if "within_80" in row["scores"]]
    return [f"{fmean(inside):.0f} %" if inside else "–", f"{fmean(row['seconds'] for row in rows):.1f}"]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
