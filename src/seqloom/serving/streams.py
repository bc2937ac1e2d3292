"""Streams over WebSocket: one step in, one step out, with the state of each kept here and nowhere else.

A stream belongs to the connection that opened it and to the bearer that did. Its token, which nobody can guess, gives a
later connection the state back for a while: with the number of the last step and what was answered to it, so that
a client whose connection broke knows whether its last step counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from seqloom_runtime.errors import shown
from seqloom_runtime.limits import LARGEST

from .jobs import Answer, Request
from .problem import Problem
from .registry import Entry
from .served import Served, WindowStream

__all__ = ["Streams"]

Message = MutableMapping[str, Any]
Ask = Callable[[Entry, Request], Awaitable[Answer]]
_ENDING, _TAKEN = 1012, 4409
_MOST_ROWS = 10_000


@dataclass(eq=False)
class _Stream:
    """One stream: the model that it began with, its bearer, its last rows (n, C), its steps, its last answer; of a
    model that remembers its `own` state and how a step is told."""

    entry: Entry
    bearer: bytes
    form: WindowStream
    rows: np.ndarray
    own: Any = None
    told: Any = None
    steps: int = 0
    last: bytes = b""
    expires: float = 0.0
    send: Any = None
    busy: bool = False


class Streams:
    """All streams of a server. most: how many it keeps, connected or not; keep: seconds that one lives unconnected."""

    def __init__(self, most: int, keep: float, ask: Ask, served: Callable[[Any], Awaitable[Served]]) -> None:
        self._most, self._keep, self._ask, self._served = most, keep, ask, served
        self._held: dict[bytes, _Stream] = {}
        self._pins: dict[tuple[str, str, int], int] = {}
        self._ending = False
        self.steps = self.resumed = 0

    @property
    def connected(self) -> int:
        """Streams with a connection now."""
        return sum(stream.send is not None for stream in self._held.values())

    @property
    def kept(self) -> int:
        """Streams whose state is kept, connected or not."""
        return len(self._held)

    def pins(self, entry: Entry) -> bool:
        """Whether a stream still needs this model."""
        return self._pins.get(entry.key, 0) > 0

    def sweep(self) -> None:
        """Forget what has expired."""
        now = time.monotonic()
        for key, stream in list(self._held.items()):
            if stream.send is None and stream.expires <= now:
                self._forget(key)

    async def end(self) -> None:
        """Tell every client that the server ends; a step that is being computed is answered first."""
        self._ending = True
        for stream in list(self._held.values()):
            if stream.send is not None and not stream.busy:
                send, stream.send = stream.send, None
                await _closed(send, _ENDING, "the server ends")

    def forget_all(self) -> None:
        """Let every state go: the server has ended."""
        self._held.clear()
        self._pins.clear()

    async def serve(self, entry: Entry, bearer: bytes, token: str | None, receive: Any, send: Any) -> None:
        """Serve one connection, whose handshake is still open, to its end. Raises Problem before it is accepted."""
        if self._ending:
            raise Problem(503, "The server is about to end; connect again in a second.", retry=1)
        if token is None:
            token, stream = await self._opened(entry, bearer)
            hello: dict[str, Any] = {"token": token}
        else:
            stream = await self._again(token, bearer, entry)
            hello = {"resumed": True, "last": orjson.Fragment(stream.last) if stream.last else None}
            self.resumed += 1
        key = _key(token)
        mine = stream.send = send
        try:
            await receive()  # that it wants to connect, which its address has said
            await send({"type": "websocket.accept"})
            about = {"model": stream.entry.name, "version": stream.entry.version, "step": stream.steps}
            told = {**about, "columns": stream.form.columns, "rows": stream.form.rows, "keep": self._keep, **hello}
            await _said(send, orjson.dumps(told))
            while await self._turn(stream, key, receive, send):
                pass
        finally:
            if stream.send is mine:  # not taken over by another connection
                stream.send, stream.busy = None, False
                stream.expires = time.monotonic() + self._keep

    async def _turn(self, stream: _Stream, key: bytes, receive: Any, send: Any) -> bool:
        """One message and its answer; False where the connection ends."""
        message = await receive()
        if message["type"] != "websocket.receive" or stream.send is not send:
            return False
        stream.busy = True
        text = message.get("text") or message.get("bytes") or b""
        try:
            told = _parsed(text)
            if told == {"end": True}:
                self._forget(key)
                await _closed(send, 1000, "ended")
                return False
            answer = await self._step(stream, told)
        except Problem as problem:
            answer = orjson.dumps({"error": problem.sentence, "step": stream.steps})
        stream.busy = False
        if stream.send is not send:
            return False
        await _said(send, answer)
        if self._ending:
            await _closed(send, _ENDING, "the server ends")
            return False
        return True

    async def _step(self, stream: _Stream, told: Any) -> bytes:
        """Take one row or several, and answer the last of them; a row that is refused leaves the state as it was."""
        new = _rows(told, stream.form)
        if stream.own is not None:
            return self._remembered(stream, new)
        rows = np.concatenate([stream.rows, new])[-stream.form.rows :]
        steps = stream.steps + len(new)
        if len(rows) < stream.form.rows:
            answer = orjson.dumps({"step": steps, "needs": stream.form.rows - len(rows)})
        else:
            request = Request("window", np.ascontiguousarray(rows).tobytes(), shape=(rows.shape[0], rows.shape[1]))
            found = await self._ask(stream.entry, request)
            if found.status != 200:
                raise Problem(found.status, orjson.loads(found.body)["error"])
            answer = b'{"step":%d,' % steps + found.body[1:]
        stream.rows, stream.steps, stream.last = rows, steps, answer
        self.steps += 1
        return answer

    def _remembered(self, stream: _Stream, new: np.ndarray) -> bytes:
        """The same of a model that remembers: it goes on from its own state."""
        if np.abs(new).max() > LARGEST:
            raise Problem(400, f"Expected numbers up to {LARGEST:g}, got {float(np.abs(new).max()):g}.")
        before = stream.own.state()
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = [stream.own.step(row) for row in new][-1]
        if not np.isfinite(outputs).all():
            stream.own.restore(before)
            raise Problem(400, "The numbers lie too far from those of the training to be computed with.")
        stream.steps += len(new)
        self.steps += 1
        answer = {"step": stream.steps, **stream.told(outputs)}
        stream.last = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        return stream.last

    async def _opened(self, entry: Entry, bearer: bytes) -> tuple[str, _Stream]:
        form = entry.about.stream
        if form is None:
            why = " ".join(entry.about.notes) or f"A model for {entry.about.task} has no steps."
            raise Problem(400, f"The model {entry.name} has no stream. {why}")
        self.sweep()
        if len(self._held) >= self._most:
            idle = [(stream.expires, key) for key, stream in self._held.items() if stream.send is None]
            if not idle:
                raise Problem(503, f"All {self._most} streams are taken; try again later.", retry=1)
            self._forget(min(idle)[1])
        token = secrets.token_urlsafe(32)
        stream = _Stream(entry, bearer, form, np.empty((0, len(form.columns))))
        if not form.rows:
            served = await self._served(entry.key)
            stream.own, stream.told = served.stepper(), served.told_step
        self._held[_key(token)] = stream
        self._pins[entry.key] = self._pins.get(entry.key, 0) + 1
        return token, stream

    async def _again(self, token: str, bearer: bytes, entry: Entry) -> _Stream:
        """The stream of a token; whoever is still connected to it is let go."""
        self.sweep()
        stream = self._held.get(_key(token))
        # Another's token and none at all are told alike.
        if stream is None or not hmac.compare_digest(stream.bearer, bearer) or stream.entry.name != entry.name:
            raise Problem(404, "resume: there is no stream of this token, or no more; open a new one.")
        if stream.send is not None:
            old, stream.send = stream.send, None
            await _closed(old, _TAKEN, "the stream went on in another connection")
            for _ in range(500):  # until the step that the old connection began is done
                if not stream.busy:
                    break
                await asyncio.sleep(0.01)
        return stream

    def _forget(self, key: bytes) -> None:
        stream = self._held.pop(key, None)
        if stream is not None:
            place = stream.entry.key
            self._pins[place] -= 1
            if not self._pins[place]:
                del self._pins[place]


def _key(token: str) -> bytes:
    # What is looked up is a digest, so that the time which that takes tells nothing of other tokens.
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem(400, 'Expected JSON: a step such as {"x": [1.5]}.') from None


def _rows(told: Any, form: WindowStream) -> np.ndarray:
    """The rows (n, C) of a message: {"x": [numbers]}, {"x": number} of one column, or {"past": [[numbers], …]}."""
    if isinstance(told, dict) and set(told) == {"past"} and isinstance(told["past"], list):
        given = told["past"]
    elif isinstance(told, dict) and set(told) == {"x"}:
        given = [told["x"]]
    else:
        raise Problem(400, f'Expected {{"x": [one number for each of {", ".join(form.columns)}]}}, got {shown(told)}.')
    width = len(form.columns)
    if not 0 < len(given) <= _MOST_ROWS:
        raise Problem(400, f"past: expected 1 to {_MOST_ROWS:,} rows, got {len(given):,}.")
    rows = [[row] if width == 1 and not isinstance(row, list) else row for row in given]
    for row in rows:
        if not isinstance(row, list) or len(row) != width or not all(type(cell) in (int, float) for cell in row):
            raise Problem(400, f"Expected {width} numbers ({', '.join(form.columns)}), got {shown(row)}.")
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:
        raise Problem(400, "A number is too large to be computed with.") from None


async def _said(send: Any, text: bytes) -> None:
    await send({"type": "websocket.send", "text": text.decode()})


async def _closed(send: Any, code: int, reason: str) -> None:
    try:
        await send({"type": "websocket.close", "code": code, "reason": reason})
    except Exception:  # noqa: BLE001 - a connection that is gone already is closed as well
        return
