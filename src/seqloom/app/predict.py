"""`seqloom predict`: what a saved model says about new data; a forecast also from where its training data ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SettingError
from . import options as o

__all__ = ["predict"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder or model folder.", show_default=False)]
NewData = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="File like the training data; without it, a forecaster goes on from the end of the training data.",
        show_default=False,
    ),
]
Ahead = Annotated[
    str | None,
    typer.Option(
        metavar=o.DURATION,
        help="How far ahead, in rows or time; past the trained horizon too, where that is sound.",
        show_default="as trained",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="New CSV file for the predictions; without it, they are printed.",
        rich_help_panel="Output",
    ),
]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Encoding of DATA.")]
Decimal = Annotated[str, typer.Option(metavar=".|,", help="Decimal mark of the numbers in DATA.")]


def predict(
    run: Run,
    data: NewData = None,
    horizon: Ahead = None,
    out: File = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Predict with a saved model.

    A forecaster forecasts from the end of its training data or of DATA, which has the columns of the training data;
    rows after the last known target may give columns known in advance. A model of sequences or texts predicts each
    example of DATA, which is read as the training data was.
    """
    from ..tasks import Forecaster, load

    if out is not None:
        _check_file(out)
    model = load(run)
    if isinstance(model, Forecaster):
        _forecast(model, data, horizon, out, encoding, decimal, json, quiet)
        return
    if horizon is not None:
        raise SettingError("--horizon: only a forecaster looks ahead; leave it out.")
    from .task_predict import predict_examples

    predict_examples(model, run, data, out=out, encoding=encoding, decimal=decimal, as_json=json, quiet=quiet)


def _forecast(
    model: Any,
    data: str | None,
    horizon: str | None,
    out: Path | None,
    encoding: str,
    decimal: str,
    json: bool,
    quiet: bool,
) -> None:
    from .columns import json_text, say, say_lines
    from .showing import forecast_rows, forecast_text

    panel = None if data is None else _read(model, data, encoding, decimal)
    table = model.forecast(panel, horizon=o.rows_or_duration(horizon))
    target = model.features_.roles.target
    about = [] if panel is None or panel.quality is None else panel.quality.lines()
    if out is not None:
        table.write_csv(out, target, model.zone_)
    if json:
        rows = forecast_rows(table, model)
        place = None if out is None else str(out)
        say(json_text({"target": target, "forecast": rows, "notes": list(table.notes), "data": about, "out": place}))
        return
    if about and not quiet:
        say_lines(about)
        say()
    if out is None:
        say(forecast_text(table, target, model))
    elif not quiet:
        say(f"Forecast: {out}")
    if not quiet:
        say_lines(table.notes)


def _check_file(path: Path) -> None:
    if path.exists():
        raise SettingError(f"--out: {path} exists already; give the path of a new file.")
    if not path.parent.is_dir():
        raise SettingError(f"--out: the folder {path.parent} doesn't exist.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SettingError(f"--out: {path} can't be created because you may not write to {path.parent}.")


def _read(model: Any, data: str, encoding: str, decimal: str) -> Any:
    """New data as a panel, read as the training data was."""
    from ..data import read_panel

    return read_panel(
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
