"""One thread for each worker: of torch, and of the BLAS that NumPy calls, whose bits may depend on their number."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["one_thread"]

_BLAS = re.compile(r"openblas[^/]*\.so")
_SET = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread while the block runs; BLAS stays at one, as only workers come here."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    _one_in_blas()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one_in_blas() -> None:
    """Have every OpenBLAS of this process compute with one thread; another library keeps its own number."""
    with suppress(OSError):  # without /proc
        maps = Path("/proc/self/maps").read_text(errors="replace")
        for path in sorted({line.split(maxsplit=5)[-1] for line in maps.splitlines() if _BLAS.search(line)}):
            with suppress(OSError):
                library = ctypes.CDLL(path)
                for name in _SET:
                    if hasattr(library, name):
                        getattr(library, name)(ctypes.c_int(1))
