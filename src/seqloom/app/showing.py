"""What the commands print: tables, sentences, JSON, and where everything was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqloom_runtime.errors import FormatError, brief, shown
from seqloom_runtime.tables import time_text

from ..report import table_text
from ..tasks.comparison import Comparison
from ..tasks.forecast import Forecaster, ForecastRun, ForecastTable
from .columns import json_text, numbers_text, say, say_lines, terminal_width, text_table
from .flags import in_flags

__all__ = ["draw_report", "forecast_rows", "forecast_text", "scores_text", "show_run"]

_SHOWN = 12


def draw_report(folder: Path) -> None:
    """Draw the page of a finished run; a part that can't be drawn is missing from it and named there."""
    from .. import report

    try:
        report.build(folder)
    except FormatError:
        report.build_partial(folder)  # raises again where the folder itself is what is damaged


def show_run(run: Comparison, notes: Sequence[str], *, as_json: bool, quiet: bool) -> None:
    """Print a comparison: what was assumed, the table, the notes, and last, where a reader looks, the first forecasts
    if any, the verdict and the folder. Of many models the table has the first; the report and metrics.json have all."""
    place = None if run.directory is None else str(run.directory)
    ahead = run if isinstance(run, ForecastRun) else None
    quality = None if ahead is None else ahead.data.panel.quality
    read = [] if quality is None else [in_flags(line) for line in quality.lines()]
    if as_json:
        rows = {} if ahead is None else {"data": read, "forecast": forecast_rows(ahead.table, ahead.best)}
        say(json_text({**run.metrics, "assumed": list(notes), **rows, "out": place}))
        return
    if quiet:
        say(scores_text(run.metrics))
        return
    if ahead is not None:
        notes = [*notes, *read, *_left_out(run.metrics["windows"]["dropped"])]
    say_lines(notes)
    if notes:
        say()
    say(scores_text(run.metrics, "printed by --json" if place is None else f"in {place}/report.html and metrics.json"))
    if run.metrics.get("targets"):
        say()
        say(targets_text(run.metrics))
    if run.metrics["notes"]:
        say()
        say_lines(map(in_flags, run.metrics["notes"]))
    if ahead is not None:
        _show_ahead(ahead)
    say()
    say_lines(run.metrics["statements"])
    say()
    if place is None:
        say("Nothing was kept, because no --out folder was given.")
    else:
        say(f"Report: {place}/report.html")
        kept = "metrics, predictions, model" if ahead is None else "metrics, forecast, predictions, model"
        say(f"Everything else ({kept}): {place}")


def _show_ahead(run: ForecastRun) -> None:
    target = run.metrics["target"]
    rows = len(run.table.columns(target)["time"])
    if rows:
        say()
        say(f"Forecast of {brief(target)} by {run.metrics['best']}:")
        say(forecast_text(run.table, target, run.best, _SHOWN))
    if rows > _SHOWN:
        more = f"… and {rows - _SHOWN:,} more rows"
        say(more + ("; --json prints them all" if run.directory is None else ", all in forecast.csv"))
    if said := series_line(run):
        say(said)


def series_line(run: ForecastRun) -> str:
    """How many series a forecast has, between which days their data ends where these differ, and which are shown."""
    ids = run.table.columns(run.metrics["target"]).get("id", np.empty(0, object))
    count, seen = len(set(ids.tolist())), list(dict.fromkeys(ids[:_SHOWN].tolist()))
    if count < 2:
        return ""
    panel = run.data.panel
    last = panel.offsets[1:][np.diff(panel.offsets) > 0] - 1
    ends = (panel.tick if panel.time is None else panel.time)[last]
    first, final = time_text(np.array([ends.min(), ends.max()]), panel.zone)
    apart = f" Their data ends between {first} and {final}." if first != final else ""
    shown_rows = f"; the rows above are of {shown(str(seen[0]))} alone" if len(seen) == 1 else ""
    return f"{count:,} series are forecast{shown_rows}.{apart}"


def scores_text(metrics: dict[str, Any], rest: str = "") -> str:
    """The table of all models, fitted to the terminal; with `rest`, where the others are, of many the first by rank."""
    return table_text(metrics, terminal_width(), rest=rest).rstrip("\n")


def targets_text(metrics: dict[str, Any]) -> str:
    """The test errors of every model for each of several targets, in the target's own unit, as a table."""
    targets, models = metrics["targets"], list(metrics["models"])
    columns: list[tuple[str, Sequence[str]]] = [("target", [target["name"] for target in targets])]
    texts = [numbers_text([target["models"][name]["test"]["mae"] for name in models], digits=4) for target in targets]
    columns += [(name, [row[place] for row in texts]) for place, name in enumerate(models)]
    return "MAE on test, each target in its own unit\n" + text_table(columns)


def forecast_rows(table: ForecastTable, forecaster: Forecaster) -> list[dict[str, Any]]:
    """A forecast as one dictionary per row, named as in forecast.csv."""
    columns: dict[str, Any] = dict(table.columns(forecaster.features_.roles.target))
    columns["time"] = time_text(columns["time"], forecaster.zone_)
    lists = {name: list(values) for name, values in columns.items()}
    return [dict(zip(lists, row)) for row in zip(*lists.values())]


def forecast_text(table: ForecastTable, target: str, forecaster: Forecaster, first: int | None = None) -> str:
    """The first rows of a forecast (all without `first`) as a table; series stand under their column's name, if any."""
    rows, found = slice(first), table.columns(target)
    columns: list[tuple[str, Sequence[str]]] = [_time_cells(found["time"][rows], forecaster)]
    ids, column = found.get("id", np.empty(0, object)), forecaster.source_["id"]
    if len(set(ids.tolist())) > 1 or (isinstance(column, str) and any(ids.tolist())):
        columns.insert(0, (column if isinstance(column, str) else "id", [str(name) for name in ids[rows]]))
    if table.sample is not None:
        columns.append(("sample", [str(number) for number in found.pop("sample")[rows].tolist()]))
    keep = len(columns)
    numbers = {name: values[rows] for name, values in found.items() if name not in ("id", "time")}
    numbers = {name: np.asarray(values, dtype=np.float64) for name, values in numbers.items()}
    # Those of a target together, so that a forecast and its interval have the same decimals.
    each, held = 1 + 2 * len(table.bounds), list(numbers.values())
    groups = [np.concatenate(held[at : at + each]).tolist() for at in range(0, len(held), each)]
    texts = iter([text for group in groups for text in numbers_text(group)])
    columns += [(name, [next(texts) for _ in values]) for name, values in numbers.items()]
    return text_table(columns, keep=keep, right_from=keep)


def _time_cells(times: np.ndarray, forecaster: Forecaster) -> tuple[str, list[str]]:
    """The column of times under the name that it has in the data; years alone where a row is one."""
    name, cells = forecaster.source_["time"], time_text(times, forecaster.zone_)
    if forecaster.frequency_.label == "1 year" and all(cell.endswith("-01-01") for cell in cells):
        cells = [cell.removesuffix("-01-01") for cell in cells]
    return (name if isinstance(name, str) else "time"), cells


def _left_out(dropped: dict[str, int]) -> list[str]:
    counts = [f"{count:,} ({reason})" for reason, count in dropped.items() if count]
    return [f"Windows that were left out: {', '.join(counts)}."] if counts else []
