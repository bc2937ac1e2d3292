"""`seqloom update`, and the presets and refit of `seqloom forecast`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

from seqloom import load
from seqloom.data import Panel
from seqloom.tasks.forecast.presets import PRESETS, candidates_for


def write(path: Path, first: int, last: int) -> Path:
    t = np.arange(last)
    rng = np.random.default_rng(2)
    values = 100 + 0.3 * t + 9 * np.sin(2 * np.pi * t / 12) + rng.normal(size=last)
    months = np.datetime64("2010-01", "M") + t
    lines = [f"{month},{value:.2f}" for month, value in zip(months[first:].tolist(), values[first:].tolist())]
    path.write_text("\n".join(["month,sales", *lines]) + "\n")
    return path


@pytest.mark.usefixtures("no_report")
def test_a_run_by_preset_is_refit_and_updated(command: Command, tmp_path: Path) -> None:
    table = write(tmp_path / "sales.csv", 0, 120)
    shown = command("forecast", table, "--preset", "fast", "--out", tmp_path / "run")
    assert shown.code == 0
    assert (
        "Candidates of --preset fast: naive, seasonal, damped-persistence, auto-ets, auto-theta, ensemble "
        "(others by --model)." in shown.out
    )
    assert "fitted once more on all 120 rows" in shown.out
    assert "(--no-refit leaves it as it was scored)" in shown.out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["candidates"]["models"] == [
        "naive",
        "seasonal",
        "damped-persistence",
        "auto-ets",
        "auto-theta",
        "ensemble",
    ]
    assert record["candidates"]["work"]["auto-ets"] > 0
    assert load(tmp_path / "run").model == "ensemble"
    later = write(tmp_path / "later.csv", 110, 126)
    shown = command("update", tmp_path / "run", later, "--out", tmp_path / "updated")
    assert shown.code == 0
    assert "Updated with 6 new rows, up to 2020-06-01" in shown.out
    ahead = command("predict", tmp_path / "updated")
    assert ahead.out.split()[4 if False else ahead.out.split().index("2020-07-01")] == "2020-07-01"


@pytest.mark.usefixtures("no_report")
def test_what_update_and_preset_refuse(command: Command, refused: Refused, tmp_path: Path) -> None:
    table = write(tmp_path / "sales.csv", 0, 60)
    command("forecast", table, "--model", "seasonal", "--no-refit", "--out", tmp_path / "run")
    assert "no row with a known target after those" in refused(
        "update", tmp_path / "run", table, "--out", tmp_path / "u"
    )
    assert not (tmp_path / "u").exists()
    assert "is not empty" in refused("update", tmp_path / "run", table, "--out", tmp_path / "run")
    assert "--steps: expected a whole number" in refused(
        "update", tmp_path / "run", table, "--out", tmp_path / "u", "--steps", "0"
    )
    message = refused("forecast", table, "--preset", "fsat")
    assert message.startswith("error: --preset: expected one of fast, good, best, got 'fsat'. Did you mean 'fast'?")
    assert "--preset: best names the models, and --model does too" in refused(
        "forecast", table, "--preset", "best", "--model", "naive"
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_costly_models_are_left_out_and_told(preset: str) -> None:
    rows, every = 2000, PRESETS[preset].models
    panel = Panel.from_numpy(np.arange(80_000.0) + 1, ["y"], id=np.repeat([f"s{i}" for i in range(40)], rows))
    usual = tuple(name for name in every if name not in ("seasonal-week", "croston", "tsb", "encoder-decoder"))
    small = candidates_for(preset, panel.take(np.arange(200)), (150, 20), 12.0, "y")
    assert small.models == usual
    assert not small.cut
    known = candidates_for(preset, panel.take(np.arange(200)), (150, 20), 12.0, "y", ahead=True)
    assert set(known.models) - set(usual) == ({"encoder-decoder"} & set(every))
    large = candidates_for(preset, panel, (1500, 200), 24.0, "y")
    assert sum(large.work.values()) <= PRESETS[preset].total
    assert set(large.models) | set(large.cut) == {*usual, "seasonal-week"}  # beside a season of 24 rows
    if preset == "good":
        assert "arima" in large.cut
        assert any("arima" in note and "units of work" in note for note in large.notes())
    without = candidates_for(preset, panel.take(np.arange(200)), (150, 20), None, "y")
    assert "seasonal" in without.cut


def test_what_the_target_is_like_decides_too() -> None:
    values = np.arange(200.0) % 3 * (np.arange(200) % 2)
    found = candidates_for("good", Panel.from_numpy(values, ["y"]), (150, 20), 12.0, "y")
    assert {"croston", "tsb"} <= set(found.models)
    assert found.cut["log-arima"] == "the training rows are not all above 0"
    # Only the training rows are looked at.
    values[150:] += 5
    assert candidates_for("good", Panel.from_numpy(values, ["y"]), (150, 20), 12.0, "y").models == found.models
