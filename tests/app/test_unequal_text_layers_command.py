"""`--units 6,4` and `--activation tanh,relu` for the models of texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command, Refused

import seqloom

LINES = "the cat sat on the mat\nthe dog sat on the cat\n" * 20
BRIEF = ("--epochs", "1", "--steps-per-epoch", "2", "--batch-size", "2", "--threads", "1", "--quiet")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A text of 40 lines."""
    path = tmp_path / "lines.txt"
    path.write_text(LINES)
    return path


def test_a_run_of_unequal_layers(command: Command, lines: Path, tmp_path: Path, no_report: None) -> None:
    layers = ("--model", "lstm", "--units", "6,4", "--activation", "tanh,relu", "--window", "8")
    done = command("lm", lines, *layers, *BRIEF, "--out", tmp_path / "run")
    assert done.code == 0, done
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["units"], settings["activation"]) == ("6,4", "tanh,relu")
    model = seqloom.load(tmp_path / "run" / "models" / "lstm")
    assert isinstance(model, seqloom.LanguageModel)
    assert (model.units, model.activation) == ((6, 4), ("tanh", "relu"))
    assert command("lm", "--resume", tmp_path / "run", "--quiet").code == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--model lstm --units 8,4 --layers 3", "--units: expected one number, or one for each of 3 layers, got 2"),
        ("--model lstm --units 8,4 --embedding-size 5", "make the last one equal, or use --untied."),
        ("--model tcn --activation tanh,relu", "--activation: 'tcn' has one activation for all levels"),
    ],
)
def test_what_does_not_fit_is_refused(refused: Refused, lines: Path, flags: str, words: str) -> None:
    assert words in refused("lm", lines, *BRIEF, *flags.split())
