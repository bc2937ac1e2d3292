"""`seqloom export`: a saved model as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
        "--opset", min=17, max=26, metavar="N", help="Version of the operators, 17 to 26.", rich_help_panel="Output"
    ),
]
Stateful = Annotated[
    bool,
    typer.Option(
        "--stateful",
        help="The state goes in and comes out, so that a program can run piece by piece.",
        rich_help_panel="Output",
    ),
]


def export(
    run: Run,
    onnx: File,
    opset: Opset = 17,
    stateful: Stateful = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Write a saved model as an ONNX file, in standard operators: what it reads in, what it predicts out.

    Scaling and calibration are inside. The file's metadata (seqloom) names inputs, outputs, columns and classes;
    vocabularies stand beside the file as JSON. What can't be exported says why.
    """
    from ..tasks import load
    from ..tasks.exporting import export_model
    from .columns import json_text, say, say_lines

    record = export_model(load(opened(run)), onnx, opset, stateful)
    if json:
        say(json_text({"onnx": str(onnx), "notes": record["about"]}))
    elif not quiet:
        say_lines(record["about"])
        say(f"ONNX file: {onnx}")
