"""Bounds on what a file or an argument may ask for, and the boundary around every reader.

A size that comes from a file or a flag is held against the memory that is left before anything is allocated. What a
reader meets in a damaged or hostile file ends in one sentence that names the file, whatever its libraries raise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from typing import IO

from .errors import DataError, SeqloomError, SettingError, printable, shown

__all__ = [
    "LARGEST",
    "LEAST_MEMORY",
    "MOST_MEMORY",
    "USUAL_MEMORY",
    "checked_memory",
    "in_words",
    "memory_left",
    "need_memory",
    "over_limit",
    "read_limit",
    "read_stream",
    "reading",
]

LARGEST = 1e30
"""Of what multiplies weights or gradients: float32 ends at 3.4e38, and an optimizer divides by small numbers."""

USUAL_MEMORY, LEAST_MEMORY, MOST_MEMORY = 2 << 30, 600 << 20, 1 << 50
"""Bytes that may be named as the memory to be used while a panel on disk is made."""

_PIECE = 1 << 20
_STREAM_LIMIT = 2 << 30  # bytes of a decompressed or piped input; SEQLOOM_READ_LIMIT raises it
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_CGROUPS = (
    # A container sees the memory of its whole host in /proc/meminfo; what it may use stands here (version 2, version
    # 1).
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def memory_left() -> int:
    """Bytes that this process may still ask for: what the machine has free, its control group and `ulimit -v` allow."""
    left = [_machine_memory()]
    for limit, used in _CGROUPS:
        allowed, taken = _number_in(limit), _number_in(used)
        if allowed is not None and taken is not None:
            left.append(allowed - taken)
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    # `ulimit -v` bounds addresses, not pages in use, so what is mapped already counts against it.
    if allowed != resource.RLIM_INFINITY:
        # The first number of statm is the size of the address space in pages.
        pages = _number_in("/proc/self/statm") or 0
        left.append(allowed - pages * resource.getpagesize())
    return max(0, min(left))


def checked_memory(memory: int) -> int:
    """The bytes that `memory` allows; raises SettingError for too few, for more than any machine has, and for none."""
    if isinstance(memory, bool) or not isinstance(memory, int):
        raise SettingError(f"memory: expected a number of bytes, got {shown(memory)}.")
    if memory < LEAST_MEMORY:
        raise SettingError(f"memory: expected at least {in_words(LEAST_MEMORY)}, got {in_words(max(0, memory))}.")
    if memory > MOST_MEMORY:
        raise SettingError(f"memory: expected at most {in_words(MOST_MEMORY)}, got {shown(memory)} bytes.")
    return memory


def need_memory(size: float, what: str, remedy: str = "", *, error: type[SeqloomError] = SettingError) -> None:
    """Raise `error` where `size` bytes are more than the memory that is left.

    `what` begins the sentence and names the argument or the place in the file with its value; `remedy` says what to do.
    """
    left = memory_left()
    if size > left:
        end = f" {remedy}" if remedy else ""
        raise error(f"{what} needs {in_words(size)} of memory, {in_words(left)} are free.{end}")


def in_words(size: float) -> str:
    """A number of bytes as people write it.

    >>> in_words(3 * 2**30)
    '3.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:,.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def read_limit() -> int:
    """Bytes that a compressed or piped input may hold: SEQLOOM_READ_LIMIT or 2 GiB, and a third of the memory left."""
    text = os.environ.get("SEQLOOM_READ_LIMIT", "").strip().lower()
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "")
    # isdigit alone takes digits of other scripts and superscripts, which int() refuses or reads differently; more
    # than 18 digits may pass int64.
    if text and not (number.isascii() and number.isdigit() and len(number) < 19):
        raise SettingError(f"SEQLOOM_READ_LIMIT: expected a number of bytes such as 8G or 500M, got {text!r}.")
    limit = int(number) * _UNITS[unit] if text else _STREAM_LIMIT
    # A third: the bytes are held, decoded and parsed at the same time.
    return min(limit, memory_left() // 3)


def read_stream(file: IO[bytes], source: str, limit: int | None = None) -> bytes:
    """All bytes of an open file that may be compressed, a pipe or a device.

    Raises DataError as soon as there are more than `limit`, `read_limit()` by default.
    """
    limit = read_limit() if limit is None else limit
    pieces, size = [], 0
    # In pieces, because a compressed file of kilobytes may unpack to terabytes: the bound is met before the memory
    # is.
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > limit:
            raise over_limit(source, limit)
        pieces.append(piece)
    return b"".join(pieces)


def over_limit(source: str, limit: int) -> DataError:
    """The error about a compressed or piped input that holds more than `limit` bytes."""
    return DataError(
        f"{source}: holds more than {in_words(limit)} once it is unpacked or piped in; give a part of it, or raise the "
        "bound with the environment variable SEQLOOM_READ_LIMIT (such as 8G)."
    )


@contextlib.contextmanager
def reading(source: str, kind: str = "file", *, error: type[SeqloomError] = DataError) -> Iterator[None]:
    """The boundary around a reader: whatever its libraries raise on a damaged file becomes `error` that names `source`.

    `kind` says what the file should be ("Parquet file"). Our own exceptions, OSError with a number (the command line
    names its file) and Ctrl-C pass. The fault stays chained as the cause, so that one of ours can be found.
    """
    try:
        yield
    except SeqloomError:
        raise
    except MemoryError as fault:
        left = in_words(memory_left())
        raise error(f"{source}: asks for more memory than the {left} that are free; too large or damaged.") from fault
    except RecursionError as fault:
        raise error(f"{source}: expected {_article(kind)} {kind}, it is nested too deeply.") from fault
    except Exception as fault:  # no list of types holds for every library and version
        if isinstance(fault, OSError) and fault.errno is not None and not _of_the_content(fault):
            raise
        raise error(_damaged(source, kind, fault)) from fault
    except BaseException as fault:  # what polars raises where its Rust code panics is no Exception
        if type(fault).__name__ != "PanicException":
            raise
        raise error(_damaged(source, kind, fault)) from fault


def _of_the_content(fault: OSError) -> bool:
    """Whether the system refused a place that the file's own content named, such as one before its beginning."""
    return fault.errno == errno.EINVAL and fault.filename is None


def _damaged(source: str, kind: str, fault: BaseException) -> str:
    # Libraries put their advice for programmers in later lines; the first one names the fault.
    first = (str(fault).strip().splitlines() or [""])[0][:160].rstrip(".")
    why = printable(first) or type(fault).__name__
    return f"{source}: expected {_article(kind)} {kind}, it is damaged or of another kind ({why})."


def _article(noun: str) -> str:
    return "an" if noun[:1] in "aeioAEIO" else "a"


def _machine_memory() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or a sandbox without /proc: the next best answer is the memory of the whole machine
    return os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()


def _number_in(path: str) -> int | None:
    """The first number of a small file; None where there is none ("max", no such file)."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None
