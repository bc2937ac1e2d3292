"""Engines by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seqloom_runtime.errors import SettingError, shown, suggest

from .cluster import RayEngine
from .engine import ENGINES, Engine, processors
from .local import LocalEngine

__all__ = ["make_engine", "open_engine"]


def make_engine(name: str = "local", *, workers: int | None = None, address: str | None = None) -> Engine:
    """The engine of that name; `workers` by default one for each processor, `address` that of a Ray cluster.

    Raises SettingError for an unknown name or what doesn't go together, MissingDependencyError without the package.
    """
    if name not in ENGINES:
        raise SettingError(f"engine: expected one of {', '.join(ENGINES)}, got {shown(name)}.{suggest(name, ENGINES)}")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 4096):
        raise SettingError(f"workers: expected a whole number from 1 to 4,096, got {shown(workers)}.")
    if name == "local":
        if address is not None:
            raise SettingError("ray_address: only the engine 'ray' has one; name that engine, or leave it out.")
        return LocalEngine(workers or processors())
    return RayEngine(workers, address)


@contextmanager
def open_engine(
    engine: str | Engine = "local", workers: int | None = None, address: str | None = None
) -> Iterator[Engine]:
    """An engine while the block runs: one by its name, which is closed behind it, or one that the caller keeps."""
    if not isinstance(engine, str):
        yield engine
        return
    made = make_engine(engine, workers=workers, address=address)
    try:
        yield made
    finally:
        made.close()
