"""Values on their way between processes: JSON, with the bytes of arrays behind it; nothing in them is code."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from seqloom_runtime.errors import FormatError

__all__ = ["pack", "unpack"]

_HEAD = struct.Struct("<Q")


def pack(value: Any) -> bytes:
    """`value` as bytes: None, truth values, numbers, texts, lists, dicts of these, and arrays of numbers or texts.

    Tuples come back as lists, NaN and infinities as themselves. Raises TypeError for anything else.

    >>> unpack(pack({"mae": 0.1, "windows": np.arange(3)}))
    {'mae': 0.1, 'windows': array([0, 1, 2])}
    """
    arrays: list[bytes] = []

    def plain(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            if item.dtype.hasobject:
                raise TypeError("arrays of objects can't be passed on between processes")
            arrays.append(np.ascontiguousarray(item).tobytes())
            return {"": "array", "dtype": item.dtype.str, "shape": list(item.shape), "size": len(arrays[-1])}
        if isinstance(item, np.generic):
            return plain(item.item())
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                raise TypeError("keys of what is passed on between processes must be texts")
            return {"": "dict", "items": [[key, plain(inside)] for key, inside in item.items()]}
        if isinstance(item, (list, tuple)):
            return [plain(inside) for inside in item]
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        raise TypeError(f"a {type(item).__name__} can't be passed on between processes")

    text = json.dumps(plain(value)).encode()
    return b"".join([_HEAD.pack(len(text)), text, *arrays])


def unpack(data: bytes) -> Any:
    """What `pack` made bytes of; raises FormatError where it was not it."""
    try:
        (length,) = _HEAD.unpack_from(data)
        place = _HEAD.size + length

        def whole(item: Any) -> Any:
            nonlocal place
            if isinstance(item, list):
                return [whole(inside) for inside in item]
            if not isinstance(item, dict):
                return item
            if item[""] == "dict":
                return {key: whole(inside) for key, inside in item["items"]}
            first, place = place, place + int(item["size"])
            return np.frombuffer(data[first:place], dtype=np.dtype(item["dtype"])).reshape(item["shape"]).copy()

        return whole(json.loads(data[_HEAD.size : place]))
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"a worker's message is damaged ({error}).") from None
