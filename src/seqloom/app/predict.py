"""`seqloom predict`: what a saved model says about new data, read as the training data was."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from seqloom_runtime.errors import FormatError, SettingError, shown

from ..tasks.parameters import ESTIMATORS
from . import options as o
from .engine_options import EngineName, RayAddress, Workers, chosen_engine
from .examples import show_examples
from .opened import RUN, opened
from .signature import takes
from .stored import Cache, Memory, bytes_of, forecast_stored
from .tables import AS_TRAINED, TEXT_FORM, FormOptions

__all__ = ["FillFuture", "Reader", "filling", "predict", "read_like_training", "settings_beside"]

_SHOWN = 20
_MOST_PRINTED = 2_000  # rows of a forecast; of more the first are printed
_HOMES: dict[str, str] = {
    "AnomalyDetector": "anomalies",
    **dict.fromkeys(
        ("SequenceClassifier", "SequenceRegressor", "FrameModel", "PictureClassifier", "FilmClassifier"), "sequences"
    ),
    "FramePredictor": "frames",
    "RecordModel": "records",
    "Captioner": "caption",
    "Seq2Seq": "translate",
    "SequenceTagger": "tag",
    "LanguageModel": "lm",
    "TextClassifier": "classify",
    "Transcriber": "transcribe",
    "WordEmbedder": "embed",
}
"""Estimator → the module of this package whose `predict_file` serves it."""
_OF_FILES = ("anomalies", "caption", "sequences", "records", "transcribe")
_OF_TEXTS = ("classify", "tag", "translate", "lm", "embed")


class Reader(Protocol):
    """What such a module offers."""

    def predict_file(
        self, model: Any, data: Any, settings: Mapping[str, Any], form: FormOptions, **layout: str
    ) -> Mapping[str, Sequence[Any]]:
        """Columns of equal length; `settings` are those of the run, empty where the model folder stands alone."""
        ...

    def predict_texts(self, model: Any, texts: list[str]) -> Mapping[str, Sequence[Any]]:
        """The same of texts; only models of texts have it."""
        ...


Run = Annotated[Path, typer.Argument(metavar="RUN", help=RUN, show_default=False)]
NewData = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA",
        help="File like the training data, or several; without it, a forecaster goes on from the end of that data.",
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
Levels = Annotated[
    str | None,
    typer.Option(
        "--level",
        metavar="P,Q,…",
        help="Prediction intervals of a forecast: their nominal coverage, in percent.",
        show_default="as trained",
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Sample paths of a forecast: this many, in place of forecast and intervals.",
        show_default="none",
    ),
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", help="Random seed of the sample paths.", show_default="that of the training")
]
FillFuture = Annotated[
    str | None,
    typer.Option(
        "--fill-future",
        metavar="carry",
        help="What stands in rows to be forecast where a column known in advance lacks a value: carry, the last known.",
        show_default="as trained",
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option(
        "--text", metavar="TEXT", help="A text to predict, in place of DATA; may be given again.", show_default=False
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How the texts of DATA stand: lines (each is a text or a sentence), or as the help of the training "
        "command says.",
        show_default="found out",
        rich_help_panel="Data",
    ),
]
ConvertRate = Annotated[
    bool,
    typer.Option(
        "--convert-rate",
        help="Convert sounds of another sample rate than that of the training.",
        rich_help_panel="Data",
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="New file for the predictions, CSV or (.parquet) Parquet; without it, they are printed. Frames ahead are "
        "also written as .npy or .png.",
        rich_help_panel="Output",
    ),
]


@takes(FormOptions)
def predict(
    form: FormOptions,
    run: Run,
    data: NewData = None,
    horizon: Ahead = None,
    level: Levels = None,
    samples: Samples = None,
    seed: Seed = None,
    fill_future: FillFuture = None,
    text: Texts = None,
    layout: Layout = None,
    convert_rate: ConvertRate = False,
    cache: Cache = None,
    memory: Memory = "2GB",
    engine: EngineName = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    out: File = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Predict with a saved model.

    A forecaster forecasts from the end of its training data or of DATA, which has the columns of the training data;
    rows after the last known target may give columns known in advance. A model of sequences or texts predicts each
    example of DATA, which is read as the training data was; of texts, DATA may also hold one on each line, or --text
    gives them.
    """
    from ..tasks import Forecaster, load
    from .progress import Progress

    _check_first(out, cache, memory)
    run = opened(run)
    model = load(run)
    if convert_rate:
        if not hasattr(model, "convert_rate"):
            raise SettingError("--convert-rate: only a transcriber reads sounds; leave it out.")
        model.convert_rate = True
    _refuse_texts(_HOMES.get(type(model).__name__), type(model).__name__, data, text, layout)
    if cache is not None and not isinstance(model, Forecaster):
        raise SettingError("--cache: only a forecaster reads tables from disk; leave it out.")
    if isinstance(model, Forecaster):
        filling(model, fill_future)
        if cache is not None:
            with chosen_engine(engine, workers, ray_address) as by:
                forecast_stored(model, data, cache, memory, (horizon, level, samples, seed), out, json, quiet, by)
            return
        panel = None if not data else read_like_training(model, data, form, settings_beside(run))
        if seed is not None and samples is None:
            raise SettingError("--seed: only sample paths are drawn at random; give --samples too, or leave it out.")
        asked = {"horizon": o.rows_or_duration(horizon), "samples": samples, "seed": seed}
        asked["levels"] = None if level is None else o.numbers(level, "--level")
        shown = Progress(bar=not quiet and not json, notices=False)
        with chosen_engine(engine, workers, ray_address) as by, shown as progress:
            table = model.forecast(panel, **asked, engine=by, on_event=progress)
        _forecast(model, panel, table, out, json, quiet)
        return
    if engine is not None or workers is not None or ray_address is not None:
        raise SettingError("--engine: only the series of a forecaster go to workers; leave it out.")
    ahead = {"--horizon": horizon, "--level": level, "--samples": samples, "--seed": seed, "--fill-future": fill_future}
    for flag, value in ahead.items():
        if value is not None:
            raise SettingError(f"{flag}: only a forecaster looks ahead; leave it out.")
    home = _HOMES[type(model).__name__]
    reader: Reader = importlib.import_module(f".{home}", __package__)  # pyright: ignore[reportAssignmentType]
    _refuse_form(form, type(model).__name__, home)
    if text:
        show_examples(reader.predict_texts(model, text), out, json, quiet)
        return
    if not data:
        more = ", or give --text" if home in _OF_TEXTS else ""
        raise SettingError(f"DATA: name the file to predict{more}; this model ({type(model).__name__}) needs one.")
    if len(data) > 1 and home not in _OF_FILES:
        kind = type(model).__name__
        raise SettingError(f"DATA: this model ({kind}) reads one file, got {len(data)}; name one at a time.")
    how = {} if layout is None else {"layout": layout}
    found = reader.predict_file(model, data[0] if len(data) == 1 else data, settings_beside(run), form, **how)
    show_examples(found, out, json, quiet)


