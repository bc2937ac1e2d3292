"""The charts of errors: by step ahead, by time of day, and the coverage of the intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import (
    Axis,
    Chart,
    Figure,
    Line,
    coloured,
    diagonal,
    hover,
    legend_of,
    library,
    line_chart,
    rows_of,
    specification,
    tooltips,
)
from .ranking import drawn_models
from .saved import SavedRun
from .style import IDEAL, Style, model_styles
from .thin import ROWS_PER_CHART, thin
from .wording import duration, list_words, per_cent, plain, with_unit

__all__ = ["coverage_figure", "day_figure", "step_figure"]

_SPLITS = (("valid", "validation", "Validation"), ("test", "test", "Test"))


def step_figure(run: SavedRun) -> Figure | None:
    """MAE by steps ahead, all models; None where only one step was forecast."""
    curves = _curves(run, "by_step")
    if max(len(c["steps"]) for c in curves.values()) < 2:
        return None
    one = duration(1, run.metrics.get("step_label"))
    axis = Axis(f"rows ahead (one row is {one})" if one else "rows ahead", "number")
    reading = "Each line is a model's mean absolute error that many rows after the last known value; lower is better."
    return _error_figure(run, curves, "steps", "error_by_step", axis, "step ahead", reading)


def day_figure(run: SavedRun) -> Figure:
    """MAE by the time of day that was forecast, all models."""
    curves = _curves(run, "by_time_of_day")
    reading = "Each line is a model's mean absolute error for values at that time of the day; lower is better."
    axis = Axis("time of day", "clock")
    return _error_figure(run, curves, "minutes", "error_by_time_of_day", axis, "time of day", reading)


def coverage_figure(run: SavedRun) -> Figure | None:
    """How often the intervals held the true value on test, against how often they should; None without intervals."""
    models, best = run.metrics["models"], run.metrics["best"]
    drawn = drawn_models(run.metrics, [name for name in models if models[name]["test"].get("coverage")])
    points = [
        (name, level, share)
        for name in drawn
        for level, share in (models[name]["test"].get("coverage") or {}).items()
        if share is not None
    ]
    if not points:
        return None
    styles = model_styles(run.metrics)
    names = list(dict.fromkeys(name for name, _, _ in points))
    widths = models[best]["test"].get("width") or {}
    unit = f" {run.metrics['unit']}" if run.metrics.get("unit") else ""
    said = [
        f"{level} % intervals cover {per_cent(share)}"
        + (f" (mean width {plain(widths[level])}{unit})" if widths.get(level) is not None else "")
        for name, level, share in points
        if name == best
    ]
    about = (f"{best} on the test set: {list_words(said)}.",) if said else ()
    text = " ".join(("Nominal against empirical coverage on the test set.", *about))
    reading = "On the dashed line, intervals cover as many values as their level says; below it they are too narrow."
    marks = (*((n, styles[n], "point") for n in names), ("perfectly calibrated", IDEAL, "line"))
    chart = Chart("coverage", specification(_coverage_chart(points, names, styles), 280), text)
    return Figure(reading, (chart,), marks, (), (*about, *_not_drawn(run, names)), shape="square")


def _coverage_chart(points: list[tuple[str, str, float]], names: list[str], styles: Mapping[str, Style]) -> Any:
    """One dot per model and level over the line where both are equal."""
    alt = library()
    rows = rows_of(
        x=[float(level) for _, level, _ in points],
        y=[100 * share for _, _, share in points],
        m=[name for name, _, _ in points],
    )
    lowest = min(min(row["x"] for row in rows), min(row["y"] for row in rows))
    # From the ten below the lowest dot; an axis from 0 would press all levels into a corner.
    low = max(0.0, 10 * float(np.floor((lowest - 5) / 10)))
    scale = alt.Scale(domain=[low, 100.0], nice=False)
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(title="nominal coverage (%)", tickCount=5))
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(title="empirical coverage (%)", tickCount=5))
    dots = alt.Chart(alt.InlineData(values=rows)).mark_point(size=110, filled=True, opacity=0.9)
    tips = tooltips(("m:N", "model"), ("x:Q", "nominal (%)"), ("y:Q", "empirical (%)", ".1f"))
    dots = dots.encode(x=x, y=y, tooltip=tips, **coloured(names, [styles[n] for n in names], shape="shape"))
    return alt.layer(diagonal(low, 100.0, x, y), dots)


def _curves(run: SavedRun, key: str) -> dict[str, Mapping[str, Any]]:
    models = run.metrics["models"]
    held = [name for name in models if models[name].get(key)]
    return {name: models[name][key] for name in drawn_models(run.metrics, held)}


def _not_drawn(run: SavedRun, drawn: Sequence[str]) -> tuple[str, ...]:
    """Which of many models the chart has, and where the others are."""
    total = len(run.metrics["models"])
    if len(drawn) == total:
        return ()
    return (f"{len(drawn)} of {total} models are drawn, the best and those to compare with; metrics.json holds all.",)


def _error_figure(
    run: SavedRun, curves: Mapping[str, Mapping[str, Any]], key: str, stem: str, axis: Axis, what: str, reading: str
) -> Figure:
    """One chart for validation and one for test, on the same scale of errors."""
    styles = model_styles(run.metrics)
    lines = [Line(f"m{i}", name, styles[name]) for i, name in enumerate(curves)]
    # One scale for validation and test, or a worse part would look like the better one.
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
    return Figure(reading, tuple(charts), legend_of(lines), (), _not_drawn(run, list(curves)), shape="pair")


def _joined(curves: Mapping[str, Mapping[str, Any]], key: str, column: str, lines: list[Line]) -> list[dict[str, Any]]:
    x = np.unique(np.concatenate([np.asarray(c[key], dtype=np.float64) for c in curves.values()]))
    values = np.full((len(x), len(lines)), np.nan)
    for i, curve in enumerate(curves.values()):
        # Models may be scored at unlike steps: each at its place on the common axis.
        at = np.searchsorted(x, np.asarray(curve[key], dtype=np.float64))
        values[at, i] = np.array([np.nan if v is None else v for v in curve[column]], dtype=np.float64)
    if not len(x) or not np.isfinite(values).any():
        return []
    kept = thin(x, values, max(ROWS_PER_CHART // 2, 2 + 3 * len(lines)))
    return rows_of(at=x[kept], **{line.field: values[kept, i] for i, line in enumerate(lines)})
