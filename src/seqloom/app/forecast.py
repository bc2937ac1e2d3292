"""`seqloom forecast`: from a table to a comparison with baselines, a forecast, and a report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import FormatError, Interrupted, SettingError
from . import options as o

__all__ = ["forecast"]

Out = Annotated[
    Path | None, typer.Option(help="New folder for the run; without it nothing is kept.", rich_help_panel="Output")
]
Resume = Annotated[
    Path | None, typer.Option(help="Run folder of an interrupted run to go on with.", rich_help_panel="Output")
]

_NOT_SETTINGS = ("out", "resume", "json", "quiet", "threads")


def forecast(
    data: o.Data = None,
    target: o.Target = None,
    time: o.Time = None,
    id: o.Id = None,
    inputs: o.Inputs = None,
    future: o.Future = None,
    time_zone: o.TimeZone = None,
    missing: o.Missing = None,
    max_fill: o.MaxFill = 24,
    encoding: o.Encoding = "utf-8",
    decimal: o.Decimal = ".",
    lookback: o.Lookback = None,
    horizon: o.Horizon = None,
    every: o.Every = "1",
    at: o.At = "path",
    season: o.Season = None,
    split: o.Split = "0.7,0.15",
    level: o.Level = "80,95",
    model: o.Models = "naive,seasonal,damped,linear,gru",
    anchor: o.Anchor = "last",
    calendar: o.Calendar = False,
    units: o.Units = 32,
    layers: o.Layers = 1,
    input_dropout: o.InputDropout = 0.0,
    recurrent_dropout: o.RecurrentDropout = 0.0,
    between_dropout: o.BetweenDropout = 0.0,
    bidirectional: o.Bidirectional = False,
    epochs: o.Epochs = None,
    steps_per_epoch: o.StepsPerEpoch = None,
    batch_size: o.BatchSize = 128,
    learning_rate: o.LearningRate = 1e-3,
    optimizer: o.Optimizer = "adam",
    loss: o.Loss = "mae",
    patience: o.Patience = None,
    seed: o.Seed = 0,
    threads: o.Threads = None,
    out: Out = None,
    resume: Resume = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Compare models with naive baselines on a table, forecast with the best, and draw a report.

    Without DATA it forecasts the weekly CO2 series that statsmodels bundles, a year ahead.
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_SETTINGS}
    if resume is not None:
        if out is not None:
            raise SettingError("--resume names the folder that the run goes on in, so --out can't be given with it.")
        settings, threads = _settings_of(resume, threads)
    else:
        settings = given
    run_forecast(settings, out=out, resume=resume, threads=threads, as_json=json, quiet=quiet)


def run_forecast(
    settings: dict[str, Any], *, out: Path | None, resume: Path | None, threads: int | None, as_json: bool, quiet: bool
) -> None:
    """Run what the settings (flag name → value) ask for; print the table, and where everything was written."""
    from ..tasks.forecast import check_out, compare_forecasters
    from .progress import Progress
    from .reading import load_table, threads_used
    from .showing import show_forecast

    if out is not None:
        check_out(out)
    with threads_used(threads):
        table = load_table(settings)
        parameters, models, notes = forecaster_parameters(settings, table.panel.frequency)
        with how_to_go_on(resume or out), Progress(enabled=not quiet and not as_json) as progress:
            run = compare_forecasters(
                table.panel,
                models,
                parameters,
                target=table.target,
                inputs=o.names(settings["inputs"]) or None,
                future=o.names(settings["future"]),
                source={"time": table.time, "id": settings["id"]},
                settings=settings,
                directory=resume or out,
                resume=resume is not None,
                on_event=progress,
            )
        if run.directory is not None:
            from ..report import build

            build(run.directory)
    show_forecast(run, [*table.notes, *notes], as_json=as_json, quiet=quiet)


@contextmanager
def how_to_go_on(folder: Path | None) -> Iterator[None]:
    """Turn Ctrl-C inside the block into a sentence that says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is None:
            raise Interrupted("Interrupted; nothing was kept, because no --out folder was given.") from None
        raise Interrupted(f"Interrupted; go on with: seqloom forecast --resume {shlex.quote(str(folder))}") from None


def forecaster_parameters(settings: dict[str, Any], frequency: Any) -> tuple[dict[str, Any], list[str], list[str]]:
    """The forecasters' parameters, the models by name, and a sentence for each length that was not given."""
    from ..tasks.forecast import lengths_for

    usual = lengths_for(frequency)
    notes = []
    lengths: dict[str, Any] = {}
    for name in ("lookback", "horizon"):
        lengths[name] = _rows_or_duration(settings[name], getattr(usual, name))
        if settings[name] is None:
            notes.append(f"--{name} was not given: {lengths[name]} rows, as is usual for {frequency.label}.")
    season = _season(settings["season"])
    if season is None and usual.season is not None:
        season = usual.season
        notes.append(f"--season was not given: {season:g} rows, as is usual for {frequency.label}.")
    models = list(o.names(settings["model"]))
    if season is None and "seasonal" in models and settings["model"] == "naive,seasonal,damped,linear,gru":
        models.remove("seasonal")
    parameters = {
        **lengths,
        "every": _rows_or_duration(settings["every"], 1),
        "season": season,
        "split": settings["split"],
        "levels": o.numbers(settings["level"], "--level"),
        "missing": o.numbers(settings["missing"], "--missing"),
        "zone": settings["time_zone"],
        "epochs": 20 if settings["epochs"] is None else settings["epochs"],
    }
    same = (
        "at", "anchor", "calendar", "units", "layers", "input_dropout", "recurrent_dropout", "between_dropout", "bidirectional",
        "steps_per_epoch", "batch_size", "learning_rate", "optimizer", "loss", "patience", "seed", "max_fill",
    )  # fmt: skip
    parameters |= {name: settings[name] for name in same}
    return parameters, models, notes


def _rows_or_duration(text: str | None, usual: int) -> int | str:
    if text is None:
        return usual
    try:
        return int(text)
    except ValueError:
        return text


def _season(text: str | None) -> float | str | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _settings_of(folder: Path, threads: int | None) -> tuple[dict[str, Any], int | None]:
    from ..files import read_json

    path = folder / "run.json"
    if not path.is_file():
        raise FormatError(f"--resume: expected a run folder with a run.json, found none in {folder}.")
    record = read_json(path)
    settings = record.get("settings") if isinstance(record, dict) else None
    if not isinstance(settings, dict) or record.get("command") != "forecast":
        raise FormatError(
            f"{path}: expected the record of a 'seqloom forecast' run; this is another file or a damaged one."
        )
    return settings, record.get("threads") if threads is None else threads
