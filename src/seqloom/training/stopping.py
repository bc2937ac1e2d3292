"""Which epoch is the best so far, and when to stop waiting for a better one."""

from __future__ import annotations

import math
from typing import Any

from seqloom.training.settings import FitSettings

__all__ = ["Monitor"]


class Monitor:
    """Follows the monitored value, lower is better.

    The best epoch is the one with the lowest value, the first of equals. Patience counts epochs since the value last
    fell by more than `min_delta` below the value that reset the count; of a smoothed monitor the smoothed value, which
    begins with the first one.

    >>> watch = Monitor(FitSettings(patience=2))
    >>> [watch.update(epoch, value) for epoch, value in enumerate([3.0, 1.0, 2.0, 1.0], start=1)]
    [True, True, False, False]
    >>> watch.best_epoch, watch.stop
    (2, True)
    """

    def __init__(self, settings: FitSettings):
        """Start before the first epoch."""
        self._patience, self._least = settings.patience, settings.min_delta
        self.best_epoch: int | None = None
        self.best_value = math.inf
        self._reference, self._waited = math.inf, 0
        self._smoothing, self._smoothed = settings.smooth_monitor, math.inf

    def update(self, epoch: int, value: float) -> bool:
        """Note the value of an epoch; returns whether it is the best so far."""
        # Two references: many small gains count as progress together, and the best weights are still those of the
        # lowest value.
        first = self.best_epoch is None
        watched = self._smooth(value)
        if watched < self._reference - self._least or first:
            self._reference, self._waited = watched, 0
        else:
            self._waited += 1
        best = value < self.best_value or first
        if best:
            self.best_epoch, self.best_value = epoch, value
        return best

    def _smooth(self, value: float) -> float:
        """What patience looks at; smoothing begins with the first finite value, as an infinite one would never go."""
        if not self._smoothing:
            return value
        known = math.isfinite(self._smoothed)
        self._smoothed = self._smoothing * self._smoothed + (1 - self._smoothing) * value if known else value
        return self._smoothed

    @property
    def stop(self) -> bool:
        """Whether patience has run out."""
        return self._patience is not None and self._waited >= self._patience

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as JSON values."""
        values = {"best_value": self.best_value, "reference": self._reference}
        if self._smoothing:
            values["smoothed"] = self._smoothed
        exact = {name: value if math.isfinite(value) else str(value) for name, value in values.items()}
        return {"best_epoch": self.best_epoch, **exact, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        epoch = state["best_epoch"]
        self.best_epoch = None if epoch is None else int(epoch)
        self.best_value, self._reference = float(state["best_value"]), float(state["reference"])
        self._waited = int(state["waited"])
        self._smoothed = float(state["smoothed"]) if self._smoothing else math.inf
