"""A server in a thread of the test's own process, and a client that speaks to it over its socket."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path
from typing import Any

import httpx
import orjson

from seqloom.serving import Log, ServerSettings, sources_of
from seqloom.serving.server import Ending, serve


class Running:
    """A server with these models; `lines` has its log. Use as a context."""

    def __init__(self, *runs: tuple[str, Path], **settings: Any) -> None:
        self._settings = ServerSettings(port=0, watch=settings.pop("watch", 0), **settings)
        self._sources = sources_of(runs)
        self._out, self._ready = io.StringIO(), threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.address = ""
        self._loop: asyncio.AbstractEventLoop
        self._ending: Ending

    def _run(self) -> None:
        async def main() -> None:
            self._loop, self._ending = asyncio.get_running_loop(), Ending()
            await serve(self._sources, self._settings, Log(out=self._out), self._started, self._ending)

        try:
            asyncio.run(main())
        except BaseException as fault:  # noqa: BLE001 - told to the test
            self._fault = fault
        self._ready.set()

    def _started(self, address: str) -> None:
        self.address = address
        self._ready.set()

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(60)
        if self._fault is not None:
            raise self._fault
        self.http = httpx.Client(base_url=self.address, timeout=60, verify=False, trust_env=False)
        return self

    def end(self) -> None:
        """Ask it to end, as SIGTERM does."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.ask)

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.end()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The events and requests that were logged so far."""
        return [orjson.loads(line) for line in self._out.getvalue().splitlines()]

    def host(self) -> tuple[str, int]:
        """Where its socket is."""
        url = httpx.URL(self.address)
        assert url.port is not None
        return url.host, url.port
