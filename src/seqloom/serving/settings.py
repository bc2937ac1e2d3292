"""What a server is told: where it listens and what it allows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from seqloom_runtime.errors import SettingError, shown

from .jobs import Bounds

__all__ = ["ServerSettings"]


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Every setting of a server; raises SettingError for one that makes no sense.

    workers: processes that compute; 1 computes in the server's own. threads: of each, None for the cores shared out.
    batch: the most requests that are computed together; batch_ms: how long the first of a batch waits for others.
    queue: requests that are accepted at a time. timeout: seconds for a request; slow: for its head, and for its body.
    body: bytes of a body. connections, streams: open at a time. stream_keep: seconds that the state of a stream is kept
    for its token. held: bytes of all bodies that are read or wait.
    watch: seconds between two looks at the folders, 0 for none. cors: origins of pages that may ask.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int | None = None
    batch: int = 64
    batch_ms: float = 2.0
    queue: int = 1024
    timeout: float = 30.0
    slow: float = 10.0
    body: int = 16 << 20
    connections: int = 1000
    streams: int = 500
    stream_keep: float = 300.0
    watch: float = 2.0
    drain: float = 30.0
    held: int = 512 << 20
    token_file: Path | None = None
    cors: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    log_requests: bool = True
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        limits = {
            "port": (0, 65_535),
            "workers": (1, 256),
            "batch": (1, 4096),
            "batch_ms": (0, 10_000),
            "queue": (1, 1_000_000),
            "timeout": (0.1, 86_400),
            "slow": (0.1, 3600),
            "body": (1, 1 << 32),
            "connections": (1, 1_000_000),
            "streams": (0, 1_000_000),
            "stream_keep": (0, 30 * 86_400),
            "watch": (0, 86_400),
            "drain": (0, 3600),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise SettingError(f"{name}: expected a number from {least} to {most}, got {shown(value)}.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingError("tls_cert, tls_key: one is given without the other; give both files or neither.")
        for name in ("tls_cert", "tls_key"):
            file = getattr(self, name)
            if file is not None and not file.is_file():
                raise SettingError(f"{name}: there is no file {shown(str(file))}.")
        for origin in self.cors:
            if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
                raise SettingError(f"cors: expected origins such as https://example.org, got {shown(origin)}.")

    @property
    def threads_each(self) -> int:
        """Threads of each process that computes."""
        if self.threads is not None:
            return self.threads
        return max(1, len(os.sched_getaffinity(0)) // self.workers)
