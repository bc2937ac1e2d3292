"""How much memory is handed out: what a leak makes grow, whatever the allocator keeps for itself."""

from __future__ import annotations

import ctypes
import gc
import platform
import re
from pathlib import Path
from typing import Any

import pytest

from seqloom_runtime import native

__all__ = ["allocated", "glibc_only"]

glibc_only = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone says what it has handed out"
)


def allocated(place: Path) -> int:
    """Bytes that glibc has handed out in all its arenas, less those that the compiled module keeps for later calls."""
    gc.collect()
    library: Any = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(library.fopen(str(place).encode(), b"w"))
    library.malloc_info(0, file)
    library.fclose(file)
    found = re.findall(r'<(?:total|system) type="(fast|rest|mmap|current)".* size="(\d+)"', place.read_text())
    size = {kind: int(number) for kind, number in found}  # the last of each kind is that of all arenas together
    module = native.module()
    assert module is not None
    return size["current"] + size["mmap"] - size["fast"] - size["rest"] - module.kept_bytes()
