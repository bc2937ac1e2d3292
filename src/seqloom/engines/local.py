"""Worker processes of this machine: each job is done by a fork of this process, which reads the data that is there.

Nothing is copied to a worker and nothing is pickled: what it found comes back through a pipe, as `packing` writes it. A
worker computes with one thread, so that it needs none of the threads that a fork leaves behind.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import selectors
import signal
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .engine import ATTEMPTS, Failed, Work, failure, outcome
from .packing import pack, unpack

__all__ = ["LocalEngine", "settle"]

_HEAD = struct.Struct("<Q?")
_PR_SET_PDEATHSIG = 1


@dataclass(eq=False)
class _Worker:
    """A process that does one job, and what has come of it so far."""

    index: int
    pid: int
    pipe: int
    received: bytearray = field(default_factory=bytearray)
    result: bytes | None = None


@dataclass(eq=False)
class LocalEngine:
    """At most `workers` processes at a time."""

    workers: int
    shares_folders: bool = True

    def run(
        self,
        work: Work,
        shared: Any,
        jobs: Sequence[Any],
        *,
        on_result: Callable[[int, Any], None] | None = None,
        on_told: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
        """As `Engine.run`."""
        _load_all()
        results: list[Any] = [None] * len(jobs)
        waiting, begun = list(range(len(jobs)))[::-1], [0] * len(jobs)
        running: dict[int, _Worker] = {}
        with selectors.DefaultSelector() as ready:
            try:
                while waiting or running:
                    while waiting and len(running) < self.workers:
                        index = waiting.pop()
                        begun[index] += 1
                        worker = _begin(work, shared, jobs[index], index, list(running))
                        running[worker.pipe] = worker
                        ready.register(worker.pipe, selectors.EVENT_READ)
                    for key, _ in ready.select():
                        worker = running[key.fd]
                        if not _receive(worker, on_told):
                            continue
                        ready.unregister(key.fd)
                        del running[key.fd]
                        status = _ended(worker)
                        if worker.result is None and begun[worker.index] < ATTEMPTS:
                            waiting.append(worker.index)
                            continue
                        results[worker.index] = _result(worker, status)
                        if on_result is not None:
                            on_result(worker.index, results[worker.index])
            finally:
                for worker in running.values():  # Ctrl-C, or an exception of a callback
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)
                    _ended(worker)
        return results

    def close(self) -> None:
        """Nothing is held between two calls."""


def _load_all() -> None:
    """Load what torch loads at the first step of an optimizer, which takes seconds, once and not in every worker."""
    with suppress(ImportError):
        importlib.import_module("torch._dynamo")


def _begin(work: Work, shared: Any, job: Any, index: int, others: Sequence[int]) -> _Worker:
    reading, writing = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()  # or a worker would write it once more
    parent = os.getpid()
    with warnings.catch_warnings():
        # Python warns of other threads: a worker takes none of their locks, as it reads arrays with one thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(writing)
        return _Worker(index, pid, reading)
    code = 1
    try:
        os.close(reading)
        for other in others:
            os.close(other)
        settle(parent)

        def send(value: Any, last: bool) -> None:
            data = pack(value)
            with open(writing, "wb", closefd=False) as pipe:
                pipe.write(_HEAD.pack(len(data), last))
                pipe.write(data)

        send(outcome(work, shared, job, lambda value: send(value, False)), True)
        code = 0
    finally:
        os._exit(code)  # nothing of the parent's is torn down by its copy


def settle(parent: int) -> None:
    """Make a process of one's own of the fork: it dies with its parent, and the terminal's Ctrl-C is the parent's."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)
    os.setsid()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


def _receive(worker: _Worker, on_told: Callable[[int, Any], None] | None) -> bool:
    """Take what the pipe holds; whether it has ended."""
    piece = os.read(worker.pipe, 1 << 20)
    worker.received += piece
    while len(worker.received) >= _HEAD.size:
        length, last = _HEAD.unpack_from(worker.received)
        if len(worker.received) < _HEAD.size + length:
            break
        data = bytes(worker.received[_HEAD.size : _HEAD.size + length])
        del worker.received[: _HEAD.size + length]
        if last:
            worker.result = data
        elif on_told is not None:
            on_told(worker.index, unpack(data))
    return not piece


def _ended(worker: _Worker) -> int:
    """Close the pipe and wait for the process; its status as `os.waitpid` tells it."""
    with suppress(OSError):
        os.close(worker.pipe)
    try:
        return os.waitpid(worker.pid, 0)[1]
    except ChildProcessError:  # somebody who reaps every child
        return 0


def _result(worker: _Worker, status: int) -> Any:
    if worker.result is None:
        code = os.waitstatus_to_exitcode(status)
        ended = f"signal {-code}" if code < 0 else f"exit status {code}"
        hint = ", as the kernel does where memory runs out" if code == -signal.SIGKILL else ""
        return Failed("", f"{ATTEMPTS} worker processes were ended in turn, the last by {ended}{hint}.")
    found = unpack(worker.result)
    return failure(found) if "failed" in found else found["result"]
