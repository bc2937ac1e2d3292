"""How long, in what batches and at what rate a network is trained where nothing is said: by the size of the table.

In steps rather than epochs: a table with one batch an epoch needs as many steps as one with a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["BUDGET", "usual_training"]

BUDGET = ("epochs", "steps_per_epoch", "batch_size", "learning_rate", "schedule", "warmup_steps", "patience")
"""The parameters that belong together: those not given are chosen where `epochs` is not."""

_AS_BEFORE = {"batch_size": 128, "learning_rate": 1e-3, "schedule": "constant", "warmup_steps": 0}
_FEWEST_STEPS, _MOST_STEPS, _PASSES = 1500, 6000, 20
_SMALL = 2048  # windows


def usual_training(given: Mapping[str, Any], windows: int) -> dict[str, Any]:
    """The parameters of `BUDGET` for so many training windows, those of `given` that are not None as they are.

    Without `epochs`: batches of 16 to 128; 20 passes, at least 1,500 steps and at most 6,000, looked at on the
    validation rows 10 to 40 times; a rate that rises over a twentieth of the steps and falls along a cosine; and an end
    where a third of the looks brought nothing. With `epochs`, one pass each in batches of 128 at a constant 0.001.

    >>> usual_training({}, 110)["batch_size"], usual_training({"epochs": 5}, 110)["batch_size"]
    (16, 128)
    """
    kept = {name: value for name, value in given.items() if name in BUDGET and value is not None}
    if "epochs" in kept:
        return {"steps_per_epoch": None, "patience": None, **_AS_BEFORE, **kept}
    batch = int(kept.get("batch_size") or (128 if windows >= _SMALL else _power_below(windows / 16)))
    each = max(1, -(-windows // batch))
    steps = min(max(_PASSES * each, _FEWEST_STEPS), _MOST_STEPS)
    looks = int(kept.get("steps_per_epoch") or min(max(each, steps // 40), steps // 10))
    epochs = -(-steps // looks)
    return {
        "epochs": epochs,
        "steps_per_epoch": looks,
        "batch_size": batch,
        "learning_rate": 2e-3 if windows >= _SMALL else 4e-3,
        "schedule": "cosine",
        "warmup_steps": epochs * looks // 20,
        "patience": max(5, -(-epochs // 3)),
        **kept,
    }


def _power_below(number: float) -> int:
    """The power of two below `number`, at least 16 and at most 128."""
    power = 16
    while power * 2 <= min(number, 128):
        power *= 2
    return power
