"""Spaces: as they are written, checked against the parameters, and those that are usual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom import tasks
from seqloom.errors import SettingError
from seqloom.tasks.parameters import ESTIMATORS
from seqloom.tuning import Choice, Range, default_space, parse_space
from seqloom.tuning.dimensions import checked_space
from seqloom.tuning.importance import omega_squared


def test_as_the_command_line_writes_it() -> None:
    assert parse_space(
        "units=4:64:log, layers=1|2 ,learning-rate=1e-4:0.01:log,normalise=last|none,tied=true|false"
    ) == {
        "units": (4, 64, "log"),
        "layers": [1, 2],
        "learning_rate": (1e-4, 0.01, "log"),
        "normalise": ["last", None],
        "tied": [True, False],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("units", "expected NAME=LOW:HIGH, .* got 'units'"),
        ("units=", "got 'units='"),
        ("units=1:2:3:4", "expected LOW:HIGH or LOW:HIGH:log for units"),
        ("units=1:2:lin", "expected LOW:HIGH or LOW:HIGH:log for units"),
        ("units=1:2,units=3:4", "'units' is named twice"),
    ],
)
def test_what_can_not_be_read(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=f"^space: .*{said}"):
        parse_space(text)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"unit": (4, 8)},
            r"no parameter is called 'unit'\. Did you mean 'units'\? Those that can be searched are lookback, ",
        ),
        ({"horizon": (4, 8)}, "horizon decides what is scored"),
        ({"seed": [1, 2]}, "seed decides"),
        ({"units": (8, 4)}, "expected two numbers for units, the lower one first"),
        ({"units": (4, 4)}, "expected two numbers for units"),
        ({"units": (4.5, 8)}, "units: expected whole numbers"),
        ({"units": (0, 8)}, r"units: expected a whole number of at least 1"),
        ({"learning_rate": (0.0, 1.0, "log")}, "learning_rate: a logarithmic range begins above 0"),
        ({"learning_rate": (0.1, float("nan"))}, "expected two numbers for learning_rate"),
        ({"units": ["8-32"]}, r"a range is written LOW:HIGH, so type units=8:32; got units=8-32\."),
        ({"units": ["8..32"]}, ".* so type units=8:32;"),
        ({"units": ["32-8"]}, ".* so type units=8:32;"),
        ({"units": ("8-32", "log")}, ".* so type units=8:32:log;"),
        ({"learning_rate": ["1e-3-.01"]}, r".* so type learning_rate=1e-3:\.01;"),
        ({"learning_rate": 0.1}, r"expected \(low, high\), \(low, high, 'log'\) or a list of values"),
        ({"anchor": ("last", "none")}, "anchor is no number: expected a list of values"),
        ({"anchor": ["last", "first"]}, "anchor: expected one of last, seasonal, none, auto, got 'first'"),
        ({"channels": [[4, 8]]}, "channels: a search takes numbers"),
        ({"units": []}, "expected at least one value for units"),
        ({"units": [4, 4]}, "units: a value is named twice"),
        ({}, "expected at least one parameter"),
    ],
)
def test_what_a_forecaster_can_not_search(space: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=f"^space: {said}"):
        checked_space(space, tasks.Forecaster())


def test_kinds_of_dimensions() -> None:
    found = checked_space(
        {"units": (4, 64, "log"), "lookback": (12, 48), "input_dropout": (0, 0.5), "calendar": [0, True]},
        tasks.Forecaster(),
    )
    assert found == {
        "units": Range(4, 64, True, True),
        "lookback": Range(12, 48, False, True),
        "input_dropout": Range(0.0, 0.5),
        "calendar": Choice((False, True)),
    }


@pytest.mark.parametrize("name", ESTIMATORS)
def test_usual_spaces_hold_what_the_parameters_allow(name: str) -> None:
    make = getattr(tasks, name)
    for model in make._constraints["model"].names if "model" in make._constraints else (None,):
        estimator = make() if model is None else make(model=model)
        space = default_space(estimator)
        assert checked_space(space, estimator) == space if space else True


def test_usual_spaces_of_forecasts_keep_to_lookbacks_that_the_table_holds() -> None:
    estimator = tasks.Forecaster(model="gru", lookback=24, horizon=6)
    space = default_space(estimator, lambda each: each.lookback <= 24)
    assert space["lookback"] == Choice((12, 24))
    assert default_space(tasks.Forecaster(model="naive", lookback=24, horizon=6)) == {}
    assert list(default_space(tasks.Forecaster(model="linear", lookback=24, horizon=6))) == ["lookback", "normalise"]


def test_importance_is_the_share_between_groups() -> None:
    draw = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 200)
    assert omega_squared(draw.normal(size=600), groups) < 0.02
    mixed = groups + draw.normal(0, np.sqrt(2 / 3), 600)  # as much within as between
    assert omega_squared(mixed, groups) == pytest.approx(0.5, abs=0.05)
    assert omega_squared(np.ones(6), np.array([0, 0, 1, 1, 2, 2])) == 0.0
