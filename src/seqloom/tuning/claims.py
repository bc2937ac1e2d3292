"""Who does which trial of a search that several processes share: a lock for each, in the run folder.

The operating system lets go of a lock where its process dies, so that another process does that work again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seqloom_runtime.errors import RunLockedError
from seqloom_runtime.files import folder_lock

__all__ = ["PAUSE", "Claims"]

PAUSE = 0.2
"""Seconds between two looks at what others do."""


class Claims:
    """The locks of a search; without a folder nobody shares it, and all is one's own."""

    def __init__(self, folder: Path | None, owner: bool = True) -> None:
        """`owner`: whether this process makes the folder, which it also removes."""
        self.folder = folder
        if folder is not None and owner:
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def shared(self) -> bool:
        return self.folder is not None

    @property
    def there(self) -> bool:
        """Whether the search goes on: its folder goes with it."""
        return self.folder is None or self.folder.exists()

    def take(self, stack: ExitStack, name: str) -> bool:
        """Hold the lock of that name until the stack ends; False where another process holds it, or all is over."""
        if self.folder is None:
            return True
        try:
            (self.folder / name).mkdir(exist_ok=True)
            stack.enter_context(folder_lock(self.folder / name))
        except (RunLockedError, FileNotFoundError):
            return False
        return True

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold it while the block runs, once whoever holds it lets go; a search that is over has nothing to hold."""
        with ExitStack() as stack:
            while not self.take(stack, name) and self.there:
                time.sleep(PAUSE)
            yield
