"""Runs that are killed, at a file operation or at a moment, and resumed: the same bytes as without."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import WrongResult
from .jobs import JOBS, Whole, forked, start
from .operations import KINDS, Operations

__all__ = ["SECONDS", "cases"]

SECONDS = 180  # of a case, which is up to three runs, on a machine that does other things too
ADDRESS_SPACE = None


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Kills of one job, drawn by the seed: the stream of another seed takes another."""
    draw = random.Random(f"kills {seed}")
    stream = _Stream(draw.choice(JOBS).name, draw.random() < 0.15)
    for _ in itertools.count():
        number = draw.getrandbits(48)
        yield f"{stream.name}: {number}{', drawn' if stream.drawn else ''}", lambda number=number: stream.kill(number)


class _Stream:
    """A job and what an undisturbed run of it leaves, made when the first case runs."""

    def __init__(self, name: str, drawn: bool) -> None:
        self.name, self.drawn = name, drawn
        self._job = next(job for job in JOBS if job.name == name)
        self._whole: Whole | None = None
        self._operations = 0

    def kill(self, number: int) -> int:
        """Kill a run once or several times, resume it, compare; returns the number of kills that hit."""
        whole = self._undisturbed()
        draw = random.Random(number)
        self._job.write(Path(self._job.data))
        hits = 0
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            if draw.random() < 0.7 and not self._job.moments:
                hits += self._at_operation(draw)
            else:
                hits += self._at_moment(draw.uniform(0, whole.seconds))
        outcome = forked(self._job.command("run"), self.drawn)
        if outcome.code:
            raise WrongResult(f"the resumed run ended with {outcome.code}: {outcome.err[-3_000:]}")
        whole.compare("run")
        return hits

    def _undisturbed(self) -> Whole:
        if self._whole is None:
            counted = Path("operations.txt")
            self._whole = Whole(self._job, self.drawn, lambda: _count_into(counted))
            self._operations = int(counted.read_text("ascii"))
            shutil.rmtree("whole")
        return self._whole

    def _at_operation(self, draw: random.Random) -> bool:
        kinds = draw.choice((KINDS, KINDS, ("write",), ("replace",), ("fsync",), ("unlink", "mkdir", "truncate")))
        most = self._operations if kinds is KINDS else max(1, self._operations // (40 if "mkdir" in kinds else 4))
        hook = Operations(draw.randint(1, most), kinds, done=draw.random() < 0.5)
        outcome = forked(self._job.command("run"), self.drawn, hook.install)
        if outcome.code not in (0, -signal.SIGKILL):
            raise WrongResult(f"the run ended with {outcome.code}: {outcome.err[-3_000:]}")
        return outcome.code != 0

    def _at_moment(self, seconds: float) -> bool:
        child = start(self._job.command("run"), self.drawn)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _count_into(path: Path) -> None:
    """Count the operations of this process, and write down how many there were when it ends well."""
    hook = Operations()
    hook.install()
    leave = os._exit

    def ended(code: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, str(hook.count).encode())
        leave(code)

    os._exit = ended  # type: ignore[assignment]
