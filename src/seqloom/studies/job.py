"""One row for one seed while it runs: where its checkpoints go, its clock, its time limit, and training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seqloom_runtime.errors import FormatError
from seqloom_runtime.files import read_json, write_json

from ..training import EpochDone, EpochRow, FitSettings, History, Saved, derive_seed, fit
from .study import Row, StudySettings

__all__ = ["Clock", "Job"]


class Clock:
    """Seconds of work over all processes that did a part, and of each epoch that one process did whole.

    With a path both are kept in a small file after every checkpoint; what a killed process did after its last
    checkpoint is done again and counted once.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._earlier = 0.0
        self.epochs: list[float] = []
        self._began = time.perf_counter()
        if path is not None and path.is_file():
            value = read_json(path)
            try:
                # Files of an earlier process may be damaged; anything that is no number ends in the sentence below.
                self._earlier = float(value.get("seconds") or 0.0)
                self.epochs = [float(seconds) for seconds in value["epochs"]]
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
                raise FormatError(
                    f"{path}: expected the clock of a row; the file is damaged, start in another folder."
                ) from None

    @property
    def seconds(self) -> float:
        """So far, earlier processes included."""
        return self._earlier + time.perf_counter() - self._began

    def take(self, event: Any) -> None:
        """Note an event of training."""
        if isinstance(event, EpochDone) and event.seconds is not None:
            # An event without seconds is of an epoch that two processes shared; its time would be wrong.
            self.epochs.append(round(event.seconds, 4))
        # Written with the checkpoint it belongs to: steps that a kill undoes must not be counted.
        if isinstance(event, Saved) and self._path is not None:
            write_json(self._path, {"seconds": round(self.seconds, 3), "epochs": self.epochs})


@dataclass(frozen=True, eq=False)
class Job:
    """One row for one seed. `directory`: where its checkpoints go, or None where nothing is kept."""

    row: Row
    seed: int
    settings: StudySettings
    directory: Path | None = None
    resume: bool = False
    tell: Callable[[Any], None] = field(default=lambda event: None)
    clock: Clock = field(default_factory=Clock)

    def on_event(self, event: Any) -> None:
        """Take an event of training: for the clock, then for whoever watches."""
        self.clock.take(event)
        self.tell(event)

    def derived_seed(self, *names: str) -> int:
        """A seed of this row for one user of random numbers."""
        return derive_seed(self.seed, self.row.name, *names)

    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        limit = self.settings.time_limit
        return limit is not None and self.clock.seconds > 60 * limit

    def checkpoints(self, *, kept: bool = True) -> dict[str, Any]:
        """The arguments of an estimator's `fit` with which it can be resumed where the study is; `kept` is False for
        one that is fitted at once."""
        place = self.directory if kept else None
        return {"directory": place, "resume": self.resume and place is not None, "on_event": self.on_event}

    def train(
        self,
        module: nn.Module,
        batches: Any,
        loss: Callable[[Any, Any], Tensor],
        settings: FitSettings,
        validate: Callable[[Any], Mapping[str, float]],
        *,
        penalty: Callable[[Any], Tensor] | None = None,
        signature: Mapping[str, Any] | None = None,
        goal: float | None = None,
    ) -> History:
        """`seqloom.training.fit`, resumable where the study is, until the time is up or the monitor reaches `goal`."""

        def stop(row: EpochRow) -> bool:
            reached = goal is not None and row.valid[settings.monitor] <= goal
            return reached or self.out_of_time()

        return fit(
            module,
            batches,
            loss,
            settings=settings,
            validate=validate,
            penalty=penalty,
            **self.checkpoints(),
            # So that the checkpoint of one row is not taken for that of another, moved into its folder.
            signature={"row": self.row.name, **(signature or {})},
            stop=stop,
        )
