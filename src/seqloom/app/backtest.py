"""`seqloom backtest`: rolling-origin evaluation of models beside the naive forecast."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import SettingError
from . import options as o

__all__ = ["backtest"]

Windows = Annotated[
    int, typer.Option("--windows", help="How many cutoffs to forecast from.", rich_help_panel="Backtest")
]
Step = Annotated[
    str | None, typer.Option(help="Distance between cutoffs; the horizon by default.", rich_help_panel="Backtest")
]
Gap = Annotated[
    str,
    typer.Option(help="Rows (or a duration) left out between training and each cutoff.", rich_help_panel="Backtest"),
]
Refit = Annotated[
    bool, typer.Option("--refit/--no-refit", help="Train anew for every cutoff.", rich_help_panel="Backtest")
]


def backtest(
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
    windows: Windows = 5,
    step: Step = None,
    gap: Gap = "0",
    refit: Refit = True,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Forecast from several cutoffs, each model knowing only what came before, and score them beside naive."""
    settings = dict(locals())
    from ..tasks import Forecaster
    from .forecast import forecaster_parameters, how_to_go_on
    from .progress import Progress
    from .reading import load_table, threads_used
    from .showing import columns_text, json_text

    with threads_used(threads):
        table = load_table(settings)
        parameters, models, notes = forecaster_parameters(settings, table.panel.frequency)
        rows: dict[str, Any] = {}
        with how_to_go_on(None), Progress(enabled=not quiet and not json) as progress:
            for name in dict.fromkeys(models):
                result = Forecaster(**{**parameters, "model": name}).cross_validate(
                    table.panel,
                    target=table.target,
                    inputs=o.names(inputs) or None,
                    future=o.names(future),
                    n_windows=windows,
                    step=_rows(step, "--step"),
                    refit=refit,
                    gap=_rows(gap, "--gap") or 0,
                    on_event=progress,
                )
                rows[name] = result.metrics
    if json:
        typer.echo(json_text(rows))
        return
    if not quiet:
        for note in [*table.notes, *notes]:
            typer.echo(note)
    lines = []
    for name, m in rows.items():
        cells = {
            "model": name,
            "mae": m["mae"],
            "rmse": m["rmse"],
            "naive mae": m["naive_mae"],
            "skill": m["skill"],
            "fits": m["fits"],
        }
        lines.append(cells | {f"coverage {k} %": 100 * v for k, v in m["coverage"].items()})
    typer.echo(columns_text([{key: line.get(key) for key in max(lines, key=len)} for line in lines]))


def _rows(text: str | None, flag: str) -> int | str | None:
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        return text
    if value < 0:
        raise SettingError(f"{flag}: expected a whole number of rows of at least 0, or a duration, got {text}.")
    return value
