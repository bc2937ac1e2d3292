"""Anomalies: the series with the rows that are flagged, their scores, and precision-recall curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import (
    Axis,
    Chart,
    Figure,
    Line,
    choice,
    coloured,
    hover,
    library,
    line_chart,
    rows_chosen_by,
    rows_of,
    specification,
    with_choices,
    x_of,
)
from .saved import SavedRun
from .style import ACTUAL, IDEAL, Style, model_styles
from .thin import ROWS_PER_CHART, thin
from .wording import fixed, list_words

__all__ = ["anomalies_figure", "precision_recall_figure"]

_MOST, _MOST_MODELS = 6, 8
_FLAGGED, _LABELLED = Style("var(--c2)", (1, 0)), Style("var(--c3)", (1, 0))
_KINDS = (("labelled", "labelled anomalies"), ("planted", "planted anomalies"))


def anomalies_figure(run: SavedRun) -> Figure | None:
    """The values with the rows that the best model flags and those that are labelled, and the square root of the score
    with the threshold; None where no series has a row."""
    found = run.held("anomalies").get(run.metrics["best"])
    series = [] if found is None else [one for one in found["series"] if one["at"]][:_MOST]
    if found is None or not series:
        return None
    labelled = any("label" in one for one in series)
    rows = [row for one in series for row in _rows(one, len(series))]
    ids = [str(one["id"]) for one in series]
    axis = Axis("time", "time") if found["timed"] else Axis("row", "number")
    name = str(found["column"])
    values, score = Line("v", name, ACTUAL, 1.3), Line("s", "√ score", ACTUAL, 1.3)
    limit = Line("t", "threshold", IDEAL, 1.3)
    root = float(np.sqrt(found["threshold"]))
    for row in rows:
        row["t"] = root
    marks = [_points("l", axis, _LABELLED, 90, 0.3)] if labelled else []
    marks.append(_points("f", axis, _FLAGGED, 34, 1.0))
    above = with_choices(
        line_chart(rows, axis, [values], y_title=name, height=240, filters=("i",), marks=marks), i=ids[0]
    )
    scored = line_chart(rows, axis, [score, limit], y_title="√ score", height=180, filters=("i",), zero=True)
    legend = ((name, ACTUAL, "line"), ("flagged", _FLAGGED, "point"))
    legend += (("labelled as an anomaly", _LABELLED, "point"),) if labelled else ()
    flagged = sum(sum(map(bool, one["flagged"])) for one in series)
    said = f"Line chart: square root of the score; threshold {fixed(root, 2)}."
    hovers = hover(axis, [values], [row["v"] for row in rows]), hover(axis, [score, limit], [row["s"] for row in rows])
    charts = (
        Chart("anomalies", above, f"Line chart: {name}; {flagged} rows are flagged.", "Values", hovers[0]),
        Chart("anomaly_score", with_choices(scored, i=ids[0]), said, "Score", hovers[1]),
    )
    reading = (
        "Above the values, flagged where the score exceeds the threshold; below the square root of the score, 1 for a "
        "usual error. All rows are scored, those that were learned from too; only the last are the test set."
    )
    notes = ("Long series are drawn as the rows that matter of each stretch; anomalies.csv has all.",)
    return Figure(reading, charts, (*legend, ("threshold", IDEAL, "line")), choice("i", "Series", ids), notes)


def precision_recall_figure(run: SavedRun) -> Figure | None:
    """Precision against recall of all models, on the labels where there are some and on what was planted."""
    held = run.held("precision_recall")
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    kinds = [(key, said) for key, said in _KINDS if any(held[model].get(key) for model in models)]
    rows: list[dict[str, Any]] = []
    for key, said in kinds:
        for model in models:
            curve = held[model].get(key) or {"recall": [], "precision": []}
            x, y = np.array(curve["recall"], float), np.array(curve["precision"], float)
            most = max(8, (ROWS_PER_CHART - 2) // (len(models) * len(kinds)))
            kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int)) if len(x) else []
            where = {"k": [said] * len(kept), "m": [model] * len(kept)}
            rows += rows_of(x=x[kept], y=y[kept], o=np.arange(len(kept)), **where) if len(kept) else []
    if not rows:
        return None
    alt = library()
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
    marked = coloured(models, [styles[name] for name in models], strokeDash="dash")
    lines = (
        rows_chosen_by("k")
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(
            x=alt.X("x:Q", title="recall", scale=scale, axis=axis),
            y=alt.Y("y:Q", title="precision", scale=scale, axis=axis),
            order="o:Q",
            **marked,
        )
    )
    names = [said for _, said in kinds]
    spec = with_choices(specification(lines, 300, rows), k=names[0])
    reading = (
        "Share of the flagged rows that are anomalies against the share of the anomalous rows that are flagged, as the "
        "threshold falls: the closer a curve comes to the upper right corner, the better."
    )
    chart = Chart("precision_recall", spec, f"Line chart: precision-recall curves of {list_words(models)}.")
    marks = tuple((name, styles[name], "line") for name in models)
    return Figure(reading, (chart,), marks, choice("k", "Anomalies", names), shape="square")


def _rows(one: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The rows of a series: at, i (its name), v (value), s (√ score), f and l (the value where flagged, labelled)."""
    at, value = np.asarray(one["at"], np.float64), _numbers(one["values"])
    score, flagged = np.sqrt(_numbers(one["score"])), np.asarray(one["flagged"], dtype=bool)
    label = np.asarray(one.get("label", np.zeros(len(at))), dtype=bool)
    marked = np.where(flagged, value, np.nan)
    kept = thin(at, np.stack([value, score, marked], axis=1), ROWS_PER_CHART // count)
    return rows_of(
        at=at[kept],
        i=[str(one["id"])] * len(kept),
        v=value[kept],
        s=score[kept],
        f=marked[kept],
        l=np.where(label, value, np.nan)[kept],
    )


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _points(field: str, axis: Axis, style: Style, size: int, opacity: float) -> Any:
    alt = library()
    points = rows_chosen_by("i").transform_filter(f"datum.{field} !== null")
    return points.mark_point(filled=True, size=size, color=style.colour, opacity=opacity).encode(
        x=x_of(axis), y=alt.Y(f"{field}:Q")
    )
