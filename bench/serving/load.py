"""The load generator: clients that each send one request after the other, in a process of their own.

`python -m bench.serving.load PORT PATH CLIENTS SECONDS BODY`, BODY a file of JSON lines that are sent in turn; one JSON
line says how many answers came, how long they took, and how many were no answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop


class _Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is whole."""

    def __init__(
        self, requests: list[bytes], at: int, times: list[float], faults: list[str], done: asyncio.Future[None]
    ):
        self._requests, self._at, self._times, self._faults, self._done = requests, at, times, faults, done
        self._held, self._sent, self.stopping = b"", 0.0, False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, mark, rest = self._held.partition(b"\r\n\r\n")
        if not mark:
            return
        place = head.lower().index(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._times.append(time.perf_counter() - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self._faults.append(rest.decode(errors="replace")[:200])
        self._held = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopping:
            self._faults.append("the connection was closed")
        if not self._done.done():
            self._done.set_result(None)

    def _next(self) -> None:
        if self.stopping:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._at % len(self._requests)])
        self._at += 1


async def load(port: int, path: str, clients: int, seconds: float, bodies: list[bytes]) -> dict[str, object]:
    """Answers per second and their times, from `clients` connections over `seconds`, a second before it not counted."""
    requests = [
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (path.encode(), len(body), body)
        for body in bodies
    ]
    loop = asyncio.get_running_loop()
    times: list[float] = []
    faults: list[str] = []
    made, ends = [], []
    for number in range(clients):
        end: asyncio.Future[None] = loop.create_future()
        client = _Client(requests, number * 7, times, faults, end)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
        made.append(client)
        ends.append(end)
    await asyncio.sleep(1.0)
    times.clear()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    took, counted = time.perf_counter() - begun, list(times)
    for client in made:
        client.stopping = True
    await asyncio.gather(*ends)
    ms = np.array(counted) * 1000
    return {
        "per_second": len(ms) / took,
        "p50": float(np.percentile(ms, 50)) if len(ms) else None,
        "p99": float(np.percentile(ms, 99)) if len(ms) else None,
        "faults": faults[:3],
    }


if __name__ == "__main__":
    port, path, clients, seconds, file = sys.argv[1:]
    lines = Path(file).read_bytes().splitlines()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load(int(port), path, int(clients), float(seconds), lines))))
