"""Every part of every page may fail: the others are drawn, and the page says what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from task_runs import write_task_run

from seqloom.report import build_partial
from seqloom.report.chart import unchecked
from seqloom.report.page import SECTIONS, Section

EVERY = {"asked", "answer", "models", "training", "settings", "terms"}
FORECAST = EVERY | {"forecast", "test", "steps", "day", "residuals", "coverage", "data", "series"}
TASK = EVERY | {"samples", "classes", "confusion", "roc", "calibration", "scatter", "frames", "mistakes", "spans"}
TASK |= {"belief", "attention", "embedding", "tables", "music", "alignment", "film", "records", "anomalies", "heard"}
TASK |= {"precision_recall", "looked"}


def missing(page: Path) -> list[str]:
    words = re.sub("<script.*?</script>|<style.*?</style>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r'<p class="note missing">([^<]+): this part is missing, because it could not be drawn', words)


def fail(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("planted")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
    monkeypatch.setattr("seqloom.report.page.unchecked", unchecked)  # other tests hold the charts to the schema


def test_one_after_the_other(make_run_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forecast = make_run_in(tmp_path / "forecast", windows=4, epochs=2)
    task = write_task_run(tmp_path / "task", models=("majority", "gru"))
    assert missing(build_partial(forecast)) == missing(build_partial(task)) == []
    assert {section.name for section in SECTIONS} == FORECAST | TASK | {
        "targets",  # of several targets, `test_targets.py`
        "explained",  # of a network, `test_explained.py`
        *("groups", "spread", "extremes"),  # of several series, `test_series_sections.py`
        "search",  # of a run of seqloom tune, `tests/app/test_tune_command.py`
    }
    for folder, held in ((forecast, FORECAST), (task, TASK)):
        for broken in (set(list(held)[::2]), held):
            changed = [replace(s, draw=fail) if s.name in broken else s for s in SECTIONS]
            monkeypatch.setattr("seqloom.report.page.SECTIONS", changed)
            assert missing(build_partial(folder)) == [s.heading for s in SECTIONS if s.name in broken]


def test_what_the_page_cannot_hold_is_missing(
    make_run_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqloom.report.forecast_charts import forecast_figure

    def planted(run: Any, value: Any) -> Any:
        figure = forecast_figure(run)
        figure.charts[0].spec["planted"] = value
        return figure

    folder = make_run_in(tmp_path / "run", windows=4, epochs=1)
    for value in (float("nan"), "a\x01b", object()):
        drawn = Section("forecast", "Forecast", "forecast", lambda run, value=value: planted(run, value))
        monkeypatch.setattr("seqloom.report.page.SECTIONS", [drawn])
        assert missing(build_partial(folder)) == ["Forecast"], value
