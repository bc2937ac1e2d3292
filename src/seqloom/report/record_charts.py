"""A record of irregular measurements: what was measured when, and the risk that the model told at each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import (
    Chart,
    Control,
    Figure,
    coloured,
    library,
    rows_chosen_by,
    rows_of,
    specification,
    tooltips,
    with_choices,
)
from .saved import SavedRun
from .style import ACTUAL, IDEAL, Style, model_styles
from .thin import ROWS_PER_CHART

__all__ = ["records_figure"]

_MOST_MODELS = 4
_LEVELS = (
    ("below", Style("var(--c1)", (1, 0))),
    ("usual", Style("var(--muted)", (1, 0))),
    ("above", Style("var(--c2)", (1, 0))),
)


def records_figure(run: SavedRun) -> Figure:
    """The values of each column where they were measured, and below them the risks of all models, with the event."""
    held = dict(list(run.held("records").items())[:_MOST_MODELS])
    models = list(held)
    examples = list(held[models[0]])
    labels = {n: f"{example.get('row', n)}: {example['actual']}" for n, example in enumerate(examples)}
    unit = str(examples[0].get("unit") or "")
    title = f"time ({unit})" if unit else "time"
    cells = _cells(examples)
    charts = (
        Chart(
            "record_values",
            with_choices(_values(cells, title), k=0),
            "Chart of one record: a mark for each measured value, a row for each column.",
            "What was measured",
        ),
        Chart(
            "record_risk",
            with_choices(_risks(run, held, models, title), k=0),
            "Line chart: the risk told at each row of the record, the threshold of alarms and the event.",
            "Risk over time",
        ),
    )
    styles = model_styles(run.metrics)
    legend = (
        *((f"value {name}", style, "point") for name, style in _LEVELS),
        *((name, styles[name], "line") for name in models),
        ("alarm threshold of the first model", IDEAL, "line"),
        ("event", Style(ACTUAL.colour, (2, 2)), "line"),
    )
    reading = (
        "Each mark is a measured value, the space between two a gap; orange lies more than one standard deviation "
        "above the training mean, blue below. The risk at a row is told from what came until then alone."
    )
    controls = (Control("k", "Record", tuple(labels.items())),) if len(labels) > 1 else ()
    return Figure(reading, charts, legend, controls)


def _cells(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row of data for each measured value."""
    rows: list[dict[str, Any]] = []
    most = ROWS_PER_CHART // max(1, len(examples))
    for number, example in enumerate(examples):
        own: list[dict[str, Any]] = []
        for time, values, scaled in zip(example["times"], example["values"], example["scaled"], strict=True):
            for name, value, z in zip(example["names"], values, scaled, strict=True):
                if value is not None:
                    level = _LEVELS[1 + (z > 1) - (z < -1)][0]
                    own.append({"x": time, "c": str(name), "v": value, "z": float(z), "b": level, "k": number})
        rows += own[:most]
    columns = {key: [row[key] for row in rows] for key in ("x", "c", "v", "z", "b", "k")}
    return rows_of(**columns)


def _values(rows: list[dict[str, Any]], title: str) -> dict[str, Any]:
    alt = library()
    x = alt.X("x:Q", scale=alt.Scale(zero=False, nice=False, padding=8), axis=alt.Axis(title=title))
    y = alt.Y("c:N", sort=None, axis=alt.Axis(title=None, labelLimit=140, grid=True))
    marked = coloured([name for name, _ in _LEVELS], [style for _, style in _LEVELS], "b")
    tips = tooltips(("c:N", "column"), ("x:Q", title, ".4~g"), ("v:Q", "value", ".4~g"), ("z:Q", "deviations", "+.2f"))
    marks = rows_chosen_by("k").mark_tick(thickness=4, size=18).encode(x=x, y=y, tooltip=tips, **marked)
    names = len({row["c"] for row in rows})
    return specification(alt.layer(marks), int(np.clip(26 * names, 60, 330)), rows)


def _risks(
    run: SavedRun, held: Mapping[str, Sequence[Mapping[str, Any]]], models: Sequence[str], title: str
) -> dict[str, Any]:
    alt = library()
    rows: list[dict[str, Any]] = []
    for model, examples in held.items():
        for number, example in enumerate(examples):
            times, risk = np.array(example["times"], float), np.array(example["risk"], float)
            times = times[-len(risk) :]  # one risk of the whole record stands at its end
            rows += rows_of(
                x=times, r=risk, m=[model] * len(times), k=[number] * len(times), what=["risk"] * len(times)
            )
            if model == models[0]:
                onset, limit = example.get("onset"), example.get("threshold")
                # A record without an event has its row too, not drawn: a layer without rows has no extent.
                at, o = (times[-1], 0) if onset is None else (onset, 1)
                rows.append({"x": float(at), "o": o, "k": number, "what": "event"})
                rows += [] if limit is None else [{"r": float(limit), "k": number, "what": "threshold"}]
    x = alt.X("x:Q", scale=alt.Scale(zero=False, nice=False, padding=8), axis=alt.Axis(title=title))
    y = alt.Y("r:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title="risk", tickCount=5))
    styles = model_styles(run.metrics)
    marked = coloured(models, [styles[name] for name in models], strokeDash="dash")
    base = rows_chosen_by("k")
    tips = tooltips(("m:N", "model"), ("x:Q", title, ".4~g"), ("r:Q", "risk", ".3f"))
    lines = base.transform_filter("datum.what === 'risk'").mark_line(
        point={"size": 22, "filled": True}, interpolate="step-after"
    )
    limit = base.transform_filter("datum.what === 'threshold'").mark_rule(
        color=IDEAL.colour, strokeDash=list(IDEAL.dash)
    )
    event = base.transform_filter("datum.what === 'event'").mark_rule(
        color=ACTUAL.colour, strokeDash=[2, 2], strokeWidth=2
    )
    layers = (
        limit.encode(y=y),
        event.encode(x=x, opacity=alt.condition("datum.o === 1", alt.value(1), alt.value(0))),
        lines.encode(x=x, y=y, tooltip=tips, **marked),
    )
    return specification(alt.layer(*layers), 220, rows)
