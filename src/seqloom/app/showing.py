"""What the commands print: plain aligned tables, and where everything was written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer

from ..report import table_text
from ..tasks.forecast import ForecastRun
from ..tasks.forecast.tables import time_text

__all__ = ["columns_text", "forecast_rows", "json_text", "show_forecast"]


def json_text(value: Any) -> str:
    """JSON for the terminal: two-space indent, NaN as null, non-ASCII as it is."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False)


def show_forecast(run: ForecastRun, notes: Sequence[str], *, as_json: bool, quiet: bool) -> None:
    """Print a comparison: what was assumed, the table, the plain sentences, the first forecasts, and the folder."""
    if as_json:
        typer.echo(
            json_text(
                {
                    **run.metrics,
                    "forecast": forecast_rows(run),
                    "out": None if run.directory is None else str(run.directory),
                }
            )
        )
        return
    if not quiet:
        quality = run.data.panel.quality
        for line in [*notes, *([] if quality is None else quality.lines())]:
            typer.echo(line)
        typer.echo("")
    typer.echo(table_text(run.metrics))
    if quiet:
        return
    typer.echo("")
    for line in [*run.metrics["statements"], *run.metrics["notes"]]:
        typer.echo(line)
    rows = forecast_rows(run)
    typer.echo("")
    typer.echo(f"Forecast of {run.metrics['target']} by {run.metrics['best']}:")
    typer.echo(columns_text(rows[:12]))
    if len(rows) > 12:
        typer.echo(f"… and {len(rows) - 12} more rows")
    typer.echo("")
    if run.directory is None:
        typer.echo("Nothing was kept, because no --out folder was given.")
    else:
        typer.echo(f"Report: {run.directory / 'report.html'}")
        typer.echo(f"Everything else (metrics, forecast, predictions, model): {run.directory}")


def forecast_rows(run: ForecastRun) -> list[dict[str, Any]]:
    """The forecast of the best model as one dictionary per row, as in forecast.csv."""
    columns: dict[str, Any] = dict(run.table.columns(run.metrics["target"]))
    columns["time"] = time_text(run.table.times, run.best.zone_)
    lists = {name: list(values) for name, values in columns.items()}
    return [dict(zip(lists, row)) for row in zip(*lists.values())]


def columns_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as an aligned text table, numbers to five significant digits."""
    if not rows:
        return "(no rows)"
    header = list(rows[0])
    cells = [[_cell(row[name]) for name in header] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(header)]
    numeric = [all(isinstance(row[name], (int, float)) for row in rows) for name in header]

    def line(values: Sequence[str]) -> str:
        return "  ".join(v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric)).rstrip()

    return "\n".join([line(header), *(line(values) for values in cells)])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return "" if value is None else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value.item() if hasattr(value, "item") else value
