"""A forecast model that is registered, a baseline and a network alike, is there for every part of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Command

from seqloom import load
from seqloom.app.tables import Settings
from seqloom.diagnostics import BASELINES, Baseline, History
from seqloom.diagnostics.baselines import BaselineKind
from seqloom.tasks import Forecaster

FLAGS = ("--target", "load (MW)", "--lookback", "24", "--horizon", "6", "--season", "24", "--threads", "1")


class Median(Baseline):
    """The median of the training rows: all of a new model, one class, in one file."""

    name = "median"

    def fit(self, history: History) -> Median:
        self.value = float(np.median(history.values[history.train]))
        return self

    def _forecast(self, history: History, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return np.full((len(origins), len(steps)), self.value)


@pytest.fixture
def median() -> Iterator[None]:
    """Registered for a test: the second file is the table."""
    BASELINES["median"] = BaselineKind("median", "the median of the training rows", "unused", lambda s, t: Median())
    yield
    del BASELINES["median"]


def test_the_help_names_every_model_that_there_is(command: Command) -> None:
    option = next(option for option in Settings.options if option.name == "model")
    listed = option.help.replace(";", ",").replace(".", ",").replace(":", ",").split(",")
    known = {name.strip() for name in listed}
    assert set(Forecaster._constraints["model"].names) <= known  # pyright: ignore[reportAttributeAccessIssue]
    assert "Also:" not in command("forecast", "--help").out


def test_a_registered_model_is_everywhere(command: Command, hourly: Path, median: None, tmp_path: Path) -> None:
    assert "median" in command("forecast", "--help").out
    assert "median" in command("backtest", "--help").out
    refused = command("forecast", hourly, *FLAGS, "--model", "medium")
    assert "median" in refused.err
    run = tmp_path / "run"
    done = command("forecast", hourly, *FLAGS, "--model", "median", "--out", run)
    assert done.code == 0, done.err
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["models"]["median"]["kind"] == "baseline"
    assert "median" in (run / "predictions.csv").read_text().splitlines()[0]
    assert "median" in (run / "report.html").read_text()
    forecaster = Forecaster(model="median", lookback=24, horizon=6, levels=(80,)).fit(
        np.arange(200.0) % 7, target="column_0"
    )
    forecaster.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.model == "median"
    np.testing.assert_array_equal(again.forecast().values, forecaster.forecast().values)
