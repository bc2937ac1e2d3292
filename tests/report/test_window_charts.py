"""Few test windows are drawn one by one, with what was known before; the forecast begins at the last known value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqloom.report import forecast_charts
from seqloom.report.saved import read_run

Make = Callable[..., Path]
MONTHS = {"seconds": 0, "start": "2016-01-01", "frequency": "1 month", "time_of_day": False}


def rows_of(figure: Any) -> list[dict[str, Any]]:
    return figure.charts[0].spec["datasets"]["rows"]


def test_a_few_windows_are_paths(make_run: Make) -> None:
    """Four windows once opened on four points twelve steps ahead, with weekly marks under monthly data."""
    run = read_run(make_run(windows=4, steps=(1, 2, 3), **MONTHS))
    figure = forecast_charts.test_figure(run)
    assert figure.controls[0].options[0][1].startswith("4 of 4, from ")
    held, best = run.predictions, run.metrics["best"]
    last = [row for row in rows_of(figure) if row["k"] == 3]
    made = [row for row in last if row["f"] is not None]
    test = held.split == "test"
    wanted = [held.models[best][test & (held.step == step)][-1] for step in (1, 2, 3)]
    np.testing.assert_allclose([row["f"] for row in made[1:]], wanted, rtol=1e-5)
    assert made[0]["f"] == made[0]["a"], "the path begins at the last known value"
    assert len(last) > len(made), "what was known before is drawn"


def test_one_window_of_one_value_is_no_empty_chart(make_run: Make) -> None:
    figure = forecast_charts.test_figure(read_run(make_run(windows=1, steps=(1,), **MONTHS)))
    assert not figure.controls
    assert all(
        layer["mark"].get("point") for layer in figure.charts[0].spec["layer"] if layer["mark"]["type"] == "line"
    )
    many = forecast_charts.test_figure(read_run(make_run(windows=30, steps=(1, 2, 3), **MONTHS)))
    assert many.charts[0].overview is not None


def test_short_series_are_drawn_from_their_first_row(make_run: Make) -> None:
    folder = make_run(windows=4, steps=(1, 2, 3), **MONTHS)
    before = rows_of(forecast_charts.forecast_figure(read_run(folder)))
    data = json.loads((folder / "data.json").read_text())
    run = read_run(folder)
    first = np.datetime64(int(run.predictions.time.min()), "ms").astype("datetime64[M]")
    times = [f"{first - back}-01" for back in range(10, 0, -1)]
    data["recent"] = [{"id": run.predictions.id[0], "time": times, "actual": list(range(10))}]
    (folder / "data.json").write_text(json.dumps(data))
    after = rows_of(forecast_charts.forecast_figure(read_run(folder)))
    assert [row["a"] for row in after[:10]] == list(range(10))
    assert len(after) == len(before) + 10
