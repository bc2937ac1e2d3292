"""What the machine refuses and what libraries raise where memory, files or processes run out, in one sentence each."""

from __future__ import annotations

import errno
import os
import re
import resource
import shlex
import traceback
from collections.abc import Sequence

from seqloom_runtime.errors import SettingError, printable, shown, without_long_words
from seqloom_runtime.limits import in_words, memory_left

__all__ = [
    "DRAWING_SPACE",
    "LEAST_SPACE",
    "Stopped",
    "interrupted",
    "need_files",
    "need_space",
    "of_the_machine",
    "shortened",
    "taken_for_option",
    "usage",
]

LEAST_SPACE = 2816 << 20
"""Bytes of address space that torch, polars and the others map before any data is read, and some more."""

DRAWING_SPACE = 76 << 30
"""Bytes of address space that the JavaScript engine of the chart library reserves; it uses few of them."""

_REMEDIES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space is left on the device", "free some or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "delete what is not needed or choose another folder"),
    errno.EFBIG: (
        "the file would be larger than the limit on the size of files allows",
        "raise the limit (ulimit -f) or choose another file system",
    ),
    errno.EROFS: ("the file system is read-only", "choose another folder"),
    errno.EACCES: ("permission denied", "change who may read and write it, or choose another place"),
    errno.EPERM: ("the operation is not permitted", "change who may read and write it, or choose another place"),
    errno.ENAMETOOLONG: ("the name is too long", "give a shorter one"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many files are open on this machine", "end other programs and start again"),
    errno.EIO: ("the device failed to read or write", "check the disk or the connection to it"),
    errno.ENOENT: ("there is no such file or folder", "check its name"),
    errno.EOPNOTSUPP: ("nothing can be written in this folder", "choose another one"),
    errno.EISDIR: ("expected a file, found a folder", "give the path of a file"),
    errno.ENOTDIR: ("a part of the path is a file", "give a path through folders"),
    errno.ELOOP: ("its symbolic links lead in a circle", "give the file itself"),
    errno.EAGAIN: ("it can't be served now", "raise the limit on processes (ulimit -u) or try again later"),
    errno.ETIMEDOUT: ("the connection timed out", "try again later"),
}
"""Error number → what happened, what to do."""

# What torch, NumPy, polars and the C++ library say; none of them has an exception of its own for it.
_NO_MEMORY = re.compile(
    r"DefaultCPUAllocator|can't allocate memory|not enough memory|out of memory|bad_alloc|bad allocation|array is too"
    r" big|size calculation overflowed|integer multiplication overflow|Maximum allowed dimension|Invalid buffer size",
    re.IGNORECASE,
)
# The first three that a command has are named.
_LARGER_BY = ("batch_size", "units", "layers", "lookback", "max_words", "max_length", "window")
_FEW_FILES = 64
_LEAST_FILES = 32
_LONGEST_TEXT = 1500


class Stopped(Exception):
    """Ctrl-C ended a command; the message says what is left."""


