"""What the page shows of many series: groups, the spread of errors, the series at either end; odd names, no growth."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("altair")
pl = pytest.importorskip("polars")

from seqloom.data import Panel  # noqa: E402
from seqloom.report import build  # noqa: E402
from seqloom.report.columns import read_columns  # noqa: E402
from seqloom.report.many_series import extremes_figure, group_scores, spread_figure  # noqa: E402
from seqloom.report.saved import read_run  # noqa: E402
from seqloom.tasks import compare_forecasters  # noqa: E402
from seqloom_runtime.errors import FormatError  # noqa: E402

ODD = ("<script>alert(1)</script>", 'a "b" & c', "x" * 500, "constructor", "\u202egnirts")


def run_of(folder: Path, series: int, **changes: Any) -> Path:
    """A small comparison of baselines on so many series of 60 days, in a folder; shops have odd names."""
    rng = np.random.default_rng(series)
    names = [ODD[n] if n < len(ODD) else f"s{n:04d}" for n in range(series)]
    shops = [[ODD[0], ODD[2], None][n % 3] for n in range(series)]
    frame = pl.DataFrame(
        {
            "id": np.repeat(np.array(names, dtype=object), 60).tolist(),
            "time": np.tile(np.datetime64("2024-01-01") + np.arange(60), series),
            "y": 10 + 3 * np.sin(np.tile(np.arange(60), series) / 7 * 2 * np.pi) + rng.normal(0, 1, 60 * series),
            "shop": pl.Series([shop for shop in shops for _ in range(60)], dtype=pl.String),
        }
    )
    panel = Panel.from_frame(frame, time="time", id="id")
    settings = {"lookback": 7, "horizon": 3, "season": 7, "levels": (80,), **changes}
    compare_forecasters(panel, ["seasonal", "mean"], settings, target="y", directory=folder)
    return folder


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("many") / "run", 12)


def test_the_sections_hold_what_the_files_say(folder: Path) -> None:
    run = read_run(folder)
    best = run.metrics["best"]
    table = group_scores(run)
    assert table is not None
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", table)
    assert [name for name, _ in rows] == ["&lt;script&gt;alert(1)&lt;/script&gt;", "x" * 500, "(no value)"]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", rows[0][1])
    group = run.metrics["groups"][0]
    assert cells[:2] == [str(group["series"][0]), str(group["rows"][0])]
    assert float(cells[2]) == pytest.approx(run.metrics["models"][best]["by_group"][0]["mae"][0], abs=5e-4)

    spread = spread_figure(run)
    assert spread is not None
    bars = next(layer for layer in spread.charts[0].spec["layer"] if layer["mark"]["type"] == "bar")
    held = spread.charts[0].spec.get("datasets", {}).get(bars["data"].get("name")) or bars["data"]["values"]
    shares = [row["y"] for row in held]
    assert sum(shares) == pytest.approx(100, abs=0.01)
    held = run.metrics["models"][best]["by_series"]
    assert any(f"{held['better']} of {held['scored']} series" in note for note in spread.notes)

    extremes = extremes_figure(run)
    assert extremes is not None
    assert [text.split(" (")[1].split(":")[0] for _, text in extremes.controls[0].options] == ["highest"] * 3 + [
        "lowest"
    ] * 3
    assert "6 of 12 series are drawn" in extremes.notes[0]


def test_odd_names_are_escaped_and_shortened(folder: Path) -> None:
    page = build(folder).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "x" * 200 not in page
    assert "this part is missing" not in page
    for heading in ("Error by group", "Error over the series", "Series with the highest and the lowest error"):
        assert f">{heading}</h2>" in page


def test_the_page_does_not_grow_with_the_series(folder: Path, tmp_path: Path) -> None:
    few = build(folder).stat().st_size
    many = build(run_of(tmp_path / "run", 150)).stat().st_size
    assert many < 1.3 * few


def test_a_run_without_them_and_one_that_is_damaged(folder: Path, tmp_path: Path) -> None:
    """A run of an older version has no such sections; a list that is too short is named."""
    run = read_run(folder)
    models = {
        name: {key: value for key, value in model.items() if key not in ("by_series", "by_group")}
        for name, model in run.metrics["models"].items()
    }
    data = {key: value for key, value in run.data.items() if key != "extremes"}
    older = replace(run, metrics={**run.metrics, "models": models}, data=data)
    assert group_scores(older) is None
    assert spread_figure(older) is None
    assert extremes_figure(older) is None
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (damaged / path.name).write_bytes(path.read_bytes())
    metrics = json.loads((damaged / "metrics.json").read_text())
    metrics["models"][metrics["best"]]["by_group"] = [{"mae": [1.0], "mase": [1.0], "rmsse": [1.0]}]
    (damaged / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(FormatError, match="lacks or misstates a value"):
        build(damaged)


def test_the_first_series_of_a_long_file_are_read_and_lines_counted(tmp_path: Path) -> None:
    path = tmp_path / "forecast.csv"
    lines = [f"s{n},{step},{n + step / 10}" for n in range(50) for step in range(4)]
    path.write_text("\n".join(["id,time,y", *lines]) + "\n")
    found = read_columns(path, 600).of_first("id", 6)
    assert found.number("y").tolist() == [n + step / 10 for n in range(6) for step in range(4)]
    spoilt = path.read_text().replace("s2,1,2.1", "s2,1,oops")
    path.write_text(spoilt)
    with pytest.raises(FormatError, match="line 11, column 'y': expected a number, got 'oops'"):
        read_columns(path).of_first("id", 6).number("y")
    path.write_text(spoilt[:-3])
    with pytest.raises(FormatError, match="cut off"):
        read_columns(path, 600)
