"""Pictures drawn by a process beside this one, as the library that draws holds Python's lock for as long as it draws.

Whatever that process fails at is drawn here again, with the same result or the same reason why there is none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

__all__ = ["begin", "pictures_beside", "ready"]

_LONGEST = 60.0  # seconds that a picture may take there before it is drawn here
# Ctrl-C reaches every process of a terminal; here it is this process that answers it, and ends the other. The path is
# handed over, so that both find the same library, and none in the folder that the command was called in.
_PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = sys.argv[1:]
import json, vl_convert
def drawn(spec):
    try:
        return bytes(vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[]))
    except BaseException:
        return b""
drawn({"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}})
for line in sys.stdin.buffer:
    picture = drawn(json.loads(line))
    sys.stdout.buffer.write(len(picture).to_bytes(8, "big") + picture)
    sys.stdout.buffer.flush()
"""
"""It draws a picture of nothing first: the library's start is most of a second, for which no chart has to wait."""


class _Drawer:
    """The process, and what was asked of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.asked: dict[str, tuple[Any, Future[bytes]]] = {}
        # A thread, as both pipes may be full at once.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="seqloom-pictures")

    def draw(self, spec: Mapping[str, Any]) -> bytes:
        """The picture; nothing where there is none."""
        to, back = self.process.stdin, self.process.stdout
        assert to is not None
        assert back is not None
        try:
            to.write(json.dumps(spec).encode("ascii") + b"\n")
            to.flush()
            size = int.from_bytes(back.read(8), "big")
            picture = back.read(size)
        except (OSError, ValueError, OverflowError, MemoryError):  # it ended, or says what is no size
            return b""
        return picture if len(picture) == size else b""

    def end(self) -> None:
        """End the process, whatever it is at, and leave nothing of it behind."""
        self.process.kill()
        self.thread.shutdown(cancel_futures=True)
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self.process.wait()


_DRAWER: ContextVar[_Drawer | None] = ContextVar("_DRAWER", default=None)
_pages = 0


@contextmanager
def pictures_beside() -> Iterator[None]:
    """Inside the block `begin` has pictures drawn by a process of their own: of the first page of a process, on two
    cores or more. Later pages draw here, where the library starts once for all of them."""
    global _pages
    _pages += 1
    drawer = _started() if _pages == 1 else None
    token = _DRAWER.set(drawer)
    try:
        yield
    finally:
        _DRAWER.reset(token)
        if drawer is not None:
            drawer.end()


def begin(name: str, chart: Any, spec: Mapping[str, Any]) -> None:
    """Have the picture of a chart drawn, where a process is there for it."""
    drawer = _DRAWER.get()
    if drawer is not None:
        drawer.asked[name] = chart, drawer.thread.submit(drawer.draw, spec)


def ready(name: str, chart: Any) -> bytes:
    """The picture that was begun for that very chart, waited for; nothing where there is none, for whatever reason."""
    drawer = _DRAWER.get()
    known, future = (None, None) if drawer is None else drawer.asked.get(name, (None, None))
    if drawer is None or future is None or known is not chart:
        return b""
    try:
        return future.result(_LONGEST)
    except LateError:
        drawer.process.kill()  # the rest is drawn here too
        return b""


def _started() -> _Drawer | None:
    # A program with Python inside it may be its own "Python", and begin anew.
    if _cores() < 2 or not sys.executable or getattr(sys, "frozen", False):
        return None
    line = [sys.executable, "-I", "-c", _PROGRAM, *(path or os.curdir for path in sys.path)]
    try:
        return _Drawer(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    except (OSError, ValueError):
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
