"""What `seqloom forecast` and `backtest` are asked, and how every command that reads a table is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import options as o
from .every_option import reaches
from .stored import CACHE, MEMORY

__all__ = [
    "AS_TRAINED",
    "FORM",
    "TEXT_FORM",
    "ForecastSettings",
    "FormOptions",
    "Settings",
    "TableOptions",
    "text_form",
]

_BY_FREQUENCY = {"default": None, "shown": "by frequency"}
_FOUND = "found out"
FORM = (
    o.ENCODING,
    o.reading("decimal", "Decimal mark of the numbers.", ".|,", shown=_FOUND),
    o.reading("thousands", "Mark between groups of three digits, or none.", "MARK", shown=_FOUND),
    o.reading("separator", "What stands between cells: one character, tab or space.", "MARK", shown=_FOUND),
    o.Option(
        "header",
        "Whether the first line names the columns.",
        metavar=None,
        shown=_FOUND,
        kind=bool,
        flags="--header/--no-header",
    ),
    o.reading("skip", "Lines to leave out at the top.", "N", 0),
    o.reading("file_column", "Name for a column of each file's name, where DATA is several files."),
    o.reading("sheet", "Sheet of a workbook.", shown="the only one"),
    o.reading("query", "One SELECT, where DATA is the URL of a database.", "SQL"),
)
"""How the text of a table is written, and which part of a workbook or database it is."""
UNFOLD = o.Option(
    "unfold",
    "Whether months, quarters or dates that stand across, a column each, are put into rows.",
    metavar=None,
    shown=_FOUND,
    kind=bool,
    flags="--unfold/--no-unfold",
)
TEXT_FORM = tuple(
    option for option in FORM if option.name in ("encoding", "separator", "header", "skip", "sheet", "query")
)
"""What applies to a table of texts, whose cells are not read as numbers."""
AS_TRAINED = ("decimal", "thousands", "separator", "header", "query", "file_column")
"""What new rows have in common with those of the training, unless it is named again."""
_TABLE = (
    o.reading("time", "Column of times; several to join (Date,Time); none counts rows.", shown="found out"),
    o.reading(
        "id", "Column that names the series, where the table holds several; or several columns, such as shop,article."
    ),
    *o.from_table(
        "Forecaster",
        "holidays zone time_format resample aggregate duplicates missing max_fill fill season categories static",
        values=True,
        season=_BY_FREQUENCY,
        missing={"help": "Marks of a missing value beside the usual ones: numbers or texts, such as -9999,n/v."},
    ),
    *FORM,
    UNFOLD,
)


class FormOptions(o.Asked):
    """The form of a file with new rows; how they are read on is known from the training."""

    options = (
        *FORM,
        UNFOLD,
        o.reading("missing", "Texts of missing cells beside the usual ones and those of the training.", "V,W,…"),
    )


class TableOptions(o.Asked):
    """How a table is read."""

    options = _TABLE


@reaches("Forecaster")
class Settings(TableOptions):
    """Everything that decides what a forecast or a backtest computes."""

    options = (
        o.Option(
            "target",
            "Column to forecast, several (A,B: a forecast of each), or '*' for every column of numbers; may be left "
            "out where there is one.",
            "Task",
        ),
        o.Option(
            "inputs",
            "Columns that the models read beside the target, or '*' for every one.",
            "Task",
            "A,B,…",
            shown="those of --future, --static and --categories",
        ),
        o.Option("future", "Columns whose later values are known in advance.", "Task", "A,B,…"),
        *o.from_table(
            "Forecaster",
            "lookback horizon every at split levels non_negative fill_future",
            values=True,
            lookback=_BY_FREQUENCY,
            horizon=_BY_FREQUENCY,
        ),
        *_TABLE,
        *o.from_table(
            "Forecaster",
            "model anchor normalise transform calendar missing_flags scaling units layers bidirectional"
            " input_dropout recurrent_dropout"
            " between_dropout channels kernel_size pool_size pooling patch linear_skip cell attention",
            values=True,
            model={
                "default": "naive,seasonal,damped-persistence,linear,gru",
                "help": "Models to compare: naive, seasonal, seasonal-week, drift, mean, damped-persistence, ets, "
                "damped-trend, theta, stl-ets, arima, auto-ets, auto-theta, mstl, log-arima, log-auto-ets, "
                "log-auto-theta, log-mstl, croston, tsb; "
                "linear, nlinear, dlinear, dense, rnn, gru, lstm, encoder-decoder, conv, conv-gru, tcn, each also of "
                "logarithms (log-gru) or with another seed (gru@1); ensemble, the average of the best few.",
            },
            channels={"shown": "as many as --units; levels by the lookback"},
            kernel_size={"shown": "5; tcn 3"},
        ),
        *o.from_table(
            "Forecaster",
            "epochs steps_per_epoch batch_size learning_rate optimizer loss distribution patience time_limit seed",
            values=True,
            epochs={"shown": "20 passes, 1,500 to 6,000 batches"},
            batch_size={"shown": "16 to 128, by the number of training rows"},
            learning_rate={"shown": "0.002, of small tables 0.004, with warm-up and cosine"},
            loss={"default": None, "shown": "mae; mse where a quarter or more of the target is 0"},
        ),
        o.THREADS,
        o.argument(
            "DATA",
            "Text table (also .gz or .zip), workbook, JSON, Parquet or Arrow file, database URL, or - for standard "
            "input; several files are read one behind the other; without it, the CO2 series that statsmodels bundles.",
            several=True,
        ),
    )


def text_form(settings: Mapping[str, Any], form: FormOptions) -> dict[str, Any]:
    """How a table of new texts is written: as that of the training where nothing else is said."""
    names = [option.name for option in TEXT_FORM]
    trained = {name: settings[name] for name in AS_TRAINED if name in names and settings.get(name) is not None}
    return {name: getattr(form, name) if getattr(form, name) is not None else trained.get(name) for name in names}


PRESET = o.Option(
    "preset",
    "Which models are candidates: fast (statistical ones, about 4 s), good (more of them and two networks, 8 to 25 s "
    "on small tables), best (more networks, three seeds, 12 s and more); with columns or holidays known in advance one "
    "network more. Each is tried where its estimated work fits.",
    "Models",
    default="good",
)


class BacktestSettings(Settings):
    """What `seqloom backtest` is asked: models by name, or those of a preset."""

    options = (*Settings.options, replace(PRESET, default=None, shown="the models of --model"))


class ForecastSettings(Settings):
    """What `seqloom forecast` is asked beside what a backtest is: which candidates, and whether the best learns all."""

    options = (
        *(
            replace(option, default=None, shown="those of --preset") if option.name == "model" else option
            for option in Settings.options
        ),
        PRESET,
        o.Option(
            "refit",
            "Fit the best model once more on all rows, after its scores are made, for the forecast and the saved "
            "model.",
            "Models",
            metavar=None,
            default=True,
            kind=bool,
            flags="--refit/--no-refit",
        ),
        CACHE,
        MEMORY,
    )
