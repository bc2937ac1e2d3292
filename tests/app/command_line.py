"""Runs the command line inside the test process: the exit code, and what it printed."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import pytest

from seqloom.app.main import run

TINY = ("--target", "load (MW)", "--lookback", "12", "--horizon", "3", "--threads", "1")


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]
Refused = Callable[..., str]


def invoke(*arguments: object, out: IO[str] | None = None, err: IO[str] | None = None) -> Outcome:
    """Run `seqloom ARGUMENTS…`; what it prints goes to `out` and `err` where they are given."""
    own_out, own_err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["seqloom", *map(str, arguments)])
        with contextlib.redirect_stdout(out or own_out), contextlib.redirect_stderr(err or own_err):
            try:
                run()
            except SystemExit as stopped:
                code = stopped.code
    assert isinstance(code, int) or code is None, code
    return Outcome(code or 0, own_out.getvalue(), own_err.getvalue())


@dataclass
class Terminal:
    """What a terminal received."""

    text: str = ""
    code: int = -1


@contextlib.contextmanager
def pseudo_terminal(shown: Terminal) -> Iterator[IO[str]]:
    ours, theirs = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # how the other end's closing shows
            while piece := os.read(ours, 65536):
                pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open(theirs, "w", encoding="utf-8") as screen:
            yield screen
    finally:
        reader.join()
        os.close(ours)
        shown.text = b"".join(pieces).decode().replace("\r\n", "\n")
