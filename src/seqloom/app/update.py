"""`seqloom update`: a saved forecaster goes on with new rows, and is saved as a new model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqloom_runtime.errors import SettingError

from . import options as o
from .opened import RUN, opened
from .predict import FillFuture
from .signature import takes
from .tables import FormOptions

__all__ = ["update"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help=RUN, show_default=False)]
NewRows = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="File like the training data, or several, with later rows; rows that are known may be among them.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        "--out",
        "--output",
        metavar="DIR",
        help="New folder for the updated model.",
        rich_help_panel="Output",
        show_default=False,
    ),
]
Steps = Annotated[
    int, typer.Option("--steps", metavar="N", help="Optimizer steps that a network takes.", rich_help_panel="Training")
]


@takes(FormOptions)
def update(
    form: FormOptions,
    run: Run,
    data: NewRows,
    out: Folder,
    steps: Steps = 50,
    fill_future: FillFuture = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Go on with new rows: a saved forecaster learns from those after its last known target.

    Statistical methods are fitted anew with them, a network takes some steps from its weights, an ensemble keeps the
    weights of its members; intervals are told of the new errors. The model that was named is left as it is.
    """
    from ..tasks import Forecaster, load
    from ..tasks.comparison import check_out
    from .columns import json_text, say, say_lines
    from .flags import in_flags
    from .predict import filling, read_like_training, settings_beside

    check_out(out)
    run = opened(run)
    model = load(run)
    if not isinstance(model, Forecaster):
        raise SettingError(f"RUN: only a forecaster can be updated, this is a {type(model).__name__}; train it anew.")
    filling(model, fill_future)
    panel = read_like_training(model, data, form, settings_beside(run))
    before = len(model.notes_)
    model.update(panel, steps=steps)
    model.save(out)
    about = [] if panel.quality is None else [in_flags(line) for line in panel.quality.lines()]
    told = list(map(in_flags, model.notes_[before:]))
    if json:
        say(json_text({"notes": told, "data": about, "out": str(out)}))
        return
    if not quiet:
        say_lines([*about, *told])
        say(f"Model: {out}")
