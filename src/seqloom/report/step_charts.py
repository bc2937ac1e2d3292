"""The charts of what happens along a sequence: belief after each step, a value or label per step; a map of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import (
    Axis,
    Chart,
    Control,
    Figure,
    Line,
    choice,
    coloured,
    hover,
    legend_of,
    library,
    line_chart,
    rows_chosen_by,
    rows_of,
    specification,
    tooltips,
    with_choices,
)
from .examples_html import tokens_html
from .saved import SavedRun
from .style import ACTUAL, Style, hue, model_styles
from .thin import ROWS_PER_CHART, thin
from .wording import list_words, per_cent

__all__ = ["belief_figure", "embedding_figure", "frames_figure"]

_MOST_MODELS = 3
_MOST_CLASSES = 6
_WIDE, _NARROW, _HIGH = 900.0, 320.0, 420.0
_LETTER, _LINE = 6.6, 15.0


def belief_figure(run: SavedRun) -> Figure:
    """How sure the model is of each class after each step of an example."""
    held = dict(list(run.held("belief").items())[:_MOST_MODELS])
    classes = [str(name) for name in next(iter(held.values()))[0]["classes"]]
    drawn = [1] if len(classes) == 2 else list(range(len(classes)))[:_MOST_CLASSES]
    lines = [Line(f"c{k}", classes[k], Style(hue(k), (1, 0) if k < 8 else (5, 3)), 2) for k in drawn]
    total = sum(len(examples) for examples in held.values())
    rows: list[dict[str, Any]] = []
    labels: dict[int, str] = {}
    for model, examples in held.items():
        for number, example in enumerate(examples):
            p = np.array(example["probabilities"], dtype=np.float64).reshape(-1, len(classes))[:, drawn]
            steps = np.arange(1, len(p) + 1, dtype=np.float64)
            kept = thin(steps, p, max(ROWS_PER_CHART // total, 2 + 3 * len(drawn)))
            tokens = example.get("tokens")
            words = {"w": [str(tokens[i])[:40] for i in kept]} if tokens else {}
            fields = {line.field: p[kept, i] for i, line in enumerate(lines)}
            rows += rows_of(at=steps[kept], s=[model] * len(kept), k=[number] * len(kept), **words, **fields)
            labels.setdefault(number, f"{number + 1}: {example['actual']}, predicted as {example['predicted']}")
    text = all(example.get("tokens") for examples in held.values() for example in examples)
    axis = Axis("word" if text else "step")
    spec = line_chart(rows, axis, lines, y_title="probability", height=220, filters=("s", "k"), zero=True)
    for layer in spec["layer"]:
        layer["encoding"]["y"]["scale"] = {"domain": [0, 1]}
    shown = hover(axis, lines, [0.5, 1.0])
    if text:
        shown["x"]["field"] = "w"
    models = list(held)
    chart = Chart(
        "belief",
        with_choices(spec, s=models[0], k=0),
        f"Line chart: probability of {list_words([line.label for line in lines])} after each {axis.title}.",
        hover=shown,
    )
    controls = (*choice("s", "Model", models), Control("k", "Example", tuple(labels.items())))
    reading = f"What the model predicts after reading so far; a jump marks the {axis.title} that moved it."
    after = "".join(
        tokens_html(number, example, classes) for number, example in enumerate(held[models[0]]) if example.get("tokens")
    )
    notes = (f"Below: the {axis.title}s of {models[0]}'s examples, coloured by the class that is most probable then.",)
    heading = f"Class probabilities after each {axis.title}"
    return Figure(reading, (chart,), legend_of(lines), controls, notes if after else (), after, heading=heading)


def frames_figure(run: SavedRun) -> Figure:
    """A value or a label for each step, predicted beside actual."""
    held = dict(list(run.held("frames").items())[:_MOST_MODELS])
    models, styles = list(held), model_styles(run.metrics)
    total = sum(len(examples) for examples in held.values())
    texts = any(isinstance(value, str) for value in next(iter(held.values()))[0]["actual"])
    rows: list[dict[str, Any]] = []
    labels: dict[int, str] = {}
    for model, examples in held.items():
        for number, example in enumerate(examples):
            rows += _frame_rows(model, number, example, texts, max(8, ROWS_PER_CHART // total))
            labels.setdefault(number, f"{number + 1}: {example.get('row', number)}")
    style = styles[models[0]]
    lines = [Line("a", "actual", ACTUAL, 1.6), Line("f", "predicted", style, 1.8)]
    axis = Axis("step")
    spec = _label_steps(rows, lines) if texts else line_chart(rows, axis, lines, y_title="value", filters=("s", "k"))
    shown = None if texts else hover(axis, lines, [row[key] for row in rows for key in "af"])
    chart = Chart(
        "frames",
        with_choices(spec, s=models[0], k=0),
        f"Line chart: actual and predicted {'labels' if texts else 'values'} at each step of an example.",
        hover=shown,
    )
    controls = (*choice("s", "Model", models), Control("k", "Example", tuple(labels.items())))
    reading = "The closer the two lines, the better. The examples are spread evenly over the test set."
    return Figure(reading, (chart,), legend_of(lines), controls if len(labels) > 1 else controls[:-1])


def embedding_figure(run: SavedRun) -> Figure:
    """Words in the plane of their vectors' two main directions."""
    held = dict(list(run.held("embedding").items())[:_MOST_MODELS])
    models = list(held)
    rows: list[dict[str, Any]] = []
    groups = list(dict.fromkeys(str(g) for e in held.values() for g in e.get("group") or []))[:8]
    for model in models:
        kept = held[model]
        x, y = np.array(kept["x"], dtype=np.float64), np.array(kept["y"], dtype=np.float64)
        words = [str(word)[:24] for word in kept["words"]]
        group = [str(g) for g in kept.get("group") or [""] * len(words)]
        rows += rows_of(
            s=[model] * len(words), x=x, y=y, w=words, g=group, wide=_room(x, y, words, _WIDE),
            narrow=_room(x, y, words, _NARROW),
        )  # fmt: skip
    first = held[models[0]]
    spec = with_choices(_word_map(rows, groups), s=models[0])
    x_share, y_share = (per_cent(float(share)) for share in first["explained"])
    reading = (
        "Each dot is a word's embedding on the first two principal components, which have no unit; words that the "
        "model treats alike lie close together."
    )
    note = f"{models[0]}: the components explain {x_share} and {y_share} of the variance."
    legend = tuple((name, Style(hue(i), (1, 0)), "point") for i, name in enumerate(groups))
    chart = Chart("embedding", spec, f"Points: {len(first['words'])} words in two dimensions.")
    return Figure(reading, (chart,), legend, choice("s", "Model", models), (note,))


