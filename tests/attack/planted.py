"""A target with planted faults, one of each kind: an attack that finds none of them is no attack."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from seqloom.errors import DataError

from . import WrongResult

__all__ = ["FAULTS", "MEMORY", "SECONDS", "cases"]

SECONDS = 1.5
MEMORY = 32 << 20


def _good() -> None:
    pass


def _refused() -> None:
    raise DataError("x.csv, line 3: expected a number, got 'x'.")


def _errno() -> None:
    raise FileNotFoundError(2, "No such file or directory", "x.csv")


def _divides() -> None:
    print(1 // len(""))


def _hangs() -> None:
    time.sleep(60)


def _dies() -> None:
    os.abort()


def _wrong() -> None:
    raise WrongResult("two and two are five")


def _swells() -> None:
    print(len(bytearray(b"x") * (100 << 20)))


def _panics() -> None:
    raise _Panic("called `Option::unwrap()` on a `None` value")


class _Panic(BaseException):
    pass


def _says_too_much() -> None:
    raise DataError("x.csv: expected a number,\ngot \x1b[31m")


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "divides": (_divides, "ZeroDivisionError"),
    "wrong": (_wrong, "wrong result"),
    "panics": (_panics, "_Panic"),
    "says too much": (_says_too_much, "message"),
    "swells": (_swells, "memory"),
    "dies": (_dies, "crash"),
    "hangs": (_hangs, "hang"),
}
"""What a case does, and as which kind of finding it must be found."""


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Good cases, then the fault of the seed's number, then good ones."""
    name = list(FAULTS)[seed % len(FAULTS)]
    while True:
        yield "good: 1", _good
        yield "good: 2", _refused
        yield "good: 3", _errno
        yield f"{name}: 4", FAULTS[name][0]
