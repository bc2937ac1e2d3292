"""What an action's end means: accepted, refused in one sentence, or a finding."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import seqloom
from seqloom.errors import SeqloomError, printable

__all__ = ["Finding", "judged", "sentence_fault"]

_PACKAGE = os.path.dirname(seqloom.__file__)
_LONGEST = 2_000  # characters of a message; the longest honest ones name a dozen columns


@dataclass(frozen=True)
class Finding:
    """A fault: its kind, what happened, and a fingerprint under which the same fault is recognised."""

    kind: str
    detail: str
    fingerprint: str

    @classmethod
    def make(cls, kind: str, detail: str, place: str = "") -> Finding:
        """The fingerprint is taken from the kind and the place; an empty place takes the detail's last line."""
        key = f"{kind} {place or (detail.strip().splitlines() or [''])[-1][:120]}"
        return cls(kind, detail, hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:10])


def judged(action: Callable[[], Any]) -> tuple[str, int, Finding | None]:
    """Run an action: "accepted", "refused" or "finding", how many it counts as, and the finding."""
    try:
        done = action()
    except SeqloomError as refused:
        fault = sentence_fault(str(refused))
        return ("refused", 1, None) if fault is None else ("finding", 1, _of_message(refused, fault))
    except OSError as error:
        if error.errno is not None and error.filename is not None:  # the command line names the file and the reason
            return "refused", 1, None
        return "finding", 1, _of_exception(error)
    except BaseException as error:  # noqa: BLE001 - polars' panics are no Exception
        return "finding", 1, _of_exception(error)
    return "accepted", done if type(done) is int else 1, None


def sentence_fault(message: str) -> str | None:
    """What is wrong with a message that a user sees; None where nothing is."""
    if not message.strip():
        return "the message is empty"
    if "Traceback (most recent call last)" in message:
        return "the message holds a traceback"
    if printable(message) != message:
        return "the message holds a control character or a line break"
    if len(message) > _LONGEST:
        return f"the message has {len(message):,} characters"
    return None


def _of_message(refused: SeqloomError, fault: str) -> Finding:
    detail = "".join(traceback.format_exception(refused)[-12:])
    return Finding.make("message", f"{fault}\n{detail[:4_000]}", f"{fault.split(' has ')[0]} {_place(refused)}")


def _of_exception(error: BaseException) -> Finding:
    kind = "wrong result" if isinstance(error, AssertionError) else type(error).__name__
    detail, place = "".join(traceback.format_exception(error)), _place(error)
    if kind == "wrong result":
        place += (str(error).strip().splitlines() or [""])[-1][:40]
    return Finding.make(kind, detail, f"{kind} {place}")


def _place(error: BaseException) -> str:
    """The innermost line of ours, else of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)] or frames
    return f"{ours[-1].filename}:{ours[-1].name}" if ours else type(error).__name__
