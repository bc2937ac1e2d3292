"""Learning rates: a pure function of the step, but for the plateau schedule, which keeps a small state."""

from __future__ import annotations

import math
from typing import Any

from seqloom.training.history import finite
from seqloom.training.settings import FitSettings
from seqloom_runtime.errors import SettingError

__all__ = ["Schedule"]


class Schedule:
    """The learning rate of each step: learning_rate · warm-up · schedule.

    >>> rates = Schedule(FitSettings(epochs=1, steps_per_epoch=4, learning_rate=1.0, warmup_steps=2), 4)
    >>> [rates.rate(step, 0) for step in range(4)]
    [0.5, 1.0, 1.0, 1.0]
    """

    def __init__(self, settings: FitSettings, steps_per_epoch: int | None):
        """Raises SettingError where a cosine has no known end."""
        self._settings = settings
        self._total = 0
        if settings.schedule == "cosine":
            if steps_per_epoch is None:
                raise SettingError(
                    'schedule="cosine" needs the number of steps: set steps_per_epoch or give batches with a len().'
                )
            self._total = settings.epochs * steps_per_epoch - settings.warmup_steps
            if self._total < 1 and settings.epochs:
                raise SettingError(
                    f"warmup_steps={settings.warmup_steps} leaves none of the {settings.epochs * steps_per_epoch} "
                    "steps for the cosine."
                )
        self._factor, self._lowest, self._waited = 1.0, math.inf, 0

    def rate(self, step: int, epoch: int) -> float:
        """The rate of step `step` (from 0, over all epochs) in epoch `epoch` (from 0)."""
        chosen = self._settings
        rate = chosen.learning_rate
        if step < chosen.warmup_steps:
            # step + 1: a first step with rate 0 would be wasted, and Adam's moments would start from it.
            rate *= (step + 1) / chosen.warmup_steps
        if chosen.schedule == "cosine":
            done = max(step - chosen.warmup_steps, 0) / self._total
            # Loshchilov & Hutter 2017, eq. 5, without restarts and down to 0.
            return rate * 0.5 * (1 + math.cos(math.pi * done))
        if chosen.schedule == "step":
            return rate * chosen.schedule_factor ** (epoch // chosen.schedule_every)
        return rate * self._factor

    def epoch_done(self, value: float) -> None:
        """Tell the plateau schedule the monitor's value after an epoch."""
        if self._settings.schedule != "plateau":
            return
        if value < self._lowest - self._settings.min_delta:
            self._lowest, self._waited = value, 0
            return
        self._waited += 1
        if self._waited >= self._settings.schedule_every:
            self._factor *= self._settings.schedule_factor
            self._waited = 0

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON values."""
        # JSON has no infinity; float() reads the text back.
        lowest = self._lowest if math.isfinite(self._lowest) else str(self._lowest)
        return {"factor": self._factor, "lowest": lowest, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self._factor, self._lowest, self._waited = finite(state["factor"]), float(state["lowest"]), int(state["waited"])
