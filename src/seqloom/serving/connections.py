"""Connections with bounds: how many there are, how long the head of a request may take, and how large it is.

uvicorn's own protocol waits for ever for a client that stalls within a head, and keeps whatever it sends of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .metrics import Metrics

__all__ = ["ConnectionLimits", "bounded_protocol"]

_LARGEST_HEAD = 32 << 10
_GRACE = 0.5


class ConnectionLimits:
    """most: connections at a time; seconds: for the head of a request."""

    def __init__(self, most: int, seconds: float, metrics: Metrics) -> None:
        self.most, self.seconds, self.metrics = most, seconds, metrics


class _Bounded(HttpToolsProtocol):
    limits: ConnectionLimits

    def connection_made(self, transport: Any) -> None:
        self._alarm: asyncio.TimerHandle | None = None
        self._head = 0
        self._in_head = True
        self._draining = False
        super().connection_made(transport)
        # An upgraded connection is in this set too, under its other protocol.
        if len(self.connections) > self.limits.most:
            self.limits.metrics.refused += 1
            self._refuse(503, f"More than {self.limits.most} connections are open; try again later.", retry=True)
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self.parser is None:
            return
        if self._in_head:
            # What follows the head in the same piece counts along, which is why the bound is only met while the
            # head goes on.
            before, self._head = self._head, self._head + len(data)
            if before > _LARGEST_HEAD:
                self._refuse(431, f"The head of the request: expected at most {_LARGEST_HEAD} bytes; send fewer.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._watch()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        self._unwatch()
        self.scope["seqloom.abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        if self._draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        self._unwatch()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "The request: expected HTTP/1.1, got something else; check what is sent to this port.")

    def shutdown(self) -> None:
        self._draining = True
        if self.cycle is None or self.cycle.response_complete:
            # A request may be on its way: it is read and answered before the connection ends.
            self.loop.call_later(_GRACE, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _watch(self) -> None:
        if self._alarm is None:
            self._alarm = self.loop.call_later(self.limits.seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _too_slow(self) -> None:
        self._alarm = None
        if not self.transport.is_closing():
            self._refuse(
                408, f"The head of the request did not come within {self.limits.seconds:g} seconds; send it anew."
            )

    def _refuse(self, status: int, sentence: str, *, retry: bool = False) -> None:
        body = orjson.dumps({"error": sentence})
        lines = [STATUS_LINE[status], b"content-type: application/json\r\n"]
        lines += [b"retry-after: 1\r\n"] if retry else []
        lines += [b"content-length: %d\r\n" % len(body), b"connection: close\r\n\r\n", body]
        self._unwatch()
        self.transport.write(b"".join(lines))
        self.transport.close()


def bounded_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """uvicorn's protocol of HTTP within these limits; every refusal is JSON with one sentence."""
    return type("Bounded", (_Bounded,), {"limits": limits})
