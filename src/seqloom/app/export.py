"""`seqloom export`: a saved model as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqloom_runtime.errors import SettingError, brief

from . import options as o
from .opened import RUN, opened

__all__ = ["export"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help=RUN, show_default=False)]
File = Annotated[
    Path,
    typer.Option("--onnx", metavar="FILE", help="ONNX file to write.", rich_help_panel="Output", show_default=False),
]
Opset = Annotated[
    int,
    typer.Option(
        "--opset", min=17, max=23, metavar="N", help="Version of the operators, 17 to 23.", rich_help_panel="Output"
    ),
]


def export(run: Run, onnx: File, opset: Opset = 17, json: o.Json = False, quiet: o.Quiet = False) -> None:
    """Write a forecaster's network as an ONNX file: rows in the table's units in, the forecast in its unit out.

    Scaling, window normalisation and anchor are inside. Columns and rows are named in the file's metadata (seqloom).
    Intervals, and what the calendar says of a time, are not in the file.
    """
    from ..tasks import Forecaster, load
    from .columns import json_text, say, say_lines

    model = load(opened(run))
    if not isinstance(model, Forecaster):
        raise SettingError(f"RUN: only a forecaster can be exported so far, this is a {type(model).__name__}.")
    model.to_onnx(onnx, opset=opset)
    spec, features = model.window_spec_, model.features_
    columns = brief(", ".join(features.names), 2000)
    told = [
        f"Input past: windows of {len(spec.input_offsets)} rows by {features.width} columns: {columns}.",
        f"Output forecast: {len(spec.steps)} steps of {brief(features.roles.target)}. Intervals are not in the file.",
    ]
    if features.future_width:
        told.insert(1, f"Input future: {len(spec.steps)} rows by {features.future_width} columns known in advance.")
    if json:
        say(json_text({"onnx": str(onnx), "notes": told}))
    elif not quiet:
        say_lines(told)
        say(f"ONNX file: {onnx}")
