"""The charts of classifiers: confusion matrix, ROC curves, calibration; and predicted against actual numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .chart import (
    Chart,
    Figure,
    choice,
    coloured,
    diagonal,
    library,
    rows_chosen_by,
    rows_of,
    specification,
    tooltips,
    with_choices,
)
from .saved import SavedRun
from .style import IDEAL, Style, model_styles
from .thin import ROWS_PER_CHART
from .wording import decimals_for, fixed, list_words

__all__ = ["calibration_figure", "confusion_figure", "roc_figure", "scatter_figure"]

_MOST_MODELS = 8
_MOST_CURVES = 12


def confusion_figure(run: SavedRun) -> Figure | None:
    """How often each class was predicted as which; None where there is but one class."""
    held = run.held("confusion")
    classes = [str(name) for name in next(iter(held.values()))["classes"]]
    if len(classes) < 2:
        return None
    # A cell is a row of data; with 70 classes one model fills the chart.
    keep = max(1, min(_MOST_MODELS, ROWS_PER_CHART // len(classes) ** 2))
    models = [name for name in list(held)[:keep] if held[name]["classes"] == next(iter(held.values()))["classes"]]
    rows: list[dict[str, Any]] = []
    for model in models:
        counts = np.array(held[model]["counts"], dtype=np.float64).reshape(len(classes), len(classes))
        # Of the row: classes of unlike size are then comparable. A class without examples stays 0.
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        actual, predicted = np.indices(counts.shape)
        rows += rows_of(
            s=[model] * counts.size,
            a=[classes[i] for i in actual.ravel()],
            p=[classes[j] for j in predicted.ravel()],
            n=counts.ravel(),
            r=share.ravel(),
        )
    spec = with_choices(_heat_map(rows, classes), s=models[0])
    text = f"Heat map: the {len(classes)} actual classes against what {list_words(models)} predicted."
    reading = (
        "Each row is an actual class, each column a predicted one; the deeper the colour, the larger the share of the "
        "row. What lies off the diagonal was misclassified."
    )
    return Figure(reading, (Chart("confusion", spec, text),), (), choice("s", "Model", models), shape="square")


def roc_figure(run: SavedRun) -> Figure:
    """ROC curves of all models."""
    held = run.held("roc")
    classes = list(dict.fromkeys(str(curve["class"]) for curves in held.values() for curve in curves))[:_MOST_CURVES]
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    most = max(8, (ROWS_PER_CHART - 2) // (len(models) * len(classes)))
    rows: list[dict[str, Any]] = []
    areas: dict[str, float] = {}
    for model in models:
        for curve in held[model]:
            if str(curve["class"]) not in classes:
                continue
            x, y = np.array(curve["false_positive"], float), np.array(curve["true_positive"], float)
            # Even by index keeps the ends; the curve came with its bends alone, so little is lost.
            kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
            where = {"k": [str(curve["class"])] * len(kept), "m": [model] * len(kept)}
            rows += rows_of(x=x[kept], y=y[kept], o=np.arange(len(kept)), **where)
            if str(curve["class"]) == classes[0]:
                areas[model] = float(curve["auc"])
    x, y = _unit_axes("false positive rate", "true positive rate")
    marked = coloured(models, [styles[name] for name in models], strokeDash="dash")
    lines = rows_chosen_by("k").mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, order="o:Q", **marked)
    spec = specification(library().layer(diagonal(0, 1, x, y), lines), 300, rows)
    said = [f"{model} {fixed(area, 4)}" for model, area in areas.items()]
    about = f"Area under the curve for {classes[0]}: {list_words(said)}." if said else ""
    reading = (
        "True against false positive rate as the decision threshold falls: the closer a curve comes to the upper left "
        "corner, the better. The dashed line is a random classifier."
    )
    text = f"Line chart: ROC curves of {list_words(models)}. {about}"
    marks = (*((name, styles[name], "line") for name in models), ("random classifier", IDEAL, "line"))
    chart = Chart("roc", with_choices(spec, k=classes[0]), text)
    return Figure(reading, (chart,), marks, choice("k", "Class", classes), (about,) if about else (), shape="square")


def calibration_figure(run: SavedRun) -> Figure:
    """Predicted probabilities against observed frequencies: a reliability diagram."""
    held = run.held("calibration")
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    rows: list[dict[str, Any]] = []
    for model in models:
        for label, curve in (("calibrated", held[model]), ("before", held[model].get("before"))):
            if curve:
                numbers = {
                    field: np.array(curve[key], float)
                    for field, key in (("x", "predicted"), ("y", "observed"), ("n", "count"))
                }
                rows += rows_of(s=[model] * len(numbers["x"]), m=[label] * len(numbers["x"]), **numbers)
    alt = library()
    best = models[0]
    drawn = [("calibrated", Style(styles[best].colour, (1, 0)))]
    if any(row["m"] == "before" for row in rows):
        drawn.append(("before", Style("var(--muted)", (5, 3), "square")))
    base = rows_chosen_by("s")
    x, y = _unit_axes("predicted probability", "observed frequency")
    colour = coloured([name for name, _ in drawn], [style for _, style in drawn])
    tips = tooltips(("x:Q", "predicted", ".3f"), ("y:Q", "observed", ".3f"), ("n:Q", "examples", ","))
    lines = base.mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, **colour)
    size = alt.Size("n:Q", scale=alt.Scale(range=[25, 260]), legend=None)
    dots = base.mark_point(filled=True, opacity=0.85).encode(x=x, y=y, size=size, tooltip=tips, **colour)
    spec = with_choices(specification(alt.layer(diagonal(0, 1, x, y), lines, dots), 300, rows), s=best)
    what = str(held[best].get("what", "probability"))
    said = f"{best}: expected calibration error of the {what} {fixed(float(held[best]['error']), 3)}"
    if held[best].get("before"):
        said += f", {fixed(float(held[best]['before']['error']), 3)} before calibration"
    reading = (
        "On the dashed line the model is perfectly calibrated: events occur as often as predicted. Below it, at high "
        "probabilities, the model is overconfident. The larger a dot, the more examples it stands for."
    )
    names = ["probabilities", *([] if len(drawn) == 1 else ["before calibration"])]
    names[0] += ", calibrated" if len(drawn) > 1 else ""
    legend = tuple((name, style, "line") for name, (_, style) in zip(names, drawn, strict=True))
    chart = Chart("calibration", spec, f"Reliability diagram on the test set. {said}.")
    marks = (*legend, ("perfectly calibrated", IDEAL, "line"))
    return Figure(reading, (chart,), marks, choice("s", "Model", models), (f"{said}.",), shape="square")


def scatter_figure(run: SavedRun) -> Figure:
    """Predicted against actual numbers of a regression."""
    held = run.held("scatter")
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    rows: list[dict[str, Any]] = []
    for model in models:
        actual, predicted = (np.array(held[model][key], dtype=np.float64) for key in ("actual", "predicted"))
        kept = np.unique(np.linspace(0, len(actual) - 1, min(len(actual), ROWS_PER_CHART // len(models))).astype(int))
        rows += rows_of(s=[model] * len(kept), x=actual[kept], y=predicted[kept])
    low, high = (float(edge(row[key] for row in rows for key in "xy")) for edge in (min, max))
    alt = library()
    scale = alt.Scale(domain=[low, high], nice=True, zero=False)
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="actual", tickCount={"expr": "width / 90"}))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="predicted"))
    decimals = decimals_for([low, high])
    form = f".{decimals}f" if decimals is not None else ".2e"
    dots = rows_chosen_by("s").mark_point(filled=True, size=22, opacity=0.45, color=styles[models[0]].colour, clip=True)
    dots = dots.encode(x=x, y=y, tooltip=tooltips(("x:Q", "actual", form), ("y:Q", "predicted", form)))
    spec = with_choices(specification(alt.layer(diagonal(low, high, x, y), dots), 320, rows), s=models[0])
    reading = "A perfect model puts every point on the dashed line; the further from it, the larger the error."
    legend = (("an example", Style(styles[models[0]].colour, (1, 0)), "point"), ("perfect prediction", IDEAL, "line"))
    chart = Chart("scatter", spec, f"Scatter plot: predicted against actual values of {len(rows)} test examples.")
    return Figure(reading, (chart,), legend, choice("s", "Model", models), shape="square")


def _heat_map(rows: list[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    alt = library()
    count = len(classes)
    # A label is cut where it fills the limit below, but for one with emoji, which a picture shows whole.
    widest = max(len(name) if max(name, default="") > "\uffff" else min(len(name), 14) for name in classes)
    angle = -45 if count * widest > 48 else 0
    scale = alt.Scale(domain=classes, paddingInner=0.04)
    x = alt.X("p:N", scale=scale, axis=alt.Axis(title="predicted class", labelAngle=angle, labelLimit=110))
    y = alt.Y("a:N", scale=scale, axis=alt.Axis(title="actual class", labelLimit=110))
    base = rows_chosen_by("s")
    share = ("r:Q", "share of the actual class", ".1%")
    tips = tooltips(("a:N", "actual"), ("p:N", "predicted"), ("n:Q", "examples", ","), share)
    # Never opaque: the number in the cell has to be readable in both themes.
    depth = alt.FillOpacity("r:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.62]), legend=None)
    cells = base.mark_rect(fill="var(--c1)", stroke="var(--grid)").encode(x=x, y=y, fillOpacity=depth, tooltip=tips)
    layers = [cells]
    # With more classes the numbers no longer fit into their cells; the pointer shows them.
    if count <= 12:
        size = 13 if count <= 6 else 11
        layers.append(
            base.mark_text(color="var(--ink)", fontSize=size).encode(x=x, y=y, text=alt.Text("n:Q", format=","))
        )
    return specification(alt.layer(*layers), int(np.clip(40 * count, 150, 620)), rows)


def _unit_axes(x_title: str, y_title: str) -> tuple[Any, Any]:
    alt = library()
    scale = alt.Scale(domain=[0, 1], nice=False)
    x, y = (alt.Axis(title=title, tickCount=5) for title in (x_title, y_title))
    return alt.X("x:Q", scale=scale, axis=x), alt.Y("y:Q", scale=scale, axis=y)
