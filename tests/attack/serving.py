"""A server under hostile clients: odd bodies, stalls, swaps, dead workers, a full queue, an end in the middle.

No answer may be wrong, none that was accepted may be lost, and no client may see a traceback.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import WrongResult

_HELPERS = str(Path(__file__).resolve().parents[1] / "serving")
if _HELPERS not in sys.path:
    sys.path.append(_HELPERS)

from load import Load  # noqa: E402
from running import Running  # noqa: E402
from small_models import Fitted, fitted_in  # noqa: E402
from test_fuzz import fuzzed  # noqa: E402

__all__ = ["SECONDS", "cases"]

SECONDS = 240.0
_WINDOWS = 6


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each kind of client in turn, drawn by the seed."""
    draw = random.Random(seed)
    kinds: list[Callable[[int], Any]] = [_bodies, _swaps, _stalls, _full, _end, _kill]
    while True:
        for kind in draw.sample(kinds, len(kinds)):
            number = draw.getrandbits(32)
            yield f"{kind.__name__[1:]}: seed {number}", functools.partial(kind, number)


@functools.cache
def _models() -> tuple[Fitted, Fitted]:
    """Two forecasters whose forecasts differ, in a folder that lives as long as the process."""
    folder = Path(tempfile.mkdtemp())
    return fitted_in(folder / "first"), fitted_in(folder / "second", seed=1)


def _checked(load: Load) -> int:
    if load.wrong or load.lost:
        raise WrongResult(f"wrong: {load.wrong[:2]}, lost: {load.lost[:2]}")
    return sum(load.answers.values())


def _under_load(server: Running, clients: int = 4) -> Load:
    first, second = _models()
    truths = [first.truth(_WINDOWS), second.truth(_WINDOWS)]
    return Load(server.address, "hourly", first.windows(_WINDOWS), truths, clients=clients)


def _bodies(seed: int) -> int:
    """Odd bodies for every kind of request."""
    from seqloom import zoo

    first = _models()[0]
    runs = [("hourly", first.folder), ("spam", zoo.folder("zoo:spam")), ("sine", zoo.folder("zoo:sine"))]
    with Running(*runs) as server:
        try:
            found = fuzzed(server.http, first, seed, 200)
        except AssertionError as fault:
            raise WrongResult(str(fault)) from fault
        faults = [line for line in server.lines if line["event"] == "fault"]
        if faults:
            raise WrongResult(f"seed {seed}: {faults[0]}")
    return sum(found.values())


def _swaps(seed: int) -> int:
    """The folder is swapped 25 times, now and then for a damaged one, while clients ask."""
    draw, models = random.Random(seed), _models()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "hourly"
        shutil.copytree(models[0].folder, place)
        with Running(("", place), watch=0.02) as server, _under_load(server) as load:
            for turn in range(25):
                load.until(3)
                if draw.random() < 0.2:
                    weights = place / "model.safetensors"
                    weights.write_bytes(weights.read_bytes()[: -draw.randrange(1, 60)])
                else:
                    models[(turn + 1) % 2].model.save(place)
            load.until(20)
            load.stop()
            return _checked(load)


def _stalls(seed: int) -> int:
    """Clients that send a part of a request, then something else or nothing, beside clients that ask."""
    draw = random.Random(seed)
    request = (
        b"POST /v2/models/hourly/infer HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 400\r\n\r\n" + b'{"inputs": [' + b" " * 388
    )
    with Running(("hourly", _models()[0].folder), slow=0.5) as server, _under_load(server) as load:
        for _ in range(60):
            with contextlib.suppress(OSError), socket.create_connection(server.host(), timeout=10) as client:
                part = bytearray(request[: draw.randrange(len(request))])
                for _ in range(draw.randrange(3)):
                    part.insert(draw.randrange(len(part) + 1), draw.randrange(256))
                client.sendall(bytes(part))
                if draw.random() < 0.3:
                    found = client.recv(65536)
                    if b"Traceback" in found:
                        raise WrongResult(found.decode(errors="replace"))
        load.until(20)
        load.stop()
        return _checked(load)


def _full(seed: int) -> int:
    """More clients than the queue holds: some are told to try again, none gets another's answer."""
    with Running(("hourly", _models()[0].folder), queue=2) as server, _under_load(server, clients=12) as load:
        load.until(100)
        load.stop()
        return _checked(load)


def _end(seed: int) -> int:
    """An end under load: what was accepted is answered."""
    draw = random.Random(seed)
    with Running(("hourly", _models()[0].folder)) as server, _under_load(server, clients=8) as load:
        load.until(draw.randrange(1, 120))
        load.ending = True
        server.end()
        load.stop()
        return _checked(load)


def _kill(seed: int) -> int:
    """A worker is killed under load, now and then both."""
    draw = random.Random(seed)
    with Running(("hourly", _models()[0].folder), workers=2) as server, _under_load(server) as load:
        load.until(20)
        for _ in range(draw.randrange(1, 3)):
            for process in draw.sample(_workers(), 1):
                os.kill(process, signal.SIGKILL)
            load.until(10)
        deadline = time.monotonic() + 120
        while len(_workers()) < 2:
            if time.monotonic() > deadline:
                raise WrongResult("a worker that was killed has no successor")
            time.sleep(0.05)
        load.until(10)
        load.stop()
        told = json.dumps(server.lines)
        if "Traceback" in told:
            raise WrongResult(told[-2000:])
        return _checked(load)


def _workers() -> list[int]:
    """The worker processes that this process started and that live."""
    found = []
    for child in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (child / "stat").read_text().rpartition(")")[2].split()
            command = (child / "cmdline").read_bytes()
            if int(told[1]) == os.getpid() and told[0] != "Z" and b"seqloom.serving.worker" in command:
                found.append(int(child.name))
    return found
