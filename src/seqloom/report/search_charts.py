"""A search: its trials as a table and as parallel coordinates, and which parameters mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seqloom_runtime.errors import brief

from .chart import Chart, Figure, library, rows_chosen_by, rows_of, specification, tooltips
from .markup import data_table
from .saved import SavedRun
from .style import Style
from .wording import list_words, per_cent, whole

__all__ = ["search_figures"]

_MOST_LINES, _MOST_ROWS, _MOST_PARAMETERS, _MOST_MARKS, _BARS = 200, 60, 12, 9, 22
_WORDS = {"complete": "completed", "pruned": "stopped early", "failed": "failed"}


def search_figures(run: SavedRun) -> list[Figure]:
    """Parallel coordinates over the table of trials, then the bars of importance where there are any."""
    trials: Sequence[Mapping[str, Any]] = run.trials["trials"]
    model = next(trial["model"] for trial in trials if trial["number"] == run.trials["best"])
    figures = [_coordinates(run, model)]
    importance = run.trials["importance"].get(model) or {}
    if importance:
        figures.append(_importance(model, importance))
    return figures


def _coordinates(run: SavedRun, model: str) -> Figure:
    told = run.trials
    space: Mapping[str, Any] = told["spaces"][model]
    names = list(space)[:_MOST_PARAMETERS]
    own = [trial for trial in told["trials"] if trial["model"] == model and trial["state"] != "failed"]
    own = sorted(own, key=lambda trial: (trial["value"] is None, _standing(told, trial)))[:_MOST_LINES]
    values = [trial["value"] for trial in own if trial["value"] is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    rows: list[dict[str, Any]] = []
    for trial in own:
        kind = "best" if trial["number"] == told["best"] else _WORDS[trial["state"]]
        chosen = {**told["defaults"][model], **trial["parameters"]}
        points = [(name, _place(chosen.get(name), space[name]), _text(chosen.get(name))) for name in names]
        if trial["value"] is not None:
            place = (trial["value"] - low) / (high - low) if high > low else 0.5
            points.append((told["score"]["heading"], place, _text(trial["value"])))
        kept = [point for point in points if point[1] is not None]
        rows += rows_of(
            n=[trial["number"] + 1] * len(kept),
            k=[kind] * len(kept),
            a=[point[0] for point in kept],
            y=[point[1] for point in kept],
            v=[point[2] for point in kept],
        )
    axes = [*names, told["score"]["heading"]]
    marks = [mark for name in names for mark in _marks(name, space[name])]
    marks += _marks(told["score"]["heading"], {"low": low, "high": high}) if values else []
    spec = _lines(rows, axes, marks)
    states = [trial["state"] for trial in told["trials"]]
    reading = (
        "Each line is a trial and each axis a parameter, from the lowest value below to the highest above (choices in "
        "their order); the last axis is the score on validation. Trials that were stopped early have no score. Where "
        "lines of good trials cross an axis close together, the parameter mattered."
    )
    said = [f"{whole(states.count(state))} {word}" for state, word in _WORDS.items() if states.count(state)]
    notes = [f"{whole(len(states))} trials: {list_words(said)}."]
    notes += [f"The {_MOST_LINES} best of {model} are drawn."] if len(own) == _MOST_LINES else []
    text = f"Parallel coordinates: {len(own)} trials of {model} over {list_words(axes)}."
    chart = Chart("trials", spec, text)
    legend = tuple((word, Style(colour, (1, 0)), "line") for word, colour in _COLOURS.items())
    heading = f"Search: {whole(len(states))} trials"
    return Figure(reading, (chart,), legend, (), tuple(notes), _table(run, names), "search", heading)


_COLOURS = {"best": "var(--c2)", "completed": "var(--c1)", "stopped early": "var(--naive)"}


def _lines(rows: list[dict[str, Any]], axes: Sequence[str], marks: list[dict[str, Any]]) -> dict[str, Any]:
    alt = library()
    base = rows_chosen_by()
    x = alt.X("a:N", sort=list(axes), scale=alt.Scale(type="point", padding=0.3), axis=alt.Axis(title=None, grid=True))
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title=None, labels=False, grid=False))
    scale = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    colour = alt.Color("k:N", scale=scale, legend=None)
    width = alt.Size("k:O", scale=alt.Scale(domain=list(_COLOURS), range=[3, 1.2, 0.8]), legend=None)
    opacity = alt.Opacity("k:O", scale=alt.Scale(domain=list(_COLOURS), range=[1, 0.7, 0.35]), legend=None)
    tips = tooltips(("n:Q", "trial"), ("a:N", "parameter"), ("v:N", "value"))
    lines = base.mark_line().encode(x=x, y=y, color=colour, size=width, opacity=opacity, detail="n:N")
    points = base.mark_circle(size=30).encode(x=x, y=y, color=colour, opacity=opacity, tooltip=tips)
    # An axis of each its own numbers, which Vega-Lite can't draw: texts beside them, readable over lines.
    numbers = alt.Chart(alt.InlineData(values=marks)).encode(x=x, y=y, text="t:N")
    look = {"align": "right", "dx": -6, "fontSize": 11}
    halo = numbers.mark_text(**look, stroke="var(--paper)", strokeWidth=4)
    return specification(alt.layer(lines, points, halo, numbers.mark_text(**look, color="var(--muted)")), 320, rows)


def _marks(axis: str, dimension: Any) -> list[dict[str, Any]]:
    """The numbers on an axis: both ends and the middle of a range, of choices each, or of many some of them."""
    if isinstance(dimension, list):
        apart = -(-len(dimension) // _MOST_MARKS)
        values = dimension[::apart]
    else:
        low, high = dimension["low"], dimension["high"]
        middle = math.sqrt(low * high) if dimension.get("log") else (low + high) / 2
        values = [low, round(middle) if isinstance(low, int) and isinstance(high, int) else middle, high]
        values = values if low < high else []
    places = [(_place(value, dimension), _text(value)) for value in values]
    return [
        {"a": axis, "y": place, "t": brief("none" if text == "–" else text, 14)}
        for place, text in places
        if place is not None
    ]


def _importance(model: str, importance: Mapping[str, float]) -> Figure:
    alt = library()
    names, shares = list(importance), [100 * float(value) for value in importance.values()]
    rows = rows_of(m=names, v=shares)
    y = alt.Y("m:N", sort=None, axis=alt.Axis(title=None, labelLimit=170))
    x = alt.X("v:Q", scale=alt.Scale(domainMin=0), axis=alt.Axis(title="share of the variance (%)", grid=True))
    tips = tooltips(("m:N", "parameter"), ("v:Q", "share of the variance (%)", ".3~g"))
    bars = rows_chosen_by().mark_bar(color="var(--c1)", opacity=0.85, height={"band": 0.7})
    spec = specification(bars.encode(x=x, y=y, tooltip=tips), _BARS * len(names) + 50, rows)
    said = list_words([f"{name} {per_cent(share / 100)}" for name, share in list(zip(names, shares))[:3]])
    reading = (
        "The share of the variance of the trials' ranks that a parameter's value explains by itself (ω², by thirds of "
        "a range or by choice). Few trials tell little, and parameters that matter together only don't show here."
    )
    chart = Chart("importance", spec, f"Bars: importance by parameter. {said}.")
    return Figure(reading, (chart,), key="importance", heading=f"Parameters of {model} that mattered")


def _table(run: SavedRun, names: Sequence[str]) -> str:
    """The trials, the best first; HTML."""
    told = run.trials
    order = sorted(told["trials"], key=lambda trial: _standing(told, trial))
    several = len(told["spaces"]) > 1
    heads = ["trial", *(["model"] if several else []), "state", told["score"]["heading"], *names, "epochs"]
    rows = []
    for trial in order[:_MOST_ROWS]:
        chosen = {**told["defaults"][trial["model"]], **trial["parameters"]}
        named = f"{trial['number'] + 1}{' (best)' if trial['number'] == told['best'] else ''}"
        named += "" if trial["parameters"] else " (defaults)"
        state = _WORDS[trial["state"]]
        if trial["failed"]:
            state += f": {brief(str(trial['failed']), 200)}"
        cells = [named, *([trial["model"]] if several else []), state, _text(trial["value"])]
        rows.append([*cells, *(_text(chosen.get(name)) for name in names), whole(trial["epochs"])])
    first = 2 + several
    label = f"Trials, the best first{f' ({_MOST_ROWS} of {len(order)})' if len(order) > _MOST_ROWS else ''}"
    return data_table(label, heads, rows, range(first, len(heads)))


def _standing(told: Mapping[str, Any], trial: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of trials: completed ones by score, then those that were stopped, the later first, then failed ones."""
    value = trial["value"]
    if value is not None:
        return (0, value if told["score"]["lower_is_better"] else -value, trial["number"])
    return (1 if trial["state"] == "pruned" else 2, -len(trial["rungs"]), trial["number"])


def _place(value: Any, dimension: Any) -> float | None:
    """Where a value stands between the ends of its axis, 0 to 1; None where it is no value of the space."""
    if isinstance(dimension, list):
        places = [i for i, each in enumerate(dimension) if type(each) is type(value) and each == value]
        return None if not places else places[0] / max(1, len(dimension) - 1)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    low, high, at = dimension["low"], dimension["high"], value
    if not low <= at <= high or low == high:
        return None
    if dimension.get("log"):
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else brief(str(value), 40)
