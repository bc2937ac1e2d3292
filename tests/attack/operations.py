"""Every file operation of a process counted, so that it can die or fail at the one of a number."""

from __future__ import annotations

import builtins
import errno
import io
import mmap
import os
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ERRORS", "KINDS", "Operations"]

KINDS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "truncate")
ERRORS = {
    "open": (errno.ENOSPC, errno.EMFILE, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES),
    "write": (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "replace": (errno.EIO, errno.ENOSPC, errno.EACCES),
    "mkdir": (errno.ENOSPC, errno.EDQUOT, errno.EACCES),
    "truncate": (errno.EIO, errno.ENOSPC),
}


@dataclass
class Operations:
    """What happens at the file operation of a number among those of some kinds, once `install` was called.

    With `error` the operation fails with that errno, for ever after where `lasting`; without, the process dies by
    SIGKILL, before the operation or after it (`done`). `short`: every write takes a few bytes only, as it may.
    """

    number: int = 0
    kinds: Collection[str] = KINDS
    error: int | None = None
    lasting: bool = False
    done: bool = False
    short: bool = False
    count: int = field(default=0, init=False)
    hit: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 1), init=False)  # seen by the process that forked this

    @property
    def met(self) -> bool:
        """Whether the operation came, also in a fork."""
        return self.hit[0] != 0

    def install(self) -> None:
        """Replace the operations of this process; it can't be undone."""
        os.fsync = self._counted("fsync", lambda descriptor: None)
        for name in ("replace", "rename"):
            setattr(os, name, self._counted("replace", getattr(os, name)))
        for name in ("unlink", "remove"):
            setattr(os, name, self._counted("unlink", getattr(os, name)))
        os.mkdir = self._counted("mkdir", os.mkdir)
        opened = builtins.open
        builtins.open = io.open = self._open(opened)

    def meet(self, kind: str, path: Any = None) -> None:
        """Count an operation; die or fail where it is the one, before it is done."""
        if kind not in self.kinds:
            return
        self.count += 1
        hit = self.number and (self.count == self.number or (self.lasting and self.count > self.number))
        if hit:
            self.hit[0] = 1
        if hit and self.error is not None:
            raise OSError(self.error, os.strerror(self.error), *([] if path is None else [path]))
        if hit and not self.done:
            os.kill(os.getpid(), signal.SIGKILL)

    def left(self, kind: str) -> None:
        """Die where the operation just done is the one."""
        if kind in self.kinds and self.done and self.error is None and self.count == self.number:
            os.kill(os.getpid(), signal.SIGKILL)

    def _counted(self, kind: str, operation: Callable[..., Any]) -> Any:
        def work(*arguments: Any, **named: Any) -> Any:
            self.meet(kind, None if kind == "fsync" else arguments[0])
            result = operation(*arguments, **named)
            self.left(kind)
            return result

        return work

    def _open(self, opened: Callable[..., Any]) -> Any:
        def work(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            writes = any(letter in mode for letter in "wax+")
            if not isinstance(file, int):
                self.meet("open", file)
            if not writes or isinstance(file, int) or "b" not in mode or "+" in mode:
                found = opened(file, mode, *arguments, **named)
            else:  # as `open` would, but through our raw file
                found = io.BufferedWriter(_Raw(self, os.fspath(file), mode.replace("b", "")))
            if not isinstance(file, int):
                self.left("open")
            return found

        return work


class _Raw(io.FileIO):
    """A file whose writes are counted, fail, or are short."""

    def __init__(self, operations: Operations, path: str, mode: str) -> None:
        super().__init__(path, mode)
        self._operations = operations

    def write(self, data: Any) -> int:
        self._operations.meet("write")
        size = memoryview(data).nbytes
        written = super().write(memoryview(data).cast("B")[: max(1, size // 3)] if self._operations.short else data)
        self._operations.left("write")
        return written or 0

    def truncate(self, size: int | None = None) -> int:
        self._operations.meet("truncate")
        return super().truncate(size)
