"""One trial, done by a worker: a model fitted with some parameters up to a rung or to its end, and what it is worth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SeqloomError

from ..tasks.checkpointing import Checkpointing
from ..tasks.comparison import Evaluation, Task

__all__ = ["Shared", "made_for", "run_trial", "value_of"]


@dataclass(frozen=True, eq=False)
class Shared:
    """What every trial of a search reads."""

    task: Task
    estimators: Mapping[str, Any]
    parts: Mapping[str, tuple[Any, ...]]


class _Paused(BaseException):
    """The rung is reached: the training ends here, behind its checkpoint, and may go on from it."""


@dataclass(eq=False)
class _Watch:
    """Follows the events of a training, and ends it behind the epoch that the rung ends with."""

    share: float | None
    tell: Callable[[Any], None]
    value: float | None = None
    epochs: int = 0
    steps: int = 0
    until: int | None = None
    notices: list[str] = field(default_factory=list)
    over: bool = False

    def __call__(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "TrainStart":
            # Of several trainings of one fit each is paused at the same share of its epochs.
            self.over = False
            self.epochs, self.steps = event.epoch, event.step
            if event.best_value is not None:
                self.value = float(event.best_value)
            self.until = None if self.share is None else max(1, math.ceil(self.share * event.epochs))
            if self.until is not None and self.until >= event.epochs:
                self.until = None
            if self.until is not None and event.epoch >= self.until:
                self.until = event.epoch  # it was paused here already
                raise _Paused
        elif kind == "EpochDone":
            self.epochs, self.steps = event.row.epoch, event.row.step
            if event.value is not None and (event.best or self.value is None):
                self.value = float(event.value)
            self.tell({"epoch": self.epochs, "value": self.value})
        elif kind == "StoppedEarly":
            self.over = True
        elif kind == "Saved" and self.until is not None and event.epoch >= self.until and not self.over:
            raise _Paused


def made_for(shared: Shared, model: str, parameters: Mapping[str, Any], seed: int) -> Any:
    """A fresh estimator of a model with the parameters of a trial."""
    base = shared.estimators[model]
    return type(base)(**{**base.get_params(), **parameters, "seed": seed})


def value_of(evaluation: Evaluation) -> float:
    """What a search lowers: the rank, or the first score, with its sign turned where more is better."""
    if evaluation.rank is not None:
        return float(evaluation.rank)
    score = float(evaluation.scores[evaluation.first])
    return score if evaluation.first in (evaluation.lower_is_better or ()) else -score


def _score_of(evaluation: Evaluation) -> dict[str, Any]:
    """What the value is: its name, "" for a rank, and whether it is the score or the score with its sign turned."""
    if evaluation.rank is not None:
        return {"name": "", "lower_is_better": True}
    return {"name": evaluation.first, "lower_is_better": evaluation.first in (evaluation.lower_is_better or ())}


def run_trial(shared: Shared, job: Mapping[str, Any], tell: Callable[[Any], None]) -> dict[str, Any]:
    """Fit and evaluate on the validation part; `job`: model, parameters, seed, share of the epochs or None, directory.

    Returns {state: "paused", value, epochs, steps, seconds}, the same with state "done" and the scores of the
    validation part, or {state: "failed", text, seconds}: a trial that fails is a row, not the end of a search.
    """
    began = time.perf_counter()
    watch = _Watch(job["share"], tell)
    directory = None if job["directory"] is None else Path(job["directory"])
    found: dict[str, Any]
    try:
        estimator = made_for(shared, job["model"], job["parameters"], job["seed"])
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        shared.task.fit(estimator, shared.parts, Checkpointing(directory, directory is not None, watch))
        evaluation = shared.task.evaluate(estimator, "valid", shared.parts["valid"])
        value = value_of(evaluation)
        found = {
            "state": "done",
            "value": value if math.isfinite(value) else None,
            "rung": watch.value,
            "score": _score_of(evaluation),
            "scores": {name: float(score) for name, score in evaluation.scores.items()},
            "size": int(estimator.n_parameters_),
        }
        if found["value"] is None:
            found |= {"state": "failed", "text": "no validation window could be forecast."}
    except _Paused:
        found = {"state": "paused", "rung": watch.value}
    except SeqloomError as error:
        found = {"state": "failed", "text": str(error)}
    except (MemoryError, RuntimeError) as error:  # what torch raises where memory or a shape doesn't do
        found = {"state": "failed", "text": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    seconds = round(time.perf_counter() - began, 3)
    return {**found, "epochs": watch.epochs, "steps": watch.steps, "seconds": seconds}
