"""A training command under torchrun: one run by several processes, of which rank 0 alone writes and speaks.

Every process reads the same data and takes the same decisions; what a training step needs of the others travels in
`seqloom.training.distributed`. The others keep their side of the run in a folder of their own that goes with them.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from seqloom_runtime.errors import SeqloomError, TrainingError

from .faults import Stopped

__all__ = ["Lost", "Place", "alone", "lost", "restarted", "told_by_rank_0", "training_together"]

_PATIENCE = timedelta(hours=12)  # that a rank waits for another, whose models may take so long by themselves
_SPOKEN = "seqloom/lost"


class Lost(TrainingError):
    """Another process of the training is gone; "" where another one has told it."""


@dataclass(frozen=True)
class Place:
    """Where this process keeps the run: a folder to begin in, or one to go on with; `speaks`: it writes and tells."""

    out: Path | None
    resume: Path | None
    speaks: bool = True


def alone() -> bool:
    """Whether no torchrun started this process beside others."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def restarted(out: Path | None) -> bool:
    """Whether torchrun started this process again after one was lost, with a run in `out` to go on with."""
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return again not in ("", "0") and not alone() and out is not None and (out / "run.json").is_file()


@contextlib.contextmanager
def training_together(command: str, out: Path | None, resume: Path | None) -> Iterator[Place]:
    """The place of this process, while all of torchrun's are joined; of one process alone that which was asked for.

    Raises TrainingError where another process is lost, or where this one is told to end.
    """
    if alone():
        yield Place(out, resume)
        return
    from ..training.distributed import join_world

    with contextlib.ExitStack() as stack:
        stack.enter_context(_told_to_end(command, resume or out))
        try:
            world = stack.enter_context(join_world(_PATIENCE))
            yield _place(world, stack, out, resume)
        except RuntimeError as fault:
            if not lost(fault):
                raise
            raise Lost(_sentence(command, resume or out)) from None


def _place(world: Any, stack: contextlib.ExitStack, out: Path | None, resume: Path | None) -> Place:
    """The folder of rank 0, or one that goes with this process and holds what rank 0 goes on with."""
    if world.rank and (out or resume):
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqloom-rank-"))) / "run"
        if resume is not None:
            shutil.copytree(resume, own, ignore=shutil.ignore_patterns(".lock"))
            resume = own
        else:
            out = own
    # Rank 0 must not write what another one still copies.
    world.agree(0, "whether they go on")
    return Place(out, resume, speaks=world.rank == 0)


def lost(fault: BaseException) -> bool:
    """Whether gloo tells that another process is gone."""
    text = str(fault)
    return "gloo" in text or "Connection closed by peer" in text or "Connection reset by peer" in text


@contextlib.contextmanager
def _told_to_end(command: str, folder: Path | None) -> Iterator[None]:
    """torchrun ends the processes that are left when one is lost: that becomes a sentence here, not a silent death."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it comes more than once, and must not cut the sentence short
        raise Lost(_sentence(command, folder))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(command: str, folder: Path | None) -> str:
    """What happened and how to go on; "" where another process has said it."""
    if not _first_to_speak():
        return ""
    text = "A process of this training was lost or told to end, so the others stopped."
    if folder is None:
        return f"{text} Nothing was kept, because no --out folder was given."
    return (
        f"{text} Go on with the torchrun that started it and: -m seqloom {command} --resume {shlex.quote(str(folder))}"
    )


def _first_to_speak() -> bool:
    """Whether no other process has told it: they count in torchrun's own store, which outlives them."""
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]  # its public name

    try:
        place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(*place, is_master=False, timeout=timedelta(seconds=3))
        return store.add(f"{_SPOKEN}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", 1) == 1
    except (KeyError, ValueError, RuntimeError):  # no torchrun, or it is gone: better said twice than not at all
        return True


def told_by_rank_0(fault: BaseException) -> bool:
    """Whether a mistake in what was asked is rank 0's to tell: all processes make it alike."""
    return (
        isinstance(fault, (SeqloomError, Stopped))
        and not isinstance(fault, Lost)
        and not alone()
        and os.environ.get("RANK", "0") != "0"
    )
