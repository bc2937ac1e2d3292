"""Options that several commands share, each declared once, and the parsing of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..errors import SettingError

__all__ = [
    "Anchor", "At", "BatchSize", "BetweenDropout", "Bidirectional", "Calendar", "Data", "Decimal", "Encoding", "Epochs", "Every", "Future",
    "Horizon", "Id", "InputDropout", "Inputs", "Json", "Layers", "LearningRate", "Level", "Lookback", "Loss", "MaxFill", "Missing",
    "Models", "Optimizer", "Patience", "Quiet", "RecurrentDropout", "Season", "Seed", "Split", "StepsPerEpoch", "Target",
    "Threads", "Time", "TimeZone", "Units", "names", "numbers",
]  # fmt: skip

Data = Annotated[
    str | None,
    typer.Argument(help="A CSV (also .gz) or Parquet file; without it, the CO2 series that statsmodels bundles."),
]
Target = Annotated[str | None, typer.Option(help="Column to forecast.", rich_help_panel="Data")]
Time = Annotated[
    str | None, typer.Option(help="Column of times; without one the rows are steps.", rich_help_panel="Data")
]
Id = Annotated[
    str | None,
    typer.Option("--id", help="Column that names the series, where the table holds several.", rich_help_panel="Data"),
]
Inputs = Annotated[
    str | None, typer.Option(help="Columns that the models read, A,B,…; all by default.", rich_help_panel="Data")
]
Future = Annotated[
    str | None, typer.Option(help="Columns whose later values are known in advance, A,B,…", rich_help_panel="Data")
]
TimeZone = Annotated[
    str | None, typer.Option(help="IANA name of the time column's zone, such as Europe/Berlin.", rich_help_panel="Data")
]
Missing = Annotated[
    str | None, typer.Option(help="Values that stand for missing, such as -9999.", rich_help_panel="Data")
]
MaxFill = Annotated[int, typer.Option(help="Longest gap, in rows, that is carried forward.", rich_help_panel="Data")]
Encoding = Annotated[str, typer.Option(help="Text encoding of the file.", rich_help_panel="Data")]
Decimal = Annotated[str, typer.Option(help="Decimal mark: . or ,", rich_help_panel="Data")]

Lookback = Annotated[
    str | None, typer.Option(help='How far back the models see: "5d", "24h", "10min" or rows.', rich_help_panel="Task")
]
Horizon = Annotated[
    str | None, typer.Option(help="How far ahead to forecast: a duration or rows.", rich_help_panel="Task")
]
Every = Annotated[
    str, typer.Option(help="Read and forecast one row each … rows (or a duration).", rich_help_panel="Task")
]
At = Annotated[
    str, typer.Option(help="path: every step up to the horizon; last: the horizon's row alone.", rich_help_panel="Task")
]
Season = Annotated[
    str | None,
    typer.Option(help="Length of a season: a duration or rows, not necessarily whole.", rich_help_panel="Task"),
]
Split = Annotated[
    str,
    typer.Option(
        help="TRAIN,VALID as fractions or rows, in time order; the rest is the test part.", rich_help_panel="Task"
    ),
]
Level = Annotated[str, typer.Option(help="Prediction intervals, in percent.", rich_help_panel="Task")]

Models = Annotated[str, typer.Option("--model", help="Which models to compare, A,B,…: naive, seasonal, drift, mean, damped, ets, theta, stl-ets, linear, dense, rnn, gru, lstm.", rich_help_panel="Model")]  # fmt: skip
Anchor = Annotated[
    str,
    typer.Option(
        help="What a network's output is added to: last, seasonal, none, or auto (tries them).", rich_help_panel="Model"
    ),
]
Calendar = Annotated[
    bool, typer.Option("--calendar", help="Add time of day, week and year as inputs.", rich_help_panel="Model")
]
Units = Annotated[int, typer.Option(help="Units per hidden layer.", rich_help_panel="Model")]
Layers = Annotated[int, typer.Option(help="Hidden layers.", rich_help_panel="Model")]
InputDropout = Annotated[float, typer.Option(help="Dropout of inputs, one mask per sequence.", rich_help_panel="Model")]
RecurrentDropout = Annotated[
    float, typer.Option(help="Dropout of the recurrent state, one mask per sequence.", rich_help_panel="Model")
]
BetweenDropout = Annotated[float, typer.Option(help="Dropout between stacked layers.", rich_help_panel="Model")]
Bidirectional = Annotated[
    bool, typer.Option("--bidirectional", help="Read the window in both directions.", rich_help_panel="Model")
]

Epochs = Annotated[int | None, typer.Option(help="Passes over the training windows (or over --steps-per-epoch batches).", rich_help_panel="Training")]  # fmt: skip
StepsPerEpoch = Annotated[
    int | None, typer.Option(help="Batches per epoch; without it, all windows once.", rich_help_panel="Training")
]
BatchSize = Annotated[int, typer.Option(help="Windows per batch.", rich_help_panel="Training")]
LearningRate = Annotated[float, typer.Option(help="Step size of the optimizer.", rich_help_panel="Training")]
Optimizer = Annotated[str, typer.Option(help="adam, adamw, rmsprop or sgd.", rich_help_panel="Training")]
Loss = Annotated[str, typer.Option(help="mae, mse, huber or quantile (the median).", rich_help_panel="Training")]
Patience = Annotated[
    int | None,
    typer.Option(help="Stop after so many epochs without a better validation error.", rich_help_panel="Training"),
]
Seed = Annotated[int, typer.Option(help="The same seed and threads give the same bytes.", rich_help_panel="Training")]
Threads = Annotated[int | None, typer.Option(help="Threads to compute with.", rich_help_panel="Training")]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel="Output")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but the result.", rich_help_panel="Output")]


def names(text: str | None) -> tuple[str, ...]:
    """The members of a comma-separated list; a comma inside a name is written as two.

    >>> names("T (degC), wind,,gust")
    ('T (degC)', 'wind,gust')
    """
    if text is None:
        return ()
    parts = [part.replace("\0", ",").strip() for part in text.replace(",,", "\0").split(",")]
    return tuple(part for part in parts if part)


def numbers(text: str | None, flag: str, kind: Callable[[str], Any] = float) -> tuple[Any, ...]:
    """The numbers of a comma-separated list; raises SettingError naming the flag and the member that is none."""
    found = []
    for part in (text or "").split(","):
        if part.strip():
            try:
                found.append(kind(part.strip()))
            except ValueError:
                raise SettingError(
                    f"{flag}: expected numbers separated by commas, got {part.strip()!r} in {text!r}."
                ) from None
    return tuple(found)