def filling(model: Any, fill_future: str | None) -> None:
    """Have a forecaster fill what it lacks ahead; raises SettingError for another word, and where nothing is known."""
    if fill_future is None:
        return
    constraint = ESTIMATORS["Forecaster"]["fill_future"].constraint
    if not constraint.allows(fill_future):
        raise SettingError(f"--fill-future: expected carry, got {shown(fill_future)}.")
    if not model.features_.roles.future:
        raise SettingError("--fill-future: this model reads no column that is known in advance; leave it out.")
    model.fill_future = fill_future


def _refuse_texts(
    home: str | None, kind: str, data: list[str] | None, texts: list[str] | None, layout: str | None
) -> None:
    """Raise SettingError for --text and --layout where the model reads no texts, and for words in place of a file."""
    if home not in _OF_TEXTS:
        for flag, value in (("--text", texts), ("--layout", layout)):
            if value is not None:
                raise SettingError(f"{flag}: a {kind} reads no texts; leave it out.")
        return
    if texts and (data or layout is not None):
        raise SettingError(f"--text: it stands in place of {'DATA' if data else '--layout'}; leave one of them out.")
    for name in data or ():
        if name != "-" and any(mark.isspace() for mark in name) and not os.path.exists(name):
            raise SettingError(f"DATA: there is no file {shown(name)}; to predict a text itself use --text.")


def _refuse_form(form: FormOptions, kind: str, home: str) -> None:
    """Raise SettingError for a flag of a forecaster's table that the reader of other data doesn't know."""
    if home == "anomalies":
        return
    table = home in ("sequences", "records")
    of_tables = ("classify", "tag", "translate", "transcribe")
    taken = {option.name for option in TEXT_FORM} if home in of_tables else {"encoding"}
    if home == "sequences" and form.missing is not None:
        raise SettingError(f"--missing: a {kind} takes no steps without a value; fill them or leave the sequence out.")
    what = "sounds" if home == "transcribe" else "texts"
    for name, usual in () if table else form.defaults().items():
        if name not in taken and getattr(form, name) != usual:
            flag = "--no-header" if getattr(form, name) is False else "--" + name.replace("_", "-")
            raise SettingError(f"{flag}: a {kind} reads {what}, which have no such choice; leave it out.")


