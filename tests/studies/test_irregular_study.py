"""The study of irregular records: a folder that is brought, what is said of leads, the optimum's alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqloom.errors import DataError
from seqloom.studies import Outcome, Results, StudySettings, find_study, run_study
from seqloom.studies.results import RowResult


def stays(root: Path, count: int = 40) -> Path:
    draw, folder = np.random.default_rng(0), root / "set-a"
    folder.mkdir()
    outcomes = ["RecordID,In-hospital_death"]
    for n in range(count):
        rows = [f"00:00,RecordID,{n}", "00:00,Age,60"]
        rows += [f"{hour:02}:30,HR,{draw.normal(80 + 30 * (n % 2)):.0f}" for hour in range(0, 48, 8)]
        (folder / f"{n}.txt").write_text("Time,Parameter,Value\n" + "\n".join(rows) + "\n")
        outcomes.append(f"{n},{n % 2}")
    (root / "Outcomes-a.txt").write_text("\n".join(outcomes) + "\n")
    return folder


def test_a_folder_that_is_brought(tmp_path: Path) -> None:
    settings = StudySettings(quick=True, data=str(stays(tmp_path)))
    results = run_study(find_study("records"), settings, rows=["prevalence", "gru"], seeds=[0])
    assert "40 records" in results.notes[0]
    assert "optimum" not in {row.name for row in results.rows}
    assert results.median("gru", "auc") is not None
    assert results.median("prevalence", "auc") == 0.5
    (tmp_path / "Outcomes-a.txt").unlink()
    with pytest.raises(DataError, match=r"expected Outcomes-a\.txt"):
        run_study(find_study("records"), settings)
    with pytest.raises(DataError, match="a folder of records of the PhysioNet 2012 layout"):
        run_study(find_study("records"), StudySettings(quick=True, data=str(tmp_path)))


def test_the_lead_is_that_of_the_same_records() -> None:
    study = find_study("records")
    rows = study.rows(StudySettings(), study.prepare(StudySettings(quick=True)))
    results = Results(study, StudySettings(), rows, [0, 1])
    draws = np.random.default_rng(0).normal(0.8, 0.05, 200)
    for seed, lead in ((0, 0.03), (1, 0.01)):
        for name, auc in (("gru-forward", 0.8), ("gru-d", 0.8 + lead)):
            details = {"auc_draws": (draws + (auc - 0.8)).tolist()}
            outcome = Outcome({"auc": auc}, 1, {}, details)
            results.found[name, seed] = RowResult(name, seed, outcome, 1.0)
    results.found["optimum", 0] = RowResult("optimum", 0, Outcome({"auc": 0.9}), 1.0)
    said = list(study.say(results))
    assert said[0].startswith("GRU-D: AUROC +0.0200 beside carried-forward values (95 %")
    assert "+0.0200 to +0.0200" in said[0]
    assert "2 of 2 seeds" in said[0]
    assert said[1] == "Of what the optimum ranks better than chance, GRU-D reaches 80 %."
