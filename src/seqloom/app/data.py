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
    json: o.Json = False,
) -> None:
    """Report on a table: frequency, gaps, duplicates, missing values, outliers, and what was repaired."""
    from .reading import read_file
    from .showing import columns_text, json_text

    panel, _ = read_file(
        data,
        time,
        encoding,
        decimal,
        id=id,
        zone=time_zone,
        missing=o.numbers(missing, "--missing"),
        max_fill=max_fill,
    )
    assert panel.quality is not None
    if json:
        typer.echo(json_text(panel.quality.to_json()))
        return
    for line in panel.quality.lines():
        typer.echo(line)
    typer.echo("")
    typer.echo(columns_text(panel.quality.to_json()["columns"]))
