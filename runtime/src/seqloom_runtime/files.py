"""Files that are either whole or not there: atomic writes, canonical JSON, checksums, and a lock for a folder.

Every file that seqloom writes goes through this module. A write goes to a temporary file in the same folder, is
flushed to the disk, and is then renamed over its target, so a reader or a killed process never meets half a file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

from .errors import FormatError, RunLockedError, printable
from .limits import need_memory

__all__ = [
    "folder_lock",
    "read_json",
    "read_whole",
    "remove_temporaries",
    "sha256_bytes",
    "sha256_file",
    "write_bytes",
    "write_json",
    "write_pieces",
    "write_text",
]

_JSON_ROOM = 8  # bytes that a parsed byte of JSON takes at most, but for files of nothing but brackets


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` by `data`, atomically and durably; the folder must exist.

    Raises OSError, naming `path`, where it can't be written; the old file is then untouched and nothing else is left.
    """
    write_pieces(path, (data,))


def write_pieces(path: str | os.PathLike[str], pieces: Iterable[bytes]) -> None:
    """`write_bytes` of what the pieces make together, each written before the next is made."""
    path = Path(path)
    # In the same folder, because a rename is atomic only within one file system; hidden and random, so that two
    # writers never share one.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    with _named(path):
        try:
            # x: a file or a link that someone put there is not written through.
            with _created(temporary) as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                # Without it the rename may reach the disk before the bytes, and a power cut leaves an empty file
                # under the new name.
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C too must leave no temporary file behind
            with contextlib.suppress(OSError):  # the first fault is the one to tell
                temporary.unlink(missing_ok=True)
            raise
        # The rename itself lives in the folder; until that is flushed a power cut may bring the old file back.
        _sync_folder(path.parent)


def _created(path: Path) -> BinaryIO:
    """A new file; a folder that is there and still takes none, as /proc, would be told as a file that is missing."""
    try:
        return open(path, "xb")
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), os.fspath(path)) from None


def remove_temporaries(folder: str | os.PathLike[str], names: str = "*") -> None:
    """Remove the temporary files that killed writes of files called `names`, a pattern, left in `folder`.

    Only for files that no other process writes at the time.
    """
    for path in Path(folder).glob(f".{names}.*.tmp"):
        if re.fullmatch(r"\..+\.[0-9a-f]{12}\.tmp", path.name):
            path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`write_bytes` of `text` in UTF-8; a lone surrogate, as in the name of a file that is no UTF-8, is written as its
    escape, which JSON reads back as it was."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON, atomically: two-space indent, keys in the order given, NaN and infinities as null."""
    write_text(path, json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON from `path`; raises FormatError with the line and column where the text is not JSON.

    So it does for what JSON doesn't know (NaN, Infinity), for numbers of thousands of digits, and as `read_whole` does.
    """
    data, path = read_whole(path, _JSON_ROOM), printable(os.fspath(path))
    try:
        # Decoded here, because json.loads on bytes would guess UTF-16 and UTF-32.
        return json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected UTF-8 text, found byte {error.start} that is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{path}: expected JSON, found something else at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise FormatError(f"{path}: expected JSON, found brackets nested too deeply.") from None
    except ValueError as error:  # NaN; a number of more digits than Python reads
        raise FormatError(f"{path}: expected JSON with ordinary numbers ({error}).") from None


def read_whole(path: str | os.PathLike[str], room: int = 1) -> bytes:
    """The bytes of a file, where `room` times as many fit into the memory that is left.

    Raises FormatError where they don't, or where `path` is a folder, a pipe or a device, which may never end.
    """
    about = os.stat(path)
    # Looked at before it is opened: opening a named pipe without a writer waits for ever.
    if not stat.S_ISREG(about.st_mode):
        found = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe, socket or device"
        raise FormatError(f"{printable(os.fspath(path))}: expected a file, found {found}.")
    what = f"{printable(os.fspath(path))}: reading its {about.st_size:,} bytes"
    need_memory(room * about.st_size, what, "Free some, or restore the file where it is damaged.", error=FormatError)
    return Path(path).read_bytes()


def sha256_bytes(data: bytes) -> str:
    """The SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold `folder/.lock` while the block runs; the operating system lets go of it when the process dies.

    Raises RunLockedError at once where another process, or another block of this one, holds it.
    """
    path = Path(folder) / ".lock"
    with _named(path):
        locked = _locked_file(path)
    with locked as file:
        # The process id is for the person who meets the lock; flock is what keeps others out.
        with contextlib.suppress(OSError):  # on a full disk the lock holds too, it only can't say whose it is
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            if _is_at(file, path):
                with contextlib.suppress(OSError):  # what is left is no obstacle: the lock goes with the process
                    os.unlink(path)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an OSError name the file that was meant: write and fsync name none, open and replace the temporary one."""
    try:
        yield
    except OSError as fault:
        # The command line prints the name: the temporary one would mean nothing to its reader.
        fault.filename, fault.filename2 = os.fspath(path), None
        raise


def _locked_file(path: Path) -> IO[str]:
    """Open and lock the file at `path`.

    The last holder removes the file when it is done, so a lock may be won on a file that is no longer at `path`; such
    a lock keeps nobody out, and the next file is tried.
    """
    while True:
        # a+: created where it is missing, and what another holder wrote into it stays to be read.
        file = open(path, "a+")  # noqa: SIM115 - the caller closes it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise RunLockedError(
                f"{path.parent} is being written by another run (process {holder}): wait for it or choose "
                "another folder."
            ) from None
        if _is_at(file, path):
            return file
        file.close()


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is none")


def _finite(value: Any) -> Any:
    # JSON has no NaN; a reader in another language would refuse the whole file.
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
