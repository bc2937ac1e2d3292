"""Computing in worker processes: each holds every model; where one dies, another computes what it was asked.

The server's process keeps the connections, the queue, the streams and the counters, so that all of these are the same
however many workers there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import orjson

from seqloom_runtime.errors import FormatError

from .described import Described
from .frames import HEAD, answers_of, frame, lengths, told_requests
from .jobs import Answer, Bounds, Request, problem_answer
from .logs import Log
from .metrics import Metrics
from .models import files_of, load_model
from .problem import Problem
from .served import Served

__all__ = ["Workers"]

_DEPTH = 2
_ATTEMPTS = 3
_START = 120.0
Key = tuple[str, str, int]


class _Gone(Exception):
    """The worker died before it answered."""


class _Worker:
    """One process, and what it was asked and has not answered."""

    def __init__(self, process: subprocess.Popen[bytes], writer: asyncio.StreamWriter) -> None:
        self.process, self.writer = process, writer
        self.waiting: dict[int, asyncio.Future[tuple[dict[str, Any], bytes]]] = {}
        self.batches, self.ready, self.gone = 0, False, False
        self.loaded: set[Key] = set()

    async def ask(
        self, number: int, told: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], bytes]:
        """The answer to a message; raises _Gone where the worker dies first."""
        if self.gone:
            raise _Gone
        future: asyncio.Future[tuple[dict[str, Any], bytes]] = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        self.writer.write(frame({**told, "id": number}, bodies))
        return await future


class Workers:
    """`count` processes. on_free: called when one may take a batch again."""

    def __init__(self, count: int, threads: int, bounds: Bounds, log: Log, metrics: Metrics) -> None:
        self._count, self._threads, self._bounds = count, threads, bounds
        self._log, self._metrics = log, metrics
        self._workers: list[_Worker] = []
        self._paths: dict[Key, Path] = {}
        self._here: dict[Key, Served] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False
        self._copies = tempfile.TemporaryDirectory(prefix="seqloom-serve-")
        self.on_free: Any = None

    @property
    def free(self) -> int:
        """How many more batches are taken now."""
        return sum(max(0, _DEPTH - worker.batches) for worker in self._workers if worker.ready)

    @property
    def processes(self) -> list[int]:
        """The process numbers of the workers that run."""
        return [worker.process.pid for worker in self._workers if not worker.gone]

    async def start(self) -> None:
        """Start the processes, which load nothing yet."""
        self._workers = list(await asyncio.gather(*(self._started() for _ in range(self._count))))
        for worker in self._workers:
            worker.ready = True

    async def load(self, key: Key, path: Path) -> Described:
        """Have every worker load a model; raises FormatError with what one of them could not."""
        path = self._paths[key] = await asyncio.to_thread(self._copied, key, path)
        try:
            found = await asyncio.gather(*(self._load(worker, key, path) for worker in self._workers if worker.ready))
        except FormatError:
            await self.forget(key)
            raise
        described = next((each for each in found if each is not None), None)
        if described is None:
            await self.forget(key)
            raise FormatError(f"{path}: no worker could load it; the log says why they ended.")
        return described

    async def served(self, key: Key) -> Served:
        """The model in this process too, for streams of its own: a step takes less than the way to a worker."""
        held = self._here.get(key)
        if held is None:
            held = self._here[key] = await asyncio.to_thread(load_model, self._paths[key])
        return held

    async def forget(self, key: Key) -> None:
        """Have every worker let a model go."""
        path = self._paths.pop(key, None)
        self._here.pop(key, None)
        for worker in self._workers:
            worker.loaded.discard(key)
            if not worker.gone:
                worker.writer.write(frame({"do": "forget", "key": key}))
        if path is not None:
            await asyncio.to_thread(shutil.rmtree, path, True)

    def _copied(self, key: Key, path: Path) -> Path:
        """A copy of the folder: a worker that starts later finds what the others loaded, whatever was written since."""
        folder = files_of(path)[0].parent
        place = Path(self._copies.name) / f"{key[2]}"
        try:
            shutil.copytree(folder, place / "model")
            for beside in (path / "run.json", path.resolve().parent / "run.json"):
                if beside.is_file():
                    shutil.copy(beside, place / "run.json")
                    break
        except shutil.Error as fault:
            raise FormatError(f"{path}: the folder can't be read ({str(fault)[:200]}).") from None
        return place

    async def run(self, key: Hashable, requests: Sequence[Request]) -> list[Answer]:
        """The answers to a batch; where a worker dies over it, each request by itself goes to another one."""
        try:
            return await self._once(key, requests)
        except _Gone:
            return list(await asyncio.gather(*(self._alone(key, request) for request in requests)))

    async def stop(self) -> None:
        """End the processes."""
        self._ending = True
        for worker in self._workers:
            await _closed(worker.writer)
        for worker in self._workers:
            try:
                await asyncio.to_thread(worker.process.wait, 5)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        for task in self._tasks:
            task.cancel()
        self._copies.cleanup()

    async def _alone(self, key: Hashable, request: Request) -> Answer:
        for _ in range(_ATTEMPTS - 1):
            try:
                return (await self._once(key, [request]))[0]
            except _Gone:
                continue
        sentence = "The request ended the process that computed it; it is not tried again."
        return problem_answer(Problem(500, sentence))

    async def _once(self, key: Hashable, requests: Sequence[Request]) -> list[Answer]:
        worker = await self._least_busy(key)
        told, bodies = told_requests(requests)
        worker.batches += 1
        try:
            answer, rest = await worker.ask(next(self._numbers), {"do": "batch", "key": key, "requests": told}, bodies)
        finally:
            worker.batches -= 1
        return answers_of(answer["answers"], rest)

    async def _least_busy(self, key: Hashable) -> _Worker:
        """The worker with the least to do that has the model; raises Problem where none comes up in time."""
        deadline = time.monotonic() + _START
        while True:
            able = [worker for worker in self._workers if worker.ready and key in worker.loaded]
            if able:
                return min(able, key=lambda worker: worker.batches)
            if key not in self._paths or time.monotonic() > deadline or self._ending:
                raise Problem(503, "No worker has the model now; try again in a second.", retry=1)
            await asyncio.sleep(0.02)

    async def _load(self, worker: _Worker, key: Key, path: Path) -> Described | None:
        """The description by one worker; None where it died, whose successor loads the model too."""
        try:
            told, _ = await worker.ask(next(self._numbers), {"do": "load", "key": key, "path": str(path)})
        except _Gone:
            return None
        if "fault" in told:
            raise FormatError(told["fault"])
        worker.loaded.add(key)
        return Described.from_json(told["described"])

    async def _started(self) -> _Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        bounds = (self._bounds.rows, self._bounds.numbers, self._bounds.horizon)
        arguments = [str(value) for value in (theirs.fileno(), self._threads, *bounds)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads)}
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker", *arguments],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        worker = _Worker(process, writer)
        task = asyncio.get_running_loop().create_task(self._listen(worker, reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return worker

    async def _listen(self, worker: _Worker, reader: asyncio.StreamReader) -> None:
        """Hand on what a worker answers; where it dies, put another one in its place."""
        try:
            while True:
                size, rest = lengths(await reader.readexactly(HEAD))
                told, bodies = orjson.loads(await reader.readexactly(size)), await reader.readexactly(rest)
                future = worker.waiting.pop(told["id"], None)
                if future is not None and not future.done():
                    future.set_result((told, bodies))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        worker.gone, worker.ready = True, False
        await _closed(worker.writer)
        for future in worker.waiting.values():
            if not future.done():
                future.set_exception(_Gone())
        worker.waiting.clear()
        if not self._ending:
            await self._replace(worker)

    async def _replace(self, worker: _Worker) -> None:
        code = await asyncio.to_thread(worker.process.wait)
        self._metrics.restarts += 1
        self._log.event("worker ended", process=worker.process.pid, code=code, so="another one starts")
        place = self._workers.index(worker)
        await asyncio.sleep(0.05)
        fresh = await self._started()
        self._workers[place] = fresh
        failed: set[Key] = set()
        while not fresh.gone and (missing := set(self._paths) - fresh.loaded - failed):
            key = min(missing)
            try:
                await self._load(fresh, key, self._paths[key])
            except FormatError as fault:
                failed.add(key)
                self._log.event("worker lacks", model=key[0], version=key[1], fault=str(fault))
        if fresh.gone:
            return  # its own listener replaces it
        fresh.ready = True
        self._log.event("worker started", process=fresh.process.pid)
        if self.on_free is not None:
            self.on_free()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # the other end is gone already
        await writer.wait_closed()