def need_files() -> None:
    """Raise SettingError where fewer than `_LEAST_FILES` files may be open and the limit can't be raised.

    Libraries in Rust that can't open what they need panic, with pages of text.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # −1 is no limit.
    if not 0 <= soft < _LEAST_FILES:
        return
    if 0 <= hard < _LEAST_FILES:
        raise SettingError(
            f"seqloom opens up to {_LEAST_FILES} files, {hard} are allowed; raise that limit (ulimit -n)."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (_LEAST_FILES, hard))


def need_space(least: int, what: str) -> None:
    """Raise SettingError where `ulimit -v` leaves less than `least` bytes of address space.

    Libraries that reserve more than there is end the process themselves, with no exception to catch.
    """
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < least:
        raise SettingError(
            f"{what} needs {in_words(least)} of address space, {in_words(allowed)} are allowed; raise that limit "
            "(ulimit -v unlimited)."
        )


def interrupted(fault: BaseException) -> bool:
    """Whether Ctrl-C is behind `fault`: in the middle of an import it may surface as another exception."""
    seen: set[int] = set()
    link: BaseException | None = fault
    # A chain of causes may be a circle.
    while link is not None and id(link) not in seen:
        if isinstance(link, KeyboardInterrupt):
            return True
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False


def of_the_machine(fault: BaseException, parameters: Sequence[str] = ()) -> str | None:
    """The sentence for a fault of the machine or its limits; None for any other, which is one of this program.

    parameters: those of the command; the ones that memory grows with are named where it ran out.
    """
    text = _sentence(fault, parameters)
    if text is None:
        return None
    return " ".join([text, *getattr(fault, "__notes__", ())])


def _sentence(fault: BaseException, parameters: Sequence[str]) -> str | None:
    words = str(fault)
    if isinstance(fault, OSError) and fault.errno is not None:
        return _no_memory(words, parameters) if fault.errno == errno.ENOMEM else _refused(fault)
    if isinstance(fault, MemoryError) or (isinstance(fault, (RuntimeError, ValueError)) and _NO_MEMORY.search(words)):
        return _no_memory(words, parameters)
    if isinstance(fault, RecursionError):
        return "the input is nested too deeply; give a flatter file."
    if type(fault).__name__ == "PanicException":  # a panic of a library in Rust: a BaseException
        return f"a library gave up ({_first_line(words) or 'panic'}); {_scarce()}."
    # The loader names the library that it couldn't map; a missing Python package is told elsewhere.
    if isinstance(fault, ImportError) and ".so" in words:
        return f"a library can't be loaded ({_first_line(words)}); {_scarce()}, or install seqloom anew."
    if isinstance(fault, RuntimeError) and "start new thread" in words:
        return "no further thread can be started; raise the limit on processes (ulimit -u) or give --threads 1."
    if isinstance(fault, UnicodeEncodeError):
        text = shown(fault.object[fault.start : fault.end])
        return f"{text} can't be written as {fault.encoding}; use a UTF-8 locale, such as LC_ALL=C.UTF-8."
    return None


def _refused(fault: OSError) -> str:
    place = _place(fault)
    name = f"{shown(place, 200)[1:-1]}: " if place is not None else ""
    known = _REMEDIES.get(fault.errno or 0)
    if known is None:
        what = (fault.strerror or errno.errorcode.get(fault.errno or 0, "it failed")).rstrip(".")
        return f"{name}{what[:1].lower() + what[1:]}."
    return f"{name}{known[0]}; {known[1]}."


def _place(fault: OSError) -> str | None:
    """The file of the fault, or the standard output where it was raised by what prints there."""
    if isinstance(fault.filename, (str, bytes)):
        return os.fsdecode(fault.filename)
    # An OSError of a write names no file; where it was raised tells that it was a print.
    frames = list(traceback.walk_tb(fault.__traceback__))
    printing = bool(frames) and frames[-1][0].f_globals.get("__name__", "").split(".")[0] in ("typer", "click", "rich")
    return "standard output" if printing else None


def _no_memory(words: str, parameters: Sequence[str]) -> str:
    found = re.search(r"allocate (\d+) bytes", words)
    asked = in_words(int(found[1])) if found else None
    if asked is None and (found := re.search(r"Unable to allocate ([\d.]+ \w+)", words)):
        asked = found[1]
    more = f"{asked} more were asked for, " if asked else ""
    flags = ["--" + name.replace("_", "-") for name in _LARGER_BY if name in parameters][:3]
    lower = f"lower {', '.join(flags[:-1])} or {flags[-1]}, or " if len(flags) > 1 else ""
    return f"not enough memory: {more}{in_words(memory_left())} are free; {lower}give less data."


def _scarce() -> str:
    """What to do about a library that can't get what it needs."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < _FEW_FILES:
        return f"only {files} files may be open, raise that limit (ulimit -n)"
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return f"memory is limited, {in_words(memory_left())} are left, raise that limit (ulimit -v)"
    return "free memory or raise the limits on files (ulimit -n) and processes (ulimit -u)"


def _first_line(words: str) -> str:
    return printable((words.strip().splitlines() or [""])[0])[:200].rstrip(".")


def usage(words: str, command: str | None) -> str:
    """The parser's complaint as one sentence that ends with where to look."""
    words = " ".join(words.split()).rstrip(".")
    ending = "" if words.endswith("?") else "."
    return f"{words}{ending} Try 'seqloom {f'{command} ' if command else ''}--help'."


def taken_for_option(words: Sequence[str]) -> str | None:
    """The sentence for a file whose name begins with a dash; None where none of `words` is one."""
    word = next((word for word in words if word.startswith("-") and word != "-" and os.path.exists(word)), None)
    if word is None:
        return None
    return f"{shown(word)} was read as an option; for the file of that name type {shlex.quote(f'./{word}')}."


def shortened(text: str) -> str:
    """A message fit for the terminal: control characters escaped, words and texts of hundreds of characters cut.

    >>> len(shortened("got " + "9" * 5000))
    165
    """
    text = without_long_words(printable(text.strip()))
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"
