"""Where a fit keeps its checkpoints, whether it goes on from them, and who is told of its progress."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..training import EpochRow, History, fit

__all__ = ["Checkpointing"]


@dataclass(frozen=True)
class Checkpointing:
    """Where checkpoints go (nowhere without a directory), whether to go on from them, who is told, who ends it."""

    directory: Path | None = None
    resume: bool = False
    on_event: Callable[[Any], None] | None = None
    stop: Callable[[EpochRow], bool] | None = None

    @classmethod
    def make(
        cls,
        directory: str | os.PathLike[str] | None,
        resume: bool,
        on_event: Callable[[Any], None] | None,
        stop: Callable[[EpochRow], bool] | None = None,
    ) -> Checkpointing:
        """From the arguments of an estimator's `fit`."""
        return cls(None if directory is None else Path(directory), resume, on_event, stop)

    def below(self, name: str) -> Checkpointing:
        """The same, in a folder below."""
        return replace(self, directory=None if self.directory is None else self.directory / name)

    def train(self, network: nn.Module, batches: Any, loss: Callable[[Any, Any], Tensor], **settings: Any) -> History:
        """`seqloom.training.fit` here: its other arguments are those of that function."""
        where: dict[str, Any] = {"directory": self.directory, "resume": self.resume, "on_event": self.on_event}
        if self.stop is not None:
            where["stop"] = self.stop
        return fit(network, batches, loss, **settings, **where)
