"""Computing in the server's own process: one thread beside the one that talks to clients."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .described import Described
from .jobs import Answer, Bounds, Request, answer_batch
from .models import load_model
from .problem import Problem
from .served import Served

__all__ = ["Inside"]


class Inside:
    """One thread that computes; the compiled engine lets the other go on meanwhile, and uses both cores."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._models: dict[Hashable, Served] = {}
        self._thread = ThreadPoolExecutor(1, "seqloom-compute")
        self._busy = 0
        self.on_free: Any = None

    @property
    def free(self) -> int:
        """One batch at a time."""
        return 1 - self._busy

    @property
    def processes(self) -> list[int]:
        """This process alone."""
        return [os.getpid()]

    async def start(self) -> None:
        """Nothing to start."""

    async def load(self, key: tuple[str, str, int], path: Path) -> Described:
        """Load a model and offer it under `key`; raises what `load_model` does."""
        # Not in the thread that computes: requests go on meanwhile.
        served = await asyncio.to_thread(load_model, path)
        self._models[key] = served
        return Described.of(served)

    async def served(self, key: tuple[str, str, int]) -> Served:
        """The model itself, for streams of its own."""
        return self._models[key]

    async def forget(self, key: tuple[str, str, int]) -> None:
        """Let a model go; a batch that is being computed keeps it."""
        self._models.pop(key, None)

    async def run(self, key: Hashable, requests: Sequence[Request]) -> list[Answer]:
        """The answers to a batch for the model `key`."""
        served = self._models.get(key)
        if served is None:
            raise Problem(503, "The model was taken away meanwhile; ask again.", retry=1)
        name, version, _ = key  # type: ignore[misc]
        self._busy += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, answer_batch, served, name, version, requests, self._bounds)
        finally:
            self._busy -= 1

    async def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)
