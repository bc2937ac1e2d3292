"""Many streams, each checked: `python -m bench.serving.streams PORT STREAMS SECONDS WINDOW` prints one JSON line.

Every stream gets rows of its own; each answer must say the next step, and every tenth one is asked for once more as a
window of the rows that were sent, by another connection: nothing may be lost, nothing crossed between states.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import connect


async def one(port: int, number: int, until: float, window: int, http: httpx.AsyncClient, told: dict[str, Any]) -> None:
    """One stream: a row, its answer, until the time is over."""
    draw = np.random.default_rng(number)
    rows = 10 + np.sin(np.arange(window) * np.pi / 12) + draw.normal(scale=0.3, size=window)
    sent = rows.tolist()
    async with connect(f"ws://127.0.0.1:{port}/v1/models/f/stream", proxy=None, compression=None) as stream:
        json.loads(await stream.recv())
        await stream.send(json.dumps({"past": [[value] for value in sent]}))
        step = json.loads(await stream.recv())["step"]
        while time.monotonic() < until:
            value = float(10 + draw.normal())
            begun = time.perf_counter()
            await stream.send(json.dumps({"x": value}))
            answer = json.loads(await stream.recv())
            told["ms"].append((time.perf_counter() - begun) * 1000)
            sent.append(value)
            step += 1
            if answer.get("step") != step or "forecast" not in answer:
                told["lost"] += 1
                continue
            if step % 10 == number % 10 and step % 50 < 10:
                past = [[row] for row in sent[-window:]]
                tensor = {"name": "past", "shape": [1, window, 1], "datatype": "FP64", "data": past}
                found = await http.post("/v2/models/f/infer", json={"inputs": [tensor]})
                told["compared"] += 1
                told["crossed"] += not np.allclose(found.json()["outputs"][0]["data"], answer["forecast"], rtol=1e-6)
            await asyncio.sleep(0.02)


async def main(port: int, streams: int, seconds: float, window: int) -> dict[str, Any]:
    """Steps a second and their times over all streams, and what must be 0."""
    told: dict[str, Any] = {"ms": [], "lost": 0, "crossed": 0, "compared": 0}
    until = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits, trust_env=False
    ) as http:
        await asyncio.gather(*(one(port, number, until, window, http, told) for number in range(streams)))
    ms = np.array(told.pop("ms"))
    return {
        "streams": streams,
        "seconds": seconds,
        "steps": len(ms),
        "per_second": len(ms) / seconds,
        "p50": float(np.percentile(ms, 50)),
        "p99": float(np.percentile(ms, 99)),
        **told,
    }


if __name__ == "__main__":
    port, streams, seconds, window = sys.argv[1:]
    print(json.dumps(asyncio.run(main(int(port), int(streams), float(seconds), int(window)))))
