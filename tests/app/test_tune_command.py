"""`seqloom tune`: a search from the command line, its folder, its report, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import invoke

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
    assert (searched / "trials.csv").read_text().startswith("trial,model,state,value,learning_rate,units,seed")


def test_what_was_searched_predicts_and_is_gone_on_with(searched: Path) -> None:
    before = (searched / "trials.json").read_bytes()
    done = invoke("tune", "forecast", "--resume", str(searched), "--quiet")
    assert done.code == 0, done.err
    assert (searched / "trials.json").read_bytes() == before
    assert invoke("predict", str(searched)).code == 0
    for words, said in (
        (("forecast", "--resume", str(searched)), "is a run of seqloom tune"),
        (("tune", "forecast", "--resume", str(searched), "--trials", "9"), "--trials: the search in"),
    ):
        refused = invoke(*words)
        assert refused.code == 2
        assert said in refused.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--space", "unit=2:8"), "--space: Forecaster has no parameter 'unit'. Did you mean 'units'?"),
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
def test_bad_searches_are_one_sentence(table: Path, flags: tuple[str, ...], said: str) -> None:
    words: list[Any] = ["tune", "forecast", str(table), "--target", "load", *_SHORT, *flags]
    done = invoke(*words)
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
