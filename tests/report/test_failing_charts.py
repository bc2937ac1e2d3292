"""Every part of every page may fail: the others are drawn, and the page says what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_runs import write_task_run

from seqloom.report import build_partial

FORECAST = ("asked", "answer", "forecast_figure", "test_figure", "step_figure", "day_figure", "coverage_figure")
FORECAST += ("training_figures", "residual_figure", "data_quality", "settings")
TASK = ("asked", "answer", "samples_html", "classes_table", "confusion_figure", "roc_figure", "calibration_figure")
TASK += ("scatter_figure", "frames_figure", "mistakes_html", "spans_html", "belief_figure", "attention_html")
TASK += ("embedding_figure", "tables_html", "training_figures", "settings")


def missing(page: Path) -> list[str]:
    words = re.sub("<script.*?</script>|<style.*?</style>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r'<p class="note missing">([^<]+): this part is missing, because it could not be drawn', words)


def fail(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("planted")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")


def test_one_after_the_other(make_run_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forecast = make_run_in(tmp_path / "forecast", windows=4, epochs=2)
    task = write_task_run(tmp_path / "task", models=("majority", "gru"))
    assert missing(build_partial(forecast)) == missing(build_partial(task)) == []
    for folder, module, makers in ((forecast, "page", FORECAST), (task, "task_page", TASK)):
        for count, maker in enumerate(makers, start=1):
            monkeypatch.setattr(f"seqloom.report.{module}.{maker}", fail)
            if count in (len(makers) // 2, len(makers)):
                found = missing(build_partial(folder))
                assert len(found) == count, found
        monkeypatch.undo()
        monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")


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
        monkeypatch.setattr("seqloom.report.page.forecast_figure", lambda run, value=value: planted(run, value))
        assert missing(build_partial(folder)) == ["Forecast"], value
