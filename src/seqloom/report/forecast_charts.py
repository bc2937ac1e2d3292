"""The charts of values over time: the forecast after recent actuals, forecasts against actuals, and residuals."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chart import (
    Axis,
    Band,
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
    rows_of,
    specification,
    with_choices,
    x_of,
)
from .forecast_axes import ids_note, shown_ids, time_axis
from .recent import recent_of
from .saved import SERIES_DRAWN, SavedRun
from .style import ACTUAL, Style, model_styles
from .thin import ROWS_PER_CHART, break_gaps, thin
from .window_charts import window_figure
from .wording import decimals_for, fixed, list_words, rows_and_time, whole, with_unit

__all__ = ["forecast_figure", "residual_figure", "test_figure"]

_DOTTED = 40  # rows up to which each has a dot: a line of one has no length
# Rows before the forecast: enough to see the season, few enough to see the forecast.
_RECENT = 300


def forecast_figure(run: SavedRun) -> Figure:
    """The saved forecast with its intervals, appended to the last actual values that the run holds."""
    best, metrics = run.metrics["best"], run.metrics
    style = model_styles(metrics)[best]
    levels = list(run.forecast.low)
    ids = list(dict.fromkeys(run.forecast.id.tolist()))[:SERIES_DRAWN]
    rows, columns = [], ("a", "f", *[f"{side}{i}" for i in range(len(levels)) for side in "lh"])
    for name in ids:
        x, values = _recent_then_forecast(run, name, levels)
        kept = thin(x, values, ROWS_PER_CHART // len(ids))
        rows += rows_of(at=x[kept], s=[name] * len(kept), **dict(zip(columns, values[kept].T, strict=True)))
    several = max((int(np.sum(run.forecast.id == name)) for name in ids), default=0) > 1
    bands = [
        Band(f"l{i}", f"h{i}", f"{level} % interval", style, (0.32, 0.18, 0.12)[min(i, 2)])
        for i, level in enumerate(levels)
    ]
    lines = [
        Line("a", "actual", ACTUAL),
        Line("f", f"forecast ({best})", style, 2.2, points=several and len(rows) < 200),
    ]
    marks = [] if several else _single_points(time_axis(run), style, len(levels))
    spec = line_chart(
        rows,
        time_axis(run),
        lines,
        y_title=with_unit(metrics["target"], metrics.get("unit")),
        # The widest first, so that the narrower ones lie on it.
        bands=bands[::-1],
        height=300,
        filters=("s",),
        marks=marks,
    )
    spec = with_choices(spec, s=ids[0] if ids else "")
    ahead = rows_and_time(metrics["horizon"], metrics.get("step_label"))
    intervals = f" with {list_words([f'{v} %' for v in levels])} intervals" if levels else ""
    chart = Chart(
        "forecast",
        spec,
        f"Line chart: the last known values of {metrics['target']}, then {best}'s forecast over {ahead}{intervals}.",
        hover=hover(time_axis(run), lines, [v for row in rows for v in (row["a"], row["f"])], bands),
    )
    chance = "a prediction interval should contain the actual value as often as its level says." if levels else ""
    where = (
        "The forecast starts where the data ends" if several else "The dot is the forecast, past the end of the data"
    )
    reading = f"{where}; {chance}" if levels else f"{where}."
    notes = ids_note(run, ids) + (() if levels else ("This run has no forecast intervals.",))
    return Figure(reading, (chart,), legend_of(lines, bands), choice("s", "Series", ids), notes)


def test_figure(run: SavedRun) -> Figure:
    """Actual values and the best model's forecasts over the test period: a few windows one by one, of many one step
    ahead over time, with a window that zooms and pans."""
    return window_figure(run) or _over_test(run)


def _over_test(run: SavedRun) -> Figure:
    best, metrics = run.metrics["best"], run.metrics
    style = model_styles(metrics)[best]
    level = next(iter(run.predictions.low), None)
    ids, steps = shown_ids(run), _shown_steps(run)
    names = ("a", "f") + (("l", "h") if level else ())
    columns = [run.predictions.actual, run.predictions.models[best]]
    if level:
        columns += [run.predictions.low[level], run.predictions.high[level]]
    rows, thinned = _over_time(run, np.stack(columns, axis=1), names, ids, steps)
    dots, axis = _few_rows(rows), time_axis(run, [row["at"] for row in rows])
    lines = [Line("a", "actual", ACTUAL, 1.4, dots), Line("f", f"forecast ({best})", style, 1.6, dots)]
    bands = [Band("l", "h", f"{level} % interval", style, 0.22)] if level else []
    title = with_unit(metrics["target"], metrics.get("unit"))
    first = {"s": ids[0] if ids else "", "k": steps[-1] if steps else 0}
    spec = line_chart(rows, axis, lines, y_title=title, bands=bands, height=320, filters=("s", "k"), clip=True)
    spec = with_choices(_zoomable(spec), **first)
    overview = with_choices(_overview(rows, axis), **first)
    ahead = rows_and_time(steps[-1], metrics.get("step_label")) if steps else ""
    text = f"Line chart of the test period: actual values and the forecasts that {best} made {ahead} ahead."
    shown = hover(axis, lines, run.predictions.actual, bands)
    chart = Chart("forecast_against_actual", spec, text, hover=shown, overview=overview)
    reading = (
        "The closer the two lines, the better; drag to move, zoom with the buttons or by dragging in the small chart, "
        "double-click to see all."
    )
    notes = ids_note(run, ids)
    if thinned:
        notes += (
            f"{whole(thinned)} rows are drawn as the minimum and maximum of each pixel; predictions.csv holds them.",
        )
    controls = choice("s", "Series", ids) + _step_control(run, steps)
    return Figure(reading, (chart,), legend_of(lines, bands), controls, notes)


def residual_figure(run: SavedRun) -> Figure:
    """Errors of the best model on test: how often each size occurs, and when."""
    best, metrics = run.metrics["best"], run.metrics
    styles = model_styles(metrics)
    test = run.predictions.split == "test"
    names = [best] + (["naive"] if best != "naive" and "naive" in run.predictions.models else [])
    errors = {n: (run.predictions.models[n] - run.predictions.actual)[test] for n in names}
    unit = metrics.get("unit")
    title = with_unit("forecast − actual", unit)
    finite = errors[best][np.isfinite(errors[best])]
    decimals = decimals_for([float(np.abs(finite).max())] if len(finite) else [])
    bias = fixed(float(finite.mean()), decimals) if len(finite) else "unknown"
    histogram = Chart(
        "residuals_histogram",
        _histogram(errors, styles, title),
        f"Histogram of the test residuals of {best}; their mean is {bias}{f' {unit}' if unit else ''}.",
        "Distribution",
    )
    ids, steps = shown_ids(run), _shown_steps(run)
    error = (run.predictions.models[best] - run.predictions.actual)[:, None]
    rows, thinned = _over_time(run, error, ("r",), ids, steps)
    line, axis = Line("r", best, styles[best], 1.0, _few_rows(rows)), time_axis(run, [row["at"] for row in rows])
    spec = line_chart(rows, axis, [line], y_title=title, height=240, filters=("s", "k"), marks=[_zero_line()])
    spec = with_choices(spec, s=ids[0] if ids else "", k=steps[-1] if steps else 0)
    over_time = Chart(
        "residuals_over_time",
        spec,
        f"Line chart of the test residuals of {best} over time, around zero.",
        "Over time",
        hover=hover(axis, [line], finite),
    )
    reading = "Residuals above zero are forecasts that were too high; those of a good model scatter around zero."
    legend = tuple((n, styles[n], "bar" if n == best else "line") for n in names)
    notes = (f"Mean residual (bias) of {best} on the test set: {bias}{f' {unit}' if unit else ''}.",)
    if thinned:
        notes += ("Residuals over time are drawn as the minimum and maximum of each pixel.",)
    controls = choice("s", "Series", ids) + _step_control(run, steps)
    return Figure(reading, (histogram, over_time), legend, controls, notes, shape="pair")


def _shown_steps(run: SavedRun) -> list[int]:
    """The first and the last step ahead that was scored on test."""
    steps = np.unique(run.predictions.step[run.predictions.split == "test"])
    return [] if not len(steps) else sorted({int(steps[0]), int(steps[-1])})


def _recent_then_forecast(run: SavedRun, name: str, levels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    known = (run.predictions.id == name) & np.isfinite(run.predictions.actual)
    # Windows overlap: the same actual value stands in the file once for each step ahead.
    kept, values = recent_of(run, name)
    past, rows = np.unique(np.r_[kept, run.predictions.time[known]], return_index=True)
    actual = np.r_[values, run.predictions.actual[known]][rows]
    ahead = run.forecast.id == name
    order = np.argsort(run.forecast.time[ahead], kind="stable")
    after = run.forecast.time[ahead][order]
    keep = max(_RECENT, 3 * len(after)) if len(after) > 1 else _RECENT
    past, actual = past[-keep:], actual[-keep:]
    known_part = np.full((len(past), 2 + 2 * len(levels)), np.nan)
    known_part[:, 0] = actual
    step = float(np.median(np.diff(past))) if len(past) > 1 else np.inf
    past, known_part = break_gaps(past, known_part, _gap_factor(run))
    made = np.full((len(after), 2 + 2 * len(levels)), np.nan)
    if len(past) and len(after) and after[0] - past[-1] <= _gap_factor(run) * step:
        known_part[-1, 1:] = known_part[-1, 0]  # the forecast's line and its bands begin at the last known value
    made[:, 1] = run.forecast.value[ahead][order]
    for i, level in enumerate(levels):
        made[:, 2 + 2 * i] = run.forecast.low[level][ahead][order]
        made[:, 3 + 2 * i] = run.forecast.high[level][ahead][order]
    return np.r_[past, after], np.concatenate([known_part, made])


def _gap_factor(run: SavedRun) -> float:
    # Over a weekend three days pass, with holidays up to five: no gap.
    return 6.0 if "business" in str(run.data.get("frequency", "")).lower() else 1.5


def _over_time(
    run: SavedRun, columns: np.ndarray, names: tuple[str, ...], ids: list[str], steps: list[int]
) -> tuple[list[dict[str, Any]], int]:
    """Test rows of each series and step, thinned; and how many values there were where any were left out."""
    rows: list[dict[str, Any]] = []
    groups = max(1, len(ids) * len(steps))
    total, thinned = 0, False
    for name in ids:
        for step in steps:
            chosen = (run.predictions.split == "test") & (run.predictions.id == name) & (run.predictions.step == step)
            order = np.argsort(run.predictions.time[chosen], kind="stable")
            if not len(order):
                continue
            x, values = break_gaps(run.predictions.time[chosen][order], columns[chosen][order], _gap_factor(run))
            kept = thin(x, values, ROWS_PER_CHART // groups)
            total += len(order)
            thinned = thinned or len(kept) < len(x)
            fields = dict(zip(names, values[kept].T, strict=True))
            rows += rows_of(at=x[kept], s=[name] * len(kept), k=[step] * len(kept), **fields)
    return rows, total if thinned else 0


def _single_points(axis: Axis, style: Style, levels: int) -> list[Any]:
    alt = library()
    x, y_axis = x_of(axis), alt.Axis(title="")
    base = alt.Chart(alt.NamedData(name="rows")).transform_filter(
        "datum.s === s && datum.f !== null && datum.a === null"
    )
    marks = [
        base.mark_rule(strokeWidth=(6, 3, 2)[min(i, 2)], color=style.colour, opacity=(0.6, 0.4, 0.3)[min(i, 2)]).encode(
            x=x, y=alt.Y(f"l{i}:Q", axis=y_axis), y2=f"h{i}:Q"
        )
        for i in range(levels)
    ]
    marks.append(
        base.mark_point(size=70, filled=True, color=style.colour, opacity=1).encode(x=x, y=alt.Y("f:Q", axis=y_axis))
    )
    return marks


def _few_rows(rows: list[dict[str, Any]]) -> bool:
    """Whether each series and step has so few rows that they are to be seen one by one."""
    groups = len({(row["s"], row["k"]) for row in rows}) or 1
    return len(rows) <= _DOTTED * groups


def _zoomable(spec: dict[str, Any]) -> dict[str, Any]:
    # A plain wheel goes on scrolling the page; with Ctrl (and by pinching a touchpad) it zooms.
    select = {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.ctrlKey]"}
    zoom = {"name": "zoom", "select": select, "bind": "scales"}
    last = {**spec["layer"][-1], "params": [zoom]}
    return {**spec, "layer": [*spec["layer"][:-1], last]}


def _overview(rows: list[dict[str, Any]], axis: Axis) -> dict[str, Any]:
    short = [{k: row[k] for k in ("at", "s", "k", "a")} for row in rows]
    groups = len({(row["s"], row["k"]) for row in rows}) or 1
    every = max(1, len(short) // (600 * groups))
    spec = line_chart(
        short[::every], Axis("", axis.kind), [Line("a", "actual", ACTUAL, 1)], y_title="", height=40, filters=("s", "k")
    )
    mark = {"fill": "var(--accent)", "fillOpacity": 0.18, "stroke": "var(--accent)"}
    brush = {"name": "brush", "select": {"type": "interval", "encodings": ["x"], "mark": mark}}
    for layer in spec["layer"]:
        layer["encoding"]["x"]["axis"] = layer["encoding"]["y"]["axis"] = None
    spec["layer"][-1]["params"] = [brush]
    return spec


def _step_control(run: SavedRun, steps: list[int]) -> tuple[Control, ...]:
    label = run.metrics.get("step_label")
    options = tuple((step, f"{rows_and_time(step, label)} ahead") for step in reversed(steps))
    return (Control("k", "Forecast made", options),) if len(steps) > 1 else ()


def _zero_line() -> Any:
    alt = library()
    return (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color="var(--muted)", strokeWidth=1)
        .encode(y="zero:Q")
    )


def _histogram(errors: dict[str, np.ndarray], styles: dict[str, Style], title: str) -> dict[str, Any]:
    alt = library()
    names = list(errors)
    finite = {n: e[np.isfinite(e)] for n, e in errors.items()}
    both = np.concatenate(list(finite.values())) if finite else np.zeros(0)
    # Two in a thousand are put into the outer bins: one wild forecast would else press all others into the middle
    # one.
    low, high = np.quantile(both, [0.001, 0.999]) if len(both) else (-1.0, 1.0)
    reach = max(abs(float(low)), abs(float(high)), 1e-12)
    # An even number, so that zero is an edge and too high and too low never share a bin.
    bins = int(np.clip(np.sqrt(len(both)), 10, 50)) // 2 * 2
    edges = np.linspace(-reach, reach, bins + 1)
    shares = {n: 100 * np.histogram(np.clip(e, -reach, reach), edges)[0] / max(1, len(e)) for n, e in finite.items()}
    rows = rows_of(x=edges[:-1], x2=edges[1:], y=shares[names[0]], m=[names[0]] * bins)
    x = alt.X("x:Q", axis=alt.Axis(title=title, tickCount={"expr": "width / 70"}), scale=alt.Scale(nice=False))
    y = alt.Y("y:Q", axis=alt.Axis(title="share of forecasts (%)"))
    colour = coloured(names, [styles[n] for n in names])
    bars = alt.Chart(alt.InlineData(values=rows)).mark_bar(opacity=0.75, binSpacing=1)
    layers: list[Any] = [bars.encode(x=x, x2="x2:Q", y=y, y2=alt.datum(0), **colour)]
    for name in names[1:]:
        outline = rows_of(x=edges, y=np.r_[shares[name], shares[name][-1]], m=[name] * len(edges))
        step = alt.Chart(alt.InlineData(values=outline)).mark_line(
            interpolate="step-after", strokeWidth=1.6, strokeDash=list(styles[name].dash)
        )
        layers.append(step.encode(x=x, y=y, **colour))
    return specification(alt.layer(*layers), 240)
