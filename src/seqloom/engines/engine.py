"""What an engine is: jobs in, results in the same order out, whoever does them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seqloom_runtime import errors
from seqloom_runtime.errors import SeqloomError, TrainingError

__all__ = [
    "ATTEMPTS",
    "ENGINES",
    "Engine",
    "Failed",
    "Tell",
    "Work",
    "failure",
    "outcome",
    "processors",
]

ENGINES = ("local", "ray")
"""Names of the engines: worker processes of this machine, and a cluster of Ray."""

ATTEMPTS = 3
"""How often a job is begun whose worker dies: memory may be free the next time, and a job that ends every worker must
not end the machine."""

Tell = Callable[[Any], None]
Work = Callable[[Any, Any, Tell], Any]
"""`work(shared, job, tell)`: does a job in a worker, with one thread, and returns what `packing.pack` can carry. It is
a function of a module, so that a cluster finds it by name; `tell` passes such a value on while it works."""


@dataclass(frozen=True)
class Failed:
    """What stands in place of a result: the job raised an exception, or its workers died."""

    kind: str  # the exception's class, "" where workers died
    text: str
    number: int | None = None  # what the system refused, such as a write to a full disk: its number
    file: str | None = None

    @property
    def of_the_system(self) -> bool:
        """Whether the machine refused something, so that other jobs would fail as well."""
        return self.number is not None

    def error(self) -> SeqloomError | OSError:
        """The exception to raise for it."""
        if self.number is not None:
            return OSError(self.number, os.strerror(self.number), self.file)
        known = getattr(errors, self.kind, None)
        if isinstance(known, type) and issubclass(known, SeqloomError):
            return known(self.text)
        return TrainingError(f"A worker failed: {self.text}" if not self.kind else f"{self.kind}: {self.text}")


class Engine(Protocol):
    """Does jobs. The results don't depend on the engine or on its number of workers: each job has one thread."""

    workers: int
    shares_folders: bool
    """Whether workers see the folders of this process."""

    def run(
        self,
        work: Work,
        shared: Any,
        jobs: Sequence[Any],
        *,
        on_result: Callable[[int, Any], None] | None = None,
        on_told: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
        """The results of `work(shared, job, tell)` for each job, in the order of the jobs; a `Failed` where it failed.

        `shared` is what all jobs read. `on_result(index, result)` is called as soon as a job is done, in any order;
        `on_told(index, value)` with what a job tells. Ctrl-C ends the workers and passes.
        """
        ...

    def close(self) -> None:
        """Let go of what the engine holds."""
        ...


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def outcome(work: Work, shared: Any, job: Any, tell: Tell) -> dict[str, Any]:
    """A job done, as a worker sends it: its result, or the exception that it raised."""
    from .threads import one_thread

    with one_thread():
        try:
            return {"result": work(shared, job, tell)}
        except Exception as error:  # noqa: BLE001 - whatever a job raises is one job's, which its caller looks at
            found: dict[str, Any] = {
                "failed": type(error).__name__,
                "text": str(error).strip() or type(error).__name__,
            }
            # Memory is short for one job alone; a full disk or a file that may not be written is so for all.
            if isinstance(error, OSError) and error.errno not in (None, errno.ENOMEM):
                file = error.filename
                found |= {"number": error.errno, "file": os.fsdecode(file) if isinstance(file, (str, bytes)) else None}
            return found


def failure(found: dict[str, Any]) -> Failed:
    """What `outcome` told of a job that failed."""
    return Failed(found["failed"], found["text"], found.get("number"), found.get("file"))
