"""The sequence-modelling table of docs/studies.md: rows from run folders, those not run, goals reached and missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.studies import FIRST, LAST, STUDIES, found_runs, main, replaced, table

from seqloom.studies import StudySettings, find_study, run_study
from seqloom.studies.results import RowResult
from seqloom.studies.study import Outcome
from seqloom_runtime.files import write_json

PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies.md"


def _line(text: str, study: str, row: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {study} | {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A whole-size run of one row with two seeds, made up, and a quick run that must not count."""
    run_study(find_study("adding"), StudySettings(quick=True), rows=["one"], directory=tmp_path / "quick")
    whole = tmp_path / "runs" / "adding"
    run_study(find_study("adding"), StudySettings(quick=True), rows=["one"], directory=whole)
    record = json.loads((whole / "run.json").read_text())
    write_json(whole / "run.json", {**record, "settings": {**record["settings"], "quick": False}})
    for seed, error in ((0, 4e-5), (1, 6e-5)):
        outcome = Outcome(
            {"mse": error, "best_epoch": 9}, 70_369, {"mse": [1.0] * 20}, {}, ["adam, learning rate 0.002; dropout 0."]
        )
        result = RowResult("tcn", seed, outcome, 120.0)
        write_json(whole / "rows" / f"tcn.seed{seed}.json", result.to_json())
    return tmp_path


def test_rows_that_were_run_and_rows_that_were_not(runs: Path) -> None:
    text = table(found_runs(runs / "runs"))
    cells = _line(text, "adding", "TCN, 8 levels of 24, kernel 8")
    assert cells[2:8] == ["test MSE", "5.00e−5", "5.80e−5", "≤ 5.80e−5 ✓", "70,369", "20"]
    assert cells[8:] == ["9", "2.0", "0, 1", "adam, learning rate 0.002; dropout 0"]
    assert _line(text, "copy-memory", "LSTM(50)")[3:6] == ["not run", "2.04e−2", "≤ 2.04e−2"]
    assert {line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ")} >= set(STUDIES)
    assert "1 of 1 rows with a goal that were run reach it" in text
    assert "not run" not in _line(text, "adding", "constant 1")
    assert found_runs(runs / "quick") == {}


def test_a_missed_goal_is_named(runs: Path) -> None:
    path = runs / "runs" / "adding" / "rows" / "tcn.seed1.json"
    path.write_text(path.read_text().replace("6e-05", "0.5"))
    text = table(found_runs(runs))
    assert "✗" in _line(text, "adding", "TCN, 8 levels of 24, kernel 8")[5]
    assert "Missed: `adding` TCN, 8 levels of 24, kernel 8." in text


def test_the_page_has_the_place_for_it(runs: Path) -> None:
    page = runs / "page.md"
    page.write_text(PAGE.read_text())
    main([str(runs / "runs"), "--page", str(page)])
    once = page.read_text()
    main([str(runs / "runs"), "--page", str(page)])
    assert page.read_text() == once
    assert once.index(FIRST) < once.index("5.00e−5") < once.index(LAST)
    with pytest.raises(ValueError, match="lacks the lines"):
        replaced("a page", "a table")