def _frame_rows(model: str, number: int, example: Mapping[str, Any], texts: bool, limit: int) -> list[dict[str, Any]]:
    steps = np.arange(len(example["actual"]), dtype=np.float64)
    if texts:
        actual, predicted = ([str(v) for v in example[key]][:limit] for key in ("actual", "predicted"))
        count = len(actual)
        return rows_of(at=steps[:limit], s=[model] * count, k=[number] * count, a=actual, f=predicted)
    values = np.stack([np.array(example[key], dtype=np.float64) for key in ("actual", "predicted")], axis=1)
    kept = thin(steps, values, limit)
    where = {"s": [model] * len(kept), "k": [number] * len(kept)}
    return rows_of(at=steps[kept], **where, a=values[kept, 0], f=values[kept, 1])


def _label_steps(rows: list[dict[str, Any]], lines: Sequence[Line]) -> dict[str, Any]:
    alt = library()
    base = rows_chosen_by("s", "k")
    names = sorted({row[line.field] for row in rows for line in lines})
    x = alt.X("at:Q", axis=alt.Axis(title="step", tickMinStep=1), scale=alt.Scale(zero=False, nice=False))
    layers = [
        base.mark_line(
            interpolate="step-after",
            strokeWidth=line.width,
            color=line.style.colour,
            strokeDash=[1, 0] if line.field == "a" else [5, 3],
        ).encode(x=x, y=alt.Y(f"{line.field}:N", scale=alt.Scale(domain=names), axis=alt.Axis(title="label")))
        for line in lines
    ]
    return specification(alt.layer(*layers), int(np.clip(28 * len(names), 120, 420)), rows)


def _word_map(rows: list[dict[str, Any]], groups: list[str]) -> dict[str, Any]:
    alt = library()
    base = rows_chosen_by("s")
    scale = alt.Scale(zero=False, nice=False, padding=24)
    x = alt.X("x:Q", scale=scale, axis=None)
    y = alt.Y("y:Q", scale=scale, axis=None)
    colour: Any = alt.value("var(--c1)")
    if groups:
        colour = coloured(groups, [Style(hue(i), (1, 0)) for i in range(len(groups))], "g")["color"]
    tips = tooltips(("w:N", "word"), *([("g:N", "group")] if groups else []))
    dots = base.mark_point(filled=True, size=26, opacity=0.55).encode(x=x, y=y, color=colour, tooltip=tips)
    named = base.transform_filter("width > 600 ? datum.wide : datum.narrow")
    words = named.mark_text(dy=-9, fontSize=11, color="var(--ink)").encode(x=x, y=y, text="w:N")
    return specification(alt.layer(dots, words), int(_HIGH), rows)


def _room(x: np.ndarray, y: np.ndarray, words: Sequence[str], width: float) -> list[bool]:
    """Which words can be written without covering one before them, in a drawing of that many pixels."""
    spans = [float(np.ptp(v)) or 1.0 for v in (x, y)]
    px, py = (x - x.min()) / spans[0] * (width - 60), (y - y.min()) / spans[1] * (_HIGH - 60)
    placed: list[tuple[float, float, float]] = []
    room = []
    for left, top, word in zip(px, py, words):
        half = _LETTER * len(word) / 2 + 2
        free = all(abs(left - l) > half + h or abs(top - t) > _LINE for l, t, h in placed)
        room.append(bool(free))
        if free:
            placed.append((left, top, half))
    return room
