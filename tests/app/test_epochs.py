"""Epochs that were not given: enough optimizer steps for small tables, few passes over large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqloom.app.plan import plan_for, training_windows
from seqloom.app.tables import Settings
from seqloom.data import Panel, Split, Windows, WindowSpec
from seqloom.tasks.forecast.budget import usual_training


def parameters(**changes: Any) -> dict[str, Any]:
    values = {"lookback": 24, "horizon": 6, "every": 1, "at": "path", "split": "0.7,0.15"}
    return {**values, "batch_size": 32, "steps_per_epoch": None, **changes}


def noise(rows: int, series: int = 1) -> Panel:
    rng = np.random.default_rng(3)
    ids = np.repeat([f"s{i}" for i in range(series)], rows)
    return Panel.from_numpy(rng.normal(size=rows * series), ["x"], id=ids if series > 1 else None)


@pytest.mark.parametrize(("every", "at"), [(1, "path"), (2, "path"), (3, "last")])
@pytest.mark.parametrize("series", [1, 3])
def test_steps_of_an_epoch_are_those_of_the_training_windows(every: int, at: str, series: int) -> None:
    panel = noise(500, series)
    spec = WindowSpec(24, 6, every, at)
    split = Split.make(panel, "0.7,0.15")
    windows = len(Windows(panel, spec, target="x", inputs=["x"]).split(split).train)
    assert training_windows(parameters(every=every, at=at), panel) == windows


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 10**6))
def test_every_table_is_trained_on_for_as_long(windows: int) -> None:
    """1,500 to 6,000 steps whatever its size, looked at 10 to 40 times, from batches that leave several a pass."""
    chosen = usual_training({}, windows)
    steps = chosen["epochs"] * chosen["steps_per_epoch"]
    assert 1500 <= steps <= 6000 + chosen["steps_per_epoch"]
    assert 10 <= chosen["epochs"] <= 41
    assert chosen["batch_size"] in (16, 32, 64, 128)
    assert windows >= 16 * chosen["batch_size"] or chosen["batch_size"] == 16
    assert 0 < chosen["warmup_steps"] < steps / 10
    given_ = usual_training({"epochs": 7, "batch_size": None}, windows)
    assert (given_["epochs"], given_["batch_size"], given_["learning_rate"]) == (7, 128, 1e-3)
    assert usual_training({"batch_size": 9, "patience": 2}, windows)["batch_size"] == 9


def test_choices_are_told() -> None:
    panel = noise(500)
    plan = plan_for(Settings(lookback="24", horizon="6"), panel, "x")
    assert "epochs" not in plan.parameters  # which the forecaster resolves
    assert "seasonal" not in plan.models
    assert any("seasonal baseline is left out" in note for note in plan.notes)
    assert any("--epochs 41 (at most, of 37 batches), --batch-size 16" in note for note in plan.notes)


def test_what_was_given_is_used_and_not_told() -> None:
    panel = noise(500)
    asked = Settings(lookback="24", horizon="6", season="7.5", epochs=4, model="seasonal,gru,gru")
    plan = plan_for(asked, panel, "x")
    assert (plan.models, plan.notes) == (("seasonal", "gru"), [])
    chosen = {name: plan.parameters[name] for name in ("lookback", "horizon", "season", "epochs")}
    assert chosen == {"lookback": 24, "horizon": 6, "season": 7.5, "epochs": 4}


def test_baselines_need_no_epochs() -> None:
    plan = plan_for(Settings(lookback="24", horizon="6", model="naive,mean"), noise(500), "x")
    assert "epochs" not in plan.parameters
    assert not any("epochs" in note for note in plan.notes)
