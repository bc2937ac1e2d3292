"""`seqloom backtest`: the table, JSON, cutoffs, and settings that can't be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, Command, Refused

NAIVE = (*TINY, "--model", "naive,mean")


def test_scores_are_those_of_the_naive_forecast(command: Command, hourly: Path) -> None:
    found = json.loads(command("backtest", hourly, *NAIVE, "--windows", 4, "--step", 5, "--json").out)
    load = np.array([float(line.split(",")[1]) for line in hourly.read_text().splitlines()[1:]])
    cutoffs = len(load) - 1 - 3 - 5 * np.arange(4)
    errors = np.abs(load[cutoffs[:, None] + [1, 2, 3]] - load[cutoffs][:, None])
    assert found["models"]["naive"]["mae"] == pytest.approx(errors.mean())
    assert found["models"]["naive"]["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert found["models"]["mean"]["naive_mae"] == pytest.approx(errors.mean())
    for scores in found["models"].values():
        assert (scores["cutoffs"], scores["fits"], scores["rows"]) == (4, 4, 12)
    assert found["target"] == "load (MW)"


def test_workers_give_the_same_scores(command: Command, refused: Refused, hourly: Path) -> None:
    asked = ("backtest", hourly, *NAIVE, "--windows", 3, "--json")
    assert command(*asked, "--engine", "local", "--workers", 2).out == command(*asked).out
    assert refused(*asked, "--workers", 2).startswith("error: --workers: it goes with an engine; name one (--engine)")
    assert refused(*asked, "--engine", "dask") == "error: --engine: expected one of local, ray, got 'dask'.\n"


def test_the_table(command: Command, hourly: Path) -> None:
    shown = command("backtest", hourly, *TINY, "--model", "naive,linear", "--epochs", 1, "--no-refit", "--gap", "2h")
    assert (shown.code, shown.err) == (0, "")
    *_, said, blank, head, naive, linear = shown.out.splitlines()
    assert said == "Forecasts of load (MW) from 5 cutoffs, 15 values scored:"
    assert not blank
    heads = ["model", "MAE", "RMSE", "naive MAE", "skill", "within 80 %", "within 95 %", "fits"]
    assert re.split(r"  +", head) == heads
    assert naive.split()[0] == "naive"
    assert linear.split()[-1] == "1"
    found = command(
        "backtest", hourly, *TINY, "--model", "naive,linear", "--epochs", 1, "--no-refit", "--gap", 2, "--json"
    )
    scores = json.loads(found.out)["models"]["linear"]
    shown_numbers = [float(cell) for cell in linear.split()[1:4]]
    assert shown_numbers == pytest.approx([scores[name] for name in ("mae", "rmse", "naive_mae")], rel=1e-3)
    assert linear.split()[4].replace("−", "-") == f"{100 * scores['skill']:+.1f}"
    quiet = command(
        "backtest", hourly, *TINY, "--model", "naive,linear", "--epochs", 1, "--no-refit", "--gap", 2, "--quiet"
    )
    assert quiet.out.splitlines() == [head, naive, linear]


def test_a_preset_names_the_models(command: Command, refused: Refused, hourly: Path) -> None:
    short = ("--windows", 1, "--no-refit", "--json")
    found = json.loads(command("backtest", hourly, *TINY, "--preset", "fast", *short).out)
    models = ["naive", "seasonal", "seasonal-week", "damped-persistence", "auto-ets", "auto-theta", "ensemble"]
    assert list(found["models"]) == models
    assert any(f"Candidates of --preset fast: {', '.join(models)}" in note for note in found["assumed"])
    limited = ("--time-limit", "0.0001")  # units of work; what nobody named is left out, what is named is refused
    found = json.loads(command("backtest", hourly, *TINY, "--preset", "fast", *limited, *short).out)
    assert list(found["models"]) == ["naive", "seasonal", "seasonal-week", "damped-persistence", "ensemble"]
    told = [note for note in found["assumed"] if "is left out" in note]
    assert len(told) == 2
    assert told[0].startswith("auto-ets is left out: Baseline 'auto-ets' is estimated at ")
    assert "raise --time-limit" in told[0]
    assert "auto-ets" in refused("backtest", hourly, *TINY, "--model", "naive,auto-ets", *limited)
    assert "expected one of fast, good, best" in refused("backtest", hourly, *TINY, "--preset", "fats")
    assert "leave one of them out" in refused("backtest", hourly, *TINY, "--preset", "fast", "--model", "naive")


def test_nothing_is_written(command: Command, hourly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hourly.parent)
    before = sorted(hourly.parent.rglob("*"))
    assert command("backtest", hourly, *TINY, "--model", "linear", "--epochs", 1, "--windows", 1).code == 0
    assert sorted(hourly.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--windows", "0"], "--windows: "),
        (["--windows", "400"], "rows too few"),
        (["--step", "0"], "--step: "),
        (["--step", "-1"], "--step: "),
        (["--step", "90min"], "--step: "),
        (["--gap", "-1"], "--gap: "),
        (["--gap", "soon"], "--gap: "),
        (["--model", "naive,gruu"], "Did you mean 'gru'"),
        (["--target", "laod (MW)"], "Did you mean 'load (MW)'"),
        (["--lookback", "0"], "--lookback: "),
        (["--every", "2"], "--horizon: "),
        (["--epochs", "0", "--model", "linear"], "--epochs: "),
        (["--model", "seasonal", "--season", "0"], "--season: "),
    ],
)
def test_bad_settings(refused: Refused, hourly: Path, flags: list[str], word: str) -> None:
    assert word in refused("backtest", hourly, *NAIVE, *flags)


def test_bad_data(refused: Refused, hourly: Path) -> None:
    assert "nowhere.csv" in refused("backtest", "nowhere.csv", *NAIVE)
    hourly.write_text("\n".join(hourly.read_text().splitlines()[:15]) + "\n")
    assert "rows too few" in refused("backtest", hourly, *NAIVE)
