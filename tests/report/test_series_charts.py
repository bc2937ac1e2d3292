"""The series itself on the page: what is kept of it in data.json, and how it is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seqloom.data import Panel
from seqloom.report import build, document
from seqloom.tasks.forecast.drawn_series import drawn_series


def hourly(rows: int) -> tuple[np.ndarray, np.ndarray]:
    times = np.datetime64("2024-01-01T00", "h") + np.arange(rows)
    return times, np.sin(np.arange(rows) / 4.0) + np.arange(rows) / rows


def test_a_long_series_keeps_its_extremes_and_its_first_ten_days() -> None:
    times, values = hourly(5000)
    values[3210], values[44] = 99.0, -99.0
    found = drawn_series(Panel.from_numpy(values, ["load"], time=times), "load")
    (everything,), (first,) = found["all"], found["first"]
    assert len(everything["at"]) == len(everything["values"]) <= 1002
    place = everything["values"].index(99.0)
    assert np.datetime64(everything["at"][place], "ms") == times[3210]
    assert min(everything["values"]) == -99.0
    assert (everything["at"][0], everything["at"][-1]) == tuple(times[[0, -1]].astype("M8[ms]").astype(int))
    assert len(first["at"]) == 240
    np.testing.assert_array_equal(first["values"], values[:240])


def test_filled_values_are_gaps_and_short_series_are_drawn_once() -> None:
    times, values = hourly(150)
    values[20:23] = np.nan
    found = drawn_series(Panel.from_numpy(values, ["load"], time=times), "load")
    assert found["first"] == []
    assert found["all"][0]["values"][19:24] == [values[19], None, None, None, values[23]]
    there = np.r_[0:50, 60:150]
    jumped = drawn_series(Panel.from_numpy(hourly(150)[1][there], ["load"], time=times[there], max_fill=2), "load")
    assert jumped["all"][0]["values"].index(None) == 50
    plain = drawn_series(Panel.from_numpy(np.arange(500.0)), "column_0")
    assert plain["timed"] is False
    assert plain["first"][0]["at"] == list(range(100))


def test_several_series_are_kept_up_to_six() -> None:
    names = np.repeat([f"s{n}" for n in range(8)], 300)
    panel = Panel.from_numpy(np.arange(2400.0), ["x"], time=np.tile(hourly(300)[0], 8), id=names)
    found = drawn_series(panel, "x")
    assert [one["id"] for one in found["all"]] == [f"s{n}" for n in range(6)]


def test_the_page_shows_the_series_and_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("altair")
    from seqloom.tasks import compare_forecasters

    draw = document._png  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(document, "_png", lambda figure, chart: draw(figure, chart) if figure.key == "series" else b"")
    times, values = hourly(700)
    run = tmp_path / "run"
    panel = Panel.from_numpy(values, ["load"], time=times)
    compare_forecasters(panel, ("naive",), {"lookback": 24, "horizon": 6}, target="load", directory=run)
    assert "The series itself" in build(run).read_text()
    assert (run / "charts" / "series_first.png").stat().st_size > 1000
    data = json.loads((run / "data.json").read_text())
    del data["drawn"]  # as an older version left it
    (run / "data.json").write_text(json.dumps(data))
    assert "The series itself" not in build(run).read_text()
