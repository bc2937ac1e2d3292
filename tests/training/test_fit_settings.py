"""FitSettings: every wrong value is refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from seqloom.errors import SettingError
from seqloom.training import FitSettings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", -1, "epochs: expected a whole number of at least 0, got -1"),
        ("epochs", 2.0, "epochs: expected a whole number of at least 0, got 2.0"),
        ("epochs", True, "epochs: expected a whole number of at least 0, got True"),
        ("steps_per_epoch", 0, "steps_per_epoch: expected a whole number of at least 1, got 0"),
        ("patience", 0, "patience: expected a whole number of at least 1, got 0"),
        ("checkpoint_every", 0, "checkpoint_every: expected a whole number of at least 1, got 0"),
        ("schedule_every", 0, "schedule_every: expected a whole number of at least 1, got 0"),
        ("warmup_steps", -3, "warmup_steps: expected a whole number of at least 0, got -3"),
        ("seed", 2**63, "seed: expected a number below"),
        ("optimizer", "Adan", "Did you mean 'adam'"),
        ("optimizer", 3, "optimizer: expected one of adam, adamw, rmsprop, sgd, nt-asgd, got 3"),
        ("schedule", "cos", "schedule: expected one of constant, cosine, step, plateau, got 'cos'"),
        ("learning_rate", 0.0, "learning_rate: expected a finite number above 0, got 0.0"),
        ("learning_rate", math.nan, "learning_rate: expected a finite number above 0, got nan"),
        ("learning_rate", "0.1", "learning_rate: expected a finite number above 0, got '0.1'"),
        ("weight_decay", -1.0, "weight_decay: expected a finite number of at least 0, got -1.0"),
        ("min_delta", math.inf, "min_delta: expected a finite number of at least 0, got inf"),
        ("learning_rate", 10**400, "learning_rate: expected a finite number above 0 and up to 1e+30, got 1000"),
        ("clip_norm", 0, "clip_norm: expected a finite number above 0, got 0"),
        ("clip_value", -1, "clip_value: expected a finite number above 0, got -1"),
        ("momentum", 0.9, "momentum: expected 0, as adam has its own, got 0.9; only rmsprop and sgd take it"),
        ("schedule_factor", 1.5, "schedule_factor: expected a number of at most 1, got 1.5"),
        ("monitor", "", "monitor: expected the name of a metric"),
        ("keep_best", 1, "keep_best: expected True or False, got 1"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: Any, words: str) -> None:
    with pytest.raises(SettingError) as caught:
        FitSettings(**{name: value})
    assert words in str(caught.value)


def test_momentum_below_one() -> None:
    assert FitSettings(optimizer="sgd", momentum=0.9).momentum == 0.9
    with pytest.raises(SettingError, match=r"momentum: expected a number below 1, got 1\.0"):
        FitSettings(optimizer="sgd", momentum=1.0)


def test_to_json_gives_every_field() -> None:
    settings = FitSettings(epochs=3, clip_norm=1.0)
    assert FitSettings(**settings.to_json()) == settings
