"""Epochs that were not given: enough optimizer steps for small tables, few passes over large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom.app.plan import plan_for, usual_epochs
from seqloom.app.tables import Settings
from seqloom.data import Panel, Split, Windows, WindowSpec


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
    for batch_size in (1, 32, windows - 1, windows, windows + 1):
        _, steps = usual_epochs(parameters(every=every, at=at, batch_size=batch_size), panel)
        assert steps == -(-windows // batch_size)


@pytest.mark.parametrize(
    ("steps", "epochs"), [(1, 300), (4, 300), (5, 300), (6, 250), (7, 215), (75, 20), (74, 21), (5000, 20)]
)
def test_epochs_lie_between_20_and_300(steps: int, epochs: int) -> None:
    assert usual_epochs(parameters(steps_per_epoch=steps), noise(100)) == (epochs, steps)


def test_choices_are_told() -> None:
    panel = noise(500)
    plan = plan_for(Settings(lookback="24", horizon="6"), panel, "x")
    assert plan.parameters["epochs"] == 300  # ⌈(350 - 24 - 6 + 1) / 128⌉ = 3 batches, 500 epochs would be too many
    assert "seasonal" not in plan.models
    assert any("seasonal baseline is left out" in note for note in plan.notes)
    assert any("--epochs 300 (of 3 batches)" in note for note in plan.notes)


def test_what_was_given_is_used_and_not_told() -> None:
    panel = noise(500)
    settings = Settings(lookback="24", horizon="6", season="7.5", epochs=4, model="seasonal,gru,gru")
    plan = plan_for(settings, panel, "x")
    assert (plan.models, plan.notes) == (("seasonal", "gru"), ())
    chosen = {name: plan.parameters[name] for name in ("lookback", "horizon", "season", "epochs")}
    assert chosen == {"lookback": 24, "horizon": 6, "season": 7.5, "epochs": 4}


def test_baselines_need_no_epochs() -> None:
    plan = plan_for(Settings(lookback="24", horizon="6", model="naive,mean"), noise(500), "x")
    assert "epochs" not in plan.parameters
    assert not any("epochs" in note for note in plan.notes)
