"""Structured damage: JSON values, arrays and the table of a safetensors file changed in ways that parsers don't mind.

What is made here is whole and well formed; only what it says is odd. Checksums are made right by those who call this.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = [
    "NUMBERS",
    "SIZES",
    "Arrays",
    "Header",
    "blob_of",
    "clone",
    "damage_arrays",
    "damage_json",
    "damage_table",
    "everywhere",
    "nasty",
    "short",
]

Header = dict[str, Any]
Arrays = dict[str, np.ndarray]

_TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16",
          "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL"}  # fmt: skip


def blob_of(arrays: Arrays, spoil: Callable[[Header], None] | None = None) -> bytes:
    """The arrays as safetensors writes them; `spoil` changes the table of types, shapes and offsets."""
    table: Header = {}
    data = b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        offsets = [len(data), len(data) + len(raw)]
        table[name] = {"dtype": _TYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        data += raw
    if spoil is not None:
        spoil(table)
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def nasty(draw: random.Random) -> Any:
    """A value that a field of a model doesn't expect, or no longer fits."""
    return clone(draw.choice(_NASTY))


def clone(value: Any) -> Any:
    """A deep copy of a JSON value; copy.deepcopy ends at a few hundred brackets."""
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list)) else value


_DEEP: Any = []
for _ in range(300):
    _DEEP = [_DEEP]
_NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 7, 30, 31, 1000, 10**6, 10**9, 10**12, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64,
    10**400, -(10**400), -(2**63), 0.5, -0.0, -0.5, 1e-308, 5e-324, 1e308, -1e308, 1.0, 1e18, float("nan"),
    float("inf"), "", "x", "nan", "\ud800", "\x00\x1b[31m", "9" * 5000, "24h", "1us", "1000000000y", "0h", "Mars/Base",
    "gru", "tcn", "naive", "last", "seasonal", [], {}, [[]], [None], [1], [0], [-1], [1e308], ["a", "a"], [10**12],
    [1] * 100_000, ["w"] * 50_000, [8] * 40, [1] * 5000, {"kind": "gru"}, {"": {}}, _DEEP,
]  # fmt: skip


NUMBERS = [
    0, -1, 1, 2, 3, 4, 6, 24, 1000, 65536, 10**6, 10**7, 10**7 + 1, 10**8, 10**9, 10**10, 10**12, 2**31, 2**53, 2**62,
    2**63, 10**30, 10**400, 0.5, 1e-300, 1e300, 12.0, "1000000y", "3h", "100000000h", [10**9], [1] * 1000,
    [1] * 100_000, [1, 10**12], [10**6, 10**6],
]  # fmt: skip
# Parameter → the other names under which a model keeps what follows from it.
SIZES: dict[str, tuple[str, ...]] = {
    "lookback": ("input_steps",), "horizon": ("forecast_steps",), "every": (), "season": (), "units": (), "layers": (),
    "channels": (), "kernel_size": (), "pool_size": (), "dilation": (), "levels": (), "lengths": (), "trees": (),
    "max_length": ("length",), "hidden": (), "embedding_size": (), "max_words": (), "context": (), "window": (),
    "scored": (), "score_last": (), "time_limit": (), "n": (), "day": (), "columns": (), "choosing_mae": (), "seed": (),
    "batch_size": (), "units_": ("units", "embedding_size"), "min_df": (), "temperature": (), "max_fill": (),
    "word_dropout": (), "strength": (), "start": (), "horizon_": ("horizon", "lookback"),
}  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside a JSON value; of long lists the first few."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())[:80]
    elif isinstance(value, list):
        items = list(enumerate(value))[:6]
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def damage_json(header: Header, draw: random.Random) -> str:
    """Change one thing in a JSON object, or one name wherever it stands; returns in words what was done."""
    paths = list(_places(header))
    path = draw.choice(paths)
    above = functools.reduce(lambda found, key: found[key], path[:-1], header)
    key, how = path[-1], draw.random()
    old = above[key]
    if how < 0.2:  # a size wherever it stands under one of its names, so that the fields agree
        key = draw.choice(list(SIZES))
        new = draw.choice(NUMBERS)
        for name in (key, *SIZES[key]):
            everywhere(header, name, new)
        return f"every {key} = {short(new)}"
    if how < 0.4 and isinstance(key, str):  # likewise
        new = nasty(draw) if draw.random() < 0.7 else _near(old, draw)
        everywhere(header, key, new)
        return f"every {key} = {short(new)}"
    if how < 0.75:
        above[key] = nasty(draw) if draw.random() < 0.75 else _near(old, draw)
        return f"{path} = {short(above[key])}"
    if how < 0.85:
        del above[key]
        return f"{path} removed"
    if how < 0.92:
        other = draw.choice(paths)
        with contextlib.suppress(KeyError, IndexError, TypeError):
            above[key] = clone(functools.reduce(lambda found, name: found[name], other, header))
        return f"{path} = {other}"
    if isinstance(old, list):
        above[key] = draw.choice([old + old, old[::-1], old[:1], [*old, nasty(draw)], [old]])
    elif isinstance(old, dict):
        above[key] = {**old, draw.choice(["", "extra", "units", "kind"]): nasty(draw)}
    else:
        above[key] = [old]
    return f"{path} = {short(above[key])}"


