"""`seqloom anomalies`: from a table to detectors compared, a score and a flag for every row, and a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from seqloom_runtime.errors import DataError, SettingError, shown, suggest

from . import options as o
from .estimators import build_estimators, model_names, required_data
from .every_option import reaches
from .flags import told
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import AS_TRAINED, FORM, UNFOLD, FormOptions, TableOptions

__all__ = ["AnomalySettings", "anomalies", "predict_file"]

_BASELINE = "seasonal-residual"
_OTHER = "z-score"


@reaches("AnomalyDetector")
class AnomalySettings(TableOptions):
    """Everything that decides what a comparison of detectors computes."""

    # What `reading.read_file` asks of a table of forecasts too.
    categories: ClassVar[str | None] = None
    static: ClassVar[str | None] = None
    options = (
        o.Option("columns", "Columns that are looked at.", "Task", "A,B,…", shown="every one of numbers"),
        o.Option(
            "labels",
            "What is known to be anomalous, to score with: a column of 0 and 1, or a JSON file of windows as NAB's. No "
            "model learns from it.",
            "Task",
            "COLUMN|FILE",
        ),
        *o.from_table("AnomalyDetector", "window season online false_alarms"),
        *o.from_table("Forecaster", "split", values=True, split={"default": "0.5,0.2"}),
        o.reading("time", "Column of times; several to join (Date,Time); none counts rows.", shown="found out"),
        o.reading("id", "Column that names the series, where the table holds several."),
        *o.from_table(
            "AnomalyDetector",
            "holidays zone time_format resample aggregate duplicates missing max_fill fill",
            values=True,
            missing={"help": "Marks of a missing value beside the usual ones: numbers or texts, such as -9999,n/v."},
        ),
        *FORM,
        UNFOLD,
        *o.from_table(
            "AnomalyDetector",
            "code beta units layers dropout input_dropout recurrent_dropout between_dropout",
        ),
        *o.from_table("AnomalyDetector", o.TRAINING),
        o.THREADS,
        o.argument(
            "TABLE",
            "Text table (also .gz or .zip), workbook, JSON, Parquet or Arrow file, database URL, or - for standard "
            "input.",
        ),
        o.models(
            "AnomalyDetector",
            "gru-autoencoder,gru-vae",
            "rnn-autoencoder, gru-autoencoder, lstm-autoencoder, rnn-vae, gru-vae, lstm-vae",
            "seasonal-residual and z-score",
        ),
    )


def _prepare(settings: AnomalySettings) -> Prepared:
    from ..tasks import AnomalyDetector
    from ..tasks.anomalies import compare_detectors
    from ..tasks.anomalies.gaps import gap_decisions
    from .reading import read_file

    models = model_names(settings.model, _BASELINE, _OTHER)
    estimators = build_estimators(AnomalyDetector, models, o.parameters_of(settings, "AnomalyDetector"))
    data = required_data(settings.data)
    panel, time = read_file(data, settings)
    notes = []
    if settings.time is None:
        held = f"{shown(time)} holds the times" if time else "the rows are steps without times"
        notes.append(f"--time was not given: {held}.")
    panel, labels = _labelled(panel, data, settings.labels)
    panel = _chosen(panel, o.names(settings.columns), labels)
    if settings.columns is None:
        read = [shown(name) for name in panel.columns if name != labels]
        others = f" and {len(read) - 8} more" if len(read) > 8 else ""
        notes.append(f"--columns was not given: {', '.join(read[:8])}{others} are looked at.")
    looked_at = panel.select([name for name in panel.columns if name != labels])
    quality = told(
        [*(() if panel.quality is None else panel.quality.decisions), *gap_decisions(looked_at)], "anomalies"
    )
    compare = partial(
        compare_detectors,
        panel,
        estimators,
        labels=labels,
        split=settings.split,
        baseline=_BASELINE,
        baselines=(_OTHER,),
        source={"source": data, "time": time, "id": settings.id},
        seed=settings.seed,
    )
    return Prepared(compare, [*notes, *quality])


def _labelled(panel: Any, data: str, labels: str | None) -> tuple[Any, str | None]:
    """The panel with a column of labels, and its name; a file of windows becomes one."""
    from seqloom_runtime.data.labelled_windows import read_labelled_windows, with_labels

    if labels is None:
        return panel, None
    if labels in panel.columns:
        return panel, labels
    if not os.path.isfile(labels):
        raise DataError(
            f"--labels: expected a column of 0 and 1 or a JSON file of windows, there is no {shown(labels)}."
            f"{suggest(labels, panel.columns)}"
        )
    return with_labels(panel, read_labelled_windows(labels, data))


def _chosen(panel: Any, columns: Sequence[str], labels: str | None) -> Any:
    """The panel with the columns that are looked at, and that of the labels."""
    from ..tasks.anomalies.detector import columns_of

    named = [name for name in columns if name != labels]
    if columns and not named:
        raise SettingError("--columns: they hold nothing but the labels; name columns of measurements.")
    kept = columns_of(panel, named or None, labels)
    return panel.select([*kept, *([] if labels is None else [labels])])


anomalies = training_command(
    "anomalies",
    AnomalySettings,
    _prepare,
    """Find the rows of a table that are unlike the others: detectors compared, every row scored, the worst flagged.

    The first rows are learned from, the next choose the best model and calibrate its threshold, the last are judged.
    `seqloom predict RUN TABLE` scores new rows.""",
)


def predict_file(
    model: Any, data: str | list[str], settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """A row for each of the table: time, score, threshold, flagged."""
    import numpy as np

    from seqloom_runtime.data import Panel, read_table
    from seqloom_runtime.data.series_names import with_series_names
    from seqloom_runtime.tables import time_text

    from ..tasks.anomalies.detector import reading_of
    from ..tasks.anomalies.gaps import gap_decisions

    named = {name: settings[name] for name in (*AS_TRAINED, "unfold") if settings.get(name) is not None}
    how: dict[str, Any] = {name: value if value is not None else named.get(name) for name, value in vars(form).items()}
    how["missing"] = (*o.marks_of(settings.get("missing"))[1], *o.names(form.missing))
    table = read_table(data, **how)
    table, id = with_series_names(table, model.source_["id"])
    time = model.source_["time"]
    panel = Panel.from_frame(table, time=time, id=id, columns=model.columns_, **reading_of(model))
    detected = model.detect(panel)
    columns = detected.columns(model.source_)
    named_time = list(columns)[list(columns).index("score") - 1]
    found: dict[str, Any] = {**columns, named_time: time_text(columns[named_time], model.zone_)}
    notes = [f"{int(detected.flagged.sum()):,} of {len(panel):,} rows are flagged."]
    if detected.flagged.any():
        place = int(np.nanargmax(detected.score))
        notes = [
            f"{notes[0][:-1]}; the highest score, {detected.score[place]:.4g}, is that of {found[named_time][place]}."
        ]
    decided = () if panel.quality is None else panel.quality.decisions
    notes += told([*decided, *gap_decisions(panel)], "predict")
    return Predicted({name: list(values) for name, values in found.items()}, notes)
