"""The series itself: all of it, and its first days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import Axis, Chart, Figure, Line, choice, hover, legend_of, line_chart, rows_of, with_choices
from .saved import SavedRun
from .style import ACTUAL
from .thin import ROWS_PER_CHART, thin
from .wording import with_unit

__all__ = ["series_figure"]

_MOST = 6
_HEADINGS = {"all": "All values", "first": "The first values"}


def series_figure(run: SavedRun) -> Figure | None:
    """Charts of `drawn` in data.json; None for a run of an older version, which has none."""
    drawn = run.data.get("drawn")
    if not drawn or not drawn["all"]:
        return None
    ids = [series["id"] for series in drawn["all"]][:_MOST]
    line = Line("a", run.metrics["target"] if len(ids) == 1 else "actual", ACTUAL, 1.4)
    charts = tuple(_chart(run, drawn[key], key, line, ids, bool(drawn["timed"])) for key in _HEADINGS if drawn[key])
    reading = "The values as they were given: look for trend, season, level shifts, gaps and outliers."
    notes = ()
    if len(drawn["all"][0]["at"]) >= 1_000:
        notes = ("Long series are drawn as the lowest and the highest value of each stretch.",)
    return Figure(reading, charts, legend_of([line], []), choice("s", "Series", ids), notes)


def _chart(
    run: SavedRun, series: Sequence[Mapping[str, Any]], key: str, line: Line, ids: list[str], timed: bool
) -> Chart:
    rows: list[dict[str, Any]] = []
    for one in series[:_MOST]:
        at, values = np.asarray(one["at"], np.float64), np.asarray(one["values"], np.float64)[:, None]
        kept = thin(at, values, ROWS_PER_CHART // len(ids))
        rows += rows_of(at=at[kept], s=[one["id"]] * len(kept), a=values[kept, 0])
    axis = Axis("time", "time") if timed else Axis("row", "number")
    title = with_unit(run.metrics["target"], run.metrics.get("unit"))
    spec = with_choices(line_chart(rows, axis, [line], y_title=title, height=220, filters=("s",)), s=ids[0])
    what = "all its values" if key == "all" else "its first values"
    text = f"Line chart: {run.metrics['target']}, {what}."
    return Chart(f"series_{key}", spec, text, _HEADINGS[key], hover(axis, [line], [row["a"] for row in rows]))
