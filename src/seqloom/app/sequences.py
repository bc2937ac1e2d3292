"""`seqloom sequences`: from a file of numeric sequences to a comparison of models, the best saved, and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import DataError, SettingError, shown

from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown, required_data, shares_of
from .every_option import reaches
from .films import films_in, predicted_films, prepared_films
from .flags import told
from .pictures import pictures_in, predicted_pictures, prepared_pictures, refuse_new_labels, refuse_of_pictures
from .placed import Origin, in_files
from .records import RECORD_OPTIONS, prepared_records, records_in
from .rolls import predict_rolls, prepared_rolls, rolls_in
from .running import Prepared, training_command
from .tables import AS_TRAINED, FORM, FormOptions

if TYPE_CHECKING:
    from seqloom_runtime.data.sequences import LabelledSequences

__all__ = ["SequenceSettings", "predict_file", "sequences"]

_ESTIMATORS = "SequenceClassifier SequenceRegressor FrameModel PictureClassifier FilmClassifier"
_KINDS = ("label", "number", "step-label", "step-number", "step-yes-no")
# More different whole numbers are counts or years rather than classes; the note says what was taken.
_MOST_CLASSES = 20
_FORM = tuple(option.name for option in FORM)
_BASELINES = {"label": "majority", "step-label": "majority"}


@reaches(f"{_ESTIMATORS} RecordModel")
class SequenceSettings(o.Asked):
    """Everything that decides what a comparison of sequence models computes."""

    options = (
        *o.parts("DATA", "0.15"),
        o.reading(
            "label",
            "What is predicted: a column (or several), an array of an .npz, or the .npy file beside an .npy.",
            shown="y, in an .npz",
        ),
        o.reading(
            "predict",
            "label or number of a sequence; step-label, step-number, step-yes-no at each step.",
            "KIND",
            shown="by the label's values",
        ),
        o.reading("id", "Column that says which sequence a row belongs to (one row for each step)."),
        o.reading("time", "Column that orders the steps; several to join (Date,Time).", shown="as they stand"),
        *o.from_table("Forecaster", "time_format", values=True),
        o.reading("columns", "Columns that the models read.", "A,B,…", shown="all others"),
        o.reading("missing", "Marks of a missing cell; sequences that hold one are left out.", "V,W,…"),
        *RECORD_OPTIONS,
        o.reading("image_column", "Of a table of pictures: column of their paths, from the table's folder."),
        o.reading("image_size", "Height and width that all pictures are scaled to.", "N|H,W", shown="their own"),
        o.reading("colour", "Colours of pictures: grey or colour.", shown="colour where any picture has it"),
        *FORM,
        *o.from_table("PictureClassifier", "read width_multiplier"),
        *o.from_table("RecordModel", "gaps false_alarms"),
        *o.from_table(
            _ESTIMATORS,
            "units layers bidirectional input_dropout recurrent_dropout between_dropout pooling class_weight loss"
            " score_last scaling",
            loss={"panel": "Models", "help": "Training loss of numbers: mse, mae or huber."},
            class_weight={"panel": "Models"},
        ),
        *o.from_table(_ESTIMATORS, o.TRAINING),
        *o.from_table(
            "PictureClassifier",
            "shift flip crop noise",
            flip={"default": None, "flags": "--flip/--no-flip", "shown": "no-flip"},
        ),
        o.THREADS,
        o.argument(
            "DATA",
            "Sequences: .npz (X and y; of films X is (N, T, H, W) or (N, T, H, W, C)), .npy, piano rolls (.mat, .npz), "
            "a folder of pictures (a sub-folder for each class), or a table with a row for each step, or with "
            "lists (text, workbook, JSON, Parquet or Arrow file, database URL, or - for standard input; several are "
            "read one behind the other); or a folder of records of the PhysioNet 2012 layout.",
            several=True,
        ),
        o.models(
            _ESTIMATORS,
            "gru",
            "rnn, gru, lstm, tcn, conv, conv-gru, last (of numbers); of pictures also lenet, alexnet, vgg-11, vgg-16, "
            "vgg-19, googlenet, resnet-18, resnet-34, resnet-50, resnet-101, resnet-152; of irregular records gru-d, "
            "rnn, gru, lstm, gru-forward, lstm-forward",
            "majority (for labels), mean (for numbers) or prevalence (of irregular records)",
        ),
    )


def _prepare(settings: SequenceSettings) -> Prepared:
    from ..tasks.comparison import compare_models

    path: str | list[str] = required_data(settings.data)
    if settings.predict not in (None, *_KINDS):
        raise SettingError(f"--predict: expected one of {', '.join(_KINDS)}, got {shown(settings.predict)}.")
    records = records_in(settings, path)
    if not records and pictures_in(settings):
        return prepared_pictures(settings, _ESTIMATORS)
    refuse_of_pictures(settings)
    shares = shares_of(settings)
    if records:
        return prepared_records(settings, path, shares)
    if films_in(path):
        assert isinstance(path, str)
        return prepared_films(settings, path, _ESTIMATORS)
    if rolls_in(path):
        assert isinstance(path, str)
        return prepared_rolls(settings, path, shares)
    files = {name: getattr(settings, name) for name, share in shares.items() if share is None}
    whole = _read(path, settings, None)
    kind, why = _kind_of(whole, settings.predict)
    _refuse_unknown_labels(whole, path, kind)
    estimators = _estimators(settings, kind)
    parts, rows = _drawn(whole, shares, settings.seed, kind)
    for name, file in files.items():
        found = _read(file, settings, whole)
        _refuse_unknown_labels(found, file, kind)
        parts[name], rows[name] = (found.sequences, found.y()), list(found.ids)
    if kind == "label":
        refuse_new_labels(parts, {"valid": settings.valid, "test": settings.test}, "sequence")
    notes = told(whole.decisions, "sequences")
    if not settings.predict:
        notes.append(f"--predict was not given: {kind}, because {why}.")
    kept = len(parts["train"][0])
    if kept < len(whole.sequences):
        notes.append(f"{len(whole.sequences):,} sequences in {_place(path)}, of which {kept:,} train.")
    baseline = _BASELINES.get(kind, "mean")
    compare = partial(
        compare_models,
        "sequences",
        estimators,
        {name: parts[name] for name in ("train", "valid", "test")},
        baseline=baseline,
        baselines=tuple(name for name in ("majority", "mean", "last") if name in estimators),
        target=", ".join(whole.labels),
        rows=rows,
        unit="sequence",
        source={"source": path, **files},
        seed=settings.seed,
    )
    origins = {
        name: Origin(_place(files.get(name, path)), [f"sequence {shown(one)}" for one in ids])
        for name, ids in rows.items()
    }
    return Prepared(in_files(compare, origins, {"X": "", "y": _labels(whole)}), notes)


def _labels(found: LabelledSequences) -> str:
    """The labels' place in a file, in words."""
    named = found.labels or ("y",)
    return f"column{'s' * (len(named) > 1)} {', '.join(map(shown, named))}" if named != ("y",) else "y"


