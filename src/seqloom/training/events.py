"""What `fit` tells its caller while it runs: small frozen objects given to `on_event`, on rank 0 only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqloom.training.history import EpochRow, History

__all__ = ["Done", "EpochDone", "Event", "Notice", "RestoredBest", "Saved", "StepDone", "StoppedEarly", "TrainStart"]


@dataclass(frozen=True)
class TrainStart:
    """Training begins or goes on. `epoch` and `step` are what was done before; both 0 in a fresh run."""

    epochs: int
    steps_per_epoch: int | None  # None where it is known only after the first pass
    parameters: int  # numbers that are trained, tied weights once
    epoch: int
    step: int
    threads: int
    world_size: int
    best_value: float | None = None  # the lowest monitored value so far

    @property
    def resumed(self) -> bool:
        """Whether an earlier process did a part."""
        return self.step > 0


@dataclass(frozen=True)
class Notice:
    """One sentence that a person should read, for example that the thread count differs from the saved run's."""

    text: str


@dataclass(frozen=True)
class StepDone:
    """A step was taken; told at most every 50 ms, so not for every step."""

    epoch: int
    step: int  # over all epochs
    step_in_epoch: int
    steps_per_epoch: int | None
    loss: float
    gradient_norm: float  # before clipping
    learning_rate: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch ended and was validated."""

    row: EpochRow
    seconds: float | None  # None where an earlier process trained a part of it
    best: bool  # the monitor is lower than in every epoch before
    value: float | None = None  # the monitor, lower is better


@dataclass(frozen=True)
class Saved:
    """A checkpoint was taken; it is whole on the disk before the next is taken and before `fit` returns or raises."""

    path: Path  # of its JSON file
    epoch: int
    step: int


@dataclass(frozen=True)
class StoppedEarly:
    """The monitor did not improve for `patience` epochs, or the caller's `stop` said that it is enough."""

    epoch: int
    best_epoch: int
    best_value: float


@dataclass(frozen=True)
class RestoredBest:
    """The module holds the weights of its best epoch again."""

    epoch: int
    value: float


@dataclass(frozen=True)
class Done:
    """Training ended; always the last event of a run that was not stopped or refused."""

    history: History


Event = TrainStart | Notice | StepDone | EpochDone | Saved | StoppedEarly | RestoredBest | Done
