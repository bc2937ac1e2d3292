"""`seqloom data`: the quality report of a table."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as o

__all__ = ["data"]

Path = Annotated[str, typer.Argument(help="A CSV (also .gz) or Parquet file.")]


def data(
    data: Path,
    time: o.Time = None,
    id: o.Id = None,
    time_zone: o.TimeZone = None,
    missing: o.Missing = None,
    max_fill: o.MaxFill = 24,
    encoding: o.Encoding = "utf-8",
    decimal: o.Decimal = ".",
    separator: o.Separator = None,
    json: o.Json = False,
) -> None:
    """Report on a table: frequency, gaps, duplicates, missing values, outliers, and what was repaired."""
    from ..data import read_panel
    from .showing import columns_text, json_text

    panel = read_panel(
        data,
        time=time or "guess",
        id=id,
        zone=time_zone,
        missing=o.numbers(missing, "--missing"),
        max_fill=max_fill,
        encoding=encoding,
        decimal=decimal,
        separator=separator,
    )
    assert panel.quality is not None
    if json:
        typer.echo(json_text(panel.quality.to_json()))
        return
    for line in panel.quality.lines():
        typer.echo(line)
    typer.echo("")
    typer.echo(columns_text(panel.quality.to_json()["columns"]))
