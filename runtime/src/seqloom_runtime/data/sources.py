"""The bytes of a file, a pipe or standard input: read with a bound, and unpacked with a bound where they are gzip."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ..errors import DataError, printable, suggest
from ..limits import need_memory, over_limit, read_limit, read_stream
from .database_urls import is_database, safe_name

__all__ = ["MOST_PACKED", "STDIN", "file_bytes", "is_stream", "packed_bytes", "refuse_missing", "source_name"]

STDIN = "-"
"""The name under which readers take standard input; a file of that name is ./-"""

_FOREIGN = {
    b"BZh": "a bzip2 archive; unpack it or use gzip",
    b"\xfd7zXZ": "an xz archive; unpack it or use gzip",
    b"(\xb5/\xfd": "a zstd archive; unpack it or use gzip",
    b"SQLite format 3": "a SQLite database; name it as sqlite:///FILE, with what to read (query=)",
    b"\x89HDF": "an HDF5 file; export the table as CSV or Parquet",
    b"%PDF": "a PDF; a table of numbers is needed",
}
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive or Excel workbook; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
}
_GZIP = b"\x1f\x8b"
MOST_PACKED = 1032  # bytes that deflate makes of one at most
_PIECE = 1 << 28  # bytes that are unpacked at a time
_LONGEST = 300  # of a path in messages


def source_name(path: str | os.PathLike[str]) -> str:
    """How messages name `path`: "standard input" for "-", a database without its password, and escaped and cut in the
    middle where that is needed."""
    text = safe_name(str(path)) if is_database(path) else printable(os.fspath(path))
    if text == STDIN:
        return "standard input"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether what `path` names can be read once only: standard input ("-") or a pipe."""
    if os.fspath(path) == STDIN:
        return True
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def file_bytes(
    path: str | os.PathLike[str], expected: str = "a table", kinds: str = "CSV or Parquet", archives: bool = False
) -> bytes:
    """The bytes of a file, unpacked where it is gzip; a pipe, and standard input where `path` is "-", is read whole.

    `expected` and `kinds` say in messages what the file should hold and be; `archives` lets zip archives and workbooks
    pass as they are. Raises DataError where there are none, it is another archive, or more comes out of a pipe or an
    archive than `limits.read_limit` allows.
    """
    source = source_name(path)
    data = packed_bytes(path, expected, kinds)
    for magic, what in (_FOREIGN if archives else _FOREIGN | _ARCHIVES).items():
        if data.startswith(magic):
            raise DataError(f"{source}: expected {kinds}, this is {what}.")
    if not data.startswith(_GZIP):
        return data
    unpacked = _unpacked(data, source)
    if not unpacked:
        raise DataError(f"{source}: expected {expected}, the file is empty once unpacked.")
    return unpacked


def packed_bytes(path: str | os.PathLike[str], expected: str = "a table", kinds: str = "CSV or Parquet") -> bytes:
    """The bytes as they are stored; the rest as for `file_bytes`."""
    source = source_name(path)
    try:
        data = _standard_input(source, kinds) if os.fspath(path) == STDIN else _read(Path(path), source, kinds)
    except FileNotFoundError:
        raise _missing(path) from None
    except DataError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{source}: the file can't be read: {reason}.") from None
    if not data:
        raise DataError(f"{source}: expected {expected}, the file is empty.")
    return data


def refuse_missing(path: str | os.PathLike[str]) -> None:
    """Raise DataError, as reading does, where there is nothing at `path`; whatever else is wrong there passes."""
    try:
        os.stat(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, ValueError):
        return


def _missing(path: str | os.PathLike[str]) -> DataError:
    return DataError(f"{source_name(path)}: there is no such file.{_nearest(Path(path))}")


def _read(path: Path, source: str, kinds: str) -> bytes:
    about = os.stat(path)  # before it is opened, which a device or a socket may answer in any way
    _refuse_odd(about.st_mode, source, kinds)
    if not stat.S_ISREG(about.st_mode):
        with open(path, "rb") as file:
            return read_stream(file, source)
    need_memory(about.st_size, source, "Give a part of the file.", error=DataError)
    return path.read_bytes()


def _standard_input(source: str, kinds: str) -> bytes:
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise DataError(f"{source}: it is closed; pipe a {kinds} file into it, or give the name of a file.")
    if stream.isatty():
        raise DataError(f"{source}: it is the keyboard; pipe a {kinds} file into it, or give the name of a file.")
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        mode = stat.S_IFREG  # no file of the system: a stream that a program put in its place
    _refuse_odd(mode, source, kinds)
    return read_stream(stream, source)


def _refuse_odd(mode: int, source: str, kinds: str) -> None:
    """Raise DataError for what is neither a file nor a pipe; devices may never end."""
    kind_of = ((stat.S_ISDIR, "folder"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "device"), (stat.S_ISBLK, "device"))
    for is_kind, noun in kind_of:
        if is_kind(mode):
            raise DataError(f"{source} is a {noun}; expected a {kinds} file.")


def _nearest(path: Path) -> str:
    try:
        return suggest(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    except (OSError, ValueError):  # no such folder, or one that may not be listed
        return ""


def _member(member: Any, data: bytes, source: str, limit: int) -> bytes:
    """What the first member holds, in pieces that are joined only where they are within the limit."""
    pieces, size = [], 0
    while not member.eof:
        piece = member.decompress(data, min(_PIECE, limit - size + 1))
        if not piece and not member.eof:
            raise EOFError
        size += len(piece)
        if size > limit:
            raise over_limit(source, limit)
        pieces.append(piece)
        data = member.unconsumed_tail
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _unpacked(data: bytes, source: str) -> bytes:
    """The content of a gzip file of one or more members; raises DataError before more than the bound is unpacked."""
    limit = read_limit()
    said = int.from_bytes(data[-4:], "little")  # what the last member says it holds
    if limit < said <= len(data) * MOST_PACKED:
        raise over_limit(source, limit)
    try:
        member = zlib.decompressobj(wbits=31)
        first = _member(member, data, source, limit)
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return first
        # zlib copies what follows a member, which takes quadratic time where there are many: the others are streamed.
        with gzip.GzipFile(fileobj=io.BytesIO(rest)) as others:
            try:
                return first + read_stream(cast("IO[bytes]", others), source, limit - len(first))
            except DataError:
                raise over_limit(source, limit) from None
    except EOFError:
        raise DataError(f"{source}: the gzip file is cut short, its end is missing; fetch it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{source}: the gzip file is damaged ({error}); fetch it again.") from None
