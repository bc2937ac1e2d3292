"""What a process left that was killed while it wrote the report is gone after the next drawing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from task_runs import write_task_run

from seqloom.report import build

pytestmark = pytest.mark.usefixtures("undrawn")
LEFT = ("charts/.forecast.png.0123456789ab.tmp", "charts/.gone.png.ffffffffffff.tmp", ".report.html.0123456789ab.tmp")


def check(folder: Path) -> None:
    (folder / "charts").mkdir()
    kept = [folder / "charts" / ".mine.tmp", folder / ".report.html.tmp"]
    for path in [*(folder / name for name in LEFT), *kept]:
        path.write_text("half")
    build(folder)
    assert not [name for name in LEFT if (folder / name).exists()]
    assert all(path.exists() for path in kept), "a file that is none of ours"


def test_report_of_a_forecast(make_run: Callable[..., Path]) -> None:
    check(make_run(windows=20, epochs=2))


def test_report_of_a_task(tmp_path: Path) -> None:
    check(write_task_run(tmp_path / "run"))
