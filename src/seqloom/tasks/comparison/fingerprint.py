"""A fingerprint of data in memory, so that an interrupted run goes on with the data it began with or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError

__all__ = ["fingerprint", "sizes"]


def fingerprint(value: Any) -> str:
    """SHA-256 over arrays, texts, numbers, None and what has a `fingerprint()`, in mappings, lists and tuples.

    Raises DataError for anything else.

    >>> fingerprint(["a", "b"]) == fingerprint(("a", "b")), fingerprint(["ab"]) == fingerprint(["a", "b"])
    (True, False)
    """
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()


def sizes(parts: Mapping[str, tuple[Any, ...]]) -> dict[str, int]:
    """How many examples each part holds: the length of its first argument."""
    return {name: len(arguments[0]) for name, arguments in parts.items()}


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        digest.update(b"s%d:" % len(data) + data)
    elif value is None or isinstance(value, (bool, int, float)):
        digest.update(f"{type(value).__name__}{value!r};".encode())
    elif isinstance(value, Mapping):
        digest.update(b"m%d:" % len(value))
        for key, item in value.items():
            _add(digest, str(key))
            _add(digest, item)
    elif isinstance(value, (list, tuple)):
        digest.update(b"l%d:" % len(value))
        for item in value:
            _add(digest, item)
    elif callable(getattr(value, "fingerprint", None)):
        digest.update(f"f{value.fingerprint()}:".encode())
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind in "OUT":
            _add(digest, array.tolist())
            return
        digest.update(f"a{array.dtype.str}{array.shape}:".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
    else:
        raise DataError(f"data: expected arrays, texts and lists of them, got {type(value).__name__}.")
