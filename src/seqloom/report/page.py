"""The page of a saved run: which parts it has, in which order."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from ..errors import FormatError
from .chart import Figure
from .checked import read_object
from .display import shown_forecast_run, shown_task_run
from .document import Document, PlannedPart, Section, parts_of, write_document
from .error_charts import coverage_figure, day_figure, step_figure
from .forecast_charts import forecast_figure, residual_figure, test_figure
from .saved import SavedRun, read_run
from .scores import table_html
from .sections import answer, asked, data_quality, settings
from .task_page import task_document
from .task_saved import TaskRun, read_task_run
from .training_charts import Followed, training_figures
from .wording import with_unit

__all__ = ["build", "build_partial", "figures"]

_SETTINGS = "Settings and how to run it again"
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
    try:
        document = _document(_read(folder), passing=_DAMAGE)
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
    return write_document(folder, _document(_read(folder)))


def figures(run: SavedRun) -> list[Figure]:
    """The figures of a forecast's page, in its order; those that the run has nothing for are left out."""
    return [part for part in parts_of(_figures(run), _DAMAGE) if isinstance(part, Figure)]


def _read(folder: Path) -> SavedRun | TaskRun:
    recorded = read_object(folder / "run.json") if (folder / "run.json").is_file() else {}
    if recorded.get("command", "forecast") == "forecast":
        return read_run(folder)
    return read_task_run(folder)


def _document(run: SavedRun | TaskRun, passing: tuple[type[Exception], ...] = ()) -> Document:
    if isinstance(run, TaskRun):
        return task_document(shown_task_run(run), passing)
    run = shown_forecast_run(run)
    parts = [
        PlannedPart("asked", "What was asked", lambda: Section("asked", "What was asked", asked(run))),
        PlannedPart("answer", "The answer", lambda: Section("answer", "The answer", answer(run))),
        PlannedPart("models", "All models", lambda: Section("models", "All models", _models(run))),
        *_figures(run),
        PlannedPart("data", "Data quality", lambda: Section("data", "Data quality", data_quality(run))),
        PlannedPart("settings", _SETTINGS, lambda: Section("settings", _SETTINGS, settings(run))),
    ]
    source = str(run.source.get("source") or run.data.get("source") or "")
    return Document(f"Forecast of {run.metrics['target']}", source, parts_of(parts, passing))


def _figures(run: SavedRun) -> list[PlannedPart]:
    return [
        PlannedPart("forecast", "Forecast", lambda: forecast_figure(run)),
        PlannedPart("test", "Forecast against actual over the test period", lambda: test_figure(run)),
        PlannedPart("steps", "Error by step ahead", lambda: step_figure(run)),
        PlannedPart("day", "Error by time of day", lambda: day_figure(run)),
        PlannedPart("training", "Training curves", lambda: _training(run)),
        PlannedPart("residuals", "Residuals", lambda: residual_figure(run)),
        PlannedPart("coverage", "Coverage of the intervals", lambda: coverage_figure(run)),
    ]


def _training(run: SavedRun) -> list[Figure]:
    name = run.metrics.get("baseline") or "naive"
    scores = run.metrics["models"].get(name)
    baseline = (name, scores["valid"]["mae"]) if scores and scores["valid"]["mae"] is not None else None
    title = with_unit("validation MAE", run.metrics.get("unit"))
    loss = f"The loss is {run.settings['loss']}, in standardised units." if run.settings.get("loss") else ""
    followed = [Followed("valid_mae", "error", title, baseline=baseline)]
    return training_figures(run.metrics, run.history, followed, loss)


def _models(run: SavedRun) -> str:
    unit = run.metrics.get("unit")
    reading = "A star and bold type mark the best of a column; skill is the error saved against naive."
    errors = f"MAE and RMSE are in {escape(str(unit))}" if unit else "MAE and RMSE are in the unit of the target"
    return (
        f'<p class="reading">{reading}</p>\n{table_html(run.metrics)}\n<p class="note">{errors}; “std.” '
        "counts in standard deviations of the target over the training rows. "
        "The model was chosen by its error on the first two thirds of the validation rows (the rest sets the "
        "intervals); test was only looked at.</p>"
    )
