"""Comparing models of any task on the same data: fit, score, rank, and a run folder that can be gone on with.

Names load on first use: whether a folder is free for a run is known without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from .compare import Comparable, Comparison, compare_models
    from .evaluation import Evaluation
    from .folder import ModelFinished, ModelStarted, check_out
    from .task import Task

_HOME = {
    "Comparable": "compare",
    "Comparison": "compare",
    "Evaluation": "evaluation",
    "ModelFinished": "folder",
    "ModelStarted": "folder",
    "Task": "task",
    "check_out": "folder",
    "compare_models": "compare",
}

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
