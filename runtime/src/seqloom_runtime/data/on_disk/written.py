"""Arrays of a panel written piece by piece, each block of bytes with its checksum."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import numpy as np

from .stored import ARRAYS, BLOCK, block_digest

__all__ = ["ArrayWriter", "SparseWriter", "written_to"]


def written_to(file: IO[bytes], data: bytes | memoryview) -> None:
    """Write all of the bytes; an OSError names the file, as those of `write` don't."""
    try:
        data = memoryview(data)
        while len(data):
            data = data[file.write(data) :]
    except OSError as fault:
        fault.filename = file.name if isinstance(file.name, str) else "a file of the panel on disk"
        raise


class ArrayWriter:
    """One array that grows at its end: `add` its next rows, then `close`, which gives the checksums of its blocks."""

    def __init__(self, folder: Path, name: str) -> None:
        self._kind = np.dtype(ARRAYS[name])
        self._file: IO[bytes] = open(folder / f"{name}.bin", "xb", buffering=0)  # noqa: SIM115 - `close` closes it
        self._open = bytearray()
        self.digests: list[str] = []

    def add(self, rows: np.ndarray) -> None:
        """Write the rows behind those before."""
        data = np.ascontiguousarray(rows, dtype=self._kind).data.cast("B")
        for start in range(0, len(data), BLOCK):
            part = data[start : start + BLOCK]
            written_to(self._file, part)
            self._open += part
            while len(self._open) >= BLOCK:
                self.digests.append(block_digest(memoryview(self._open)[:BLOCK]))
                del self._open[:BLOCK]

    def close(self) -> list[str]:
        """Have all bytes reach the disk; the checksums in order."""
        if self._open:
            self.digests.append(block_digest(bytes(self._open)))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self.digests

    def abandon(self) -> None:
        """Close the file of a panel that is not finished."""
        self._file.close()


class SparseWriter:
    """As `ArrayWriter`, for marks that are seldom set: what comes before the first is written once it comes, and
    without any there is no file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._skipped, self._width = folder, name, 0, 1
        self._writer: ArrayWriter | None = None

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows (N, F) bool."""
        self._width = rows.shape[1]
        if self._writer is None and not rows.any():
            self._skipped += len(rows)
            return
        if self._writer is None:
            self._writer = ArrayWriter(self._folder, self._name)
            most = max(1, BLOCK // self._width)
            for start in range(0, self._skipped, most):
                self._writer.add(np.zeros((min(most, self._skipped - start), self._width), dtype=bool))
        self._writer.add(rows)

    def close(self) -> list[str] | None:
        """The checksums in order, None where there is no file."""
        return None if self._writer is None else self._writer.close()

    def abandon(self) -> None:
        """Close the file of a panel that is not finished."""
        if self._writer is not None:
            self._writer.abandon()