def _forecast(
    model: Any,
    panel: Any,
    table: Any,
    out: Path | None,
    json: bool,
    quiet: bool,
) -> None:
    from seqloom_runtime.tables import is_parquet

    from .columns import json_text, say, say_lines
    from .flags import in_flags
    from .showing import forecast_rows, forecast_text

    target, wide = model.features_.roles.target, model.features_.roles.wide
    named = target if wide is None else list(wide.targets)
    about = [] if panel is None or panel.quality is None else [in_flags(line) for line in panel.quality.lines()]
    if out is not None:
        write = table.write_parquet if is_parquet(out) else table.write_csv
        write(out, target, model.zone_)
    if json:
        rows = forecast_rows(table, model)
        place = None if out is None else str(out)
        say(json_text({"target": named, "forecast": rows, "notes": list(table.notes), "data": about, "out": place}))
        return
    # A forecast of fewer models than were fitted is another forecast: that is said before it.
    first = [note for note in table.notes if "left out of this forecast" in note]
    if (about or first) and not quiet:
        say_lines([*about, *first])
        say()
    if out is None:
        most = None if table.sample is None and len(table.ids) <= _MOST_PRINTED else _SHOWN
        say(forecast_text(table, target, model, most))
        if most is not None and len(table.ids) > most and not quiet:
            say(f"… and more, {len(table.ids):,} rows in all; --out FILE or --json gives them")
    elif not quiet:
        say(f"Forecast: {out}")
    if not quiet:
        say_lines([note for note in table.notes if note not in first])


def _check_first(out: Path | None, cache: str | None, memory: str) -> None:
    """What can be refused before the model is loaded and the data read."""
    if out is not None:
        _check_file(out, "file" if cache is None else "folder")
    if cache is not None:
        bytes_of(memory)


def _check_file(path: Path, kind: str = "file") -> None:
    if path.exists():
        raise SettingError(f"--out: {path} exists already; give the path of a new {kind}.")
    if not path.parent.is_dir():
        raise SettingError(f"--out: the folder {path.parent} doesn't exist.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SettingError(f"--out: {path} can't be created because you may not write to {path.parent}.")


def read_like_training(model: Any, data: list[str], form: FormOptions, settings: Mapping[str, Any]) -> Any:
    """New data as a panel, read as the training data was: what its command named counts unless this one says else."""
    from seqloom_runtime.data import Panel, read_table
    from seqloom_runtime.data.series_names import with_series_names
    from seqloom_runtime.forecast.frames import reading_of
    from seqloom_runtime.forecast.targets import columns_of_table, long_again

    from .future_cells import refuse_empty_future

    named = {name: settings[name] for name in (*AS_TRAINED, "unfold") if settings.get(name) is not None}
    how: dict[str, Any] = {name: value if value is not None else named.get(name) for name, value in vars(form).items()}
    how["missing"] = (*o.marks_of(settings.get("missing"))[1], *o.names(form.missing))
    table = read_table(data[0] if len(data) == 1 else data, **how)
    time, roles = model.source_["time"], model.features_.roles
    table, id = with_series_names(table, model.source_["id"])
    strict = model.fill_future is None
    for target in () if not strict else (roles.target,) if roles.wide is None else roles.wide.targets:
        refuse_empty_future(table, target, roles.future, id, roles.categories)
    columns = columns_of_table(model.columns_read_, roles.wide)
    panel = Panel.from_frame(table, time=time, id=id, columns=columns, **reading_of(model, columns))
    return long_again(panel, roles.wide)


def settings_beside(run: Path) -> dict[str, Any]:
    """The settings of the run that holds the model, however it was named."""
    from seqloom_runtime.files import read_json

    from .flags import settings_of

    # The model folder lies in the run folder, and may be named by itself.
    for folder in (run, run.resolve().parent):
        if (folder / "run.json").is_file():
            record = read_json(folder / "run.json")
            if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
                raise FormatError(f"{folder / 'run.json'}: expected the record of a run; it is damaged.")
            # A setting that is missing or unknown is no fault here: another version may have written the run.
            o.check_types(record["settings"], folder / "run.json", settings_of(str(record.get("command"))))
            return record["settings"]
    return {}
