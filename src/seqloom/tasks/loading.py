"""`seqloom.load`: a model folder back as the estimator that wrote it, and which module writes and reads its kind."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from seqloom_runtime.errors import FormatError, brief, printable, shown, suggest
from seqloom_runtime.limits import reading
from seqloom_runtime.model_folder import is_model_folder, read_model
from seqloom_runtime.saved_fields import damage_told

from .memory import prediction_only
from .saved_fields import with_parameters

__all__ = ["estimator_from", "folder_of", "load"]

_LONGEST = 800  # characters of a message

# Each task as model.json names it: the package of its `folder`, and the estimator. They are imported at the first model
# of that task and not before, so that a forecast loads nothing of texts.
_TASKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "anomalies": ("anomalies", "AnomalyDetector"),
        "captions": ("captions", "Captioner"),
        "classify": ("text", "TextClassifier"),
        "embedding": ("embedding", "WordEmbedder"),
        "forecast": ("forecast", "Forecaster"),
        "frame-model": ("sequences", "FrameModel"),
        "film-classifier": ("sequences", "FilmClassifier"),
        "frames": ("frames", "FramePredictor"),
        "language": ("language", "LanguageModel"),
        "picture-classifier": ("sequences", "PictureClassifier"),
        "records": ("records", "RecordModel"),
        "sequence-classifier": ("sequences", "SequenceClassifier"),
        "sequence-regressor": ("sequences", "SequenceRegressor"),
        "similarity": ("similarity", "SequenceSimilarity"),
        "tagging": ("tagging", "SequenceTagger"),
        "transcription": ("transcription", "Transcriber"),
        "translation": ("translation", "Seq2Seq"),
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
            return estimator_from(task, header, arrays)
    except FormatError as error:
        raise FormatError(f"{name}: {brief(str(error), _LONGEST)}") from error.__cause__


def folder_of(kind: type) -> Any:
    """The module that writes and reads the model folders of an estimator, or of a class derived from one."""
    packages = {name: package for package, name in _TASKS.values()}
    package = next(packages[base.__name__] for base in kind.__mro__ if base.__name__ in packages)
    return importlib.import_module(f".{package}.folder", __package__)


def estimator_from(task: str, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    """The estimator that a model folder's header and arrays describe; raises FormatError where they don't fit."""
    package, name = _TASKS[task]
    kind = getattr(importlib.import_module(f".{package}", __package__), name)
    folder = folder_of(kind)
    with damage_told():
        estimator = with_parameters(kind, folder.saved_parameters(header))
        estimator._take(folder.read_fitted(estimator, header, arrays))
    return estimator
