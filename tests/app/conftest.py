"""Fixtures of the command line's tests: commands, tables, and a finished run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TINY, Command, Refused, Terminal, invoke, pseudo_terminal

from seqloom.report import document

_DRAW: Any = document._png  # pyright: ignore[reportPrivateUsage]
_PICTURE: Any = document._picture  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Pictures of a report are what would be drawn, as text, or refused: drawing takes seconds for each run.

    The page is the same, runs that are compared byte by byte still are, and the tests of the report draw.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_png", lambda figure, chart: json.dumps(_PICTURE(figure, chart)).encode())
        patch.setattr("seqloom.report.page.begin_pictures", lambda figure: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    """Runs of tests: the disk needs not be waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures as whoever runs the command gets them."""
    monkeypatch.setattr(document, "_png", _DRAW)
    monkeypatch.setattr("seqloom.report.page.begin_pictures", document.begin_pictures)


@pytest.fixture(scope="session")
def command() -> Command:
    """A function that runs `seqloom ARGUMENTS…`."""
    return invoke


@pytest.fixture
def refused(command: Command) -> Refused:
    """A function that runs a command which must be refused: exit code 2, one sentence on stderr, nothing on stdout."""

    def call(*arguments: object) -> str:
        outcome = command(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.err.startswith("error: "), outcome
        assert outcome.err.count("\n") == 1, outcome.err
        assert outcome.err.rstrip().endswith((".", "?", "'.[app]'")), outcome.err
        assert not outcome.out
        return outcome.err

    return call


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """A function that runs a command with both outputs on a pseudo-terminal of `columns` columns."""

    def call(*arguments: object, columns: int) -> Terminal:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        shown = Terminal()
        with pseudo_terminal(shown) as screen:
            shown.code = invoke(*arguments, out=screen, err=screen).code
        return shown

    return call


@pytest.fixture(scope="session")
def hourly_text() -> str:
    """400 hours with two columns and a daily cycle, as CSV."""
    rng = np.random.default_rng(5)
    hours = np.arange(400)
    times = np.datetime64("2024-01-01") + hours.astype("timedelta64[h]")
    load = 50 + 10 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 1, 400)
    wind = rng.gamma(2, 2, 400)
    rows = [f"{t},{a:.3f},{b:.3f}" for t, a, b in zip(np.datetime_as_string(times, unit="m"), load, wind)]
    return "\n".join(["time,load (MW),wind", *rows]) + "\n"


@pytest.fixture
def hourly(tmp_path: Path, hourly_text: str) -> Path:
    """The CSV file of `hourly_text`."""
    path = tmp_path / "hourly.csv"
    path.write_text(hourly_text)
    return path


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing of the report out, which takes seconds."""
    monkeypatch.setattr("seqloom.report.build", lambda folder: folder)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, hourly_text: str) -> Path:
    """A finished run folder, without the report, of a linear model that reads both columns; copy it to change it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "hourly.csv").write_text(hourly_text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqloom.report.build", lambda folder: folder)
        flags = ("--inputs", "*", "--model", "linear", "--epochs", 40, "--learning-rate", 0.01)
        done = invoke("forecast", folder / "hourly.csv", *TINY, *flags, "--out", folder / "run")
    assert done.code == 0, done
    return folder / "run"
