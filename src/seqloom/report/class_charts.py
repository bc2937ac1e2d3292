"""The charts of classifiers: confusion matrix, ROC curves, calibration; and predicted against actual numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import Chart, Control, Figure, library, rows_of, specification
from .style import Style, model_styles
from .task_saved import TaskRun
from .thin import ROWS_PER_CHART
from .wording import decimals_for, fixed, list_words

__all__ = ["calibration_figure", "confusion_figure", "model_control", "roc_figure", "scatter_figure", "with_choices"]

_IDEAL = Style("var(--muted)", (3, 3))
_MOST_MODELS = 8
_MOST_CURVES = 12


def confusion_figure(run: TaskRun) -> Figure | None:
    """How often each class was taken for which; None where no model has a confusion matrix."""
    held = run.held("confusion")
    if not held:
        return None
    classes = [str(name) for name in next(iter(held.values()))["classes"]]
    if len(classes) < 2:
        return None
    keep = max(1, min(_MOST_MODELS, ROWS_PER_CHART // len(classes) ** 2))
    models = [name for name in list(held)[:keep] if held[name]["classes"] == next(iter(held.values()))["classes"]]
    rows: list[dict[str, Any]] = []
    for model in models:
        counts = np.array(held[model]["counts"], dtype=np.float64).reshape(len(classes), len(classes))
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
    text = f"Table of colours: the {len(classes)} actual classes against what {list_words(models)} predicted."
    reading = (
        "Each row is an actual class, each column a predicted one; the deeper the colour, the larger the share of the "
        "row. What lies off the diagonal was mistaken."
    )
    chart = Chart("confusion", spec, text)
    return Figure("confusion", "What is taken for what", reading, (chart,), (), model_control(models))


def roc_figure(run: TaskRun) -> Figure | None:
    """ROC curves of all models; None where none has a curve."""
    held = run.held("roc")
    classes = list(dict.fromkeys(str(curve["class"]) for curves in held.values() for curve in curves))[:_MOST_CURVES]
    if not classes:
        return None
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    most = max(8, (ROWS_PER_CHART - 2) // (len(models) * len(classes)))
    rows: list[dict[str, Any]] = []
    areas: dict[str, float] = {}
    for model in models:
        for curve in held[model]:
            if str(curve["class"]) not in classes:
                continue
            x, y = np.array(curve["false_positive"], float), np.array(curve["true_positive"], float)
            kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(int))
            where = {"k": [str(curve["class"])] * len(kept), "m": [model] * len(kept)}
            rows += rows_of(x=x[kept], y=y[kept], o=np.arange(len(kept)), **where)
            if str(curve["class"]) == classes[0]:
                areas[model] = float(curve["auc"])
    alt = library()
    base = alt.Chart(alt.NamedData(name="rows")).transform_filter("datum.k === k")
    x, y = _unit_axes("share of the others that pass (false positives)", "share of the class that passes")
    scale = {
        "color": alt.Scale(domain=models, range=[styles[name].colour for name in models]),
        "strokeDash": alt.Scale(domain=models, range=[list(styles[name].dash) for name in models]),
    }
    legend = alt.Legend(title=None)
    lines = base.mark_line(strokeWidth=1.8, clip=True).encode(
        x=x,
        y=y,
        color=alt.Color("m:N", scale=scale["color"], legend=legend),
        strokeDash=alt.StrokeDash("m:N", scale=scale["strokeDash"], legend=legend),
        order="o:Q",
    )
    spec = with_choices(specification(alt.layer(_diagonal(x, y), lines), 300, rows), k=classes[0])
    said = [f"{model} {fixed(area, 4)}" for model, area in areas.items()]
    about = f"Area under the curve for {classes[0]}: {list_words(said)}." if said else ""
    reading = (
        "Lowering the threshold lets more of the class pass, and more of the others: the further a curve bends to the "
        "upper left, the better. On the dashed line it is guessing."
    )
    control = (Control("k", "Class", tuple((name, name) for name in classes)),) if len(classes) > 1 else ()
    chart = Chart("roc", spec, f"Line chart: ROC curves of {list_words(models)}. {about}")
    marks = (*((name, styles[name], "line") for name in models), ("guessing", _IDEAL, "line"))
    return Figure("roc", "ROC curves", reading, (chart,), marks, control, (about,) if about else ())


def calibration_figure(run: TaskRun) -> Figure | None:
    """Predicted probabilities against what happened; None where no model has any."""
    held = run.held("calibration")
    if not held:
        return None
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    rows: list[dict[str, Any]] = []
    for model in models:
        for label, curve in (("calibrated", held[model]), ("before", held[model].get("before"))):
            if curve:
                count = len(curve["predicted"])
                rows += rows_of(
                    s=[model] * count,
                    m=[label] * count,
                    x=np.array(curve["predicted"], float),
                    y=np.array(curve["observed"], float),
                    n=np.array(curve["count"], float),
                )
    alt = library()
    best = models[0]
    before = any(row["m"] == "before" for row in rows)
    after_style, before_style = Style(styles[best].colour, (1, 0)), Style("var(--muted)", (5, 3), "square")
    names, shown = (
        (["calibrated", "before"], [after_style, before_style]) if before else (["calibrated"], [after_style])
    )
    base = alt.Chart(alt.NamedData(name="rows")).transform_filter("datum.s === s")
    x, y = _unit_axes("predicted probability", "share that was so")
    colour = alt.Color(
        "m:N", scale=alt.Scale(domain=names, range=[style.colour for style in shown]), legend=alt.Legend(title=None)
    )
    tips = [
        alt.Tooltip("x:Q", title="predicted", format=".3f"),
        alt.Tooltip("y:Q", title="observed", format=".3f"),
        alt.Tooltip("n:Q", title="examples", format=","),
    ]
    lines = base.mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, color=colour)
    size = alt.Size("n:Q", scale=alt.Scale(range=[25, 260]), legend=None)
    dots = base.mark_point(filled=True, opacity=0.85).encode(x=x, y=y, color=colour, size=size, tooltip=tips)
    spec = with_choices(specification(alt.layer(_diagonal(x, y), lines, dots), 300, rows), s=best)
    what = str(held[best].get("what", "probability"))
    said = f"{best}: mean gap between {what} and what happened {fixed(float(held[best]['error']), 3)}"
    if held[best].get("before"):
        said += f", {fixed(float(held[best]['before']['error']), 3)} before calibration"
    reading = (
        "On the dashed line, things happen as often as their probability says; below it the model is too sure of "
        "itself. The larger a dot, the more examples it stands for."
    )
    label = "probabilities, calibrated" if before else "probabilities"
    marks = [(label, after_style, "line"), *([("before calibration", before_style, "line")] if before else [])]
    legend = (*marks, ("as promised", _IDEAL, "line"))
    chart = Chart("calibration", spec, f"Points of predicted against observed shares on test. {said}.")
    return Figure(
        "calibration", "Do the probabilities hold?", reading, (chart,), legend, model_control(models), (f"{said}.",)
    )


def scatter_figure(run: TaskRun) -> Figure | None:
    """Predicted against actual numbers of a regression; None where there is none."""
    held = run.held("scatter")
    if not held:
        return None
    models, styles = list(held)[:_MOST_MODELS], model_styles(run.metrics)
    rows: list[dict[str, Any]] = []
    for model in models:
        actual, predicted = (np.array(held[model][key], dtype=np.float64) for key in ("actual", "predicted"))
        kept = np.unique(np.linspace(0, len(actual) - 1, min(len(actual), ROWS_PER_CHART // len(models))).astype(int))
        rows += rows_of(s=[model] * len(kept), x=actual[kept], y=predicted[kept])
    ends = [float(edge(row[key] for row in rows for key in "xy")) for edge in (min, max)]
    alt = library()
    scale = alt.Scale(domain=ends, nice=True, zero=False)
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="actual", tickCount={"expr": "width / 90"}))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="predicted"))
    decimals = decimals_for(ends)
    tips = [
        alt.Tooltip(f"{field}:Q", title=title, format=f".{decimals or 0}f" if decimals is not None else ".2e")
        for field, title in (("x", "actual"), ("y", "predicted"))
    ]
    base = alt.Chart(alt.NamedData(name="rows")).transform_filter("datum.s === s")
    dots = base.mark_point(filled=True, size=22, opacity=0.45, color=styles[models[0]].colour, clip=True)
    ideal = alt.Chart(alt.InlineData(values=[{"x": end, "y": end} for end in ends]))
    line = ideal.mark_line(color=_IDEAL.colour, strokeDash=[3, 3], strokeWidth=1.2).encode(x=x, y=y)
    layers = alt.layer(line, dots.encode(x=x, y=y, tooltip=tips))
    spec = with_choices(specification(layers, 320, rows), s=models[0])
    text = f"Points: predicted against actual values of {len(rows)} test examples."
    reading = "A perfect model puts every point on the dashed line; the further off, the larger the error."
    legend = (("an example", Style(styles[models[0]].colour, (1, 0)), "point"), ("exact", _IDEAL, "line"))
    chart = Chart("scatter", spec, text)
    return Figure("scatter", "Predicted against actual", reading, (chart,), legend, model_control(models))


def model_control(models: Sequence[str]) -> tuple[Control, ...]:
    """A choice between models, where there are several."""
    return (Control("s", "Model", tuple((name, name) for name in models)),) if len(models) > 1 else ()


def with_choices(spec: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The specification with a parameter for each choice, set to its first value."""
    return {**spec, "params": [*spec.get("params", []), *({"name": k, "value": v} for k, v in values.items())]}


