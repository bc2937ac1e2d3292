"""The page as a whole: order, one library, nothing fetched, harmless names, equal bytes, every kind of run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, values

from seqloom.errors import FormatError, printable
from seqloom.report import build
from seqloom.report.chart import Figure, unchecked
from seqloom.report.page import parts_of
from seqloom.report.saved import SavedRun, read_run
from seqloom.report.thin import ROWS_PER_CHART

Make = Callable[..., Path]
EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">&\u2028'


def figures(run: SavedRun) -> list[Figure]:
    return [part for part in parts_of(run, (Exception,)) if isinstance(part, Figure)]


# The pictures, too: PNG at twice the size, which only this test draws.
def test_page_has_everything_in_order_and_is_the_same_twice(make_run: Make) -> None:
    folder = make_run(models=("naive", "damped-persistence", "linear", "gru"), windows=20)
    page = build(folder)
    assert page == folder / "report.html"
    first = {p.relative_to(folder): p.read_bytes() for p in [page, *sorted((folder / "charts").iterdir())]}
    html = page.read_text(encoding="utf-8")
    read = Reader(html)
    assert read.heads == [
        "Task",
        "Result",
        "Model comparison",
        "Forecast",
        "Forecasts and actual values on the test set",
        "Error by forecast step",
        "Error by time of day",
        "Validation mean absolute error by epoch",
        "Training and validation loss",
        "Residuals",
        "Coverage of the prediction intervals",
        "Data quality",
        "Settings and reproduction",
        "Terms",
    ]
    assert html.count("vega.github.io/schema") <= 1, "one copy of the library, and no schema links in the charts"
    assert len(read.code) == 2
    for said in ("runs/first", "12.5<", "2026-01-01"):
        assert said not in html.replace(read.code[0], ""), "timings and folders stay out of the page"
    for said in (
        "1,200 training, 20 validation, 20 test, in chronological order",
        "144",
        "abab",
        "3.11.2",
        "--out NEW_FOLDER",
        "4 identical duplicate rows",
    ):
        assert said in html or said == "144"
    # Rebuilt after a run that differs in its times alone, and in the presence of an old picture.
    run = json.loads((folder / "run.json").read_text())
    run.update(timings={"gru": 99.0}, started="x", finished="y")
    run["settings"]["out"] = "elsewhere"
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "charts" / "old.png").write_bytes(b"x")
    build(str(folder))
    assert {p.relative_to(folder): p.read_bytes() for p in [page, *sorted((folder / "charts").iterdir())]} == first
    assert not list(folder.glob(".*.tmp"))
    sizes = {}
    for path in (folder / "charts").iterdir():
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        sizes[path.stem] = struct.unpack(">II", head[16:24])
    assert sizes["forecast"][0] == 2 * 960
    assert {"forecast", "forecast_against_actual", "error_by_step_test", "validation_mae", "coverage"} <= set(sizes)


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_fetched_and_only_our_scripts_may_run(make_run: Make) -> None:
    html = build(make_run(models=("naive",), levels=(), windows=20)).read_text(encoding="utf-8")
    read = Reader(html)
    assert {t for t, _ in read.tags}.isdisjoint({"link", "iframe", "object", "embed", "base", "form", "img", "audio"})
    for tag, attrs in read.tags:
        assert "src" not in attrs, tag
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        if "href" in attrs:
            assert re.fullmatch(r"charts/\w+\.png", str(attrs["href"]))
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for t, a in read.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    assert allowed == [base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in read.code]
    html_tag = next(a for t, a in read.tags if t == "html")
    assert html_tag["lang"] == "en"
    assert not any("http" in json.dumps(block) for block in read.blocks.values())


@pytest.mark.usefixtures("undrawn")
def test_names_are_harmless_and_whole(make_run: Make) -> None:
    folder = make_run(models=("naive", EVIL), target=EVIL, unit=EVIL, ids=(EVIL, "b"), windows=12)
    read = Reader(build(folder).read_text(encoding="utf-8"))
    assert len(read.code) == 2
    assert "img" not in {t for t, _ in read.tags}
    chart = read.blocks["spec-forecast"]
    assert printable(EVIL) in chart["description"]
    assert values(chart)[0][0]["s"] == printable(EVIL)
    options = [a["value"] for t, a in read.tags if t == "option"]
    assert json.dumps(printable(EVIL), ensure_ascii=False) in options
    assert all(re.fullmatch(r"\w+\.png", p.name) for p in (folder / "charts").iterdir())


def test_a_page_is_the_same_with_and_without_the_checks_of_its_charts(
    make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
    folder = make_run(windows=20)
    checked = build(folder).read_bytes()
    monkeypatch.setattr("seqloom.report.page.unchecked", unchecked)
    assert build(folder).read_bytes() == checked


@pytest.mark.parametrize(
    ("changes", "absent", "present"),
    [
        ({"models": ("naive",), "levels": ()}, {"training", "losses", "coverage"}, {"forecast", "steps"}),
        ({"steps": (144,), "at": "last"}, {"steps"}, {"day"}),
        ({"time_of_day": False, "start": None, "frequency": "1 step"}, {"day"}, {"residuals"}),
        ({"start": "1990-01", "seconds": 0, "frequency": "1 month", "windows": 30}, set(), {"test"}),
        ({"epochs": 0}, {"training", "losses"}, {"coverage"}),
        ({"ids": ("a", "b", "c"), "suffix": "+02:00", "windows": 20}, set(), {"training"}),
    ],
    ids=["baseline-only", "point", "steps", "months", "untrained", "several-zoned"],
)
def test_figures_of_every_kind_of_run(make_run: Make, changes: Any, absent: set[str], present: set[str]) -> None:
    found = {figure.key: figure for figure in figures(read_run(make_run(**{"windows": 40, **changes})))}
    assert absent.isdisjoint(found)
    assert present <= set(found)
    for figure in found.values():
        assert figure.reading.endswith(".")
        for chart in figure.charts:
            assert chart.text
            assert chart.spec["width"] == "container"
    if "ids" in changes:
        assert [c.label for c in found["test"].controls] == ["Series", "Forecast made"]
        assert "UTC" in json.dumps(found["test"].charts[0].spec)


def test_long_and_wide_runs_stay_under_the_row_limit(make_run: Make) -> None:
    models = ("naive", "seasonal", "drift", "mean", *(f"net{i}" for i in range(8)))
    changes = {
        "models": models,
        "steps": (1, 700),
        "windows": 500,
        "ids": tuple(f"s{i}" for i in range(7)),
        "gap": 100,
    }
    folder = make_run(**changes)
    metrics = json.loads((folder / "metrics.json").read_text())
    for model in metrics["models"].values():
        grow = [0.1 * (i % 97) for i in range(6_000)]
        model["by_step"] = {"steps": list(range(1, 6_001)), "valid_mae": grow, "test_mae": grow}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    run = read_run(folder)
    found = {figure.key: figure for figure in figures(run)}
    for figure in found.values():
        for chart in figure.charts:
            assert sum(len(rows) for rows in values(chart.spec)) <= ROWS_PER_CHART + 2, chart.name
    test = found["test"]
    assert any("first 6 of 7 series" in note for note in test.notes)
    assert any("rows are drawn" in note for note in test.notes)
    rows = values(test.charts[0].spec)[0]
    chosen = (run.predictions.split == "test") & (run.predictions.id == "s0") & (run.predictions.step == 700)
    drawn = [row["a"] for row in rows if row["s"] == "s0" and row["k"] == 700 and row["a"] is not None]
    assert max(drawn) == pytest.approx(run.predictions.actual[chosen].max(), rel=1e-5)
    assert any(row["a"] is None for row in rows), "the gap breaks the line"


def test_charts_show_the_numbers_of_the_files(make_run: Make) -> None:
    run = read_run(make_run(windows=20, steps=(1, 2, 3), models=("naive", "gru")))
    found = {figure.key: figure for figure in figures(run)}
    forecast = values(found["forecast"].charts[0].spec)[0]
    # It begins at the last known value, which is both.
    begun, *ahead = [row for row in forecast if row["f"] is not None]
    assert begun["f"] == begun["a"]
    assert [row["f"] for row in ahead] == pytest.approx(run.forecast.value.tolist(), rel=1e-5)
    assert [row["h1"] for row in ahead] == pytest.approx(run.forecast.high["95"].tolist(), rel=1e-5)
    assert [row["at"] for row in ahead] == run.forecast.time.tolist()
    known = [row for row in forecast if row["a"] is not None]
    assert begun == known[-1]
    assert max(row["at"] for row in known) < ahead[0]["at"]
    test = (run.predictions.split == "test") & (run.predictions.step == 3)
    rows = [row for row in values(found["test"].charts[0].spec)[0] if row["k"] == 3]
    assert [row["f"] for row in rows] == pytest.approx(run.predictions.models["gru"][test].tolist(), rel=1e-5)
    errors = [row["r"] for row in values(found["residuals"].charts[1].spec)[0] if row["k"] == 3]
    wanted = (run.predictions.models["gru"] - run.predictions.actual)[test]
    assert errors == pytest.approx(wanted.tolist(), rel=1e-5)
    shares = [row["y"] for row in values(found["residuals"].charts[0].spec)[0]]
    assert sum(shares) == pytest.approx(100, abs=0.01)
    curve = values(found["training"].charts[0].spec)[0]
    naive = run.metrics["models"]["naive"]["valid"]["mae"]
    assert [row["m0"] for row in curve] == pytest.approx(run.curves.values["valid_mae"].tolist(), rel=1e-5)
    assert all(row["b"] == pytest.approx(naive, rel=1e-5) for row in curve)
    dots = [row for rows in values(found["coverage"].charts[0].spec) for row in rows if row.get("m") == "gru"]
    assert [(row["x"], row["y"]) for row in dots] == [(80, 77), (95, 92)]


@pytest.mark.usefixtures("undrawn")
def test_answer_says_better_or_worse(make_run: Make) -> None:
    folder = make_run(windows=12)
    metrics = json.loads((folder / "metrics.json").read_text())
    for name, valid, test in (("naive", 2.0, 2.0), ("gru", 1.5, 2.5)):
        metrics["models"][name]["valid"]["mae"] = valid
        metrics["models"][name]["test"]["mae"] = test
    (folder / "metrics.json").write_text(json.dumps(metrics))
    html = build(folder).read_text(encoding="utf-8")
    assert "mean absolute error 1.500 degC against 2.000 degC for naive (25.0\u00a0% lower)." in html
    assert "On the test set it is worse: 2.500 degC against 2.000 degC for naive (25.0\u00a0% higher)." in html
    assert "better (25.0\u00a0% lower)" in html
    assert "worse (25.0\u00a0% higher)" in html
    assert "gru: better than naive on validation, worse on test." in html


def test_a_damaged_value_names_the_folder(make_run: Make) -> None:
    folder = make_run(windows=6)
    data = json.loads((folder / "data.json").read_text())
    data["columns"][0]["mean"] = "high"
    (folder / "data.json").write_text(json.dumps(data))
    with pytest.raises(FormatError, match="a file of the run folder lacks or misstates a value"):
        build(folder)
    assert not (folder / "report.html").exists()


def test_import_and_build_load_no_torch_or_pandas(make_run: Make) -> None:
    folder = make_run(models=("naive",), levels=(), windows=6)
    code = (
        "import sys, seqloom.report as r\n"
        "early = {'torch', 'polars', 'altair', 'pandas', 'vl_convert'} & set(sys.modules)\n"
        "assert not early, early\n"
        "r.build(sys.argv[1])\n"
        "late = {m for m in sys.modules if m in ('torch', 'pandas') or m.startswith('seqloom.tasks')}\n"
        "assert not late, late\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
