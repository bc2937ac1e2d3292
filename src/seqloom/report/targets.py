"""Several targets on one page: the scores of each in its own unit, and every chart of values once for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from .chart import Figure
from .saved import SavedRun
from .scores import table_html
from .wording import whole, with_unit

__all__ = ["by_target", "of_target", "target_scores"]

# Each brings charts of thousands of points: beyond these the page would weigh tens of megabytes.
_MOST_DRAWN, _MOST_TABLES = 12, 40


def of_target(run: SavedRun, number: int) -> SavedRun:
    """The run as if its one target were the one at `number`: its rows, its scores, its unit."""
    target = run.metrics["targets"][number]
    models = {name: {**model, **target["models"][name]} for name, model in run.metrics["models"].items()}
    facts = {"target": target["name"], "unit": target.get("unit"), "models": models, "targets": []}
    windows = {**run.metrics["windows"], **target["windows"]}
    return replace(
        run,
        metrics={**run.metrics, **facts, "windows": windows},
        predictions=_rows(run.predictions, target["name"]),
        forecast=_rows(run.forecast, target["name"]),
    )


def by_target(draw: Callable[[SavedRun], Figure], heading: str) -> Callable[[SavedRun], Figure | list[Figure]]:
    """What draws a figure of a run, as what draws one for each of several targets, under its name."""

    def drawn(run: SavedRun) -> Figure | list[Figure]:
        targets = run.metrics.get("targets")
        if not targets:
            return draw(run)
        figures = []
        for number, target in enumerate(targets[:_MOST_DRAWN]):
            made = draw(of_target(run, number))
            end = f"_{number + 1}_{re.sub('[^a-z0-9]+', '_', target['name'].lower())[:30].strip('_')}".rstrip("_")
            charts = tuple(replace(chart, name=chart.name + end) for chart in made.charts)
            named = f"{heading}: {target['name']}"
            figures.append(replace(made, charts=charts, heading=named, key=charts[0].name.replace("_", "-")))
        if len(targets) > _MOST_DRAWN:
            note = f"The first {_MOST_DRAWN} of {whole(len(targets))} targets are drawn; the files hold all."
            figures[-1] = replace(figures[-1], notes=(*figures[-1].notes, note))
        return figures

    return drawn


def target_scores(run: SavedRun) -> str | None:
    """A table of all models for each of several targets, in the target's own unit; None of one."""
    targets: Sequence[dict[str, Any]] = run.metrics.get("targets") or []
    parts = []
    for number, target in enumerate(targets[:_MOST_TABLES]):
        title = escape(with_unit(target["name"], target.get("unit")))
        parts.append(f"<h3>{title}</h3>\n{table_html(of_target(run, number).metrics)}")
    if len(targets) > _MOST_TABLES:
        more = f"The first {_MOST_TABLES} of {whole(len(targets))} targets; metrics.json has the scores of all."
        parts.append(f'<p class="note">{more}</p>')
    return "\n".join(parts) or None


def _rows(held: Any, target: str) -> Any:
    """The rows of one target."""
    here = held.target == target
    kept = {}
    for name, value in vars(held).items():
        if isinstance(value, np.ndarray):
            kept[name] = value[here]
        elif isinstance(value, dict):
            kept[name] = {key: column[here] for key, column in value.items()}
    return replace(held, **kept)
