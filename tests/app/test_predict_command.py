"""`seqloom predict`: from the end of the training data or of new data, near and far, to the screen or into a file."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TINY, Command, Refused

import seqloom


def predict_json(command: Command, *arguments: object) -> dict[str, Any]:
    outcome = command("predict", *arguments, "--json")
    assert outcome.code == 0, outcome
    assert not outcome.err
    return json.loads(outcome.out)


def test_without_data_it_repeats_the_runs_forecast(command: Command, trained: Path) -> None:
    found = predict_json(command, trained)
    with open(trained / "forecast.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{name: str(value) for name, value in row.items()} for row in found["forecast"]] == rows
    assert (found["target"], found["out"], found["notes"]) == ("load (MW)", None, [])
    assert predict_json(command, trained / "model") == found  # the model folder alone will do


def test_new_data_is_read_as_the_training_data_was(command: Command, trained: Path, hourly: Path) -> None:
    same = predict_json(command, trained, hourly)["forecast"]
    assert same == predict_json(command, trained)["forecast"]
    lines = hourly.read_text().splitlines()
    hourly.write_text("\n".join([lines[0], *lines[200:300]]) + "\n")
    other = predict_json(command, trained, hourly)["forecast"]
    assert [row["time"] for row in other] == [f"2024-01-13T{hour}:00:00" for hour in (11, 12, 13)]
    assert other[0]["load (MW)"] != same[0]["load (MW)"]
    hourly.write_text("\n".join(line.replace(",", ";").replace(".", ",") for line in hourly.read_text().splitlines()))
    assert predict_json(command, trained, hourly, "--decimal", ",")["forecast"] == other
    hourly.write_bytes(hourly.read_text().encode("utf-16"))
    assert predict_json(command, trained, hourly, "--decimal", ",", "--encoding", "utf-16")["forecast"] == other


def test_repairs_of_new_data_are_told(command: Command, trained: Path, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    del lines[390]
    hourly.write_text("\n".join(lines) + "\n")
    shown = command("predict", trained, hourly)
    assert "hourly.csv: 399 rows read, 400 after repairs" in shown.out
    assert any("400 after repairs" in line for line in predict_json(command, trained, hourly)["data"])
    assert "repairs" not in command("predict", trained, hourly, "--quiet").out


def test_the_screen_shows_aligned_numbers(command: Command, trained: Path) -> None:
    shown = command("predict", trained)
    assert shown.code == 0
    head, *rows = shown.out.splitlines()
    assert head.split() == ["time", "load", "(MW)", "low_80", "high_80", "low_95", "high_95"]
    assert len(rows) == 3
    assert len({row.index(".") for row in rows}) == 1
    assert command("predict", trained, "--quiet").out == shown.out


def test_a_file_is_written_whole(command: Command, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "next.csv"
    shown = command("predict", trained, "--out", out)
    assert (shown.code, shown.out) == (0, f"Forecast: {out}\n")
    model = seqloom.load(trained)
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "time", "load (MW)", "low_80", "high_80", "low_95", "high_95"]
    assert np.array_equal([float(row["load (MW)"]) for row in rows], model.forecast().values)
    assert not command("predict", trained, "--out", tmp_path / "silent.csv", "--quiet").out
    found = predict_json(command, trained, "--out", tmp_path / "both.csv")
    assert (found["out"], len(found["forecast"])) == (str(tmp_path / "both.csv"), 3)
    assert (tmp_path / "both.csv").read_bytes() == out.read_bytes()


def test_past_the_trained_horizon(
    command: Command, refused: Refused, trained: Path, hourly: Path, no_report: None
) -> None:
    assert len(predict_json(command, trained, "--horizon", "2h")["forecast"]) == 2
    message = refused("predict", trained, "--horizon", 8)
    assert message.startswith("error: --horizon: ")
    assert "'wind'" in message
    run = hourly.parent / "alone"
    flags = ("--inputs", "load (MW)", "--model", "linear", "--epochs", 60, "--learning-rate", 0.01, "--quiet")
    assert command("forecast", hourly, *TINY, *flags, "--out", run).code == 0
    found = predict_json(command, run, "--horizon", "8h")
    assert len(found["forecast"]) == 8
    assert found["forecast"][7]["low_80"] is None
    assert any("Intervals end at the trained horizon" in note for note in found["notes"])
    shown = command("predict", run, "--horizon", 8)
    assert "–" in shown.out
    assert "Intervals end at the trained horizon" in shown.out


@pytest.mark.parametrize("horizon", ["0", "-2", "soon", "90min"])
def test_odd_horizons(refused: Refused, trained: Path, horizon: str) -> None:
    assert refused("predict", trained, "--horizon", horizon).startswith("error: --horizon: ")


def test_data_that_does_not_fit(refused: Refused, trained: Path, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    cases = {
        "wind": [line.rsplit(",", 1)[0] for line in lines],
        "time": [line.split(",", 1)[1] for line in lines],
        "7 more": lines[:6],
        "a gap lies within": [lines[0], *lines[1::36]],
        "on the grid of": [lines[0], lines[1].replace(":00,", ":30,"), *lines[2:30]],
    }
    for word, content in cases.items():
        hourly.write_text("\n".join(content) + "\n")
        assert word in refused("predict", trained, hourly), word
    assert "nowhere.csv" in refused("predict", trained, "nowhere.csv")


def test_files_in_the_way(refused: Refused, trained: Path, tmp_path: Path, hourly: Path) -> None:
    before = hourly.read_bytes()
    assert "exists already" in refused("predict", trained, "--out", hourly)
    assert hourly.read_bytes() == before
    assert "doesn't exist" in refused("predict", trained, "--out", tmp_path / "no" / "file.csv")
    assert "predict" not in str(list(tmp_path.iterdir()))


def test_refused_data_leaves_no_file(refused: Refused, trained: Path, tmp_path: Path) -> None:
    refused("predict", trained, "nowhere.csv", "--out", tmp_path / "next.csv")
    assert not (tmp_path / "next.csv").exists()


def test_a_run_without_its_model(refused: Refused, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(folder / "model")
    assert "model.json" in refused("predict", folder)


def test_workers_write_the_same_bytes(command: Command, trained: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert command("predict", trained, "--out", one).code == 0
    done = command("predict", trained, "--engine", "local", "--workers", 2, "--out", two)
    assert done.code == 0, done
    assert two.read_bytes() == one.read_bytes()


def test_workers_without_an_engine_are_refused(trained: Path, refused: Refused) -> None:
    assert "--workers: it goes with an engine" in refused("predict", trained, "--workers", 2)
    address = ("--engine", "local", "--ray-address", "10.0.0.1:1")
    assert "only the engine 'ray' has one" in refused("predict", trained, *address)
