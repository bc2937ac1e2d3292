"""Comparing models of any task on the same data: fit, score, rank, and a run folder that can be gone on with."""

from __future__ import annotations

from .compare import Comparable, Comparison, compare_models
from .evaluation import Evaluation
from .folder import ModelFinished, ModelStarted, check_out
from .task import Task

__all__ = [
    "Comparable",
    "Comparison",
    "Evaluation",
    "ModelFinished",
    "ModelStarted",
    "Task",
    "check_out",
    "compare_models",
]
