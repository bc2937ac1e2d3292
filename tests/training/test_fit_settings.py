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
        ("epochs", -1, "epochs must be a whole number, 0 or more, not -1"),
        ("epochs", 2.0, "epochs must be a whole number, 0 or more, not 2.0"),
        ("epochs", True, "epochs must be a whole number, 0 or more, not True"),
        ("steps_per_epoch", 0, "steps_per_epoch must be a whole number, 1 or more, not 0"),
        ("patience", 0, "patience must be a whole number, 1 or more, not 0"),
        ("checkpoint_every", 0, "checkpoint_every must be a whole number, 1 or more, not 0"),
        ("schedule_every", 0, "schedule_every must be a whole number, 1 or more, not 0"),
        ("warmup_steps", -3, "warmup_steps must be a whole number, 0 or more, not -3"),
        ("seed", 2**63, "seed must be below"),
        ("optimizer", "Adan", "Did you mean 'adam'"),
        ("optimizer", 3, "optimizer must be one of adam, adamw, rmsprop, sgd, not 3"),
        ("schedule", "cos", "schedule must be one of constant, cosine, step, plateau, not 'cos'"),
        ("learning_rate", 0.0, "learning_rate must be a finite number above 0, not 0.0"),
        ("learning_rate", math.nan, "learning_rate must be a finite number above 0, not nan"),
        ("learning_rate", "0.1", "learning_rate must be a finite number above 0, not '0.1'"),
        ("weight_decay", -1.0, "weight_decay must be a finite number not below 0, not -1.0"),
        ("min_delta", math.inf, "min_delta must be a finite number not below 0, not inf"),
        ("learning_rate", 10**400, "learning_rate must be a finite number above 0 and up to 1e+30, not 1000"),
        ("clip_norm", 0, "clip_norm must be a finite number above 0, not 0"),
        ("clip_value", -1, "clip_value must be a finite number above 0, not -1"),
        ("momentum", 0.9, "momentum belongs to rmsprop and sgd; adam has its own"),
        ("schedule_factor", 1.5, "schedule_factor must be at most 1, not 1.5"),
        ("monitor", "", "monitor must be the name of a metric"),
        ("keep_best", 1, "keep_best must be True or False, not 1"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: Any, words: str) -> None:
    with pytest.raises(SettingError) as caught:
        FitSettings(**{name: value})
    assert words in str(caught.value)


def test_momentum_below_one() -> None:
    assert FitSettings(optimizer="sgd", momentum=0.9).momentum == 0.9
    with pytest.raises(SettingError, match=r"momentum must be below 1, not 1\.0"):
        FitSettings(optimizer="sgd", momentum=1.0)


def test_to_json_gives_every_field() -> None:
    settings = FitSettings(epochs=3, clip_norm=1.0)
    assert FitSettings(**settings.to_json()) == settings
