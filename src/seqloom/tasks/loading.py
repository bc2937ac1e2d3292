"""`seqloom.load`: a model folder back as the estimator that wrote it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import FormatError, suggest
from .forecast.folder import forecaster_from
from .model_folder import is_model_folder, read_model

__all__ = ["load"]

_TASKS: Mapping[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = MappingProxyType({"forecast": forecaster_from})


def load(path: str | os.PathLike[str]) -> Any:
    """Load a saved estimator from its model folder, or from the run folder that holds one.

    Raises FormatError, naming the file, for a folder that is missing, foreign, damaged, altered or of another version.
    No code is run from the folder.
    """
    path = Path(path)
    if not is_model_folder(path) and is_model_folder(path / "model"):
        path = path / "model"
    header, arrays = read_model(path)
    task = header.get("task")
    if task not in _TASKS:
        raise FormatError(f"{path / 'model.json'}: unknown task {task!r}.{suggest(str(task), _TASKS)}")
    return _TASKS[task](header, arrays)
