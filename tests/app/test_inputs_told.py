"""What the models read of a table: said in a sentence, and all of it with `--inputs '*'`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import TINY, Command

QUICK = ("--model", "linear", "--epochs", 1)
NOT_READ = "Not read: 'wind' (--inputs '*' reads every column, --inputs A,B those named)."


@pytest.mark.parametrize(
    ("flags", "inputs", "said"),
    [
        ((), ["load (MW)"], True),
        (("--inputs", "*"), ["load (MW)", "wind"], False),
        (("--inputs", "wind"), ["load (MW)", "wind"], False),
    ],
)
def test_a_forecast_says_what_is_not_read(
    command: Command, hourly: Path, flags: tuple[str, ...], inputs: list[str], said: bool
) -> None:
    done = command("forecast", hourly, *TINY, *QUICK, *flags, "--json")
    found = json.loads(done.out)
    assert sorted(found["inputs"]) == sorted(inputs)
    assert (NOT_READ in found["notes"]) == said


def test_a_backtest_says_it_too(command: Command, hourly: Path) -> None:
    shown = command("backtest", hourly, *TINY, *QUICK, "--windows", 2)
    assert shown.out.count(NOT_READ) == 1
    every = command("backtest", hourly, *TINY, *QUICK, "--windows", 2, "--inputs", "*")
    assert every.code == 0
    assert "Not read" not in every.out
