"""`load`: a model folder as something that predicts, by NumPy and the native module alone."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import FormatError, brief, printable, shown, suggest
from .limits import reading
from .model_folder import is_model_folder, read_model
from .saved_fields import damage_told
from .untrained import Predictor

__all__ = ["TASKS", "load", "predictor_from"]

_LONGEST = 800  # characters of a message

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "anomalies": "anomalies.folder",
        "captions": "captions.folder",
        "classify": "text.predictor",
        "embedding": "embedding.predictor",
        "film-classifier": "sequences.folder",
        "forecast": "forecast.predictor",
        "frame-model": "sequences.folder",
        "frames": "frames.folder",
        "language": "language.predictor",
        "picture-classifier": "sequences.folder",
        "records": "records.folder",
        "sequence-classifier": "sequences.folder",
        "sequence-regressor": "sequences.folder",
        "similarity": "similarity.folder",
        "tagging": "tagging.predictor",
        "transcription": "transcription.predictor",
        "translation": "translation.predictor",
    }
)
"""The tasks as model.json names them, each with the module here whose `read(header, arrays)` makes its predictor."""


def load(path: str | os.PathLike[str]) -> Any:
    """The model of a model folder, or of the run folder that holds one, ready for `predict`.

    Raises FormatError, naming the file, for a folder that is missing, foreign, damaged, altered or of another version.
    No code is run from the folder.
    """
    path = Path(path)
    if not is_model_folder(path) and is_model_folder(path / "model"):
        path = path / "model"
    name = printable(os.fspath(path))
    with reading(name, "saved model", error=FormatError):
        header, arrays = read_model(path)
        task = header.get("task")
        if not isinstance(task, str) or task not in TASKS:
            raise FormatError(f"{name}/model.json: unknown task {shown(task)}.{suggest(str(task)[:80], TASKS)}")
        try:
            return predictor_from(header, arrays)
        except FormatError as error:
            raise FormatError(f"{name}: {brief(str(error), _LONGEST)}") from error.__cause__


def predictor_from(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """The predictor that a model folder's header and arrays describe, whose task is one of `TASKS`.

    Raises FormatError where they don't fit together.
    """
    module = importlib.import_module(f".{TASKS[header['task']]}", __package__)
    with damage_told():
        found = module.read(header, arrays)
    model = header["parameters"].get("model") if isinstance(header.get("parameters"), Mapping) else None
    if isinstance(found, Predictor):  # frozen, so past its own __setattr__
        object.__setattr__(found, "made_of", (header["task"], model if isinstance(model, str) else ""))
    return found