def _heat_map(rows: list[dict[str, Any]], classes: list[str]) -> dict[str, Any]:
    alt = library()
    count = len(classes)
    # A label is cut where it fills the limit below, but for one with emoji, which a picture shows whole.
    widest = max(len(name) if max(name, default="") > "\uffff" else min(len(name), 14) for name in classes)
    angle = -45 if count * widest > 48 else 0
    scale = alt.Scale(domain=classes, paddingInner=0.04)
    x = alt.X("p:N", scale=scale, axis=alt.Axis(title="predicted class", labelAngle=angle, labelLimit=110))
    y = alt.Y("a:N", scale=scale, axis=alt.Axis(title="actual class", labelLimit=110))
    base = alt.Chart(alt.NamedData(name="rows")).transform_filter("datum.s === s")
    tips = [
        alt.Tooltip("a:N", title="actual"),
        alt.Tooltip("p:N", title="predicted"),
        alt.Tooltip("n:Q", title="examples", format=","),
        alt.Tooltip("r:Q", title="share of the actual class", format=".1%"),
    ]
    depth = alt.FillOpacity("r:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.62]), legend=None)
    cells = base.mark_rect(fill="var(--c1)", stroke="var(--grid)").encode(x=x, y=y, fillOpacity=depth, tooltip=tips)
    layers = [cells]
    if count <= 12:
        size = 13 if count <= 6 else 11
        layers.append(
            base.mark_text(color="var(--ink)", fontSize=size).encode(x=x, y=y, text=alt.Text("n:Q", format=","))
        )
    return specification(alt.layer(*layers), int(np.clip(40 * count, 150, 620)), rows)


def _unit_axes(x_title: str, y_title: str) -> tuple[Any, Any]:
    alt = library()
    scale = alt.Scale(domain=[0, 1], nice=False)
    values: Mapping[str, Any] = {"tickCount": 5}
    return (
        alt.X("x:Q", scale=scale, axis=alt.Axis(title=x_title, **values)),
        alt.Y("y:Q", scale=scale, axis=alt.Axis(title=y_title, **values)),
    )


def _diagonal(x: Any, y: Any) -> Any:
    alt = library()
    ends = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    return ends.mark_line(color=_IDEAL.colour, strokeDash=list(_IDEAL.dash), strokeWidth=1.2).encode(x=x, y=y)
