"""`seqloom tune`: a search from the command line, its folder, its report, and what is refused."""

from __future__ import annotations

import csv
import html
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import invoke

from seqloom.app.progress import Progress
from seqloom.tuning.events import TrialFinished

pytest.importorskip("optuna")
_SHORT = (
    "--model",
    "gru",
    "--epochs",
    "2",
    "--steps-per-epoch",
    "2",
    "--units",
    "4",
    "--lookback",
    "8",
    "--horizon",
    "2",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tune") / "hourly.csv"
    draw = np.random.default_rng(5)
    hours = np.datetime64("2024-01-01T00:00") + 60 * np.arange(150)
    load = 50 + 10 * np.sin(2 * np.pi * np.arange(150) / 24) + draw.normal(0, 1, 150)
    path.write_text("time,load\n" + "".join(f"{t},{v:.3f}\n" for t, v in zip(hours, load)), "utf-8")
    return path


@pytest.fixture(scope="module")
def searched(table: Path) -> Path:
    out = table.parent / "run"
    space = "learning-rate=0.001:0.05:log,units=2|4|8"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        done = invoke(
            *("tune", "forecast", str(table), "--target", "load", *_SHORT, "--space", space, "--trials", "5"),
            *("--round", "3", "--workers", "2", "--out", str(out)),
        )
    assert done.code == 0, done.err
    assert "5 trials: " in done.out
    told = done.err.splitlines()
    trials = [line for line in told if line.startswith("trial ")]
    assert sorted(line[:11] for line in trials) == [f"trial {number} of " for number in range(1, 6)][: len(trials)]
    assert any(line.startswith("trial 1 of 5: error over naive's on validation 0.") for line in trials)
    assert all(line.endswith((", lower is better", " early after epoch 1")) for line in trials)
    # What was read, chosen and will be searched is told before the first trial.
    before = "\n".join(told[: told.index(trials[0])])
    assert "--time was not given: 'time' holds the times." in before
    assert "hourly.csv: 150 rows" in before
    assert "Search: 5 trials, in rounds of 3, judged on validation, over gru (learning_rate, units)." in before
    return out


def test_a_search_leaves_a_run_with_its_trials(searched: Path) -> None:
    run = json.loads((searched / "run.json").read_text())
    assert run["command"] == "forecast"
    assert run["search"]["trials"] == 5
    told = json.loads((searched / "trials.json").read_text())
    assert [trial["number"] for trial in told["trials"]] == [0, 1, 2, 3, 4]
    metrics = json.loads((searched / "metrics.json").read_text())
    assert list(metrics["models"])[:2] == ["naive", "gru"]
    best = told["trials"][told["best"]]
    name = told["tuned"] or "gru"
    # The refit is the trial again, and the defaults are the first trial.
    assert metrics["models"][name]["choosing"]["ratio"] == pytest.approx(best["value"], rel=1e-9)
    assert metrics["models"]["gru"]["choosing"]["ratio"] == pytest.approx(told["trials"][0]["value"], rel=1e-9)
    page = (searched / "report.html").read_text()
    assert "Search: 5 trials" in page
    assert "seqloom tune forecast" in page
    assert (
        (searched / "trials.csv").read_text().startswith("trial,model,state,value,monitored,learning_rate,units,seed")
    )
    with (searched / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4", "5"]
    for row, trial in zip(rows, told["trials"], strict=True):
        # A stopped trial has no score, and says what was monitored when it was stopped, and how far it came.
        assert (row["value"] == "") == (trial["state"] == "pruned")
        assert float(row["monitored"]) == trial["rungs"][-1]
        assert int(row["epochs"]) == (1 if trial["state"] == "pruned" else 2)
    axes = re.findall(r'"t":"([^"]+)"', html.unescape(page))
    assert {"0.001", "0.05", "2", "4", "8"} <= set(axes), "the axes of the parallel coordinates have numbers"


def test_what_was_searched_predicts_and_is_gone_on_with(searched: Path) -> None:
    before, other = (searched / "trials.json").read_bytes(), searched.parent / "new.db"
    done = invoke("tune", "forecast", "--resume", str(searched), "--quiet")
    assert done.code == 0, done.err
    assert (searched / "trials.json").read_bytes() == before
    assert invoke("predict", str(searched)).code == 0
    for words, said in (
        (("forecast", "--resume", str(searched)), f"use seqloom tune forecast --resume {searched} instead."),
        (("tag", "--resume", str(searched)), f"use seqloom tune forecast --resume {searched} instead."),
        (("tune", "forecast", "--resume", str(searched), "--trials", "9"), "--trials: the search in"),
        (
            ("tune", "forecast", "--resume", str(searched), "--storage", f"sqlite:///{other}"),
            f"--storage: the trials of this search are kept in {searched / 'search.db'}, not in {other}; "
            "leave --storage out.",
        ),
    ):
        refused = invoke(*words)
        assert refused.code == 2
        assert said in refused.err
    assert not other.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--space", "unit=2:8"), "--space: no parameter is called 'unit'. Did you mean 'units'? Those that can"),
        (("--space", "units=8:2"), "--space: expected two numbers for units"),
        (("--space", "horizon=2:4"), "--space: horizon decides what is scored"),
        (("--trials", "0"), "--trials: expected a whole number from 1"),
        (("--round", "0"), "--round: expected a whole number from 1"),
        (("--workers", "0"), "--workers: expected a whole number from 1"),
        (("--engine", "slurm"), "--engine: expected one of local, ray, got 'slurm'."),
        (("--ray-address", "10.0.0.1:6379"), "--ray-address: only the engine 'ray' has one"),
        (("--minutes", "-1"), "--minutes: expected a number above 0"),
        (("--storage", "nowhere"), "--storage: nowhere can't be used"),
        (("--model", "naive"), "--model: naive: nothing is trained there"),
    ],
)
def test_bad_searches_are_one_sentence(table: Path, tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    out = tmp_path / "run"
    words: list[Any] = ["tune", "forecast", str(table), "--target", "load", *_SHORT, *flags, "--out", str(out)]
    done = invoke(*words)
    assert not out.exists(), "what was typed right goes into that folder"
    assert done.code == 2
    assert said in done.err, done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--storage", "postgresql://u:pw@127.0.0.1:abc/x"), "--storage: postgresql://u@127.0.0.1:abc/x can't be used"),
        (("--storage", "sqlite:///s1.db?timeout=abc"), "--storage: s1.db can't be used (could not convert string"),
        (("--engine", "ray", "--ray-address", "nowhere"), "--ray-address: expected HOST:PORT"),
    ],
)
def test_what_cannot_be_reached_leaves_no_folder(
    table: Path, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "run"
    for words in (("tune", "forecast"), ("forecast",))[: 2 if "ray" in flags else 1]:  # only a search has a storage
        done = invoke(*words, str(table), "--target", "load", *_SHORT, *flags, "--out", str(out))
        assert done.code == 2
        assert said in done.err, done.err
        assert not out.exists()


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        (
            "complete",
            {"value": 0.546, "best": 0.686, "leader": 0, "score": "AUPRC", "lower_is_better": False},
            "AUPRC on validation 0.546, best so far 0.686 (trial 1), higher is better",
        ),
        (
            "pruned",
            {"value": None, "best": 0.5, "leader": 2, "score": "MAE", "epochs": 3},
            "stopped early after epoch 3, best so far MAE on validation 0.5 (trial 3), lower is better",
        ),
        ("pruned", {"value": None, "best": None, "epochs": 3}, "stopped early after epoch 3"),
        ("failed", {"value": None, "best": None, "failed": "units: too many."}, "failed (units: too many.)"),
    ],
)
def test_a_trial_is_told_with_its_score(
    capsys: pytest.CaptureFixture[str], state: str, more: dict[str, Any], said: str
) -> None:
    with Progress(bar=False, notices=True) as progress:
        progress(TrialFinished(number=1, total=5, state=state, **more))
    assert capsys.readouterr().err == f"trial 2 of 5: {said}\n"
