"""Named data files: where the original lies, what it must be, and where it is looked for.

A file is looked for in the folder that the environment variable SEQLOOM_DATA names, then in the caller's cache folder;
it is downloaded only where the caller asks for that, into that folder. A file is used only if its SHA-256 is right.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, SettingError
from ..files import sha256_bytes, sha256_file, write_bytes

__all__ = ["DownloadProgress", "NamedFile"]

_PIECE = 1 << 18
_PATIENCE = 60.0  # seconds without a byte


@dataclass(frozen=True)
class DownloadProgress:
    """Told while a file is downloaded; `total` is its size."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class NamedFile:
    """One file of a named data set.

    folder: of the set, below the folders that are searched. name, size (bytes), sha256: of the file. urls: where the
    original lies, tried in turn; none for a file that was derived from an original.
    """

    folder: str
    name: str
    size: int
    sha256: str
    urls: tuple[str, ...] = ()

    def find(self, cache: str | os.PathLike[str] | None = None) -> Path | None:
        """Where the file is: below SEQLOOM_DATA or `cache`, or None; raises DataError where it was altered."""
        for base in (os.environ.get("SEQLOOM_DATA"), cache):
            if not base:
                continue
            path = Path(base).expanduser() / self.folder / self.name
            if path.is_file():
                found = sha256_file(path)
                if found != self.sha256:
                    raise DataError(
                        f"{path}: expected {self.name} with SHA-256 {self.sha256}, found {found} "
                        f"({path.stat().st_size:,} bytes instead of {self.size:,}); remove it and fetch it again."
                    )
                return path
        return None

    def locate(
        self,
        cache: str | os.PathLike[str] | None = None,
        *,
        download: bool = False,
        on_progress: Callable[[DownloadProgress], None] | None = None,
    ) -> Path:
        """Where the file is, downloaded into `cache` first where `download` asks for that and it is not there yet.

        Raises DataError, saying where the original lies and how to get it, where it isn't there or can't be fetched.
        """
        if download and cache is None:
            raise SettingError('download=True needs the folder to keep the files in, such as cache="~/.cache/seqloom".')
        path = self.find(cache)
        if path is not None:
            return path
        if not download or cache is None:
            where = f"The original: {self.urls[0]}. " if self.urls else ""
            ask = ", or pass cache=… and download=True to fetch it" if self.urls else ""
            raise DataError(
                f"{self.folder}/{self.name} is not here: set SEQLOOM_DATA to the folder that holds "
                f"{self.folder}/{self.name}{ask}. {where}SHA-256 {self.sha256}, {self.size:,} bytes."
            )
        target = Path(cache).expanduser() / self.folder / self.name
        data = self._fetch(on_progress)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, data)
        return target

    def _fetch(self, on_progress: Callable[[DownloadProgress], None] | None) -> bytes:
        if not self.urls:
            raise DataError(f"{self.folder}/{self.name} was derived from an original and can't be downloaded.")
        reasons = []
        for url in self.urls:
            try:
                data = self._read(url, on_progress)
            except (urllib.error.URLError, TimeoutError, OSError) as error:
                reasons.append(f"{url}: {getattr(error, 'reason', error)}")
                continue
            if sha256_bytes(data) == self.sha256:
                return data
            reasons.append(f"{url}: {len(data):,} bytes with SHA-256 {sha256_bytes(data)}")
        raise DataError(
            f"{self.name} can't be downloaded (expected {self.size:,} bytes with SHA-256 {self.sha256}): "
            f"{'; '.join(reasons)}. Try again later, or put the file below the folder that SEQLOOM_DATA names."
        )

    def _read(self, url: str, on_progress: Callable[[DownloadProgress], None] | None) -> bytes:
        """The bytes behind `url`, at most one more than expected."""
        pieces, done = [], 0
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:
            while done <= self.size and (piece := answer.read(min(_PIECE, self.size + 1 - done))):
                pieces.append(piece)
                done += len(piece)
                if on_progress is not None:
                    on_progress(DownloadProgress(self.name, min(done, self.size), self.size))
        return b"".join(pieces)
