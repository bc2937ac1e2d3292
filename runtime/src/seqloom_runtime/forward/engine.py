"""What the forward passes take of the compiled module: whether it is there, its threads, where an array begins."""

from __future__ import annotations

from typing import Any

from ..native import module, threads

__all__ = ["address", "module", "threads"]


def address(array: Any) -> int:
    """Where an array begins; 0 for None and for one without numbers."""
    # Half the time of `ctypes.data`, which makes an object first.
    return 0 if array is None or not array.size else array.__array_interface__["data"][0]