def _refuse_unknown_labels(found: LabelledSequences, path: str | list[str], kind: str) -> None:
    """Raise DataError, naming the sequence, where a label of a whole sequence is no finite number."""
    target = found.target
    if kind.startswith("step-") or target is None or target.dtype.kind != "f":
        return
    import numpy as np

    odd = np.flatnonzero(~np.isfinite(target.reshape(len(target), -1)).all(axis=1))
    if len(odd):
        value = target.reshape(len(target), -1)[odd[0]]
        where = f"sequence {shown(found.ids[odd[0]])}, {_labels(found)}"
        where = f"{_labels(found)}[{odd[0]}]" if _is_numpy(path) else where
        raise DataError(
            f"{_place(path)}, {where}: expected a finite number, got {value[~np.isfinite(value)][0]} ({len(odd):,} "
            "such labels); leave the sequence out."
        )


def _read(path: str | list[str], settings: SequenceSettings, like: LabelledSequences | None) -> LabelledSequences:
    """The sequences of a file with their labels; of the same shape of labels as those `like` it."""
    from seqloom_runtime.data.sequences import read_sequences

    if isinstance(path, str) and path.endswith("/") and not Path(path).is_dir():
        raise DataError(f"{path}: there is no such folder.")
    if settings.label is None and not _is_numpy(path):
        raise DataError(f"{_place(path)}: nothing says what is to be predicted; name its column with --label.")
    every_step = {None: None, "label": False, "number": False}.get(settings.predict, True)
    found = read_sequences(
        path,
        label=o.names(settings.label) or None,
        id=settings.id,
        time=settings.time,
        columns=o.names(settings.columns) or None,
        every_step=every_step if like is None else like.every_step,
        time_format=settings.time_format,
        missing=o.names(settings.missing),
        **{name: getattr(settings, name) for name in _FORM},
    )
    if found.target is None:
        raise DataError(f"{_place(path)}: nothing says what is to be predicted; name it with --label.")
    return found


def _kind_of(found: LabelledSequences, asked: str | None) -> tuple[str, str]:
    """What is predicted, and why."""
    target = found.target
    assert target is not None
    if asked is not None:
        return asked, ""
    step, name = ("step-" if found.every_step else ""), found.labels[0] if found.labels else "y"
    # A sample: a label at each step of many sequences may be millions of numbers.
    values = set(target.ravel()[:100_000].tolist())
    if target.dtype.kind in "USOb":
        return f"{step}label", f"{shown(name)} holds {'texts' if target.dtype.kind != 'b' else 'truth values'}"
    if target.ndim == 2:
        yes_no = found.every_step and values <= {0, 1}
        return ("step-yes-no" if yes_no else f"{step}number"), f"{shown(name)} holds {target.shape[1]} numbers"
    if len(values) <= _MOST_CLASSES and all(value == round(value) for value in values if value == value):
        return f"{step}label", f"{shown(name)} holds {len(values)} different whole numbers"
    return f"{step}number", f"{shown(name)} holds many different numbers"


