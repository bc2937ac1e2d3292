"""`seqloom inspect`: what a run folder or a model folder holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from command_line import TINY, Command, Refused


def test_a_run(command: Command, trained: Path) -> None:
    shown = command("inspect", trained)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("Validation (")
    assert "linear" in shown.out
    facts = dict(line.split(": ", 1) for line in shown.out.splitlines() if ": " in line)
    facts = {name: value.strip() for name, value in facts.items()}
    assert facts["target"] == "load (MW)"
    assert facts["inputs"] == "load (MW), wind"
    assert facts["window"] == "reads 12 rows (12 steps), forecasts 3 steps up to 3 rows"
    assert facts["rows"] == "one for each hour"
    assert facts["intervals"] == "80 %, 95 %"
    assert "seed 0, threads 1, seqloom " in facts["made"]


def test_a_run_as_json(command: Command, trained: Path) -> None:
    found = json.loads(command("inspect", trained, "--json").out)
    assert found["finished"] is True
    assert found["model"]["target"] == "load (MW)"
    assert found["metrics"] == json.loads((trained / "metrics.json").read_text())
    assert found["run"] == json.loads((trained / "run.json").read_text())


def test_a_model_alone(command: Command, trained: Path) -> None:
    shown = command("inspect", trained / "model")
    assert shown.code == 0
    assert shown.out.startswith("model:        ")
    assert "made:" not in shown.out
    found = json.loads(command("inspect", trained / "model", "--json").out)
    assert (found["metrics"], found["run"]) == (None, None)


def test_a_baseline(command: Command, hourly: Path, no_report: None) -> None:
    run = hourly.parent / "run"
    flags = ("--model", "mean", "--at", "last", "--level", "")
    assert command("forecast", hourly, *TINY, *flags, "--out", run).code == 0
    shown = command("inspect", run)
    assert "parameters, a baseline; fitted once more on all rows after the scores" in shown.out
    assert "on the windows that choose, those of the first two thirds of the validation rows; " in shown.out
    assert "forecasts the row 3 ahead\n" in shown.out
    assert "intervals:    none\n" in shown.out


def test_a_run_that_lost_its_metrics(refused: Refused, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / "metrics.json").unlink()
    assert "metrics.json" in refused("inspect", folder)


def test_what_is_no_folder(refused: Refused, hourly: Path) -> None:
    assert "model.json" in refused("inspect", hourly)
    assert "model.json" in refused("inspect", hourly.parent)
