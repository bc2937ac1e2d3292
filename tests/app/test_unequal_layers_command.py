"""`--units 32,64`, `--activation tanh,relu` and `--reverse` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

import seqloom


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """A table of 90 numbers."""
    path = tmp_path / "hours.csv"
    path.write_text("load\n" + "".join(f"{np.sin(n / 4):.4f}\n" for n in range(90)))
    return path


BRIEF = ("--lookback", "8", "--horizon", "2", "--epochs", "1", "--steps-per-epoch", "2", "--threads", "1", "--no-refit")


def test_a_run_of_unequal_layers(command: Command, hours: Path, tmp_path: Path, no_report: None) -> None:
    layers = ("--model", "gru", "--units", "3,5", "--activation", "tanh,relu", "--reverse")
    done = command("forecast", hours, *BRIEF, *layers, "--out", tmp_path / "run", "--quiet")
    assert done.code == 0, done
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["units"], settings["activation"], settings["reverse"]) == ("3,5", "tanh,relu", True)
    model = seqloom.load(tmp_path / "run" / "model")
    assert isinstance(model, seqloom.Forecaster)
    assert (model.units, model.activation, model.reverse) == ((3, 5), ("tanh", "relu"), True)
    again = command("forecast", "--resume", tmp_path / "run", "--quiet")
    assert again.code == 0, again


def test_one_number_is_recorded_as_one(command: Command, hours: Path, tmp_path: Path, no_report: None) -> None:
    done = command("forecast", hours, *BRIEF, "--model", "dense", "--units", "3", "--out", tmp_path / "run", "--quiet")
    assert done.code == 0, done
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert settings["units"] == 3
    assert not {"activation", "reverse"} & set(settings)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            "--units 3,4,5 --layers 2",
            "--units: expected one number, or one for each of 2 layers, got 3: 3, 4, 5; leave",
        ),
        ("--units 3,many", "--units: expected numbers separated by commas, got 'many'"),
        ("--units 0", "--units: expected a whole number of at least 1"),
        ("--units 3,4 --activation tanh,relu,elu", "--activation: expected one name, or one for each of 2 layers"),
        (
            "--activation tanh,relu",
            "--activation: expected one name, or one for the 1 layer, got 2: tanh, relu; give --",
        ),
        ("--reverse --bidirectional", "--reverse: bidirectional already reads both ways"),
        ("--model tcn --units 3,4", "--units: 'tcn' counts the channels of each level"),
    ],
)
def test_what_does_not_fit_is_refused(refused: Refused, hours: Path, flags: str, words: str) -> None:
    assert words in refused("forecast", hours, *BRIEF, "--model", "gru", *flags.split())
