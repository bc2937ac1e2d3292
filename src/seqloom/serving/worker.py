"""A worker process of the server: loads the models that it is told to, computes batches, and says nothing to clients.

`python -m seqloom.serving.worker FD THREADS ROWS NUMBERS HORIZON`; FD is one of two paired sockets, whose end is ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from seqloom_runtime.errors import SeqloomError

from .computing import with_threads
from .described import Described
from .frames import HEAD, frame, lengths, requests_of, told_answers
from .jobs import Bounds, answer_batch
from .models import load_model
from .served import Served

__all__ = ["main"]


class _Worker:
    def __init__(self, place: socket.socket, bounds: Bounds) -> None:
        self._place, self._bounds = place, bounds
        self._models: dict[tuple[Any, ...], Served] = {}
        self._writing = threading.Lock()

    def run(self) -> None:
        """Do what is asked until the other end is closed."""
        while (head := self._read(HEAD)) is not None:
            size, rest = lengths(head)
            text, bodies = self._read(size), self._read(rest)
            if text is None or bodies is None:
                return
            self._do(orjson.loads(text), bodies)

    def _do(self, told: dict[str, Any], bodies: bytes) -> None:
        key = tuple(told["key"])
        if told["do"] == "batch":
            name, version, _ = key
            requests = requests_of(told["requests"], bodies)
            answers, found = told_answers(answer_batch(self._models[key], name, version, requests, self._bounds))
            self._write({"id": told["id"], "answers": answers}, found)
        elif told["do"] == "load":
            # In a thread of its own, so that what is asked of other models is answered meanwhile.
            threading.Thread(target=self._load, args=(told, key), daemon=True).start()
        elif told["do"] == "forget":
            self._models.pop(key, None)

    def _load(self, told: dict[str, Any], key: tuple[Any, ...]) -> None:
        try:
            served = load_model(Path(told["path"]))
        except BaseException as fault:  # noqa: BLE001 - told to the server, which knows what to do of it
            ours = isinstance(fault, (SeqloomError, OSError, MemoryError))
            self._write({"id": told["id"], "fault": str(fault) if ours else repr(fault)[:500]})
            return
        self._models[key] = served
        self._write({"id": told["id"], "described": Described.of(served).to_json()})

    def _read(self, size: int) -> bytes | None:
        """So many bytes, or None where the other end is closed."""
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            count = self._place.recv_into(view[at:])
            if not count:
                return None
            at += count
        return bytes(data)

    def _write(self, told: dict[str, Any], bodies: Sequence[bytes] = ()) -> None:
        with self._writing:
            self._place.sendall(frame(told, bodies))


def main(arguments: Sequence[str]) -> None:
    """Run as the module's docstring says."""
    place, threads, *bounds = map(int, arguments)
    # Ctrl-C in a terminal reaches every process of it; only the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with_threads(threads)
    with socket.socket(fileno=place) as paired:
        paired.setblocking(True)
        with contextlib.suppress(ConnectionError):  # the server is gone
            _Worker(paired, Bounds(*bounds)).run()
    os._exit(0)  # a load that goes on is of no use to anybody


if __name__ == "__main__":
    main(sys.argv[1:])
