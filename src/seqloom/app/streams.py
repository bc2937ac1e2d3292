"""The three standard streams: closed ones made harmless, signs that a terminal can't show, outputs that went away."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import IO, Any

__all__ = ["PLAIN", "finish", "ready_streams", "tell"]

PLAIN = {"−": "-", "–": "-", "…": "...", "≥": ">=", "≤": "<=", "×": "x", "’": "'", "•": "*", "\u00a0": " "}
"""Signs that our texts use → what stands for them where the output's encoding has none."""

_PLAINLY = "seqloom-plain"


def ready_streams() -> bool:
    """Make the standard streams safe to use; False, said on stderr, where there is no standard output.

    A file that is opened while descriptor 0, 1 or 2 is closed would get that number, and whatever is printed with it:
    so each that is closed becomes the null device first.
    """
    has_output = _is_open(1) or sys.stdout is not None
    for descriptor in (0, 1, 2):
        if not _is_open(descriptor):
            _to_null(descriptor)
    # Python leaves a stream None whose descriptor was closed at its start.
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    if not has_output:
        tell("error: standard output is closed, so no result could be shown; send it to a file or to /dev/null.")
        return False
    codecs.register_error(_PLAINLY, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A minus sign in a C locale would otherwise end the program after hours of training.
            stream.reconfigure(errors=_PLAINLY)
    return True


def tell(text: str) -> None:
    """Print a note or a complaint on stderr; where nobody listens any more, the program goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _give_up(sys.stderr)


def finish(code: Any) -> Any:
    """Write out what is still in the buffer of the standard output; the exit code, 2 where that failed."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _give_up(sys.stdout)
    except (OSError, ValueError) as fault:
        _give_up(sys.stdout)
        # An earlier fault is the one to tell.
        if code in (0, None):
            reason = (getattr(fault, "strerror", None) or str(fault)).lower()
            tell(f"error: standard output: the result can't be written ({reason}); send it to another place.")
            return 2
    return code


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _to_null(descriptor: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    # The lowest free number is given out, which may be this one already.
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)


def _give_up(stream: IO[str]) -> None:
    """Send what else is written to `stream` nowhere: the interpreter would fail over it once more at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        _to_null(stream.fileno())


def _plainly(fault: UnicodeError) -> tuple[str, int]:
    """The handler of signs that an encoding lacks: plain ones where we know them, else escapes."""
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    signs = fault.object[fault.start : fault.end]
    texts = [PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs]
    return "".join(texts), fault.end
