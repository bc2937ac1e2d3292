"""Many series on one page: how the error lies over them, what it is in each group, and those at either end, drawn.

What is drawn is a fixed number of values, however many series there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from ..diagnostics import score_named
from .chart import (
    Axis,
    Chart,
    Control,
    Figure,
    Line,
    coloured,
    hover,
    legend_of,
    library,
    line_chart,
    rows_of,
    specification,
    tooltips,
    with_choices,
)
from .forecast_axes import time_axis
from .markup import data_table
from .saved import SavedRun
from .style import ACTUAL, Style, model_styles
from .wording import decimals_for, fixed, per_cent, plain, signed_per_cent, whole, with_unit

__all__ = ["extremes_figure", "group_scores", "spread_figure"]

_NO_VALUE = "(no value)"


def _compared(run: SavedRun) -> list[str]:
    """The best model and the naive forecast, or one of them."""
    best, naive = run.metrics["best"], run.metrics.get("baseline") or "naive"
    return [best] if naive == best or naive not in run.metrics["models"] else [best, naive]


def spread_figure(run: SavedRun) -> Figure | None:
    """The share of the series by their test error, of the best model and the naive forecast; None without a histogram,
    where no series has an in-sample error to compare with."""
    found = run.held_by_models("by_series")
    names = [name for name in _compared(run) if "counts" in found.get(name, {})]
    if not names or names[0] != run.metrics["best"]:
        return None
    best, styles = found[names[0]], model_styles(run.metrics)
    score = score_named(str(best["score"]))
    edges = np.asarray(best["edges"], dtype=np.float64)
    shares = {n: 100 * np.asarray(found[n]["counts"]) / max(1, sum(found[n]["counts"])) for n in names}
    used = np.flatnonzero(sum(shares.values()) > 0)
    first, last = max(0, int(used[0]) - 1), min(len(edges) - 1, int(used[-1]) + 2)
    edges, shares = edges[first : last + 1], {name: each[first:last] for name, each in shares.items()}
    spec = _histogram(edges, shares, styles, f"{score.heading} of a series on the test set")
    text = f"Histogram: share of the series by {score.heading}, of {' and '.join(names)}."
    chart = Chart("error_over_series", spec, text)
    legend = tuple((n, styles[n], "bar" if n == names[0] else "line") for n in names)
    reading = (
        f"{score.heading} divides the errors of a series by the in-sample error of the seasonal naive forecast on its "
        "own training rows, so that series of any size can be compared; lower is better."
    )
    return Figure(reading, (chart,), legend, (), tuple(_spread_notes(run, best, score.heading)))


def _spread_notes(run: SavedRun, best: Mapping[str, Any], heading: str) -> list[str]:
    by_level = dict(zip(best["levels"], best["quantiles"]))
    name, low, middle, high = run.metrics["best"], by_level.get(5), by_level.get(50), by_level.get(95)
    notes = [
        f"{name}: median {heading} {plain(middle)}; 5 % of the series are below {plain(low)}, 5 % above {plain(high)}."
    ]
    naive = run.metrics.get("baseline") or "naive"
    if name != naive:
        better, scored = best["better"], best["scored"]
        share = per_cent(better / scored) if scored else "–"
        notes.append(
            f"Its mean absolute error is lower than that of {naive} for {whole(better)} of {whole(scored)} series "
            f"({share}) and higher for {whole(best['worse'])}. series.csv has the errors of each."
        )
    return notes


def _histogram(
    edges: np.ndarray, shares: Mapping[str, np.ndarray], styles: Mapping[str, Style], title: str
) -> dict[str, Any]:
    """Bars of the first model and the outline of the second, over an axis of equal factors."""
    alt = library()
    names = list(shares)
    rows = rows_of(x=edges[:-1], x2=edges[1:], y=shares[names[0]], m=[names[0]] * (len(edges) - 1))
    scale = alt.Scale(type="log", domain=[float(edges[0]), float(edges[-1])], nice=False)
    marks = [mark for mark in (0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16) if edges[0] <= mark <= edges[-1]]
    x = alt.X("x:Q", axis=alt.Axis(title=title, values=marks, format="~g"), scale=scale)
    y = alt.Y("y:Q", axis=alt.Axis(title="share of the series (%)"), scale=alt.Scale(zero=True))
    colour = coloured(names, [styles[n] for n in names])
    tips = tooltips(("x:Q", "from", ".3g"), ("x2:Q", "to", ".3g"), ("y:Q", "share (%)", ".1f"))
    bars = alt.Chart(alt.InlineData(values=rows)).mark_bar(opacity=0.75, binSpacing=1)
    layers: list[Any] = [bars.encode(x=x, x2="x2:Q", y=y, y2=alt.datum(0), tooltip=tips, **colour)]
    for name in names[1:]:
        outline = rows_of(x=edges, y=np.r_[shares[name], shares[name][-1]], m=[name] * len(edges))
        step = alt.Chart(alt.InlineData(values=outline)).mark_line(
            interpolate="step-after", strokeWidth=1.6, strokeDash=list(styles[name].dash)
        )
        layers.append(step.encode(x=x, y=y, **colour))
    return specification(alt.layer(*layers), 240)


def group_scores(run: SavedRun) -> str | None:
    """A table of the test errors in the groups of each static column: the best model's beside the naive forecast's."""
    names, held = _compared(run), run.held_by_models("by_group")
    if not all(name in held for name in names):
        return None
    parts = []
    for number, group in enumerate(run.metrics["groups"]):
        errors = {name: held[name][number] for name in names}
        title = str(group["column"])
        more = f"; {whole(group['more'])} smaller groups are left out" if group.get("more") else ""
        parts.append(_group_table(run, title, group, errors, more))
    return "\n".join(parts) or None


def _group_table(
    run: SavedRun, title: str, group: Mapping[str, Any], errors: Mapping[str, Mapping[str, Any]], more: str
) -> str:
    best, *others = errors
    unit = with_unit("MAE", run.metrics.get("unit"))
    key = str(run.held_by_models("by_series")[best]["score"])
    shown = [key] if key != "mae" else []
    heads = ["Group", "Series", "Rows", *(f"{unit}, {name}" for name in errors)]
    heads += [f"MAE against {others[0]}"] if others else []
    heads += [f"{score_named(key).heading}, {name}" for key in shown for name in errors]
    decimals = decimals_for([v for each in errors.values() for v in each["mae"]])
    rows = []
    for place, value in enumerate(group["values"]):
        maes = [each["mae"][place] for each in errors.values()]
        cells = [_NO_VALUE if value is None else str(value)]
        cells += [whole(group["series"][place]), whole(group["rows"][place]), *(fixed(mae, decimals) for mae in maes)]
        if others:
            ours, theirs = maes
            cells.append("–" if ours is None or not theirs else signed_per_cent(ours / theirs - 1))
        cells += [fixed(errors[name][key][place], 3) for key in shown for name in errors]
        rows.append(cells)
    note = f'<p class="note">The largest {whole(len(rows))} groups{escape(more)}.</p>' if more else ""
    return f"<h3>{escape(title)}</h3>\n{data_table(title, heads, rows, range(1, len(heads)))}{note}"


def extremes_figure(run: SavedRun) -> Figure | None:
    """The series with the highest and the lowest error, one at a time: actual values, and the last test forecasts of
    the best model and the naive forecast."""
    held = run.data.get("extremes") or {}
    if not held.get("series"):
        return None
    score, styles, best = score_named(str(held["score"])), model_styles(run.metrics), run.metrics["best"]
    naive = run.metrics.get("baseline") or "naive"
    decimals = decimals_for([one["score"] for one in held["series"]])
    rows: list[dict[str, Any]] = []
    options: list[tuple[int, str]] = []
    for place, one in enumerate(held["series"]):
        columns = {"a": one["values"], "f": one["forecast"], "n": one["naive_forecast"]}
        numbers = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        if best == naive:
            del numbers["n"]
        rows += rows_of(at=np.asarray(one["at"], np.float64), k=[place] * len(one["at"]), **numbers)
        options.append((place, _option(one, score.heading, decimals, naive, best)))
    lines = [Line("a", "actual", ACTUAL, 1.4), Line("f", f"forecast ({best})", styles[best], 2.0)]
    if best != naive and naive in styles:
        lines.insert(1, Line("n", f"forecast ({naive})", styles[naive], 1.4))
    axis = time_axis(run) if held["series"][0]["timed"] else Axis("row", "number")
    title = with_unit(run.metrics["target"], run.metrics.get("unit"))
    spec = line_chart(rows, axis, lines, y_title=title, height=300, filters=("k",))
    text = f"Line chart: the series with the highest and lowest {score.heading}, actual values and forecasts."
    shown = hover(axis, lines, [row["a"] for row in rows if row["a"] is not None])
    chart = Chart("series_extremes", with_choices(spec, k=0), text, hover=shown)
    reading = (
        f"Of the series with the highest and the lowest {score.heading} on the test set the last test windows that do "
        "not overlap, one after the other. Look at the highest for level shifts, outliers and series that end."
    )
    count = run.data.get("series")
    notes = (
        (f"{len(options)} of {whole(count)} series are drawn; series.csv has the errors of all.",)
        if isinstance(count, int) and count > len(options)
        else ()
    )
    control = (Control("k", "Series", tuple(options)),)
    return Figure(reading, (chart,), legend_of(lines), control, notes)


def _option(one: Mapping[str, Any], heading: str, decimals: int | None, naive: str, best: str) -> str:
    end = "highest" if one["highest"] else "lowest"
    beside = f"; {naive} {fixed(one['naive'], decimals)}" if best != naive else ""
    named = str(one["id"]) + (f", {one['target']}" if one.get("target") not in (None, one["id"]) else "")
    return f"{named} ({end}: {heading} {fixed(one['score'], decimals)}{beside})"
