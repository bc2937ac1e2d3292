"""The progress bar: drawn from the events of a run, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from seqloom_runtime.errors import brief, printable

from .streams import tell

__all__ = ["Progress"]


class Progress:
    """A context manager and event handler: one line per model, with its epoch and its error.

    `bar` asks for the bar, which needs a terminal; `notices` for the sentences that training tells, on stderr, and
    `before` for those ahead of its first event: what is refused before that is one sentence.
    """

    def __init__(self, *, bar: bool, notices: bool, before: Sequence[str] = ()) -> None:
        self._wanted = bar and sys.stderr.isatty()
        self._notices = notices
        self._before = list(before) if notices else []
        self._bar: Any = None
        self._task: Any = None
        self._fits: dict[str, Any] = {}  # model → its line, of models that workers fit

    def __enter__(self) -> Self:
        if self._wanted:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                # A model or column may be called "[red]".
                TextColumn("{task.description:<18}", markup=False),
                BarColumn(bar_width=16),
                TextColumn("{task.fields[state]}", markup=False),
                TimeElapsedColumn(),
                # Standard output belongs to the result, which may go into a pipe.
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with self._unheard():
                self._bar.stop()

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """A terminal that went away ends the bar, not the run."""
        try:
            yield
        except (OSError, ValueError):
            self._bar = None

    def __call__(self, event: Any) -> None:
        """Take an event of a run or of training; those that nothing is drawn for are passed over."""
        while self._before:
            self._tell(self._before.pop(0))
        # By name: comparing classes would import what a command may not need.
        name = type(event).__name__
        if name == "Notice" and self._notices:
            self._tell(event.text)
        if name == "RowFinished" and self._notices:
            self._tell(f"{event.index + 1}/{event.total} {event.name}: {event.text}{' (kept)' if event.kept else ''}")
        if name == "TrialFinished" and self._notices and not event.kept:
            self._tell(_trial_told(event))
        handler = getattr(self, f"_on_{name}", None)
        if handler is not None and self._bar is not None:
            with self._unheard():
                handler(event)

    def _tell(self, text: str) -> None:
        text = printable(text)
        if self._bar is None:
            tell(text)
        else:
            with self._unheard():
                self._bar.console.print(text, markup=False, highlight=False)

    def _on_FitsStarted(self, event: Any) -> None:
        for index, name in enumerate(event.names):
            told = f"{name} ({index + 1} of {len(event.names)})"
            self._fits[name] = self._bar.add_task(told, total=None, state="waiting or fitted by a worker")

    def _on_FitProgress(self, event: Any) -> None:
        value = "" if event.value is None else f", validation {event.value:.4g}"
        state = f"epoch {event.epoch}{value}"
        self._bar.update(self._fits[event.name], total=event.epochs, completed=event.epoch, state=state)

    def _on_FitFinished(self, event: Any) -> None:
        state = "failed" if event.failed else f"fitted in {event.seconds:.1f} s"
        self._bar.update(self._fits[event.name], total=1, completed=1, state=state)

    def _on_ModelStarted(self, event: Any) -> None:
        if event.name in self._fits:  # it has a line, and is only scored now
            self._task = self._fits[event.name]
            return
        name = f"{event.name} ({event.index + 1} of {event.total})"
        self._task = self._bar.add_task(name, total=None, state="")

    _on_RowStarted = _on_ModelStarted

    def _on_RowFinished(self, event: Any) -> None:
        if not event.kept:
            self._bar.update(self._task, visible=False)

    def _on_ModelFinished(self, event: Any) -> None:
        state = next(task.fields["state"] for task in self._bar.tasks if task.id == self._task) or "done"
        self._bar.update(self._task, total=1, completed=1, state=state)

    def _on_TrainStart(self, event: Any) -> None:
        total = None if event.steps_per_epoch is None else event.epochs * event.steps_per_epoch
        self._bar.update(self._task, total=total, completed=event.step, state="resumed" if event.resumed else "")

    def _on_StepDone(self, event: Any) -> None:
        self._bar.update(self._task, completed=event.step)

    def _on_CutoffDone(self, event: Any) -> None:
        self._bar.update(self._task, total=event.total, completed=event.done)

    def _on_SeriesForecast(self, event: Any) -> None:
        self._task = self._bar.add_task("series", total=event.total, state="") if self._task is None else self._task
        self._bar.update(self._task, total=event.total, completed=event.done)

    def _on_EpochDone(self, event: Any) -> None:
        found = event.row.valid
        state = f"epoch {event.row.epoch}"
        if "mae" in found:
            state += f", validation MAE {found['mae']:.4g}"
        elif found:
            state += "".join(f", {name} {value:.4g}" for name, value in list(found.items())[:2])
        self._bar.update(self._task, completed=event.row.step, state=state)


def _trial_told(event: Any) -> str:
    """A trial that ended, counted from 1, with the name and the direction of its score and where it is measured.

    A trial that was stopped has no score: what it was stopped by is another measure, which would not compare.
    """
    name = f"{event.score} on validation"
    if event.value is not None:
        said = f"{name} {event.value:.5g}"
    elif event.state == "pruned":
        said = "stopped early" + ("" if event.epochs is None else f" after epoch {event.epochs}")
    else:
        said = f"failed ({brief(event.failed, 200)})" if event.failed else "failed"
    if event.best is not None:
        of = "" if event.value is not None else f"{name} "
        which = "" if event.leader is None else f" (trial {event.leader + 1})"
        direction = "lower" if event.lower_is_better else "higher"
        said += f", best so far {of}{event.best:.5g}{which}, {direction} is better"
    return f"trial {event.number + 1} of {event.total}: {said}"
