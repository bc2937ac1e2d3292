"""The parts of a saved panel, checked as they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from .filling import FILLS
from .wide import Wide

__all__ = ["digest_of", "saved_array", "saved_fill", "saved_wide"]


def saved_array(path: Path, mmap: bool) -> np.ndarray:
    """The array of an .npy, which stays on disk with `mmap`; raises FormatError for a file of another kind."""
    from .sequences.arrays import opened_arrays  # which only a saved panel needs

    if mmap:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            kind = read(file)[2]
        if kind.itemsize == 0:  # by which NumPy divides the size of the file
            raise FormatError(f"{path}: expected numbers, found {kind} of no bytes.")
        found = np.lib.format.open_memmap(path, mode="r")  # numpy.load leaves an archive of that name open
    else:
        with opened_arrays(path) as found:
            pass
    if not isinstance(found, np.ndarray):
        raise FormatError(f"{path}: expected one array (.npy), found an archive of several.")
    return found


def saved_wide(path: Path, value: Any) -> Wide | None:
    """The wide table that a panel's series were columns of; raises FormatError for what is none."""
    if value is None:
        return None
    kinds = {"targets": list, "value": str, "joined": bool}
    good = isinstance(value, dict) and set(value) == set(kinds)
    good = good and all(isinstance(value[name], kind) for name, kind in kinds.items())
    if not good or not all(isinstance(name, str) for name in value["targets"]):
        raise FormatError(f"{path / 'panel.json'}: expected the targets of a wide table, found {shown(value)}.")
    return Wide(tuple(value["targets"]), value["value"], value["joined"])


def saved_fill(path: Path, fill: Any) -> str:
    """How a panel's holes were filled; raises FormatError for a name that is none of `FILLS`."""
    if fill not in FILLS:
        raise FormatError(
            f"{path / 'panel.json'}: expected one of {', '.join(FILLS)} under 'fill', found {shown(fill)}."
        )
    return fill


def digest_of(about: str, tick: np.ndarray, values: np.ndarray, filled: np.ndarray, *, block: int) -> str:
    """SHA-256 over a text and a panel's arrays, `block` rows at a time: the same on every machine."""
    digest = hashlib.sha256(about.encode())
    for array, kind in ((tick, "<i8"), (values, "<f8"), (filled, "|b1")):
        for at in range(0, len(array), block):
            part = array[at : at + block]
            if kind == "<f8":
                part = np.where(np.isnan(part), np.nan, part) + 0.0  # one NaN, one zero
            digest.update(np.ascontiguousarray(part.astype(kind, copy=False)).data)
    return digest.hexdigest()