def _near(old: Any, draw: random.Random) -> Any:
    """A value like the old one."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, (int, float)):
        return draw.choice([old + 1, old - 1, -old, 2 * old, old * 1000, old % 7, _as_float(old), str(old)])
    if isinstance(old, str):
        return draw.choice(
            [old + "x", old[:-1], old.upper(), "", old * (1000 if len(old) < 1000 else 2), old + "\u202e\x07"]
        )
    if isinstance(old, list):
        return draw.choice([old + old, old[:1], old[1:], old * (1000 if len(json.dumps(old)) < 5000 else 2)])
    return draw.choice([[old], {}, None])


def _as_float(number: float) -> float:
    return float(number) if abs(number) < 1e300 else 0.5


def everywhere(value: Any, key: str, new: Any) -> None:
    """Give every field of that name the value `new`."""
    for name, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if name == key:
            value[name] = clone(new)
        elif isinstance(inner, (dict, list)):
            everywhere(inner, key, new)


def damage_arrays(arrays: Arrays, draw: random.Random) -> str:
    """Change one array in type, shape, values or name; returns in words what was done."""
    name = draw.choice(sorted(arrays))
    how = draw.choice(["type", "shape", "value", "values", "values", "missing", "extra", "renamed", "order"])
    array = arrays[name]
    if how == "type":
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(draw.choice(list(_TYPES)))
    elif how == "shape":
        shapes = [array.reshape(-1), array[None], array.reshape(-1)[:0], array.T, np.zeros((), array.dtype)]
        shapes += [np.concatenate([array, array]) if array.ndim else array, array[1:] if array.ndim else array]
        shapes += [np.zeros((0, *array.shape[1:]), array.dtype), np.zeros((*array.shape, 0), array.dtype)]
        arrays[name] = draw.choice(shapes)
    elif how in ("value", "values"):
        arrays[name] = _odd_values(array, draw, every=how == "values" and draw.random() < 0.5)
    elif how == "missing":
        del arrays[name]
    elif how == "extra":
        arrays[draw.choice(["stray", name + "x", "network.x", ""])] = array
    elif how == "renamed":
        arrays[draw.choice(sorted(arrays))] = array
    elif array.size:
        arrays[name] = np.random.default_rng(draw.randrange(2**32)).permutation(array.reshape(-1)).reshape(array.shape)
    return f"{how} of {name}"


def _odd_values(array: np.ndarray, draw: random.Random, *, every: bool) -> np.ndarray:
    if not array.size:
        return array
    if array.dtype.kind == "f":
        choices = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 1e-308, 5e-324, -1.0, 1e38, 1e6]
    elif array.dtype.kind == "b":
        choices = [True, False]
    else:
        info = np.iinfo(array.dtype)
        choices = [info.min, info.max, -1 % info.max, -1, 0, 1, 2, 5, 1000, info.max // 2, info.min // 2]
        choices = [value for value in choices if info.min <= value <= info.max]
    changed = array.copy().reshape(-1)
    with np.errstate(all="ignore"):
        changed[slice(None) if every else draw.randrange(changed.size)] = draw.choice(choices)
    return changed.reshape(array.shape)


def damage_table(table: Header, draw: random.Random) -> None:
    """Change one entry of the table of types, shapes and offsets."""
    about = table[draw.choice(sorted(table))]
    how = draw.choice(["dtype", "shape", "offsets", "field", "metadata"])
    if how == "dtype":
        about["dtype"] = draw.choice(["BF16", "F8_E4M3", "F8_E5M2", "F64", "I64", "BOOL", "C64", "F4", "X", "", 3])
    elif how == "shape":
        about["shape"] = draw.choice([[0], [], [-1], [2**40, 2**40], [2**63], [1] * 100, ["2"], None, [1.5], [10**12]])
    elif how == "offsets":
        ends = about["data_offsets"]
        about["data_offsets"] = draw.choice([[0, ends[1]], [0, 8], ends[::-1], [0, 2**63], [-8, 0], [], ["0", "8"]])
    elif how == "field":
        about[draw.choice(["extra", "dtype", "shape"])] = nasty(draw)
    else:
        table["__metadata__"] = draw.choice([{"format": "pt"}, {"a": 1}, [], "x", {"a": "b" * 100_000}])


def short(value: Any) -> str:
    """A value as it is named in what was done."""
    with contextlib.suppress(ValueError):
        text = repr(value)
        return text if len(text) < 60 else f"{text[:50]}… ({len(text)} characters)"
    return type(value).__name__
