"""One thread for each worker: of torch, and of the BLAS that NumPy calls, whose bits may depend on their number."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["blas_threads", "one_thread"]

_BLAS = re.compile(r"openblas[^/]*\.so")
_NAMES = tuple(
    (f"{stem}_get_num_threads{end}", f"{stem}_set_num_threads{end}")
    for stem, end in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "64_"), ("openblas", ""))
)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread while the block runs, and with as many as before behind it."""
    import torch

    before, of_blas = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(1)
    _set_in_blas(dict.fromkeys(of_blas, 1))
    try:
        yield
    finally:
        # What the block loaded has its own number, which nothing here changed.
        _set_in_blas(of_blas)
        torch.set_num_threads(before)


def blas_threads() -> dict[str, int]:
    """The threads of every OpenBLAS of this process by its file; another library keeps its own number."""
    found: dict[str, int] = {}
    with suppress(OSError):  # without /proc
        maps = Path("/proc/self/maps").read_text(errors="replace")
        for path in sorted({line.split(maxsplit=5)[-1] for line in maps.splitlines() if _BLAS.search(line)}):
            functions = _functions(path)
            if functions is not None:
                found[path] = int(functions[0]())
    return found


def _set_in_blas(threads: dict[str, int]) -> None:
    for path, number in threads.items():
        functions = _functions(path)
        if functions is not None:
            functions[1](ctypes.c_int(number))


def _functions(path: str) -> tuple[Any, Any] | None:
    """What a library asks for its threads by, and what sets them; None where it is gone or has neither."""
    with suppress(OSError):
        library = ctypes.CDLL(path)
        for get, put in _NAMES:
            if hasattr(library, get) and hasattr(library, put):
                return library[get], library[put]
    return None
