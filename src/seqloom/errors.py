"""The exceptions, all under SeqloomError; their home is `seqloom_runtime.errors`."""

from __future__ import annotations

from seqloom_runtime.errors import (
    BackendError,
    DataError,
    FormatError,
    Interrupted,
    MissingDependencyError,
    NotFittedError,
    RunLockedError,
    SeqloomError,
    SettingError,
    TrainingError,
    brief,
    printable,
    shown,
    suggest,
    without_long_words,
)

__all__ = [
    "BackendError",
    "DataError",
    "FormatError",
    "Interrupted",
    "MissingDependencyError",
    "NotFittedError",
    "RunLockedError",
    "SeqloomError",
    "SettingError",
    "TrainingError",
    "brief",
    "printable",
    "shown",
    "suggest",
    "without_long_words",
]
