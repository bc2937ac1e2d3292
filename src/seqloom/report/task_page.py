"""The page of a sequence or text task: its parts in order."""

from __future__ import annotations

from .document import Document, Section
from .scores import table_html
from .task_saved import TaskRun

__all__ = ["task_document"]


def task_document(run: TaskRun) -> Document:
    """The document of a saved run."""
    return Document("x", "", [Section("models", "All models", table_html(run.metrics))])
