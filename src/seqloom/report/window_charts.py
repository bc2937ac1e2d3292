"""Few test windows, each with its whole path: what a line of one step ahead would show as a handful of points."""

from __future__ import annotations

from typing import Any

import numpy as np

from .chart import Band, Chart, Control, Figure, Line, choice, hover, legend_of, line_chart, rows_of, with_choices
from .forecast_axes import ids_note, shown_ids, time_axis
from .recent import recent_of
from .saved import SavedRun
from .style import ACTUAL, model_styles
from .wording import rows_and_time, whole, with_unit

__all__ = ["window_figure"]

_FEW = 12
_MOST_OFFERED = 6
_LINE = 3  # windows of one value that are a line
_BEFORE, _LEAST = 3, 12  # lengths of the path, and rows at least, that are drawn before it


def window_figure(run: SavedRun) -> Figure | None:
    """The forecast paths of a few test windows beside the actual values, one at a time; None where there are many, or
    some of one value each, which make a line."""
    ids, best, metrics = shown_ids(run), run.metrics["best"], run.metrics
    level = next(iter(run.predictions.low), None)
    paths = {name: _paths(run, name) for name in ids}
    counts = {len(found) for found in paths.values()}
    if len(counts) != 1 or not 1 <= (count := counts.pop()) <= _FEW:
        return None
    if count >= _LINE and len(paths[ids[0]][0]) == 1:
        return None
    offered = sorted({int(n) for n in np.linspace(0, count - 1, min(count, _MOST_OFFERED)).round()})
    rows = [row for name in ids for n in offered for row in _rows(run, name, paths[name][n], n, level)]
    axis, style = time_axis(run, [row["at"] for row in rows]), model_styles(metrics)[best]
    lines = [Line("a", "actual", ACTUAL, 1.4, True), Line("f", f"forecast ({best})", style, 2.0, True)]
    bands = [Band("l", "h", f"{level} % interval", style, 0.22)] if level else []
    title = with_unit(metrics["target"], metrics.get("unit"))
    spec = line_chart(rows, axis, lines, y_title=title, bands=bands, height=320, filters=("s", "k"))
    spec = with_choices(spec, s=ids[0] if ids else "", k=offered[-1])
    ahead = rows_and_time(metrics["horizon"], metrics.get("step_label"))
    text = f"Line chart: actual values, and the forecast over {ahead} that {best} made in one window of the test set."
    shown = hover(axis, lines, run.predictions.actual, bands)
    options = tuple((n, f"{whole(n + 1)} of {whole(count)}" + _begins(run, ids, paths, n)) for n in reversed(offered))
    controls = choice("s", "Series", ids) + ((Control("k", "Test window", options),) if count > 1 else ())
    windows = "window" if count == 1 else "windows"
    reading = (
        f"The test set has {whole(count)} {windows}{' in each series' if len(ids) > 1 else ''}: the closer a window's "
        "forecast is to the actual values, the better. So few say little of the windows to come."
    )
    chart = Chart("forecast_against_actual", spec, text, hover=shown)
    return Figure(reading, (chart,), legend_of(lines, bands), controls, ids_note(run, ids))


def _paths(run: SavedRun, name: str) -> list[np.ndarray]:
    """The rows of predictions.csv of each test window of a series, in order of the steps; none where the file has not
    all of each."""
    held = run.predictions
    test = np.flatnonzero((held.split == "test") & (held.id == name))
    by_step = [test[held.step[test] == step] for step in np.unique(held.step[test])]
    if len({len(rows) for rows in by_step}) != 1:
        return []
    # The n-th window by time has the n-th row of every step.
    ordered = [rows[np.argsort(held.time[rows], kind="stable")] for rows in by_step]
    return list(np.stack(ordered, axis=1))


def _begins(run: SavedRun, ids: list[str], paths: dict[str, list[np.ndarray]], number: int) -> str:
    """When a window's forecast begins, where that is the same for all series."""
    times = {float(run.predictions.time[paths[name][number][0]]) for name in ids}
    if len(times) > 1:
        return ""
    first = times.pop()
    if not run.predictions.timed:
        return f", from {whole(first)}"
    moment = str(np.datetime64(int(first), "ms").astype("datetime64[m]")).replace("T", " ")
    return f", from {moment.removesuffix(' 00:00')}"


def _rows(run: SavedRun, name: str, path: np.ndarray, number: int, level: str | None) -> list[dict[str, Any]]:
    """The known values before and beside one path, and the path, which begins at the last value before it."""
    held, best = run.predictions, run.metrics["best"]
    kept, values = recent_of(run, name)
    known = (held.id == name) & np.isfinite(held.actual)
    times, first = np.unique(np.r_[kept, held.time[known]], return_index=True)
    actual = np.r_[values, held.actual[known]][first]
    ahead = held.time[path]
    before = times[times < ahead[0]][-max(_BEFORE * len(path), _LEAST) :]
    at = np.unique(np.r_[before, ahead])
    table = np.full((len(at), 4), np.nan)
    there = np.isin(at, times)
    table[there, 0] = actual[np.searchsorted(times, at[there])]
    place = np.searchsorted(at, ahead)
    table[place, 1] = held.models[best][path]
    if level is not None:
        table[place, 2], table[place, 3] = held.low[level][path], held.high[level][path]
    if len(before):
        table[len(before) - 1, 1:] = table[len(before) - 1, 0]
    count = len(at)
    a, f, low, high = table.T
    sides = {} if level is None else {"l": low, "h": high}
    return rows_of(at=at, s=[name] * count, k=[number] * count, a=a, f=f, **sides)
