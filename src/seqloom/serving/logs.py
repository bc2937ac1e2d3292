"""What the server tells its log: one JSON object a line on stderr, without bodies and tokens."""

from __future__ import annotations

import datetime
import sys
from typing import Any, TextIO

import orjson

from seqloom_runtime.errors import brief, printable

__all__ = ["Log"]

_HELD = 200
_LONGEST = 4000
_REASON = 300


class Log:
    """Events at once, requests in bunches (`flush` writes them): a write for each would cost more than all else."""

    def __init__(self, *, requests: bool = True, out: TextIO | None = None) -> None:
        self._requests, self._out, self._held = requests, out, []

    def event(self, what: str, **about: Any) -> None:
        """Something happened: a model was loaded, a worker ended."""
        self._held.append({"time": _now(), "event": what, **{name: _told(value) for name, value in about.items()}})
        self.flush()

    def request(self, method: str, path: str, status: int, seconds: float, *, reason: str = "", **about: Any) -> None:
        """A request was answered. reason: the sentence of a refusal, "" of none."""
        if self._requests:
            line = {"time": _now(), "event": "request", "method": method, "path": brief(path, 200), "status": status}
            why = {"reason": brief(reason, _REASON)} if reason else {}
            self._held.append({**line, "ms": round(seconds * 1000, 2), **about, **why})
            if len(self._held) >= _HELD:
                self.flush()

    def flush(self) -> None:
        """Write out what is held back."""
        held, self._held = self._held, []
        if not held:
            return
        text = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE, default=str) for line in held).decode()
        try:
            out = self._out or sys.stderr
            out.write(text)
            out.flush()
        except (OSError, ValueError):  # nobody listens any more: that is no reason to stop serving
            pass


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _told(value: Any) -> Any:
    return printable(value, keep="\n")[:_LONGEST] if isinstance(value, str) else value
