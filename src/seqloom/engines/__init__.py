"""Engines: a list of jobs done by worker processes of this machine, or of many through Ray, to the same bytes."""

from __future__ import annotations

from .cluster import OPEN_PORTS, RayEngine
from .engine import ENGINES, Engine, Failed
from .local import LocalEngine, settle
from .making import make_engine, open_engine
from .threads import one_thread

__all__ = [
    "ENGINES",
    "OPEN_PORTS",
    "Engine",
    "Failed",
    "LocalEngine",
    "RayEngine",
    "make_engine",
    "one_thread",
    "open_engine",
    "settle",
]
