"""Faults of the system in the middle of a run: a sentence and exit code 2, nothing half-written, and it resumes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqloom.errors import SeqloomError

from . import WrongResult
from .commands import check_outcome
from .jobs import JOBS, Job, Whole, forked
from .operations import ERRORS, Operations

__all__ = ["SECONDS", "cases", "may_mount", "small_disk"]

SECONDS = 180
ADDRESS_SPACE = None
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Faults in one job, drawn by the seed."""
    draw = random.Random(f"faults {seed}")
    job, drawn = draw.choice([job for job in JOBS if not job.moments]), draw.random() < 0.15
    whole = functools.cache(lambda: _undisturbed(job, drawn))
    for _ in itertools.count():
        number = draw.getrandbits(48)
        kind = draw.choice((*ERRORS, *ERRORS, "short writes", "few files", "small files", "full disk"))
        if kind == "full disk" and os.geteuid():  # only root may mount one
            kind = "small files"
        yield (
            f"{kind}: {job.name} {number}",
            lambda kind=kind, number=number: _meet(whole(), kind, random.Random(number)),
        )


def _undisturbed(job: Job, drawn: bool) -> Whole:
    whole = Whole(job, drawn)
    shutil.rmtree("whole")
    return whole


def _meet(whole: Whole, kind: str, draw: random.Random) -> int:
    """A run that meets a fault; then, without it, its end. Returns 0 where the run was over before the fault."""
    job, met = whole.job, True
    job.write(Path(job.data))
    if kind == "full disk" and may_mount():
        with small_disk(Path("run"), draw.randint(16, 200) << 10) as enlarge:
            outcome = forked(job.command("run/run"), whole.drawn)
            _check(job, outcome)
            enlarge()
            _complete(whole, "run/run")
    else:
        fault = _fault("small files" if kind == "full disk" else kind, draw)
        outcome = forked(job.command("run"), whole.drawn, fault if callable(fault) else fault.install)
        met = callable(fault) or fault.short or fault.met
        _check(job, outcome)
        _complete(whole, "run")
    if outcome.code:
        raise SeqloomError(outcome.err.strip().splitlines()[-1] if outcome.err.strip() else "nothing could be said.")
    return int(met)


def _fault(kind: str, draw: random.Random) -> Operations | Callable[[], None]:
    if kind == "few files":
        return functools.partial(
            resource.setrlimit, resource.RLIMIT_NOFILE, _limit(resource.RLIMIT_NOFILE, draw.randint(4, 40))
        )
    if kind == "small files":
        return functools.partial(_small_files, draw.randint(0, 20_000))
    if kind == "short writes":
        return Operations(short=True)
    number = draw.randint(1, draw.choice((5, 20, 100)))
    return Operations(number, (kind,), draw.choice(ERRORS[kind]), draw.random() < 0.5)


def _small_files(most: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, _limit(resource.RLIMIT_FSIZE, most))


def _limit(what: int, most: int) -> tuple[int, int]:
    return most, resource.getrlimit(what)[1]


def _check(job: Job, outcome: Any) -> None:
    if outcome.code == 2 and not outcome.err.strip():
        return  # stderr itself was what could not be written
    check_outcome(outcome, job.arguments)


def _complete(whole: Whole, folder: str) -> None:
    """Go on to the end, now that there is room, and compare."""
    outcome = forked(whole.job.command(folder), whole.drawn)
    if outcome.code:
        raise WrongResult(f"the resumed run ended with {outcome.code}: {outcome.err[-3_000:]}")
    whole.compare(folder)


@functools.cache
def may_mount() -> bool:
    """Whether this process may mount a small file system; if so it gets mounts of its own, which end with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(_NEW_MOUNTS):
        return False
    private = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    return private.returncode == 0


@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """A file system of `size` bytes at `place`; gives what makes it large. Raises OSError where it can't be."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield lambda: _mount("-o", "remount,size=64m", str(place))
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
        place.rmdir()


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EPERM, done.stderr.strip())
