"""What the commands can be asked: each option declared once, grouped as the help shows them, and the parsing of lists.

A group is a frozen dataclass whose fields are annotated as typer reads them; `signature.takes` turns groups into the
signature of a command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, get_type_hints

import typer

from ..errors import FormatError, SettingError, shown

__all__ = [
    "DURATION",
    "Json",
    "ModelOptions",
    "Quiet",
    "Recorded",
    "Settings",
    "TableOptions",
    "TaskOptions",
    "TrainingOptions",
    "names",
    "numbers",
    "recorded_settings",
    "rows_or_duration",
]

DURATION = "DURATION"
_LIST = "A,B,…"

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON and nothing else.", rich_help_panel="Output")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Print the result alone: no notes, no progress.", rich_help_panel="Output")
]


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What is forecast, from what, how far."""

    panel: ClassVar[str] = "Task"

    target: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column to forecast; may be left out where there is one column of numbers."),
    ] = None
    inputs: Annotated[
        str | None, typer.Option(metavar=_LIST, help="Columns that the models read.", show_default="all columns")
    ] = None
    future: Annotated[
        str | None, typer.Option(metavar=_LIST, help="Columns whose later values are known in advance.")
    ] = None
    lookback: Annotated[
        str | None,
        typer.Option(
            metavar=DURATION,
            help="How far back the models see, such as 5d, or a number of rows.",
            show_default="by frequency",
        ),
    ] = None
    horizon: Annotated[
        str | None,
        typer.Option(
            metavar=DURATION,
            help="How far ahead to forecast, such as 24h, or a number of rows.",
            show_default="by frequency",
        ),
    ] = None
    every: Annotated[
        str, typer.Option(metavar=DURATION, help="Read and forecast one row each so often; in rows or time.")
    ] = "1"
    at: Annotated[
        str,
        typer.Option(metavar="NAME", help="path: every step up to the horizon; last: the row at the horizon alone."),
    ] = "path"
    season: Annotated[
        str | None,
        typer.Option(
            metavar=DURATION,
            help="Length of a season in rows (need not be whole) or time.",
            show_default="by frequency",
        ),
    ] = None
    split: Annotated[
        str,
        typer.Option(
            metavar="TRAIN,VALID", help="Rows or fractions to train and validate on, in time order; the rest tests."
        ),
    ] = "0.7,0.15"
    level: Annotated[str, typer.Option(metavar="P,Q,…", help="Prediction intervals, in percent.")] = "80,95"


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How the file is read."""

    panel: ClassVar[str] = "Data"

    time: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of times.", show_default="the only one, or rows are counted"),
    ] = None
    id: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column that names the series, where the table holds several.")
    ] = None
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Zone whose clock the times show, such as Europe/Berlin.")
    ] = None
    missing: Annotated[
        str | None, typer.Option(metavar="V,W,…", help="Numbers that stand for a missing value, such as -9999.")
    ] = None
    max_fill: Annotated[int, typer.Option(metavar="ROWS", help="Longest gap that is carried forward.")] = 24
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of the text.")] = "utf-8"
    decimal: Annotated[str, typer.Option(metavar=".|,", help="Decimal mark of the numbers.")] = "."


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which models are compared, and the networks' shape."""

    panel: ClassVar[str] = "Models"

    model: Annotated[
        str,
        typer.Option(
            metavar=_LIST,
            help="Models to compare: naive, seasonal, drift, mean, damped, ets, theta, stl-ets; "
            "linear, dense, rnn, gru, lstm, conv, conv-gru, tcn.",
        ),
    ] = "naive,seasonal,damped,linear,gru"
    anchor: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What a network's output is added to: last, seasonal or none; auto tries each and keeps the best.",
        ),
    ] = "last"
    calendar: Annotated[bool, typer.Option("--calendar", help="Also read the time of day, of week and of year.")] = (
        False
    )
    units: Annotated[int, typer.Option(metavar="N", help="Units per hidden layer.")] = 32
    layers: Annotated[int, typer.Option(metavar="N", help="Hidden layers.")] = 1
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="Read the window in both directions (rnn, gru, lstm, conv-gru).")
    ] = False
    input_dropout: Annotated[float, typer.Option(metavar="P", help="Share of inputs dropped, per window.")] = 0.0
    recurrent_dropout: Annotated[
        float, typer.Option(metavar="P", help="Share of the recurrent state dropped, per window.")
    ] = 0.0
    between_dropout: Annotated[float, typer.Option(metavar="P", help="Share dropped between hidden layers.")] = 0.0
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="N,M,…",
            help="Channels of each convolution (conv, conv-gru) or level (tcn).",
            show_default="as many as --units; levels by the lookback",
        ),
    ] = None
    kernel_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Taps of a convolution.", show_default="5; tcn 3"),
    ] = None
    pool_size: Annotated[int, typer.Option(metavar="N", help="Steps that a pool takes together (conv, conv-gru).")] = 3


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the networks are trained."""

    panel: ClassVar[str] = "Training"

    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Epochs to train.", show_default="about 1500 batches in 20 to 300 epochs"),
    ] = None
    steps_per_epoch: Annotated[
        int | None, typer.Option(metavar="N", help="Batches per epoch.", show_default="every window once")
    ] = None
    batch_size: Annotated[int, typer.Option(metavar="N", help="Windows per batch.")] = 128
    learning_rate: Annotated[float, typer.Option(metavar="F", help="Step size of the optimizer.")] = 1e-3
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="adam, adamw, rmsprop or sgd.")] = "adam"
    loss: Annotated[
        str, typer.Option(metavar="NAME", help="What training makes small: mae, mse, huber or quantile (the median).")
    ] = "mae"
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Stop after N epochs without a better validation error.", show_default="never stop early"
        ),
    ] = None
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same threads: same bytes.")] = 0
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to compute with.", show_default="torch's choice")
    ] = None


class Recorded:
    """Settings that a run folder records."""

    def record(self: Any) -> dict[str, Any]:
        """Flag → value as in run.json, which holds the threads in a place of their own."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "threads"}


