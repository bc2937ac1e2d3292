"""Pictures of one size with a text for each, in memory, and as the arrays of a NumPy file."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..errors import DataError, shown
from ..limits import need_memory
from .decisions import Decision
from .sequences.arrays import opened_arrays
from .sources import source_name

__all__ = ["checked_pictures", "checked_texts_of", "read_captioned", "read_pictures"]

_PICTURES, _TEXTS = ("images", "X", "x"), ("texts", "captions", "y")


def checked_pictures(value: Any, what: str = "images") -> tuple[np.ndarray, bool]:
    """Pictures (N, Y, X, C), uint8 or float32, of an array (N, Y, X) or (N, Y, X, C) or a list of pictures, and whether
    they came without an axis of channels.

    Raises DataError, saying which picture, where they differ in size, have no pixels, or hold no finite numbers.

    >>> checked_pictures([np.zeros((4, 6))])[0].shape
    (1, 4, 6, 1)
    """
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise DataError(f"{what}: expected an array or a list of pictures, got {type(value).__name__}.")
    if isinstance(value, np.ndarray) and value.ndim not in (3, 4):
        raise DataError(f"{what}: expected (N, Y, X) or (N, Y, X, C), got {value.shape}.")
    found = [_picture(picture, f"{what}, picture {n}") for n, picture in enumerate(value)]
    if not found:
        raise DataError(f"{what}: expected at least one picture, got none.")
    for n, picture in enumerate(found):
        if picture.shape != found[0].shape:
            sizes = [" × ".join(map(str, each.shape)) for each in (found[0], picture)]
            raise DataError(
                f"{what}, picture {n}: expected {sizes[0]} pixels like picture 0, got {sizes[1]}; bring all to one "
                "size."
            )
    one = all(picture.dtype == np.uint8 for picture in found)
    need_memory(len(found) * found[0].size * (1 if one else 4), f"{what}: {len(found):,} pictures", error=DataError)
    pictures = np.stack([picture if one else picture.astype(np.float32) for picture in found])
    finite = np.isfinite(pictures).reshape(len(pictures), -1).all(axis=1)
    if not finite.all():
        raise DataError(f"{what}, picture {int(np.argmin(finite))}: holds a value that is not finite.")
    return (pictures[..., None], True) if pictures.ndim == 3 else (pictures, False)


def _picture(value: Any, what: str) -> np.ndarray:
    picture = np.asarray(value)
    if picture.ndim not in (2, 3):
        raise DataError(f"{what}: expected (Y, X) or (Y, X, C), got {picture.shape}.")
    if picture.dtype.kind not in "buif":
        raise DataError(f"{what}: expected numbers, got an array of type {picture.dtype}.")
    if 0 in picture.shape:
        raise DataError(f"{what}: expected at least one pixel, got {picture.shape}; leave it out.")
    return picture.astype(np.uint8) if picture.dtype.kind == "b" else picture


def read_captioned(
    path: str | os.PathLike[str], *, images: str | None = None, texts: str | None = None
) -> tuple[np.ndarray, list[str], list[Decision]]:
    """The pictures of an .npz, as they stand in it, their texts, and what was decided.

    images, texts: names of its arrays; by default images or X, and texts, captions or y. Raises DataError where the
    file or an array can't be used, or a text is empty.
    """
    source, said = source_name(path), list[Decision]()
    with opened_arrays(path) as held:
        if isinstance(held, np.ndarray):
            raise DataError(f"{source}: expected an .npz with pictures and their texts, it holds one array alone.")
        names = [
            _named(list(held), asked, usual, what, source, said)
            for asked, usual, what in ((images, _PICTURES, "images"), (texts, _TEXTS, "texts"))
        ]
        pictures, said_texts = held[names[0]], held[names[1]]
    if said_texts.dtype.kind != "U" or said_texts.ndim != 1:
        raise DataError(
            f"{source}: expected texts (N,) as the array {shown(names[1])}, got {said_texts.shape} of "
            f"{said_texts.dtype}."
        )
    if len(said_texts) != len(pictures):
        raise DataError(f"{source}: expected as many texts as pictures, got {len(said_texts)} and {len(pictures)}.")
    return checked_pictures(pictures, source)[0], checked_texts_of(said_texts.tolist(), source), said


def checked_texts_of(texts: list[str], source: str) -> list[str]:
    """Texts without the white space around them; raises DataError, saying which, for an empty one."""
    found = [str(text).strip() for text in texts]
    for number, text in enumerate(found):
        if not text:
            raise DataError(f"{source}, text {number}: expected a text, it is empty; leave the picture out.")
    return found


def read_pictures(path: str | os.PathLike[str], *, images: str | None = None) -> np.ndarray:
    """The pictures alone, of an .npz as `read_captioned`, or of an .npy."""
    source = source_name(path)
    with opened_arrays(path) as held:
        if isinstance(held, np.ndarray):
            return checked_pictures(held, source)[0]
        return checked_pictures(held[_named(list(held), images, _PICTURES, "images", source, [])], source)[0]


def _named(
    names: list[str], asked: str | None, usual: tuple[str, ...], what: str, source: str, said: list[Decision]
) -> str:
    there = ", ".join(map(shown, names)) or "none"
    if asked is not None:
        if asked not in names:
            raise DataError(f"{source}: expected an array {shown(asked)}, it holds {there}.")
        return asked
    for name in usual:
        if name in names:
            said.append(Decision(what, f"The {what} are the array {shown(name)}.", name, what))
            return name
    raise DataError(f"{source}: expected an array named {' or '.join(usual)}, found {there}; name it ({what}=).")
