"""A chart that fails, or a process that dies while it draws, never costs the run: the page says what is missing."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, Command

from oracles.run_folders import contents
from seqloom.report import build
from seqloom.report.page import SECTIONS

pytestmark = pytest.mark.slow


class PanicException(BaseException):
    """What the drawing library's Rust code raises."""


class Died(BaseException):
    """Stands for the end of the process."""


def words(page: str) -> str:
    return re.sub("<script.*?</script>|<style.*?</style>|<[^>]+>", "", page, flags=re.DOTALL)


def failing(fault: BaseException) -> Any:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise fault

    return fail


def break_section(patch: pytest.MonkeyPatch, name: str, fault: BaseException) -> None:
    """Let the drawing of one section raise."""
    changed = [replace(s, draw=failing(fault)) if s.name == name else s for s in SECTIONS]
    patch.setattr("seqloom.report.page.SECTIONS", changed)


@pytest.mark.parametrize("fault", [ValueError("odd"), PanicException("panicked")])
def test_a_forecast_whose_chart_fails(
    command: Command, hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
    break_section(monkeypatch, "residuals", fault)
    done = command("forecast", hourly, *TINY, "--model", "linear", "--epochs", 1, "--out", tmp_path / "run")
    assert done.code == 0, done
    said = words((tmp_path / "run" / "report.html").read_text())
    assert f"Residuals: this part is missing, because it could not be drawn ({type(fault).__name__}" in said
    assert "Coverage of the prediction intervals" in said
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["finished"]
    assert command("predict", tmp_path / "run", "--quiet").code == 0


def test_a_picture_that_fails_is_named(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    drawn: list[str] = []

    def draw(figure: Any, chart: Any) -> bytes:
        drawn.append(chart.name)
        if len(drawn) == 2:
            raise PanicException("panicked at library.rs")
        return b"picture"

    monkeypatch.setattr("seqloom.report.document._png", draw)
    page = build(folder).read_text()
    said = f"The picture {drawn[1]}.png is missing: it could not be drawn (PanicException: panicked at library.rs)."
    assert said in words(page)
    assert {path.stem for path in (folder / "charts").iterdir()} == {*drawn} - {drawn[1]}


def test_a_run_that_died_while_drawing_goes_on(
    command: Command, hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
    with monkeypatch.context() as patch:
        break_section(patch, "test", Died())
        with pytest.raises(Died):
            command("forecast", hourly, *TINY, "--model", "linear", "--epochs", 1, "--out", run)
    assert not (run / "report.html").exists()
    before = contents(run)
    assert {"metrics.json", "forecast.csv", "model/model.safetensors"} <= set(before)
    done = command("forecast", "--resume", run)
    assert done.code == 0, done
    assert "could not be drawn" not in words((run / "report.html").read_text())
    after = contents(run)
    assert before == {name: after[name] for name in before}


def test_the_run_of_a_task_whose_charts_fail(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom.report.document._png", failing(PanicException("panicked")))
    break_section(monkeypatch, "training", KeyError("odd"))
    data = tmp_path / "data.iob"
    data.write_text("fly to boston\tO O B-to\nto denver now\tO B-to O\n" * 12)
    flags = ("--model", "memoryless", "--epochs", 1, "--units", 4, "--threads", 1)
    done = command("tag", data, *flags, "--out", tmp_path / "run")
    assert done.code == 0, done
    said = words((tmp_path / "run" / "report.html").read_text())
    assert "Learning curves: this part is missing, because it could not be drawn (KeyError: &#x27;odd&#x27;)." in said
    assert "Settings and reproduction" in said
