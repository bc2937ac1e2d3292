"""Hostile files given to the real commands: exit code 0 or 2, one sentence, no traceback, nothing half-written."""

from __future__ import annotations

import functools
import itertools
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.command_line import Outcome, invoke
from seqloom.errors import SeqloomError

from . import WrongResult
from .files import hostile
from .verdict import sentence_fault

__all__ = ["SECONDS", "cases", "check_outcome"]

SECONDS = 30  # a process of its own loads the libraries first
ADDRESS_SPACE = None  # the library that draws charts reserves more than it uses

_SMALL = ("--threads", "1", "--quiet")
_NEXT = ("--model", "naive", "--lookback", "2", "--horizon", "1", *_SMALL)
_TAG = ("--model", "memoryless", "--epochs", "1", "--units", "2", *_SMALL)
_NET = ("--model", "gru", "--epochs", "1", "--units", "2", *_SMALL)
_ONSET = ("--event", "event", "--horizon", "3", *_NET)
_FILM = ("--lookback", "2", "--horizon", "1", "--epochs", "1", "--units", "2", "--reach", "1", *_SMALL)
_CAPTION = ("--texts", "y", "--epochs", "1", "--units", "2", "--channels", "2", *_SMALL)
# The kind of file, and commands that read it and finish at once; {} is the file.
_CALLS = {
    "CSV": (
        ("data", "{}"),
        ("data", "{}", "--json"),
        ("forecast", "{}", "--target", "c0", *_NEXT),
        ("backtest", "{}", "--target", "c0", "--windows", "2", *_NEXT),
        ("anomalies", "{}", "--window", "4", "--units", "2", "--epochs", "1", "--steps-per-epoch", "1", *_SMALL),
    ),
    "CSV sequences": (("sequences", "{}", "--id", "id", "--label", "label", *_NET),),
    "CSV records": (("sequences", "{}", "--id", "id", "--time", "t", "--value-columns", "a,b", *_ONSET),),
    "labelled texts": (
        ("classify", "{}", "--model", "majority", *_SMALL),
        ("translate", "{}", "--epochs", "1", "--units", "3", "--embedding-size", "3", *_SMALL),
    ),
    "tagged sentences": (("tag", "{}", "--test", "{}", "--valid", "{}", *_TAG),),
    "running text": (
        ("lm", "{}", "--model", "unigram", *_SMALL),
        ("embed", "{}", "--epochs", "1", "--embedding-size", "4", "--min-count", "1", *_SMALL),
    ),
    "word vectors": (("classify", "texts.txt", "--embeddings", "{}", *_NET),),
    "Parquet": (
        ("data", "{}"),
        ("forecast", "{}", "--target", "x", "--inputs", "x", *_NEXT),
    ),
    "Parquet texts": (("classify", "{}", "--model", "majority", *_SMALL),),
    "Parquet sequences": (("sequences", "{}", "--id", "id", "--label", "label", "--columns", "x", *_NET),),
    "Arrow": (("data", "{}"),),
    "npy": (("sequences", "{}", "--label", "{}", *_NET), ("frames", "{}", *_FILM)),
    "npz": (("sequences", "{}", *_NET), ("frames", "{}", *_FILM), ("caption", "{}", *_CAPTION)),
    "forecast run": (
        ("inspect", "folder"),
        ("inspect", "folder", "--json"),
        ("forecast", "--resume", "folder"),
        ("predict", "folder"),
    ),
    "task run": (("inspect", "folder"), ("classify", "--resume", "folder"), ("predict", "folder", "texts.txt")),
    "report": (),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Call:
    """A command on the files of a case."""

    kind: str
    number: int

    def __call__(self) -> None:
        draw = random.Random(f"command {self.number}")
        if self.kind == "report":
            _report(hostile(draw.choice(("forecast run", "task run")), self.number))
            return
        case = hostile(self.kind, self.number)
        for name, data in case.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(data)
        Path("texts.txt").write_text("".join(f"{'ab'[n % 2]}\ta b c d e f g h w{n}\n" for n in range(40)), "utf-8")
        first = next(iter(case.files))
        before = set(os.listdir())
        arguments = [word.replace("{}", first) for word in draw.choice(_CALLS[self.kind])]
        outside = draw.random() < 0.01
        outcome = _in_a_process(arguments) if outside else invoke(*arguments)
        said = check_outcome(outcome, arguments)
        if set(os.listdir()) != before:
            raise WrongResult(f"{arguments} left {set(os.listdir()) - before}")
        if said is not None:
            raise SeqloomError(said)


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """An endless stream of commands."""
    draw = random.Random(f"commands {seed}")
    for _ in itertools.count():
        kind = "report" if draw.random() < 0.01 else draw.choice([kind for kind in _CALLS if _CALLS[kind]])
        number = draw.getrandbits(48)
        yield f"{kind}: {number}", functools.partial(_run, kind, number)


def _run(kind: str, number: int) -> None:
    _Call(kind, number)()


def check_outcome(outcome: Outcome, arguments: Sequence[str]) -> str | None:
    """The sentence with which a command refused what was asked, None where it did it; raises WrongResult otherwise."""
    said = f"seqloom {' '.join(arguments)}: exit code {outcome.code}\n{outcome.err[-3_000:]}"
    if outcome.code not in (0, 2) or "Traceback (most recent call last)" in outcome.err + outcome.out:
        raise WrongResult(said)
    if outcome.code == 2:
        lines = outcome.err.rstrip("\n").split("\n")
        fault = "nothing was said" if not lines[-1] else sentence_fault(lines[-1])
        if fault or not lines[-1].startswith("error: "):
            raise WrongResult(f"{fault or 'no sentence that begins with error:'}\n{said}")
        return lines[-1]
    return None


def _in_a_process(arguments: list[str]) -> Outcome:
    command = [sys.executable, "-c", "from seqloom.app.main import run; run()", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def _report(case: Any) -> None:
    """The whole page with its charts."""
    from seqloom.report import build

    for name, data in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
    page = build("folder")
    if not page.read_bytes().rstrip().endswith(b"</html>"):
        raise WrongResult("the page is cut short")
