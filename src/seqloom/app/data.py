"""`seqloom data`: the quality report of a table."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from seqloom_runtime.errors import shown

from . import options as o
from .signature import takes
from .tables import TableOptions

__all__ = ["data"]

File = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="Text table (also .gz or .zip), workbook, JSON, Parquet or Arrow file, database URL, or - for standard "
        "input; several files are read one behind the other.",
        show_default=False,
    ),
]


@takes(TableOptions)
def data(settings: TableOptions, data: File, json: o.Json = False) -> None:
    """Report on a table: frequency, gaps, duplicates, missing values, outliers, and what was repaired."""
    from ..report.wording import plain
    from .columns import json_text, say, say_lines, text_table
    from .flags import in_flags
    from .reading import read_file

    panel, time = read_file(data[0] if len(data) == 1 else data, settings)
    assert panel.quality is not None
    if json:
        say(json_text({**panel.quality.to_json(), "time": time}))
        return
    if settings.time is None:
        held = f"Times: {shown(time)}; another column can be named (--time), --time none counts rows."
        say_lines([held if time else "No column of times was found, so rows are counted; one can be named (--time)."])
    say_lines([in_flags(line, "data") for line in panel.quality.lines()])
    columns = panel.quality.columns
    numeric = [column.name for column in columns if not column.constant and column.name not in panel.words]
    varying = [name.replace(",", ",,") for name in numeric if name not in panel.static]  # what can be forecast
    if len(varying) > 1:
        one, two = varying[:2]
        both = shlex.quote(f"{one},{two}")
        say_lines([f"To forecast one column say --target {shlex.quote(one)}, several {both}, all '*'."])
    say()
    table = [("column", [column.name for column in columns])]
    table += [(name, [f"{getattr(column, name):,}" for column in columns]) for name in ("missing", "filled")]
    table += [(name, [plain(getattr(column, name)) for column in columns]) for name in ("min", "max", "mean")]
    table.append(("", ["constant" if column.constant else "" for column in columns]))
    say(text_table(table))
