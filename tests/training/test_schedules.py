"""Learning rates against torch's own schedulers."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch

from seqloom.errors import SettingError
from seqloom.training import FitSettings
from seqloom.training.schedules import Schedule


def torch_optimizer(rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def test_cosine_is_torchs_cosine() -> None:
    optimizer = torch_optimizer(0.3)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
    schedule = Schedule(FitSettings(epochs=3, learning_rate=0.3, schedule="cosine"), 4)
    for step in range(12):
        assert schedule.rate(step, step // 4) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        oracle.step()


def test_warmup_then_cosine_over_the_rest() -> None:
    schedule = Schedule(FitSettings(epochs=2, learning_rate=0.5, schedule="cosine", warmup_steps=4), 7)
    rates = [schedule.rate(step, step // 7) for step in range(14)]
    assert rates[:4] == [0.125, 0.25, 0.375, 0.5]
    assert rates[4] == 0.5
    assert rates[9] == pytest.approx(0.25)  # half of the ten steps left
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[4:]))
    assert rates[-1] > 0


def test_step_is_torchs_step() -> None:
    optimizer = torch_optimizer(0.3)
    oracle = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.4)
    settings = FitSettings(epochs=10, learning_rate=0.3, schedule="step", schedule_factor=0.4, schedule_every=3)
    schedule = Schedule(settings, None)
    for epoch in range(10):
        assert schedule.rate(5 * epoch, epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        oracle.step()


@pytest.mark.parametrize("min_delta", [0.0, 0.15])
def test_plateau_is_torchs_plateau(min_delta: float) -> None:
    values = [3.0, 2.0, 2.1, 2.2, 2.3, 1.9, 1.95, 1.8, 1.9, 1.9, 1.9, 1.9, 1.7, 1.7, 1.7, 1.7]
    optimizer = torch_optimizer(0.3)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, threshold=min_delta, threshold_mode="abs", eps=0
    )
    settings = FitSettings(learning_rate=0.3, schedule="plateau", schedule_every=3, min_delta=min_delta)
    schedule = Schedule(settings, None)
    seen = set()
    for epoch, value in enumerate(values):
        schedule.epoch_done(value)
        oracle.step(value)
        again = Schedule(settings, None)
        again.restore(json.loads(json.dumps(schedule.state(), allow_nan=False)))
        schedule = again
        seen.add(schedule.rate(epoch, epoch))
        assert schedule.rate(epoch, epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("options", "steps", "words"),
    [
        ({}, None, "needs the number of steps: set steps_per_epoch"),
        ({"epochs": 2, "warmup_steps": 10}, 5, "warmup_steps=10 leaves none of the 10 steps"),
    ],
)
def test_cosine_without_an_end_is_refused(options: dict[str, Any], steps: int | None, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Schedule(FitSettings(schedule="cosine", **options), steps)
