"""`seqloom.load`: a model folder back as the estimator that wrote it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import FormatError, brief, printable, shown, suggest
from ..limits import reading
from .memory import prediction_only
from .model_folder import is_model_folder, read_model

__all__ = ["load"]

_LONGEST = 800  # characters of a message

Reader = Callable[[dict[str, Any], dict[str, Any]], Any]


def _of(package: str, function: str, module: str = "folder") -> Reader:
    """The function of a task's module, which is imported at the first model of that task and not before."""

    def read(header: dict[str, Any], arrays: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(f".{package}.{module}", __package__), function)(header, arrays)

    return read


# Each task as model.json names it, with what reads its folder.
_TASKS: Mapping[str, Reader] = MappingProxyType(
    {
        "classify": _of("text", "text_classifier_from"),
        "forecast": _of("forecast", "forecaster_from", "forecaster"),
        "frame-model": _of("sequences", "sequence_estimator_from"),
        "language": _of("language", "language_model_from"),
        "sequence-classifier": _of("sequences", "sequence_estimator_from"),
        "sequence-regressor": _of("sequences", "sequence_estimator_from"),
        "tagging": _of("tagging", "tagger_from"),
    }
)


def load(path: str | os.PathLike[str]) -> Any:
    """Load a saved estimator from its model folder, or from the run folder that holds one.

    Raises FormatError, naming the file, for a folder that is missing, foreign, damaged, altered or of another version.
    No code is run from the folder.

    >>> import tempfile
    >>> import numpy as np
    >>> from seqloom import Forecaster
    >>> model = Forecaster(model="naive", lookback=4, horizon=2).fit(np.arange(60.0), target="column_0")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     again = load(folder)
    >>> again.predict()["column_0"].tolist()
    [59.0, 59.0]
    """
    path = Path(path)
    if not is_model_folder(path) and is_model_folder(path / "model"):
        path = path / "model"
    name = printable(os.fspath(path))
    with reading(name, "saved model", error=FormatError):
        return _loaded(path, name)


def _loaded(path: Path, name: str) -> Any:
    header, arrays = read_model(path)
    task = header.get("task")
    if not isinstance(task, str) or task not in _TASKS:
        raise FormatError(f"{name}/model.json: unknown task {shown(task)}.{suggest(str(task)[:80], _TASKS)}")
    try:
        with prediction_only():
            return _TASKS[task](header, arrays)
    except FormatError as error:
        raise FormatError(f"{name}: {brief(str(error), _LONGEST)}") from error.__cause__
