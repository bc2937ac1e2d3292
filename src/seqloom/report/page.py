"""The page of a saved run: its sections in order, each with what it needs; those that the run has nothing for are left
out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from seqloom_runtime.errors import FormatError

from .alignment import alignment_html
from .anomaly_charts import anomalies_figure, precision_recall_figure
from .beside import pictures_beside
from .chart import Figure, unchecked
from .class_charts import calibration_figure, confusion_figure, roc_figure, scatter_figure
from .display import shown_run
from .document import Document, Part, Words, begin_pictures, check_figure, write_document
from .error_charts import coverage_figure, day_figure, step_figure
from .examples_html import attention_html, mistakes_html, samples_html, spans_html, tables_html
from .explained_charts import explained_figures
from .films import films_html
from .forecast_charts import forecast_figure, residual_figure, test_figure
from .heard import heard_html
from .looking import looking_html
from .many_series import extremes_figure, group_scores, spread_figure
from .missing import attempt
from .music import music_html
from .record_charts import records_figure
from .saved import SavedRun, read_run
from .search_charts import search_figures
from .sections import answer, asked, class_scores, comparison, data_quality, settings, terms, title_of
from .series_charts import series_figure
from .step_charts import belief_figure, embedding_figure, frames_figure
from .targets import by_target, target_scores
from .training_charts import training_figures

__all__ = ["SECTIONS", "Section", "build", "build_partial", "parts_of"]

Drawn = str | Figure | Sequence[Figure] | None


@dataclass(frozen=True)
class Section:
    """A section of the page, whatever the task.

    `needs` is what the run must have (`SavedRun.has`), "" for a section of every page. `draw` gives HTML, whose texts
    it has escaped, or figures, which may bring a heading of their own; None where there is nothing after all.
    """

    name: str
    heading: str
    needs: str
    draw: Callable[[SavedRun], Drawn]
    reading: str = ""


_ON_TEST = "Forecasts and actual values on the test set"
SECTIONS: Sequence[Section] = (
    Section("asked", "Task", "", asked),
    Section("answer", "Result", "", answer),
    Section("models", "Model comparison", "", comparison),
    Section(
        "targets",
        "Scores by target",
        "targets",
        target_scores,
        "Each target in its own unit; the same models as above.",
    ),
    Section("series", "The series itself", "data", series_figure),
    Section("anomalies", "Rows that are flagged", "anomalies", anomalies_figure),
    Section("precision_recall", "Precision-recall curves", "precision_recall", precision_recall_figure),
    Section("forecast", "Forecast", "forecast", by_target(forecast_figure, "Forecast")),
    Section("test", _ON_TEST, "predictions", by_target(test_figure, _ON_TEST)),
    Section(
        "groups",
        "Error by group",
        "groups",
        group_scores,
        "Test errors of the series that share a value: MAE over all their values; of scores that each series has in "
        "its own scale, the mean over the series.",
    ),
    Section("spread", "Error over the series", "by_series", spread_figure),
    Section("extremes", "Series with the highest and the lowest error", "by_series", extremes_figure),
    Section("explained", "Columns and lags that matter", "explained", explained_figures),
    Section("steps", "Error by forecast step", "by_step", step_figure),
    Section("day", "Error by time of day", "by_time_of_day", day_figure),
    Section(
        "samples",
        "Generated samples",
        "samples",
        samples_html,
        "The bold text is the prompt; the model wrote the rest.",
    ),
    Section(
        "music",
        "Generated music",
        "music",
        music_html,
        "Piano rolls: time runs to the right, each bar is a key while it sounds, high keys above. Pale bars are the "
        "opening of a test piece, from which the model goes on. Press play to hear it, five steps to a second.",
    ),
    Section(
        "film",
        "Predicted frames",
        "film",
        films_html,
        "Test windows: above what followed, below what was predicted, each as pictures and as a film. Left of the line "
        "are the frames that the model saw.",
    ),
    Section("classes", "Scores by class", "per_class", class_scores),
    Section("confusion", "Confusion matrix", "confusion", confusion_figure),
    Section("roc", "ROC curves", "roc", roc_figure),
    Section("calibration", "Calibration of the probabilities", "calibration", calibration_figure),
    Section("scatter", "Predicted against actual values", "scatter", scatter_figure),
    Section("records", "Records: values, gaps and risk", "records", records_figure),
    Section("frames", "Predictions by step", "frames", frames_figure),
    Section(
        "mistakes",
        "Examples with the highest loss",
        "mistakes",
        mistakes_html,
        "Test examples that the model got most wrong. Mislabelled examples gather here too.",
    ),
    Section(
        "spans",
        "Sentences with errors",
        "spans",
        spans_html,
        "✓ true positive: the right words and label; – false negative: missed; ✗ false positive: not there.",
    ),
    Section("belief", "Class probabilities after each step", "belief", belief_figure),
    Section(
        "attention",
        "Attention weights",
        "attention",
        attention_html,
        "The longer the bar, the higher the weight of the sentence in the text; the deeper the colour, the higher the "
        "weight of the word in its sentence.",
    ),
    Section(
        "alignment",
        "Attention over the source",
        "alignment",
        alignment_html,
        "The deeper the colour, the more the network looked at that token of the source when it wrote this one.",
    ),
    Section(
        "heard",
        "What was heard where",
        "heard",
        heard_html,
        "Each column of the picture is a frame, the bands of high pitch at the top, the louder the lighter; a box "
        "stands over the frames that gave its token, on the most likely path that gives the predicted text.",
    ),
    Section(
        "looked",
        "Attention over the picture",
        "looked",
        looking_html,
        "The picture once for each word that was written of it: the brighter a place, the more the network looked at "
        "it then. ⏎ is the end of the text.",
    ),
    Section("embedding", "Word embeddings", "embedding", embedding_figure),
    Section("tables", "Further tables", "tables", tables_html),
    Section("search", "Search", "trials", search_figures),
    Section("training", "Learning curves", "curves", training_figures),
    Section("residuals", "Residuals", "predictions", by_target(residual_figure, "Residuals")),
    Section("coverage", "Coverage of the prediction intervals", "predictions", coverage_figure),
    Section("data", "Data quality", "data", data_quality),
    Section("settings", "Settings and reproduction", "", settings),
    Section("terms", "Terms", "", terms, "docs/glossary.md of seqloom has all terms, with their sources."),
)
"""Every section that a page can have, in its order; a new one is a line here."""
# Files are checked for what is read of all tasks; a detail of one may still be of another shape.
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError)
"""What a value that is missing from a file, or of another kind, ends in."""


def build(run_dir: str | os.PathLike[str]) -> Path:
    """Draw the run folder `run_dir`: writes report.html and charts/*.png into it and returns the page's path.

    Reads only what is saved there; the same files give the same bytes. Each file is replaced atomically. A chart that
    the drawing libraries fail on is left out, and the page says which and why. Raises FormatError where the folder is
    not a run folder or a file is missing or damaged, MissingDependencyError where the packages that draw are not
    installed, and OSError where the folder can't be written.
    """
    folder = Path(run_dir)
    with pictures_beside():
        try:
            # Passed on, so that `build` names a damaged folder instead of leaving sections out in silence.
            document = _document(read_run(folder), passing=_DAMAGE)
        except FormatError:
            raise
        except _DAMAGE as error:
            raise FormatError(f"{folder}: a file of the run folder lacks or misstates a value: {error!r}.") from error
        return write_document(folder, document)


def build_partial(run_dir: str | os.PathLike[str]) -> Path:
    """`build` that leaves out what can't be made, for whatever reason, and says on the page what is missing and why.

    A command takes it where `build` fails after hours of training. Raises as `build` does where the folder is no run
    folder, packages are missing, or it can't be written.
    """
    folder = Path(run_dir)
    return write_document(folder, _document(read_run(folder)))


def parts_of(run: SavedRun, passing: tuple[type[Exception], ...] = ()) -> list[Part]:
    """The sections that the run has something for; one that fails becomes words on what is missing and why.

    Exceptions named in `passing` pass.
    """
    found: list[Part] = []
    for section in SECTIONS:
        with unchecked():
            made, reason = attempt(lambda section=section: _drawn(section, run), passing)
        if reason:
            said = f"{section.heading}: this part is missing, because it could not be drawn ({reason})."
            made = [Words(section.name, section.heading, f'<p class="note missing">{escape(said)}</p>')]
        found += made or []
    return found


def _document(run: SavedRun, passing: tuple[type[Exception], ...] = ()) -> Document:
    run = shown_run(run)
    source = str(run.source.get("source") or run.data.get("source") or "")
    return Document(title_of(run), source, parts_of(run, passing))


def _drawn(section: Section, run: SavedRun) -> list[Part]:
    """What a section has to show; raises ValueError where a chart holds what the page can't."""
    if section.needs and not run.has(section.needs):
        return []
    drawn = section.draw(run)
    if isinstance(drawn, str):
        reading = f'<p class="reading">{escape(section.reading)}</p>\n' if section.reading else ""
        return [Words(section.name, section.heading, reading + drawn)]
    figures = [] if drawn is None else [drawn] if isinstance(drawn, Figure) else drawn
    # Ids of the page must differ; figures of one section bring their own.
    named = [replace(f, key=f.key or section.name, heading=f.heading or section.heading) for f in figures]
    for figure in named:
        # Here and not when it is written: a section that fails becomes a sentence, a page that fails is lost.
        check_figure(figure)
        begin_pictures(figure)
    return list(named)