def _estimators(settings: SequenceSettings, kind: str) -> dict[str, Any]:
    from ..tasks.sequences import FrameModel, SequenceClassifier, SequenceRegressor

    own: dict[str, Any] = {}
    if kind.startswith("step-"):
        make: Any = FrameModel
        own["kind"] = {"step-label": "label", "step-number": "value", "step-yes-no": "binary"}[kind]
    else:
        make = SequenceClassifier if kind == "label" else SequenceRegressor
    given = o.parameters_of(settings, _ESTIMATORS)
    refuse_unknown(make, given, kind)
    return build_estimators(make, model_names(settings.model, _BASELINES.get(kind, "mean")), {**given, **own})


def _drawn(
    whole: LabelledSequences, shares: Mapping[str, float | None], seed: int, kind: str
) -> tuple[dict[str, tuple[Any, Any]], dict[str, list[str]]]:
    """The training part, and the parts that are shares of the same file; and the names of their sequences."""
    from seqloom_runtime.data.parts import split_examples

    assert whole.target is not None
    # Only labels of whole sequences can be shared out evenly.
    strata = whole.target.tolist() if kind == "label" else None
    rows = split_examples(len(whole.sequences), shares["valid"] or 0, shares["test"] or 0, seed=seed, strata=strata)
    y = whole.y()
    kept = {
        name: numbers
        for name, numbers in zip(("train", "valid", "test"), rows)
        if name == "train" or shares[name] is not None
    }
    parts = {
        name: (whole.sequences.take(numbers), [y[n] for n in numbers] if isinstance(y, list) else y[numbers])
        for name, numbers in kept.items()
    }
    return parts, {name: [whole.ids[n] for n in numbers] for name, numbers in kept.items()}


def _is_numpy(path: str | list[str]) -> bool:
    return isinstance(path, str) and Path(path).suffix in (".npy", ".npz")


def _place(path: str | list[str]) -> str:
    from seqloom_runtime.data.sources import source_name

    return source_name(path) if isinstance(path, str) else f"{source_name(path[0])} and {len(path) - 1} more"


sequences = training_command(
    "sequences",
    SequenceSettings,
    _prepare,
    """Compare models that tell a label or a number for each sequence, or at each of its steps; keep the best.

    Where --valid and --test are shares, parts are drawn at random, with equal shares of each label.
    """,
)


def predict_file(
    model: Any, data: str | list[str], settings: Mapping[str, Any], form: FormOptions
) -> Mapping[str, Sequence[Any]]:
    """A row for each sequence (its id, the prediction, probabilities), or for each step of each."""
    from seqloom_runtime.data.sequences import read_sequences

    if type(model).__name__ == "FilmClassifier":
        return predicted_films(model, data)
    if type(model).__name__ == "PictureClassifier":
        return predicted_pictures(model, data, settings, form)
    if rolls_in(data):
        return predict_rolls(model, str(data), form)

    named = not all(name == f"channel_{n}" for n, name in enumerate(model.channels_))
    how: dict[str, Any] = {name: getattr(form, name) for name in _FORM}
    if not _is_numpy(data):
        how |= {name: settings.get(name) for name in ("id", "time", "time_format")}
        how |= {name: settings[name] for name in AS_TRAINED if how[name] is None and settings.get(name) is not None}
        how["columns"] = model.channels_ if named else None
    found = read_sequences(data, **how)
    lengths, listed = found.sequences.lengths, list(found.sequences)
    if type(model).__name__ == "FrameModel":
        predicted = model.predict(listed)
        result: dict[str, Sequence[Any]] = {
            "id": [name for name, length in zip(found.ids, lengths) for _ in range(length)],
            "step": [step for length in lengths for step in range(length)],
        }
        return result | _columns([row for values in predicted for row in values])
    result = {"id": list(found.ids), **_columns(list(model.predict(found.sequences)))}
    if hasattr(model, "predict_proba"):
        for label, column in zip(model.classes_, model.predict_proba(found.sequences).T):
            result[f"p_{label}"] = column.tolist()
    return result


def _columns(rows: list[Any]) -> dict[str, Sequence[Any]]:
    """One column `predicted`, or one for each of several targets."""
    if not hasattr(rows[0], "__len__") or isinstance(rows[0], str):
        return {"predicted": rows}
    return {f"predicted_{k}": [row[k] for row in rows] for k in range(len(rows[0]))}
