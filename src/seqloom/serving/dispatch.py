"""The bounded queue in front of the models: requests wait here until they are computed, several together.

A batch is what waits for one model when a place to compute is free. Where the last batch had company, the first request
of the next waits for more of it, up to a latency bound; a lone client never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .jobs import Answer, Request, problem_answer
from .metrics import Metrics
from .problem import Problem

__all__ = ["Dispatcher", "Executor"]


class Executor(Protocol):
    """A place where batches are computed."""

    @property
    def free(self) -> int:
        """How many more batches it takes now."""
        ...

    async def run(self, key: Hashable, requests: Sequence[Request]) -> list[Answer]:
        """The answers to a batch for the model `key`."""
        ...


@dataclass(eq=False)
class _Lane:
    """What waits for one model, how large its last batch was, and how many requests have no answer yet."""

    waiting: deque[tuple[Request, asyncio.Future[Answer], float]] = field(default_factory=deque)
    last: int = 0
    timer: asyncio.TimerHandle | None = None
    open: int = 0
    empty: asyncio.Event | None = None


class Dispatcher:
    """Takes requests for models and gives their answers.

    most: requests that may wait or be computed at a time; one more is refused with 503. together: the largest batch.
    delay: seconds that the first of a batch waits for others at most. patience: seconds until a request is given up.
    """

    def __init__(
        self, executor: Executor, metrics: Metrics, *, most: int, together: int, delay: float, patience: float
    ) -> None:
        self._executor, self._metrics = executor, metrics
        self._most, self._together, self._delay, self._patience = most, together, delay, patience
        self._lanes: OrderedDict[Hashable, _Lane] = OrderedDict()
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def open(self) -> int:
        """Requests that were accepted and have no answer yet."""
        return self._open

    async def ask(self, key: Hashable, request: Request) -> Answer:
        """The answer to one request for the model `key`; a refusal where the queue is full or patience ends."""
        if self._open >= self._most:
            self._metrics.rejected += 1
            sentence = f"The queue is full ({self._most:,} requests); try again in a second."
            return problem_answer(Problem(503, sentence, retry=1))
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        self._open += 1
        lane.open += 1
        self._idle.clear()
        lane.waiting.append((request, answer, time.monotonic()))
        if len(lane.waiting) == 1:
            # In the next turn of the loop, so that requests that have arrived already go along.
            loop.call_soon(self.pump)
        elif len(lane.waiting) >= min(self._together, max(lane.last, 2)):
            self.pump()
        alarm = loop.call_later(self._patience, _give_up, answer, self._patience)
        try:
            return await answer
        finally:
            alarm.cancel()
            self._open -= 1
            lane.open -= 1
            if not lane.open and lane.empty is not None:
                lane.empty.set()
            if not self._open:
                self._idle.set()

    async def drained(self) -> None:
        """Returns once no accepted request lacks its answer."""
        await self._idle.wait()

    def pump(self) -> None:
        """Start batches while there is a place for them: called where one may have come free."""
        now = time.monotonic()
        for key in list(self._lanes):
            lane = self._lanes[key]
            while lane.waiting and self._executor.free:
                left = self._delay - (now - lane.waiting[0][2])
                if lane.last > 1 and left > 0 and len(lane.waiting) < min(self._together, lane.last):
                    if lane.timer is None:
                        lane.timer = asyncio.get_running_loop().call_later(left, self._due, lane)
                    break
                self._start(key, lane)

    def _due(self, lane: _Lane) -> None:
        lane.timer = None
        self.pump()

    def _start(self, key: Hashable, lane: _Lane) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        count = min(len(lane.waiting), self._together)
        batch = [lane.waiting.popleft() for _ in range(count)]
        batch = [entry for entry in batch if not entry[1].done()]  # those that were given up, or whose client left
        lane.last = count
        # The others' turn comes first next time.
        self._lanes.move_to_end(key)
        if batch:
            self._metrics.batch(len(batch))
            task = asyncio.get_running_loop().create_task(self._run(key, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, key: Hashable, batch: list[tuple[Request, asyncio.Future[Answer], float]]) -> None:
        try:
            answers: Sequence[Any] = await self._executor.run(key, [request for request, _, _ in batch])
        except Exception as fault:  # noqa: BLE001 - every request of the batch must get an answer
            problem = fault if isinstance(fault, Problem) else Problem(500, "The server failed at this request.")
            answers = [problem_answer(problem)] * len(batch)
            if not isinstance(fault, Problem):
                answers[0].log = repr(fault)
        for (_, future, _), answer in zip(batch, answers):
            if not future.done():
                future.set_result(answer)
        self.pump()

    async def finished(self, key: Hashable) -> None:
        """Returns once no request for a model that takes no new ones lacks its answer; it is then forgotten."""
        lane = self._lanes.get(key)
        if lane is None:
            return
        while lane.open:
            lane.empty = asyncio.Event()
            await lane.empty.wait()
        self._lanes.pop(key, None)


def _give_up(answer: asyncio.Future[Answer], patience: float) -> None:
    if not answer.done():
        sentence = f"No answer within {patience:g} seconds; try again later, or ask for less at once."
        answer.set_result(problem_answer(Problem(504, sentence)))
