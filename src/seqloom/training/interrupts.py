"""Ctrl-C during training: the first asks for a stop after the current step, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["StopRequest", "catch_interrupt"]


@dataclass
class StopRequest:
    """Whether Ctrl-C was pressed."""

    pressed: bool = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True


@contextlib.contextmanager
def catch_interrupt() -> Iterator[StopRequest]:
    """Catch SIGINT while the block runs.

    Only in the main thread, the one place where Python allows it, and only where Python's default handler is in
    place: a caller's own handler, and a process that ignores SIGINT, are left alone.
    """
    request = StopRequest()
    ours = (
        threading.current_thread() is threading.main_thread()
        # A script's background jobs ignore SIGINT; with our handler the Ctrl-C meant for the foreground would stop
        # them.
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, request.handle)
    try:
        yield request
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
