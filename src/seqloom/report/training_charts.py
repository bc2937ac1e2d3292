"""The charts of training: what was followed on the validation part beside a baseline, and each network's losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .chart import Axis, Chart, Figure, Line, line_chart, rows_of
from .saved import History, ordered_models
from .style import Style, model_styles
from .thin import thin
from .wording import decimals_for, list_words

__all__ = ["Followed", "file_name", "hover", "training_figures"]

_NAMED = 6
_LONGEST = 60  # of a name in a picture's file name
_TRAIN = Style("var(--muted)", (4, 3))


@dataclass(frozen=True)
class Followed:
    """A validation number of every epoch: its column, its names for the reader, and what the baseline reaches."""

    column: str
    name: str  # in a sentence, such as "error"
    title: str  # of the axis
    chart: str = "validation_error"
    baseline: tuple[str, float] | None = None
    lower: bool = True


def training_figures(
    metrics: Mapping[str, Any], history: History, followed: Sequence[Followed], loss: str = ""
) -> list[Figure]:
    """A figure for each followed number, all networks in it, and one of their losses; empty where nothing was trained.

    `loss` says in a sentence what the loss is.
    """
    present = set(history.model.tolist())
    names = [n for n in ordered_models(metrics) if n in present]
    names += sorted(present - set(names))
    if not names:
        return []
    styles = {**dict.fromkeys(names, _TRAIN), **model_styles(metrics)}
    figures = []
    for number, what in enumerate(followed):
        chart = _followed_chart(history, names, styles, what)
        if chart is None:
            continue
        legend = tuple((n, styles[n], "line") for n in names)
        better = "below" if what.lower else "above"
        reading = f"Each line is a network's {what.name} on the validation rows after every epoch"
        if what.baseline:
            legend += ((f"{what.baseline[0]}, for comparison", styles[what.baseline[0]], "line"),)
            reading += f"; {better} the dashed line it beats {what.baseline[0]}."
        else:
            reading += f"; {'lower' if what.lower else 'higher'} is better."
        key = "training" if not number else f"training-{number + 1}"
        figures.append(Figure(key, f"Validation {what.name} over training", reading, (chart,), legend))
    panels = tuple(_loss_chart(history, name, styles[name], slot) for slot, name in enumerate(names))
    reading = (
        "Loss on the training and the validation rows after every epoch; when validation rises while training falls, "
        "the network memorises."
    )
    legend = (("training", _TRAIN, "line"), ("validation (in the model's colour)", Style("var(--ink)", (1, 0)), "line"))
    notes = (loss,) if loss else ()
    figures.append(Figure("losses", "Training and validation loss", reading, panels, legend, (), notes))
    return figures


def hover(axis: Axis, lines: Sequence[Line], values: Sequence[float | None]) -> dict[str, Any]:
    """What the page shows beside the pointer: the fields, their names, colours and decimals."""
    series = [{"label": line.label, "fields": [line.field], "colour": line.style.colour} for line in lines]
    return {"x": {"label": axis.title, "kind": axis.kind}, "series": series, "decimals": decimals_for(values)}


def file_name(text: str) -> str:
    """`text` as a part of a picture's file name.

    >>> file_name("bag of words")
    'bag_of_words'
    """
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text[:_LONGEST])


def _followed_chart(
    history: History, names: Sequence[str], styles: Mapping[str, Style], what: Followed
) -> Chart | None:
    if not np.isfinite(history.values[what.column]).any():
        return None
    epochs = np.unique(history.epoch)
    lines = [Line(f"m{i}", name, styles[name], points=len(epochs) <= 60) for i, name in enumerate(names)]
    columns = {line.field: _by_epoch(history, line.label, what.column, epochs) for line in lines}
    if what.baseline:
        lines.append(Line("b", what.baseline[0], styles[what.baseline[0]], 1.8))
        columns["b"] = np.full(len(epochs), what.baseline[1])
        lines[-1] = replace(lines[-1], points=len(epochs) == 1)  # a line of one epoch has no length
    kept = thin(epochs, np.stack(list(columns.values()), axis=1))
    rows = rows_of(at=epochs[kept], **{key: column[kept] for key, column in columns.items()})
    axis = _epochs(epochs)
    spec = line_chart(rows, axis, lines, y_title=what.title, height=260)
    compared = f", with the {what.name} of {what.baseline[0]} as a dashed line" if what.baseline else ""
    text = f"Line chart: validation {what.name} of {list_words(list(names))} by epoch{compared}."
    return Chart(what.chart, spec, text, hover=hover(axis, lines, [v for r in rows for v in r.values()][1:]))


def _loss_chart(history: History, name: str, style: Style, slot: int) -> Chart:
    epochs = np.unique(history.of(name).epoch)
    train, valid = (_by_epoch(history, name, column, epochs) for column in ("train_loss", "valid_loss"))
    kept = thin(epochs, np.stack([train, valid], axis=1))
    rows = rows_of(at=epochs[kept], t=train[kept], v=valid[kept])
    dots = len(epochs) == 1
    lines = [
        line
        for line, values in (
            (Line("t", "training", _TRAIN, 1.6, dots), train),
            (Line("v", "validation", Style(style.colour, (1, 0)), 2, dots), valid),
        )
        if np.isfinite(values).any()
    ]
    axis = _epochs(epochs)
    spec = line_chart(rows, axis, lines, y_title="loss", height=200)
    text = f"Line chart: training and validation loss of {name} by epoch."
    shown = hover(axis, lines, [row[key] for row in rows for key in ("t", "v")])
    return Chart(f"loss_{slot + 1}_{file_name(name)}", spec, text, name, shown)


def _epochs(epochs: np.ndarray) -> Axis:
    """The axis of epochs; few of them are all named, so that none stands between two."""
    return Axis("epoch", values=tuple(epochs.tolist()) if len(epochs) <= _NAMED else ())


def _by_epoch(history: History, name: str, column: str, epochs: np.ndarray) -> np.ndarray:
    own = history.of(name)
    values = np.full(len(epochs), np.nan)
    if column in own.values:
        values[np.searchsorted(epochs, own.epoch)] = own.values[column]
    return values
