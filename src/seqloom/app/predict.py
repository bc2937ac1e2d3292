"""`seqloom predict`: a saved model's forecast, from new data or from where its training data ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SettingError
from . import options as o

__all__ = ["predict"]

Run = Annotated[Path, typer.Argument(help="A run folder or a model folder.")]
NewData = Annotated[
    str | None,
    typer.Argument(help="A CSV (also .gz) or Parquet file; without it, forecast from the end of the training data."),
]
Ahead = Annotated[str | None, typer.Option(help="How far ahead, past the trained horizon too where that is sound.")]
File = Annotated[
    Path | None, typer.Option("--out", help="CSV file to write the forecast to; without it, it is printed.")
]


def predict(
    run: Run,
    data: NewData = None,
    horizon: Ahead = None,
    out: File = None,
    encoding: o.Encoding = "utf-8",
    decimal: o.Decimal = ".",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Forecast with a saved model."""
    from ..data import read_panel
    from ..tasks import load
    from ..tasks.forecast.tables import forecast_csv, time_text
    from .showing import columns_text, json_text

    if out is not None and not out.parent.is_dir():
        raise SettingError(f"--out: the folder {out.parent} doesn't exist.")
    if out is not None and out.exists():
        raise SettingError(f"--out: {out} exists already; give the path of a new file.")
    model = load(run)
    panel: Any = None
    if data is not None:
        panel = read_panel(
            data,
            time=model.source_["time"],
            id=model.source_["id"],
            columns=model.features_.roles.columns,
            zone=model.zone_,
            missing=model.missing,
            max_fill=model.max_fill,
            encoding=encoding,
            decimal=decimal,
            frequency=model.frequency_,
        )
    ahead: int | str | None = int(horizon) if horizon is not None and horizon.lstrip("-").isdigit() else horizon
    table = model.forecast(panel, horizon=ahead)
    columns = table.columns(model.features_.roles.target)
    if out is not None:
        forecast_csv(out, table, model)
        if not quiet:
            typer.echo(f"Forecast: {out}")
        return
    columns["time"] = time_text(table.times, model.zone_)  # pyright: ignore[reportArgumentType]
    lists = {name: list(values) for name, values in columns.items()}
    rows = [dict(zip(lists, row)) for row in zip(*lists.values())]
    if json:
        typer.echo(json_text({"target": model.features_.roles.target, "forecast": rows, "notes": list(table.notes)}))
        return
    typer.echo(columns_text(rows))
    if not quiet:
        for note in table.notes:
            typer.echo(note)
