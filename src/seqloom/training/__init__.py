"""One training loop for any torch module: resume, early stopping, schedules, events, data-parallel runs."""

from __future__ import annotations

from seqloom.training.events import (
    Done,
    EpochDone,
    Event,
    Notice,
    RestoredBest,
    Saved,
    StepDone,
    StoppedEarly,
    TrainStart,
)
from seqloom.training.history import EpochRow, History
from seqloom.training.loop import fit
from seqloom.training.native_optimizers import SGD, Adam, AdamW, RMSprop
from seqloom.training.seeds import derive_seed
from seqloom.training.settings import FitSettings

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Done",
    "EpochDone",
    "EpochRow",
    "Event",
    "FitSettings",
    "History",
    "Notice",
    "RMSprop",
    "RestoredBest",
    "Saved",
    "StepDone",
    "StoppedEarly",
    "TrainStart",
    "derive_seed",
    "fit",
]
