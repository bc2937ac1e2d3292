"""Model folders as the server asks them: the one place that knows which library reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SeqloomError, SettingError, shown
from seqloom_runtime.files import read_json
from seqloom_runtime.loading import load

from .served import Served

__all__ = ["files_of", "load_model", "records_of"]


def files_of(path: Path) -> list[Path]:
    """The files that a loaded model comes from: those of the model folder, or of the run folder that holds it."""
    folder = path / "model" if not (path / "model.json").is_file() and (path / "model").is_dir() else path
    return [folder / "model.json", folder / "model.safetensors"]


def records_of(path: Path) -> list[Path]:
    """Where the record of the run that a model belongs to may be, whose settings say how rows are read."""
    return [folder / "run.json" for folder in (path, path.resolve().parent)]


def load_model(path: Path) -> Served:
    """The model of a run folder or model folder; raises FormatError for a damaged one, SettingError for one that can't
    be served."""
    header = _header(files_of(path)[0])
    task, parameters = header.get("task"), header.get("parameters")
    name = parameters.get("model") if isinstance(parameters, dict) else None
    model = load(path)
    return _adapter(str(task))(model, str(task), str(name), _settings_beside(path))


def _header(file: Path) -> Mapping[str, Any]:
    """What model.json says, or nothing where it can't be read, which loading it will tell."""
    try:
        header = read_json(file)
    except (SeqloomError, OSError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def _adapter(task: str) -> Callable[[Any, str, str, Mapping[str, Any]], Served]:
    if task == "forecast":
        from .forecasts import ServedForecaster

        return ServedForecaster
    if task in ("classify", "tagging", "translation", "language"):
        from .texts import served_text_model

        return served_text_model
    if task in ("sequence-classifier", "sequence-regressor"):
        from .sequences import ServedSequences

        return ServedSequences
    if task == "frame-model":
        from .sequences import ServedSteps

        return ServedSteps
    raise SettingError(
        f"RUN: a model of the task {shown(task)} can't be served yet; forecasters, models of texts and models of "
        "sequences can."
    )


def _settings_beside(path: Path) -> Mapping[str, Any]:
    """The settings of the run that holds the model; none where the model folder stands alone."""
    for file in records_of(path):
        if file.is_file():
            record = read_json(file)
            settings = record.get("settings") if isinstance(record, dict) else None
            if not isinstance(settings, dict):
                raise SettingError(f"{shown(str(file))}: expected the record of a run; it is damaged.")
            return settings
    return {}
