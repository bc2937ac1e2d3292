"""The page of a sequence or text task: its parts in order; those that the run has nothing for are left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..diagnostics import score_named
from .chart import Figure
from .class_charts import calibration_figure, confusion_figure, roc_figure, scatter_figure
from .document import Document, PlannedPart, Section, parts_of
from .examples_html import attention_html, mistakes_html, samples_html, spans_html, tables_html
from .scores import table_html
from .sections import settings
from .step_charts import belief_figure, embedding_figure, frames_figure
from .task_saved import TaskRun
from .task_sections import answer, asked, classes_table, models_note, title_of
from .training_charts import Followed, file_name, training_figures

__all__ = ["task_document"]


def task_document(run: TaskRun, passing: tuple[type[Exception], ...] = ()) -> Document:
    """The document of a saved run; a part that fails is named in its place, but for exceptions in `passing`."""
    return Document(title_of(run), str(run.source.get("source") or ""), parts_of(_planned(run), passing))


def _planned(run: TaskRun) -> list[PlannedPart]:
    return [
        _words("asked", "What was asked", asked, run),
        _words("answer", "The answer", answer, run),
        _words("models", "All models", lambda run: f"{table_html(run.metrics)}\n{models_note(run)}", run),
        _words("samples", "What it writes", samples_html, run, "The bold text was given, the rest is the model's."),
        _words("classes", "Class by class", classes_table, run),
        PlannedPart("confusion", "What is taken for what", lambda: confusion_figure(run)),
        PlannedPart("roc", "ROC curves", lambda: roc_figure(run)),
        PlannedPart("calibration", "Do the probabilities hold?", lambda: calibration_figure(run)),
        PlannedPart("scatter", "Predicted against actual", lambda: scatter_figure(run)),
        PlannedPart("frames", "Step by step", lambda: frames_figure(run)),
        _words(
            "mistakes",
            "Where it is most wrong",
            mistakes_html,
            run,
            "Test examples with the highest loss: what surprised the model most. Wrong labels gather here too.",
        ),
        _words(
            "spans",
            "Sentences with mistakes",
            spans_html,
            run,
            "✓ found with the right words and label, – missed, ✗ marked though it is not there.",
        ),
        PlannedPart("belief", "Belief after each step", lambda: belief_figure(run)),
        _words(
            "attention",
            "Where it looks",
            attention_html,
            run,
            "The longer the bar, the more a sentence weighs in the text; the deeper the colour, the more a word weighs "
            "in its sentence.",
        ),
        PlannedPart("embedding", "Map of the words", lambda: embedding_figure(run)),
        _words("tables", "More figures", tables_html, run),
        PlannedPart("training", "Training curves", lambda: _training(run)),
        _words("settings", "Settings and how to run it again", settings, run),
    ]


def _words(key: str, heading: str, write: Callable[[TaskRun], str], run: TaskRun, reading: str = "") -> PlannedPart:
    return PlannedPart(key, heading, lambda: _section(key, heading, reading, write(run)))


def _section(key: str, heading: str, reading: str, html: str) -> Section | None:
    return Section(key, heading, (f'<p class="reading">{reading}</p>\n' if reading else "") + html) if html else None


def _training(run: TaskRun) -> list[Figure]:
    """Learning curves of every score that was followed, beside what the baseline reaches on the same part."""
    metrics, followed = run.metrics, []
    reached = metrics["models"][metrics["baseline"]]["valid"]
    for column in run.history.values:
        name = column.removeprefix("valid_")
        known = name in metrics["scores"] or name in metrics["lower_is_better"]
        if column.startswith("valid_") and known and np.isfinite(run.history.values[column]).any():
            baseline = (metrics["baseline"], reached[name]) if name in reached else None
            words = score_named(name)
            title = f"validation {words.phrase}"
            chart = f"validation_{file_name(name)}"
            followed.append(
                Followed(column, words.phrase, title, chart, baseline, lower=name in metrics["lower_is_better"])
            )
    return training_figures(metrics, run.history, followed)
