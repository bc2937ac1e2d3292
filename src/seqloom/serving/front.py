"""The first thing a request meets: who asks, how much is sent and how slowly; then the shortest way to the models.

Requests to infer and to predict, which come by the thousand, go straight to the service; FastAPI has the same
addresses, describes them, and answers all others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from uvicorn.protocols.utils import ClientDisconnected

from seqloom_runtime.errors import shown

from .jobs import JSON, Answer, problem_answer
from .problem import Problem, too_large
from .service import Room, Service

__all__ = ["Front", "read_body", "sent", "wants_csv"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_OPEN = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/", "/page.js", "/page.css")
"""Addresses that need no token: they tell nothing of the models."""


class Front:
    """The ASGI application that uvicorn calls, in front of FastAPI's."""

    def __init__(self, service: Service, api: Any) -> None:
        self._service, self._api = service, api

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        service, begun = self._service, time.monotonic()
        path, method = scope["path"], scope["method"]
        headers = dict(scope["headers"])
        route, model, status, why = "other", "", 0, ""
        room = Room(service)
        origin = headers.get(b"origin")
        try:
            if origin is not None and (answer := self._origin(origin, method, headers)) is not None:
                status, why = answer.status, _why(answer.status, answer.body)
                await sent(answer, scope, send, service, _cors(service, origin))
                return
            if path not in _OPEN:
                service.tokens.check(headers.get(b"authorization"))
            hot = _hot(path) if method == "POST" else None
            if hot is None:
                status, why = await self._passed(scope, receive, send, headers, room)
                return
            route, model, version = hot
            body = await read_body(receive, headers, service, room)
            more = _predict_options(scope, headers) if route == "predict" else {}
            answer = await service.infer(model, version, body, headers, route, **more)
        except Problem as problem:
            answer = problem_answer(problem)
        except _Gone:
            status = 499
            return
        finally:
            room.leave()
            if status:
                self._count(route, self._known(model), status, begun, method, path, why)
        await sent(answer, scope, send, service, _cors(service, origin))
        why = _why(answer.status, answer.body)
        self._count(route, self._known(model), answer.status, begun, method, path, why)

    async def _stream(self, scope: Message, receive: Receive, send: Send) -> None:
        """A WebSocket: a stream of a model, or a refusal in place of the handshake's answer."""
        service, begun, path = self._service, time.monotonic(), scope["path"]
        headers = dict(scope["headers"])
        status, why = 101, ""
        try:
            origin = headers.get(b"origin")
            if origin is not None and (refused := self._origin(origin, "GET", headers)) is not None:
                raise Problem(refused.status, orjson.loads(refused.body)["error"])
            bearer = service.tokens.check(headers.get(b"authorization"))
            found = _place(path)
            if found is None or found[:2] != ("v1", "stream"):
                raise Problem(404, "There is no such address; streams are at /v1/models/NAME/stream.")
            query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), max_num_fields=20))
            entry = service.registry.find(found[2], found[3])
            await service.streams.serve(entry, bearer, query.get("resume"), receive, send)
        except Problem as problem:
            status, why = problem.status, problem.sentence
            answer = problem_answer(problem)
            start = {"type": "websocket.http.response.start", "status": status, "headers": _headers_of(answer)}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": answer.body})
            # The connection has ended with this answer. uvicorn takes a return without a handshake for a fault.
            raise ClientDisconnected from None
        except ClientDisconnected:
            if why:
                raise
            # Else it went away while it was answered: its stream waits for its token.
        finally:
            service.log.request("STREAM", path, status, time.monotonic() - begun, reason=why)

    def _known(self, model: str) -> str:
        """The name of a model that is there, else "": names that clients make up would fill the counters."""
        return model if self._service.registry.versions(model) else ""

    def _count(self, route: str, model: str, status: int, begun: float, method: str, path: str, why: str) -> None:
        seconds = time.monotonic() - begun
        self._service.metrics.request(route, model, status, seconds)
        named = {"model": model} if model else {}
        self._service.log.request(method, path, status, seconds, reason=why, **named)

    def _origin(self, origin: bytes, method: str, headers: dict[bytes, bytes]) -> Answer | None:
        """What a page of another origin is told: nothing is allowed but what the settings name."""
        text = origin.decode("latin-1")
        if text.partition("://")[2] == headers.get(b"host", b"").decode("latin-1"):
            return None
        if text not in self._service.settings.cors:
            return problem_answer(Problem(403, f"Pages of {shown(text)} may not ask this server; start it with cors."))
        if method == "OPTIONS" and b"access-control-request-method" in headers:
            return Answer(204, JSON, b"")
        return None

    async def _passed(
        self, scope: Message, receive: Receive, send: Send, headers: dict[bytes, bytes], room: Room
    ) -> tuple[int, str]:
        """Hand a request on to FastAPI, its body bounded; the status that it was answered with, and why it was refused
        if it was."""
        status, why = 0, ""
        service = self._service
        body = await read_body(receive, headers, service, room)
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        extra = _cors(service, headers.get(b"origin"))

        async def watched(message: Message) -> None:
            nonlocal status, why
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *extra, *_closing(service)]
            elif not why:
                why = _why(status, message.get("body", b""))
            await send(message)

        await self._api(scope, again, watched)
        return status or 500, why


