"""Whether the intervals of the model that a bare command chooses hold over rolling origins behind its training rows.

The command gets the rows before the first origin; then its saved model forecasts from each origin, shown all rows
before it.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import ours
from .m4 import HORIZON as WEEKS
from .m4 import weeks_of
from .scores import coverage, mae
from .tables import Table, etth2, jena, m4_weekly, small_table
from .work import LEVELS, Means, Record, Work

__all__ = ["intervals_work"]

ORIGINS_M4 = 5


@dataclass(frozen=True)
class _Rolling:
    """A table, the row of its first origin, the rows between origins, the horizon, and what else is typed."""

    table: Table
    first: int
    step: int
    horizon: int
    arguments: tuple[str, ...] = ()


def _co2(means: Means) -> _Rolling:
    table, _ = small_table("co2", means.data)
    return _Rolling(table, round(0.85 * len(table.values)), 4, 52)


def _jena(means: Means) -> _Rolling:
    table = jena(means.data)
    return _Rolling(table, round(0.85 * len(table.values)), 12, 24, ("--target", table.target, "--missing", "-9999"))


def _etth2(means: Means) -> _Rolling:
    return _Rolling(etth2(means.data), 8640 + 2880, 24, 24)


TABLES = {"co2": _co2, "jena": _jena, "etth2": _etth2}
COMMANDS = {
    "seqloom": (),
    "seqloom --preset good": ("--preset", "good"),
    "seqloom --preset best": ("--preset", "best"),
}


def intervals_work() -> Iterator[Work]:
    """The default, and the presets where there are any, on CO2, Jena, ETTh2 and M4 weekly."""
    for command, arguments in COMMANDS.items():
        if not ours.takes(arguments):
            continue
        for name, made in TABLES.items():
            yield Work("intervals", f"intervals-{name}", command, 0, ("rolling",), _table(made, arguments))
        yield Work("intervals", "intervals-m4_weekly", command, 0, ("rolling",), _panel(arguments))


def _table(
    made: Callable[[Means], _Rolling], arguments: Sequence[str]
) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        task = made(means)
        table, horizon = task.table, task.horizon
        path = table.before(task.first, means.scratch / "rolling.csv")
        out = means.scratch / "rolling"
        shutil.rmtree(out, ignore_errors=True)
        said = ours.forecast(path, horizon, (*task.arguments, *arguments), threads=means.threads, out=out)
        origins = range(task.first, len(table.values) - horizon + 1, task.step)
        columns = _columns(table)
        seen = ({name: values[:origin] for name, values in columns.items()} for origin in origins)
        found = ours.forecast_each(out / "model", seen, horizon, table.target)
        truth = np.stack([table.values[origin : origin + horizon] for origin in origins])
        return {wanted[0]: {**_record(truth, found), "seconds": said.seconds, "chosen": said.chosen}}

    return run


def _columns(table: Table) -> dict[str, Any]:
    """The table's columns: numbers where all cells of a column are, texts otherwise."""
    rows = list(csv.reader(table.lines))
    columns: dict[str, Any] = {}
    for name, cells in zip(next(csv.reader([table.header])), zip(*rows)):
        try:
            columns[name] = [float(cell) if cell.strip() else None for cell in cells]
        except ValueError:
            columns[name] = list(cells)
    return columns


def _record(truth: np.ndarray, found: ours.Forecasts) -> Record:
    scores = {"mae": mae(truth, found.values)}
    for level in LEVELS:
        if level in found.bounds:
            low, high = found.bounds[level]
            scores |= {f"within_{level}": coverage(truth, low, high), f"width_{level}": float(np.nanmean(high - low))}
    return {"scores": scores, "origins": len(truth)}


def _panel(arguments: Sequence[str]) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    """M4 weekly with its test rows behind the others, less what lies behind the first of five origins."""

    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        train, test = m4_weekly(means.data)
        series = {name: np.concatenate([train[name], test[name]]) for name in train}
        weeks = weeks_of(series)
        held = ORIGINS_M4 * WEEKS
        past = {name: values[:-held] for name, values in series.items()}
        path = ours.long_table(means.scratch / "rolling.csv", past, weeks[:-held])
        out = means.scratch / "rolling"
        shutil.rmtree(out, ignore_errors=True)
        split = ("--id", "id", "--split", f"{len(weeks) - held - WEEKS},{WEEKS}")
        said = ours.forecast(path, WEEKS, (*split, *arguments), threads=means.threads, out=out)
        steps = [slice(origin - held, origin - held + WEEKS or None) for origin in range(0, held, WEEKS)]
        truth = np.concatenate([[values[step] for values in series.values()] for step in steps])
        tables = (_rows(series, weeks, held - origin) for origin in range(0, held, WEEKS))
        found = ours.forecast_each(out / "model", tables, WEEKS, "value", names=list(series))
        record = _record(truth, found)
        whole = truth.reshape(ORIGINS_M4, len(series), WEEKS)
        for level in LEVELS:
            if level in found.bounds:
                low, high = (side.reshape(whole.shape) for side in found.bounds[level])
                within = ((low <= whole) & (whole <= high)).mean(axis=(0, 2))
                record["scores"][f"below_half_{level}"] = float(100 * np.mean(within < float(level) / 200))
        return {wanted[0]: {**record, "origins": ORIGINS_M4, "seconds": said.seconds, "chosen": said.chosen}}

    return run


def _rows(series: dict[str, np.ndarray], weeks: Sequence[str], less: int) -> dict[str, Any]:
    """The series less their last rows, as the columns of a long table."""
    columns: dict[str, list[Any]] = {"id": [], "week": [], "value": []}
    for name, values in series.items():
        past = values[: len(values) - less]
        columns["id"] += [name] * len(past)
        columns["week"] += weeks[len(weeks) - len(values) : len(weeks) - less]
        columns["value"] += past.tolist()
    return columns
