"""A model that is registered, a baseline, a network or a cell alike, is there for every part of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Command

from seqloom import load
from seqloom.app.tables import Settings
from seqloom.diagnostics import BASELINES, Baseline, TargetHistory
from seqloom.diagnostics.baseline_table import BaselineKind
from seqloom.ops.kinds import KINDS, PLAIN_REFUSALS, Kind, register_kind
from seqloom.tasks import Forecaster
from seqloom.tasks.networks import registry
from seqloom.tasks.networks.body import RecurrentBody
from seqloom.tasks.networks.registry import BodyKind, register_body

FLAGS = ("--target", "load (MW)", "--lookback", "24", "--horizon", "6", "--season", "24", "--threads", "1")


class Median(Baseline):
    """The median of the training rows: all of a new model, one class, in one file."""

    name = "median"

    def fit(self, history: TargetHistory) -> Median:
        self.value = float(np.median(history.values[history.train]))
        return self

    def _forecast(self, history: TargetHistory, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
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


COMMANDS = {"forecast": "forecast", "sequences": "sequences", "classify": "text", "tag": "tagging", "lm": "language"}
"""The task in the library of networks whose models a command names."""


def leak(step: Any, a: torch.Tensor, h: torch.Tensor, c: Any, d_g: Any) -> tuple[torch.Tensor, None]:
    """h' = (h + φ(a)) / 2: a made-up cell without a gate."""
    return (h + step.phi(a)) / 2, None


@pytest.fixture
def leaky() -> Iterator[None]:
    """A cell and the body that it makes, registered for every task."""
    register_kind(Kind("leaky", "made up", "this test", ("n",), leak, refuses=PLAIN_REFUSALS))
    options = ("units", "layers", "bidirectional", "pooling")
    register_body(BodyKind("leaky", "made up", "this test", RecurrentBody, options), tasks=list(COMMANDS.values()))
    yield
    del KINDS["leaky"], registry._bodies["leaky"]
    for models in registry._models.values():
        models.pop("leaky", None)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_registered_cell_is_in_the_help(command: Command, leaky: None, name: str) -> None:
    from seqloom.tasks import LanguageModel, SequenceClassifier, SequenceTagger, TextClassifier

    assert all((SequenceClassifier, TextClassifier, SequenceTagger, LanguageModel))  # loaded, as where one registers
    assert "leaky" in command(name, "--help").out


def test_a_registered_cell_is_everywhere(command: Command, leaky: None, tmp_path: Path) -> None:
    rng, run = np.random.default_rng(0), tmp_path / "run"
    x = rng.normal(size=(60, 6, 2))
    np.savez(tmp_path / "walks.npz", X=x, y=np.where(x.sum(axis=(1, 2)) > 0, "up", "down"))
    flags = ("--epochs", 1, "--units", 4, "--threads", 1)
    refused = command("sequences", tmp_path / "walks.npz", *flags, "--model", "leeky")
    assert "leaky" in refused.err
    done = command("sequences", tmp_path / "walks.npz", *flags, "--model", "leaky", "--out", run)
    assert done.code == 0, done.err
    assert "leaky" in json.loads((run / "metrics.json").read_text())["models"]
    assert "leaky" in (run / "report.html").read_text()
    assert command("predict", run, tmp_path / "walks.npz").code == 0
