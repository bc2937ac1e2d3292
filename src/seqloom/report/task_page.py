"""The page of a sequence or text task: its parts in order; those that the run has nothing for are left out."""

from __future__ import annotations

import numpy as np

from .chart import Figure
from .class_charts import calibration_figure, confusion_figure, roc_figure, scatter_figure
from .document import Document, Section
from .examples_html import attention_html, mistakes_html, samples_html, spans_html, tables_html
from .scores import table_html
from .sections import settings
from .step_charts import belief_figure, embedding_figure, frames_figure
from .task_saved import TaskRun
from .task_scores import score_words
from .task_sections import answer, asked, classes_table, models_note, title_of
from .training_charts import Followed, training_figures

__all__ = ["task_document"]


def task_document(run: TaskRun) -> Document:
    """The document of a saved run."""
    parts: list[Section | Figure | None] = [
        Section("asked", "What was asked", asked(run)),
        Section("answer", "The answer", answer(run)),
        Section("models", "All models", f"{table_html(run.metrics)}\n{models_note(run)}"),
        _section("samples", "What it writes", "The bold text was given, the rest is the model's.", samples_html(run)),
        _section("classes", "Class by class", "", classes_table(run)),
        confusion_figure(run),
        roc_figure(run),
        calibration_figure(run),
        scatter_figure(run),
        frames_figure(run),
        _section(
            "mistakes",
            "Where it is most wrong",
            "Test examples with the highest loss: what surprised the model most. Wrong labels gather here too.",
            mistakes_html(run),
        ),
        _section(
            "spans",
            "Sentences with mistakes",
            "✓ found with the right words and label, – missed, ✗ marked though it is not there.",
            spans_html(run),
        ),
        belief_figure(run),
        _section(
            "attention",
            "Where it looks",
            "The longer the bar, the more a sentence weighs in the text; the deeper the colour, the more a word weighs "
            "in its sentence.",
            attention_html(run),
        ),
        embedding_figure(run),
        _section("tables", "More figures", "", tables_html(run)),
        *_training(run),
        Section("settings", "Settings and how to run it again", settings(run)),
    ]
    return Document(title_of(run), str(run.source.get("source") or ""), [part for part in parts if part is not None])


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
            words = score_words(name)
            title = f"validation {words.name}"
            chart = f"validation_{name}"
            followed.append(
                Followed(column, words.name, title, chart, baseline, lower=name in metrics["lower_is_better"])
            )
    return training_figures(metrics, run.history, followed)