class _Gone(Exception):
    """The client went away before its request was whole."""


async def read_body(receive: Receive, headers: dict[bytes, bytes], service: Service, room: Room) -> bytes:
    """The whole body; raises Problem for one that is too large, has no room, or comes too slowly."""
    limit, slow = service.settings.body, service.settings.slow
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise too_large("The body", int(length), limit)
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(slow):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise too_large("The body", size, limit)
                room.take(len(part))
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        raise Problem(408, f"The body did not come whole within {slow:g} seconds; send it anew.") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def sent(answer: Answer, scope: Message, send: Send, service: Service, extra: list[tuple[bytes, bytes]]) -> None:
    """Send an answer; a client that doesn't read it within the bound of a slow one is left."""
    headers = [*_headers_of(answer), *extra, *_closing(service)]
    if answer.status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    try:
        async with asyncio.timeout(service.settings.slow):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})
    except TimeoutError:
        abort = scope.get("seqloom.abort")
        if abort is not None:
            abort()


def _why(status: int, body: bytes) -> str:
    """The sentence of a refusal, for the log; "" of an answer."""
    if status < 400:
        return ""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return str(told.get("error", "")) if isinstance(told, dict) else ""


def _headers_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", answer.content.encode()), (b"content-length", b"%d" % len(answer.body))]
    if answer.head is not None:
        headers.append((b"inference-header-content-length", b"%d" % answer.head))
    if answer.retry is not None:
        headers.append((b"retry-after", b"%d" % answer.retry))
    if answer.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def _closing(service: Service) -> list[tuple[bytes, bytes]]:
    return [(b"connection", b"close")] if service.draining else []


def _cors(service: Service, origin: bytes | None) -> list[tuple[bytes, bytes]]:
    """The headers that let a page of another origin read the answer, where the settings name it."""
    if origin is None or origin.decode("latin-1") not in service.settings.cors:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-headers", b"authorization, content-type, inference-header-content-length"),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-expose-headers", b"inference-header-content-length"),
        (b"vary", b"origin"),
    ]


def _place(path: str) -> tuple[str, str, str, str | None] | None:
    """API version, what is done, model and its version in an address of a model; None of any other address."""
    parts = path.split("/")
    if len(parts) not in (5, 7) or parts[0] or parts[2] != "models" or (len(parts) == 7 and parts[4] != "versions"):
        return None
    return parts[1], parts[-1], parts[3], parts[5] if len(parts) == 7 else None


def _hot(path: str) -> tuple[str, str, str | None] | None:
    """("infer" or "predict", name, version) of an address to which these are sent; None of any other."""
    found = _place(path)
    if found is None or found[:2] not in (("v2", "infer"), ("v1", "predict")):
        return None
    return found[1:]


def _predict_options(scope: Message, headers: dict[bytes, bytes]) -> dict[str, Any]:
    """Options of the address, and whether CSV is wanted back."""
    query = scope.get("query_string", b"")
    options = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=20)) if query else {}
    content = headers.get(b"content-type", b"").decode("latin-1")
    return {"options": options, "csv": wants_csv(options.get("format"), headers), "content": content}


def wants_csv(form: str | None, headers: dict[bytes, bytes]) -> bool:
    """Whether the answer is asked for as CSV; raises Problem for another form."""
    if form not in (None, "json", "csv"):
        raise Problem(400, f"format: expected json or csv, got {shown(form)}.")
    return form == "csv" or (form is None and headers.get(b"accept", b"").startswith(b"text/csv"))
