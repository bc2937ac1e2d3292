"""Saved models behind HTTP: what `seqloom serve` runs.

One process owns the connections, the queue and the streams; models compute in a thread of it, or in worker processes.
"""

from .jobs import Bounds
from .logs import Log
from .registry import checked, sources_of
from .server import run
from .settings import ServerSettings

__all__ = ["Bounds", "Log", "ServerSettings", "checked", "run", "sources_of"]
