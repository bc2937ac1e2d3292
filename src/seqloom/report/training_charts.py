"""The charts of training: what was followed on the validation set beside a baseline, and each network's losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..diagnostics import score_named
from .chart import Axis, Chart, Figure, Line, hover, line_chart, rows_of
from .saved import Curves, SavedRun, is_forecast, ordered_models
from .scores import lower_is_better, scores_of, unit_of
from .style import Style, model_styles
from .thin import thin
from .wording import list_words, with_unit

__all__ = ["file_name", "training_figures"]

_NAMED = 6
_LONGEST = 60  # of a name in a picture's file name
_TRAIN = Style("var(--muted)", (4, 3))


@dataclass(frozen=True)
class _Followed:
    """A validation score of every epoch: its column, its names for the reader, and what the baseline reaches."""

    column: str
    name: str  # in a sentence
    title: str  # of the axis
    chart: str
    lower: bool
    baseline: tuple[str, float] | None = None


def training_figures(run: SavedRun) -> list[Figure]:
    """A figure for each score that was followed, all networks in it, and one of their losses."""
    present = set(run.curves.model.tolist())
    names = [n for n in ordered_models(run.metrics) if n in present]
    names += sorted(present - set(names))
    styles = {**dict.fromkeys(names, _TRAIN), **model_styles(run.metrics)}
    figures = [_followed_figure(run, names, styles, what) for what in _followed(run)]
    for number, figure in enumerate(figures[1:], start=2):
        figures[number - 1] = replace(figure, key=f"training-{number}")
    panels = tuple(_loss_chart(run.curves, name, styles[name], slot) for slot, name in enumerate(names))
    reading = (
        "Loss on the training and the validation set after every epoch; where the validation loss rises while the "
        "training loss falls, the network overfits."
    )
    legend = (("training", _TRAIN, "line"), ("validation (in the model's colour)", Style("var(--ink)", (1, 0)), "line"))
    loss = run.settings.get("loss") if is_forecast(run.metrics) else None
    notes = (f"The loss is {loss}, on the standardised target.",) if loss else ()
    heading = "Training and validation loss"
    return [*figures, Figure(reading, panels, legend, (), notes, key="losses", heading=heading, shape="small")]


def _followed(run: SavedRun) -> list[_Followed]:
    """The scores that were followed, beside what the baseline reaches on the same data."""
    metrics, found = run.metrics, []
    baseline = metrics.get("baseline") or "naive"
    reached = metrics["models"].get(baseline, {}).get("valid", {})
    for column, values in run.curves.values.items():
        name = column.removeprefix("valid_")
        known = name in scores_of(metrics) or name in metrics.get("lower_is_better", ())
        if column.startswith("valid_") and known and np.isfinite(values).any():
            words = score_named(name).phrase
            title = with_unit(f"validation {words}", unit_of(metrics, name))
            beside = (baseline, reached[name]) if reached.get(name) is not None else None
            lower, chart = lower_is_better(metrics, name), f"validation_{file_name(name)}"
            found.append(_Followed(column, words, title, chart, lower, beside))
    return found


def file_name(text: str) -> str:
    """`text` as a part of a picture's file name.

    >>> file_name("bag of words")
    'bag_of_words'
    """
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text[:_LONGEST])


def _followed_figure(run: SavedRun, names: Sequence[str], styles: Mapping[str, Style], what: _Followed) -> Figure:
    legend = tuple((n, styles[n], "line") for n in names)
    reading = f"Each line is a network's {what.name} on the validation set after every epoch"
    if what.baseline:
        legend += ((f"{what.baseline[0]}, for comparison", styles[what.baseline[0]], "line"),)
        reading += f"; {'below' if what.lower else 'above'} the dashed line it beats {what.baseline[0]}."
    else:
        reading += f"; {'lower' if what.lower else 'higher'} is better."
    chart = _followed_chart(run.curves, names, styles, what)
    return Figure(reading, (chart,), legend, heading=f"Validation {what.name} by epoch")


def _followed_chart(curves: Curves, names: Sequence[str], styles: Mapping[str, Style], what: _Followed) -> Chart:
    epochs = np.unique(curves.epoch)
    lines = [Line(f"m{i}", name, styles[name], points=len(epochs) <= 60) for i, name in enumerate(names)]
    columns = {line.field: _by_epoch(curves, line.label, what.column, epochs) for line in lines}
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


def _loss_chart(curves: Curves, name: str, style: Style, slot: int) -> Chart:
    epochs = np.unique(curves.of(name).epoch)
    train, valid = (_by_epoch(curves, name, column, epochs) for column in ("train_loss", "valid_loss"))
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


def _by_epoch(curves: Curves, name: str, column: str, epochs: np.ndarray) -> np.ndarray:
    own = curves.of(name)
    values = np.full(len(epochs), np.nan)
    if column in own.values:
        values[np.searchsorted(epochs, own.epoch)] = own.values[column]
    return values