@dataclass(frozen=True, kw_only=True)
class Settings(Recorded, TrainingOptions, ModelOptions, TableOptions, TaskOptions):
    """Everything that decides what a forecast or a backtest computes, by flag (groups listed last come first)."""

    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="CSV (also .gz) or Parquet file, or - for standard input; without it, the CO2 series that statsmodels "
            "bundles.",
            show_default=False,
        ),
    ] = None


def recorded_settings(record: dict[str, Any], threads: Any, place: object, kind: Any = Settings) -> Any:
    """The settings of a run's record; raises FormatError, naming `place`, where they are not what `kind` holds."""
    kinds = get_type_hints(kind)
    expected = [field.name for field in fields(kind) if field.name != "threads"]
    odd = sorted(set(record) ^ set(expected))
    if odd:
        what = "is unknown" if odd[0] in record else "is missing"
        raise FormatError(f"{place}: its setting {shown(odd[0])} {what}; another version wrote it, or it was altered.")
    for name, value in {**record, "threads": threads}.items():
        whole_as_float = kinds[name] is float and type(value) is int
        if not isinstance(value, kinds[name]) and not whole_as_float:
            raise FormatError(
                f"{place}: its setting {shown(name)} is {shown(value)}, which it can't be; the file was altered."
            )
    return kind(**record, threads=threads)


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
                    f"{flag}: expected numbers separated by commas, got {shown(part.strip())} in {shown(text)}."
                ) from None
    return tuple(found)


def rows_or_duration(text: str | None) -> int | str | None:
    """A whole number as int, anything else as it is.

    >>> rows_or_duration("24"), rows_or_duration("24h"), rows_or_duration(None)
    (24, '24h', None)
    """
    try:
        return None if text is None else int(text)
    except ValueError:
        return text
