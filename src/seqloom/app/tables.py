"""What `seqloom forecast` and `backtest` are asked, and how every command that reads a table is told about it."""

from __future__ import annotations

from . import options as o

__all__ = ["Settings", "TableOptions"]

_BY_FREQUENCY = {"default": None, "shown": "by frequency"}
_FOUND = "found out"
_TABLE = (
    o.reading("time", "Column of times; several to join (Date,Time); none counts rows.", shown="found out"),
    o.reading(
        "time_format", "Form of the times: dmy, mdy, ymd, ym, or as '%d/%m/%y %H:%M'.", "FORM", shown="found out"
    ),
    o.reading("resample", "Put the rows of each step together: 10min, 1h, 1d, 1w, 1mo.", "STEP"),
    o.reading("aggregate", "How: mean, sum, last, first, min, max; or by column as load=sum,temp=mean.", "HOW", "mean"),
    o.reading("duplicates", "What rows of one time become: their mean, first, last or sum.", "HOW"),
    o.reading("id", "Column that names the series, where the table holds several."),
    *o.from_table("Forecaster", "zone missing max_fill", values=True),
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
    o.reading("sheet", "Sheet of a workbook.", shown="the only one"),
    o.reading("query", "One SELECT, where DATA is the URL of a database.", "SQL"),
)


class TableOptions(o.Asked):
    """How a table is read."""

    options = _TABLE


class Settings(TableOptions):
    """Everything that decides what a forecast or a backtest computes."""

    options = (
        o.Option("target", "Column to forecast; may be left out where there is one column of numbers.", "Task"),
        o.Option("inputs", "Columns that the models read.", "Task", "A,B,…", shown="all columns"),
        o.Option("future", "Columns whose later values are known in advance.", "Task", "A,B,…"),
        *o.from_table(
            "Forecaster",
            "lookback horizon every at season split levels",
            values=True,
            lookback=_BY_FREQUENCY,
            horizon=_BY_FREQUENCY,
            season=_BY_FREQUENCY,
        ),
        *_TABLE,
        *o.from_table(
            "Forecaster",
            "model anchor calendar units layers bidirectional input_dropout recurrent_dropout between_dropout channels"
            " kernel_size pool_size",
            values=True,
            model={
                "default": "naive,seasonal,damped,linear,gru",
                "help": "Models to compare: naive, seasonal, drift, mean, damped, ets, theta, stl-ets; "
                "linear, dense, rnn, gru, lstm, conv, conv-gru, tcn.",
            },
            channels={"shown": "as many as --units; levels by the lookback"},
            kernel_size={"shown": "5; tcn 3"},
        ),
        *o.from_table(
            "Forecaster",
            "epochs steps_per_epoch batch_size learning_rate optimizer loss patience seed",
            values=True,
            epochs={"default": None, "shown": "about 1,500 batches in 20 to 300 epochs"},
        ),
        o.THREADS,
        o.argument(
            "DATA",
            "CSV (also .gz) or Parquet file, or - for standard input; without it, the CO2 series that statsmodels "
            "bundles.",
        ),
    )
