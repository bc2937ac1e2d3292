"""Runs the command line inside the test process: the exit code, and what it printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from seqloom.app.main import run


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """A function that runs `seqloom ARGS…`."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["seqloom", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            run()
        printed = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def refused(command: Callable[..., Outcome]) -> Callable[..., str]:
    """A function that runs a command which must be refused: exit code 2, one sentence on stderr, no traceback."""

    def call(*arguments: object) -> str:
        outcome = command(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.err.startswith("error: "), outcome
        assert "Traceback" not in outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        return outcome.err

    return call


@pytest.fixture
def hourly(tmp_path: Path) -> Path:
    """A CSV of 400 hours with two columns and a daily cycle."""
    rng = np.random.default_rng(5)
    hours = np.arange(400)
    times = np.datetime64("2024-01-01") + hours.astype("timedelta64[h]")
    load = 50 + 10 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 1, 400)
    wind = rng.gamma(2, 2, 400)
    path = tmp_path / "hourly.csv"
    rows = [f"{t},{a:.3f},{b:.3f}" for t, a, b in zip(np.datetime_as_string(times, unit="m"), load, wind)]
    path.write_text("\n".join(["time,load (MW),wind", *rows]) + "\n")
    return path
