"""The page of a saved run: which parts it has, in which order."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from ..errors import FormatError
from .chart import Figure
from .checked import read_object
from .document import Document, Section, page_html, write_document
from .error_charts import coverage_figure, day_figure, step_figure
from .forecast_charts import forecast_figure, residual_figure, test_figure
from .saved import SavedRun, read_run
from .scores import table_html
from .sections import answer, asked, data_quality, settings
from .task_page import task_document
from .task_saved import read_task_run
from .training_charts import Followed, training_figures
from .wording import with_unit

__all__ = ["build", "figures"]


def build(run_dir: str | os.PathLike[str]) -> Path:
    """Draw the run folder `run_dir`: writes report.html and charts/*.png into it and returns the page's path.

    Reads only what is saved there; the same files give the same bytes. Each file is replaced atomically.
    Raises FormatError where the folder is not a run folder or a file is missing or damaged, MissingDependencyError
    where the packages that draw are not installed, and OSError where the folder can't be written.
    """
    folder = Path(run_dir)
    recorded = read_object(folder / "run.json") if (folder / "run.json").is_file() else {}
    run = read_run(folder) if recorded.get("command", "forecast") == "forecast" else read_task_run(folder)
    try:
        document = _forecast_document(run) if isinstance(run, SavedRun) else task_document(run)
        page = page_html(document)
    except FormatError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{folder}: a file of the run folder lacks or misstates a value: {error!r}.") from error
    return write_document(folder, document, page)


def figures(run: SavedRun) -> list[Figure]:
    """The figures of a forecast's page, in its order; those that the run has nothing for are left out."""
    found = [forecast_figure(run), test_figure(run), step_figure(run), day_figure(run)]
    found += [*_training(run), residual_figure(run), coverage_figure(run)]
    return [figure for figure in found if figure is not None]


def _forecast_document(run: SavedRun) -> Document:
    source = str(run.source.get("source") or run.data.get("source") or "")
    return Document(
        f"Forecast of {run.metrics['target']}",
        source,
        [
            Section("asked", "What was asked", asked(run)),
            Section("answer", "The answer", answer(run)),
            Section("models", "All models", _models(run)),
            *figures(run),
            Section("data", "Data quality", data_quality(run)),
            Section("settings", "Settings and how to run it again", settings(run)),
        ],
    )


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
