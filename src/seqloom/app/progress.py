"""The progress bar: drawn from the events of a run, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]


class Progress:
    """A context manager and event handler: one line per model, with its epoch, step and validation error."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._model = ""

    def __enter__(self) -> Self:
        if self._enabled:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description:<24}"),
                BarColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Any) -> None:
        """Take an event of a run or of training."""
        if self._bar is None:
            return
        handler = getattr(self, f"_on_{type(event).__name__}", None)
        if handler is not None:
            handler(event)

    def _on_ModelStarted(self, event: Any) -> None:
        self._model = f"{event.name} ({event.index + 1} of {event.total})"
        self._task = self._bar.add_task(self._model, total=None, state="")

    def _on_ModelFinished(self, event: Any) -> None:
        self._bar.update(self._task, total=1, completed=1, state=f"{event.seconds:.1f} s")

    def _on_TrainStart(self, event: Any) -> None:
        total = None if event.steps_per_epoch is None else event.epochs * event.steps_per_epoch
        self._bar.update(self._task, total=total, completed=event.step, state="resumed" if event.resumed else "")

    def _on_StepDone(self, event: Any) -> None:
        self._bar.update(self._task, completed=event.step, state=f"epoch {event.epoch}, loss {event.loss:.4g}")

    def _on_EpochDone(self, event: Any) -> None:
        mae = event.row.valid.get("mae")
        state = (
            f"epoch {event.row.epoch}, validation error {mae:.4g}" if mae is not None else f"epoch {event.row.epoch}"
        )
        self._bar.update(self._task, completed=event.row.step, state=state)

    def _on_Notice(self, event: Any) -> None:
        self._bar.console.print(event.text)
