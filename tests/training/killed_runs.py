"""Runs in processes of their own, to be killed: the functions that such a process is given."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import signal
import time
from pathlib import Path
from typing import Any

from small_runs import SmallNet, train, validate, weight_bits

from seqloom_runtime.files import write_json

__all__ = ["context", "die_at_file_operation", "finish", "kill_after"]

OPERATIONS = ((os, "replace"), (os, "fsync"), (pathlib.Path, "unlink"))


def context() -> Any:
    """Fresh processes that needn't import torch again: each is forked from a server that has and never trained."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["seqloom.training.loop"])
    return server


def _run(folder: Path) -> tuple[Any, Any]:
    return train(
        SmallNet(),
        epochs=6,
        checkpoint_every=4,
        validate=validate,
        directory=folder,
        resume=True,
        patience=4,
        schedule="plateau",
        schedule_every=1,
    )


def finish(folder: Path, result: Path) -> None:
    """Start or go on, to the end, and write what came out."""
    os.fsync = lambda descriptor: None
    began = time.monotonic()
    module, history = _run(folder)
    write_json(
        result, {"weights": weight_bits(module), "history": history.to_csv(), "seconds": time.monotonic() - began}
    )


def die_at_file_operation(folder: Path, number: int, done: bool) -> None:
    """Start or go on, and die by SIGKILL before (or after, with `done`) the file operation of that number."""
    count = 0

    def counted(operation: Any) -> Any:
        def work(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number and not done:
                os.kill(os.getpid(), signal.SIGKILL)
            result = operation(*arguments, **named)
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return work

    os.fsync = lambda descriptor: None  # a killed process loses nothing that it wrote; only a power cut does
    for owner, name in OPERATIONS:
        setattr(owner, name, counted(getattr(owner, name)))
    _run(folder)


def kill_after(folder: Path, seconds: float) -> bool:
    """Start or go on in a process, kill it after so many seconds of training; returns whether it was still running."""
    server = context()
    started = server.Event()
    process = server.Process(target=_announce, args=(started, folder))
    process.start()
    assert started.wait(60)
    process.join(seconds)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


def _announce(started: Any, folder: Path) -> None:
    started.set()
    _run(folder)
