"""The charts of errors: by step ahead, by time of day, and the coverage of the intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .chart import Axis, Chart, Figure, Line, library, line_chart, rows_of, specification
from .saved import SavedRun, ordered_models
from .style import Style, model_styles
from .thin import ROWS_PER_CHART, thin
from .training_charts import hover
from .wording import duration, list_words, per_cent, plain, with_unit

__all__ = ["coverage_figure", "day_figure", "step_figure"]

_SPLITS = (("valid", "validation", "Validation"), ("test", "test", "Test"))


def step_figure(run: SavedRun) -> Figure | None:
    """MAE by steps ahead, all models; None where only one step was forecast."""
    curves = _curves(run, "by_step")
    if not curves or max(len(c["steps"]) for c in curves.values()) < 2:
        return None
    label = run.metrics.get("step_label")
    one = duration(1, label)
    axis = Axis(f"rows ahead (one row is {one})" if one else "rows ahead", "number")
    reading = "Each line is one model's mean error that many rows after the last known value; lower is better."
    charts = _pair(run, curves, "steps", "error_by_step", axis, "step ahead")
    return Figure("steps", "Error by step ahead", reading, charts, _legend(run, list(curves)))


def day_figure(run: SavedRun) -> Figure | None:
    """MAE by the time of day that was forecast, all models; None where the run holds none."""
    curves = _curves(run, "by_time_of_day")
    if not curves:
        return None
    reading = "Each line is one model's mean error for values at that time of the day; lower is better."
    charts = _pair(run, curves, "minutes", "error_by_time_of_day", Axis("time of day", "clock"), "time of day")
    return Figure("day", "Error by time of day", reading, charts, _legend(run, list(curves)))


def coverage_figure(run: SavedRun) -> Figure | None:
    """How often the intervals held the true value on test, against how often they should; None without intervals."""
    styles = model_styles(run.metrics)
    points = [
        (name, level, share)
        for name in ordered_models(run.metrics)
        for level, share in (run.metrics["models"][name]["test"].get("coverage") or {}).items()
        if share is not None
    ]
    if not points:
        return None
    names = list(dict.fromkeys(name for name, _, _ in points))
    chart = _coverage_chart(points, names, styles)
    best = run.metrics["best"]
    widths = run.metrics["models"][best]["test"].get("width") or {}
    unit = f" {run.metrics['unit']}" if run.metrics.get("unit") else ""
    said = [
        f"{level} % intervals held {per_cent(share)}"
        + (f" (mean width {plain(widths[level])}{unit})" if widths.get(level) is not None else "")
        for name, level, share in points
        if name == best
    ]
    text = (
        f"Points of nominal against actual coverage on test. {best}: {list_words(said)}."
        if said
        else "Coverage on test."
    )
    reading = "On the dashed line, intervals hold as many true values as they promise; below it they are too narrow."
    marks = (*((n, styles[n], "point") for n in names), ("as promised", Style("var(--muted)", (3, 3)), "line"))
    notes = (f"{best} on test: {list_words(said)}.",) if said else ()
    panel = Chart("coverage", specification(chart, 280), text)
    return Figure("coverage", "Coverage of the intervals", reading, (panel,), marks, (), notes)


def _coverage_chart(points: list[tuple[str, str, float]], names: list[str], styles: Mapping[str, Style]) -> Any:
    """One dot per model and level over the line where both are equal."""
    alt = library()
    rows = rows_of(
        x=[float(level) for _, level, _ in points],
        y=[100 * share for _, _, share in points],
        m=[name for name, _, _ in points],
    )
    lowest = min(min(row["x"] for row in rows), min(row["y"] for row in rows))
    domain = [max(0, 10 * np.floor((lowest - 5) / 10)), 100]
    scale = alt.Scale(domain=[float(d) for d in domain], nice=False)
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="nominal level (%)", tickCount=5))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="share of true values inside (%)", tickCount=5))
    ideal = alt.Chart(alt.InlineData(values=[{"x": d, "y": d} for d in scale["domain"]]))
    colour = alt.Scale(domain=names, range=[styles[n].colour for n in names])
    shape = alt.Scale(domain=names, range=[styles[n].shape for n in names])
    tips = [
        alt.Tooltip("m:N", title="model"),
        alt.Tooltip("x:Q", title="nominal (%)"),
        alt.Tooltip("y:Q", title="actual (%)", format=".1f"),
    ]
    dots = alt.Chart(alt.InlineData(values=rows)).mark_point(size=110, filled=True, opacity=0.9)
    legend = alt.Legend(title=None)
    dots = dots.encode(
        x=x,
        y=y,
        color=alt.Color("m:N", scale=colour, legend=legend),
        shape=alt.Shape("m:N", scale=shape, legend=legend),
        tooltip=tips,
    )
    return alt.layer(ideal.mark_line(color="var(--muted)", strokeDash=[3, 3], strokeWidth=1.2).encode(x=x, y=y), dots)


def _curves(run: SavedRun, key: str) -> dict[str, Mapping[str, Any]]:
    models = run.metrics["models"]
    return {n: models[n][key] for n in ordered_models(run.metrics) if models[n].get(key)}


def _legend(run: SavedRun, names: list[str]) -> tuple[tuple[str, Style, str], ...]:
    styles = model_styles(run.metrics)
    return tuple((n, styles[n], "line") for n in names)


def _pair(
    run: SavedRun, curves: Mapping[str, Mapping[str, Any]], key: str, stem: str, axis: Axis, what: str
) -> tuple[Chart, ...]:
    """One chart for validation and one for test, on the same scale of errors."""
    styles = model_styles(run.metrics)
    lines = [Line(f"m{i}", name, styles[name]) for i, name in enumerate(curves)]
    top = max((v for c in curves.values() for s, _, _ in _SPLITS for v in c[f"{s}_mae"] if v is not None), default=1.0)
    charts = []
    for split, stem_end, title in _SPLITS:
        rows = _joined(curves, key, f"{split}_mae", lines)
        if not rows:
            continue
        spec = line_chart(rows, axis, lines, y_title=with_unit("MAE", run.metrics.get("unit")), zero=True, height=240)
        for layer in spec["layer"]:
            if "y" in layer.get("encoding", {}):
                layer["encoding"]["y"]["scale"] = {"domain": [0, 1.05 * top]}
        text = (
            f"Line chart: mean absolute error by {what} on {stem_end}, one line for each of {list_words(list(curves))}."
        )
        shown = hover(axis, lines, [row[line.field] for row in rows for line in lines])
        charts.append(Chart(f"{stem}_{stem_end}", spec, text, title, shown))
    return tuple(charts)


def _joined(curves: Mapping[str, Mapping[str, Any]], key: str, column: str, lines: list[Line]) -> list[dict[str, Any]]:
    x = np.unique(np.concatenate([np.asarray(c[key], dtype=np.float64) for c in curves.values()]))
    values = np.full((len(x), len(lines)), np.nan)
    for i, curve in enumerate(curves.values()):
        at = np.searchsorted(x, np.asarray(curve[key], dtype=np.float64))
        values[at, i] = np.array([np.nan if v is None else v for v in curve[column]], dtype=np.float64)
    if not len(x) or not np.isfinite(values).any():
        return []
    kept = thin(x, values, max(ROWS_PER_CHART // 2, 2 + 3 * len(lines)))
    return rows_of(at=x[kept], **{line.field: values[kept, i] for i, line in enumerate(lines)})
