"""Irregular records in `seqloom sequences`: the risk of an event within a horizon, or of a label, gaps as inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import DataError, SettingError

from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown
from .flags import told
from .predicted import Predicted
from .running import Prepared
from .tables import AS_TRAINED, FORM, FormOptions

if TYPE_CHECKING:
    from seqloom_runtime.data.irregular import Records

    from .sequences import SequenceSettings

__all__ = ["RECORD_OPTIONS", "predict_file", "prepared_records", "records_in"]

_ESTIMATORS = "RecordModel SequenceClassifier SequenceRegressor FrameModel"  # whose flags the command has
_BASELINE = "prevalence"
_FORM = tuple(option.name for option in FORM)
RECORD_OPTIONS = (
    o.reading(
        "value_columns",
        "Measurements of irregular records, empty where nothing was measured: gaps, times and values are inputs.",
        "A,B,…",
        shown="regular sequences",
    ),
    o.reading(
        "event",
        "Event of irregular records, asked for at every row: a column that is 1 where it happens, or holds its time.",
    ),
    o.reading("horizon", "How far ahead the event is asked for, such as 6h, or a number of the times' unit.", "SPAN"),
)
"""What `seqloom sequences` takes for irregular records; each of them says that the data is such."""
_SAY_SO = ("value_columns", "event", "horizon", "gaps", "false_alarms")


def records_in(settings: SequenceSettings, path: Any) -> bool:
    """Whether irregular records are asked for, or the data is a folder of them."""
    from seqloom_runtime.data.irregular import is_physionet

    return any(getattr(settings, name) is not None for name in _SAY_SO) or is_physionet(path)


def prepared_records(settings: SequenceSettings, path: str | list[str], shares: Mapping[str, float | None]) -> Prepared:
    """A comparison of models of records; parts are drawn by record, or are files."""
    from ..tasks import RecordModel
    from ..tasks.comparison import compare_models
    from ..tasks.records.task import RecordTask

    for name in ("predict", "columns"):
        if getattr(settings, name) is not None:
            more = "; --value-columns names what is read" if name == "columns" else ""
            raise SettingError(f"--{name}: irregular records have a label or an event{more}; leave it out.")
    # A switch that is off is every command's default, and says nothing of a model that has none.
    given = {name: value for name, value in o.parameters_of(settings, _ESTIMATORS).items() if value is not False}
    refuse_unknown(RecordModel, given, "risk of irregular records")
    names = model_names(settings.model, _BASELINE)
    estimators = build_estimators(RecordModel, names, given)
    files = {name: getattr(settings, name) for name, share in shares.items() if share is None}
    whole = _read(path, settings)
    if whole.target is None:
        raise DataError(f"{_place(path)}: nothing says what is to be predicted; name it with --label or --event.")
    parts, drawn = _parts(whole, files, shares, settings)
    unit = f" {whole.unit}" if whole.unit else ""
    asked = f"{whole.label} within {whole.horizon:g}{unit}" if whole.every_step else whole.label
    task = RecordTask(
        "sequences",
        target=asked,
        unit="record",
        rows={name: list(part.ids) for name, part in parts.items()},
        source={"source": path, **files},
    )
    compare = partial(
        compare_models,
        task,
        estimators,
        {name: (part,) for name, part in parts.items()},
        baseline=_BASELINE,
        seed=settings.seed,
    )
    notes = told(whole.decisions, "sequences")
    if drawn:
        notes.append(f"Parts are drawn by record, none is in two parts: {drawn}.")
    if not any(name.endswith("-forward") for name in names) and settings.gaps != "forward":
        notes.append("To see what the gaps tell, compare with carried-forward values: --model gru,gru-d,gru-forward.")
    return Prepared(compare, notes)


def _parts(
    whole: Records, files: Mapping[str, str], shares: Mapping[str, float | None], settings: SequenceSettings
) -> tuple[dict[str, Records], str]:
    from seqloom_runtime.data.parts import split_examples

    strata = whole.positive().tolist()
    drawn = split_examples(len(whole), shares["valid"] or 0.0, shares["test"] or 0.0, seed=settings.seed, strata=strata)
    parts = {}
    for name, numbers in zip(("train", "valid", "test"), drawn):
        if name not in files:
            parts[name] = whole.take(numbers)
            continue
        parts[name] = found = _read(files[name], settings)
        if found.target is None or found.classes != whole.classes or found.columns != whole.columns:
            raise DataError(
                f"--{name} {files[name]}: expected the columns and the label or event of the training file."
            )
    counts = [f"{len(parts[name]):,} {name}" for name in ("train", "valid", "test") if name not in files]
    return {name: parts[name] for name in ("train", "valid", "test")}, ", ".join(counts) if len(counts) > 1 else ""


def _read(path: str | list[str], settings: SequenceSettings) -> Records:
    from seqloom_runtime.data.irregular import is_physionet, read_physionet, read_records

    columns = o.names(settings.value_columns) or None
    if is_physionet(path):
        assert isinstance(path, str)
        for name in ("id", "time", "time_format", "event", "horizon", "missing"):
            if getattr(settings, name) is not None:
                flag = name.replace("_", "-")
                raise SettingError(
                    f"--{flag}: {path} is of the PhysioNet 2012 layout, which has its own; leave it out."
                )
        file, label = _outcomes(settings.label)
        return read_physionet(path, outcomes=file, label=label, value_columns=columns)
    for name in ("id", "time"):
        if getattr(settings, name) is None:
            raise SettingError(f"--{name}: name the column of the {'records' if name == 'id' else 'times'}.")
    return read_records(
        path,
        id=settings.id,
        time=settings.time,
        value_columns=columns,
        label=settings.label,
        event=settings.event,
        horizon=settings.horizon,
        time_format=settings.time_format,
        missing=o.names(settings.missing),
        **{name: getattr(settings, name) for name in _FORM},
    )


def _outcomes(label: str | None) -> tuple[str | None, str | None]:
    """--label of the PhysioNet layout: its outcomes file, or a column of the one that lies beside the folder."""
    return (label, None) if label is not None and os.path.isfile(label) else (None, label)


def _place(path: str | list[str]) -> str:
    from seqloom_runtime.data.sources import source_name

    return source_name(path) if isinstance(path, str) else f"{source_name(path[0])} and {len(path) - 1} more"


def predict_file(
    model: Any, data: str | list[str], settings: Mapping[str, Any], form: FormOptions
) -> Mapping[str, Sequence[Any]]:
    """The risk of each record, or at each row of each, with an alarm where it reaches the threshold."""
    from seqloom_runtime.data.irregular import is_physionet, read_physionet, read_records

    if is_physionet(data):
        assert isinstance(data, str)
        found = _with_columns(read_physionet(data), model.columns_)
    else:
        how: dict[str, Any] = {name: getattr(form, name) for name in _FORM}
        how |= {name: settings[name] for name in AS_TRAINED if how[name] is None and settings.get(name) is not None}
        missing = [*o.names(settings.get("missing")), *o.names(form.missing)]
        named = {name: settings.get(name) for name in ("id", "time", "time_format")}
        for name in ("id", "time"):
            if named[name] is None:
                raise DataError(
                    f"{_place(data)}: no run.json says which columns are the id and the time; name the run folder."
                )
        found = read_records(data, value_columns=model.columns_, missing=missing, **named, **how)
    risk = model.predict(found)
    if not model.every_step_:
        return Predicted({"id": list(found.ids), "risk": risk.tolist()}, told(found.decisions, "predict"))
    columns: dict[str, Sequence[Any]] = {
        "id": [found.ids[n] for n in found.record_of],
        "time": found.times.tolist(),
        "risk": [value for values in risk for value in values.tolist()],
    }
    if model.threshold_ is not None:
        columns["alarm"] = [int(value >= model.threshold_) for value in columns["risk"]]
    return Predicted(columns, told(found.decisions, "predict"))


def _with_columns(records: Records, columns: tuple[str, ...]) -> Records:
    """The records with these columns, those that they lack empty; a part of a set may never measure one."""
    from dataclasses import replace

    import numpy as np

    values = np.full((len(records.values), len(columns)), np.nan)
    for k, name in enumerate(columns):
        if name in records.columns:
            values[:, k] = records.values[:, records.columns.index(name)]
    return replace(records, values=values, columns=tuple(columns))
