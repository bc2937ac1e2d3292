"""Running the server: sockets, signals, and an end that answers what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from seqloom_runtime.errors import SettingError

from .api import application
from .computing import with_threads
from .connections import ConnectionLimits, bounded_protocol
from .front import Front
from .logs import Log
from .registry import Source
from .service import Service
from .settings import ServerSettings
from .tokens import Tokens

__all__ = ["Ending", "listening", "run", "serve"]

_GRACE = 0.5


def run(
    sources: Sequence[Source], settings: ServerSettings, log: Log, started: Callable[[str], None] = lambda address: None
) -> None:
    """Serve until SIGTERM or SIGINT. `started` is called with the address once every model is loaded.

    Raises what loading a model raises, and SettingError where the address can't be used.
    """
    import uvloop

    async def until_signal() -> None:
        ending = Ending()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.ask)
        await serve(sources, settings, log, started, ending)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_signal())


class Ending:
    """How a server is asked to end: the first time it answers what was accepted, the second time it ends at once."""

    def __init__(self) -> None:
        self._asked, self._event = 0, asyncio.Event()

    @property
    def at_once(self) -> bool:
        """Whether it was asked twice."""
        return self._asked > 1

    def ask(self) -> None:
        """Ask, in the server's own loop."""
        self._asked += 1
        self._event.set()

    async def wait(self) -> None:
        """Returns once it was asked again."""
        await self._event.wait()
        self._event.clear()


async def serve(
    sources: Sequence[Source],
    settings: ServerSettings,
    log: Log,
    started: Callable[[str], None],
    ending: Ending,
) -> None:
    """As `run`, in a loop that runs, until `ending` is asked for."""
    tokens = Tokens.read(settings.token_file)
    listener = listening(settings)
    service = Service(sources, settings, tokens, log)
    _quiet(log)
    try:
        if settings.workers == 1:
            with_threads(settings.threads_each)
        await service.start()
        server = _Server(_config(service, settings))
        watching = asyncio.get_running_loop().create_task(_end(server, service, ending))
        scheme = "https" if settings.tls_cert is not None else "http"
        host, port = listener.getsockname()[:2]
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        log.event("started", address=address, workers=settings.workers, models=len(list(service.registry)))
        started(address)
        await server.serve(sockets=[listener])
        watching.cancel()
    finally:
        listener.close()
        await service.stop()


class _ToLog(logging.Handler):
    """What uvicorn complains of, as events of our own log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fault = "" if record.exc_info is None else "".join(traceback.format_exception(record.exc_info[1]))
        self._log.event("fault", fault=f"{record.getMessage().strip()} {fault}".strip())


def _quiet(log: Log) -> None:
    """Have the libraries' loggers tell our log, and nobody else."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_ToLog(log)], False
        logger.setLevel(logging.ERROR)


async def _end(server: uvicorn.Server, service: Service, ending: Ending) -> None:
    """Once asked: take requests a moment longer, each the last of its connection, then end."""
    await ending.wait()
    service.draining = True
    service.log.event("ending")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ending.wait(), _GRACE)
    await service.streams.end()
    server.should_exit = True
    server.force_exit = ending.at_once
    await ending.wait()
    server.force_exit = True


class _Server(uvicorn.Server):
    """uvicorn's server without its signals, which would end the process as a signal does, not as a program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _config(service: Service, settings: ServerSettings) -> uvicorn.Config:
    limits = ConnectionLimits(settings.connections, settings.slow, service.metrics)
    return uvicorn.Config(
        Front(service, application(service)),
        http=bounded_protocol(limits),
        ws="websockets-sansio",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        ws_max_size=1 << 20,
        ws_max_queue=16,
        ws_per_message_deflate=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.drain) or 1,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def listening(settings: ServerSettings) -> socket.socket:
    """The socket, taken before a model is loaded: a port that is in use is told at once."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as fault:
        raise SettingError(f"host: {settings.host} is no address of this machine ({fault.strerror}).") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(2048)
    except OSError as fault:
        listener.close()
        why = (fault.strerror or "it can't be used").lower()
        raise SettingError(
            f"port: {settings.host}:{settings.port} can't be listened on ({why}); give another port, 0 for a free one."
        ) from None
    listener.setblocking(False)
    return listener
