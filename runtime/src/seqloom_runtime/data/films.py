"""Image sequences: films of frames of one size, in memory, and as the arrays of a NumPy file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import DataError, SettingError, shown, suggest
from ..limits import need_memory
from .decisions import Decision
from .sequences.arrays import opened_arrays
from .sources import source_name

__all__ = ["Films", "read_films"]

_NAMES = ("frames", "X", "x")
_AXES = {"THW": 3, "NTHW": 4, "THWC": 4, "NTHWC": 5}


@dataclass(frozen=True, eq=False)
class Films:
    """N films: frames (R, Y, X, C), uint8 or float32, those of film n from offsets[n] to offsets[n + 1].

    plain: whether they came without an axis of channels, and are handed out so.
    """

    frames: np.ndarray
    offsets: np.ndarray
    plain: bool = True

    @classmethod
    def make(cls, value: Any, what: str = "films") -> Self:
        """From an array (N, T, Y, X) or (N, T, Y, X, C), one film (T, Y, X), or a list of films (T_n, Y, X[, C]).

        Raises DataError, saying which film, where frames differ in size, have no pixels, or hold no finite numbers.

        >>> films = Films.make([np.zeros((4, 8, 6)), np.zeros((5, 8, 6))])
        >>> len(films), films.lengths.tolist(), films.size
        (2, [4, 5], (8, 6, 1))
        """
        if isinstance(value, Films):
            return value  # type: ignore[return-value]  # there are no others
        if isinstance(value, np.ndarray) and value.ndim == 3:
            value = value[None]
        if isinstance(value, np.ndarray) and value.ndim not in (4, 5):
            raise DataError(f"{what}: expected (N, T, Y, X), (N, T, Y, X, C) or one film (T, Y, X), got {value.shape}.")
        if not isinstance(value, np.ndarray) and (isinstance(value, (str, bytes)) or not hasattr(value, "__iter__")):
            raise DataError(f"{what}: expected an array or a list of films, got {type(value).__name__}.")
        found = [_film(film, f"{what}, film {n}") for n, film in enumerate(value)]
        if not found:
            raise DataError(f"{what}: expected at least one film, got none.")
        for n, film in enumerate(found):
            if film.shape[1:] != found[0].shape[1:] or film.ndim != found[0].ndim:
                raise DataError(
                    f"{what}, film {n}: expected frames of {_size(found[0])} like those of film 0, got {_size(film)}; "
                    "bring all to one size."
                )
        lengths = [len(film) for film in found]
        one = all(film.dtype == np.uint8 for film in found)
        size = sum(lengths) * int(np.prod(found[0].shape[1:])) * (1 if one else 4)
        need_memory(size, f"{what}: {sum(lengths):,} frames", "Give fewer or smaller ones.", error=DataError)
        frames = np.concatenate([film if one else film.astype(np.float32) for film in found])
        if not one and not np.isfinite(frames).all():
            row = int(np.argmin(np.isfinite(frames).all(axis=tuple(range(1, frames.ndim)))))
            film = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
            raise DataError(f"{what}, film {film}: frame {row - sum(lengths[:film])} holds a value that is not finite.")
        plain = frames.ndim == 3
        return cls(frames[..., None] if plain else frames, np.concatenate([[0], np.cumsum(lengths)]), plain)

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each film, (N,)."""
        return np.diff(self.offsets)

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width and channels of a frame."""
        return self.frames.shape[1], self.frames.shape[2], self.frames.shape[3]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, numbers: Sequence[int] | np.ndarray) -> Films:
        """The films of these numbers."""
        rows = [np.arange(self.offsets[n], self.offsets[n + 1]) for n in numbers]
        lengths = [len(own) for own in rows]
        return Films(self.frames[np.concatenate(rows)], np.concatenate([[0], np.cumsum(lengths)]), self.plain)

    def between(self, start: int, stop: int) -> Films:
        """The frames from `start` to before `stop` of a single film, as one."""
        return Films(self.frames[start:stop], np.array([0, stop - start]), self.plain)

    def starts(self, span: int) -> np.ndarray:
        """The rows (W,) where a window of `span` frames of one film begins."""
        found = [np.arange(a, b - span + 1) for a, b in zip(self.offsets, self.offsets[1:]) if b - a >= span]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def film_of(self, rows: np.ndarray) -> np.ndarray:
        """The film that each row belongs to."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    def fingerprint(self) -> str:
        """SHA-256 of the frames and where films begin."""
        import hashlib

        digest = hashlib.sha256(f"{self.frames.dtype}{self.frames.shape}{self.offsets.tolist()}".encode())
        digest.update(np.ascontiguousarray(self.frames).view(np.uint8).data)
        return digest.hexdigest()


def _film(value: Any, what: str) -> np.ndarray:
    try:
        film = np.asarray(value)
    except ValueError:
        raise DataError(f"{what}: expected (T, Y, X) or (T, Y, X, C), got frames of unequal size.") from None
    if film.ndim not in (3, 4):
        raise DataError(f"{what}: expected (T, Y, X) or (T, Y, X, C), got {film.shape}.")
    if film.dtype.kind not in "buif":
        raise DataError(f"{what}: expected numbers, got an array of type {film.dtype}.")
    if 0 in film.shape:
        raise DataError(f"{what}: expected frames of at least one pixel, got {film.shape}; leave it out.")
    return film.astype(np.uint8) if film.dtype.kind == "b" else film


def _size(film: np.ndarray) -> str:
    return " × ".join(map(str, film.shape[1:]))


def read_films(
    path: str | os.PathLike[str], *, array: str | None = None, axes: str | None = None
) -> tuple[Films, list[Decision]]:
    """The films of an .npy or .npz file, and what was decided about them.

    array: its name in an .npz (frames or X, else the only one). axes: THW, NTHW, THWC or NTHWC, by the number of axes
    where None. Raises DataError where the file or the array can't be used, SettingError for other axes.
    """
    source = source_name(path)
    if axes not in (None, *_AXES):
        raise SettingError(f"axes: expected one of {', '.join(_AXES)}, got {shown(axes)}.{suggest(str(axes), _AXES)}")
    said: list[Decision] = []
    with opened_arrays(path) as held:
        if not isinstance(held, np.ndarray):
            name = _named(list(held), array, source)
            if array is None:
                said.append(Decision("array", f"The frames are the array {shown(name)}.", name, "array"))
            held = held[name]
        elif array is not None:
            raise DataError(f"{source}: array: an .npy file holds one array without a name; leave it out.")
    if axes is None:
        axes = {3: "THW", 4: "NTHW", 5: "NTHWC"}.get(held.ndim)
        if axes is None:
            raise DataError(f"{source}: expected 3 axes (T, H, W) to 5 (N, T, H, W, C), got the shape {held.shape}.")
        said.append(Decision("axes", f"An array of shape {held.shape} is read as {axes}.", axes, "axes"))
    if held.ndim != _AXES[axes]:
        raise DataError(f"{source}: axes: {axes} are {_AXES[axes]}, the array has the shape {held.shape}.")
    return Films.make([held] if axes in ("THW", "THWC") else held, source), said


def _named(names: list[str], asked: str | None, source: str) -> str:
    if asked is not None:
        if asked not in names:
            raise DataError(f"{source}: expected an array {shown(asked)}, it holds {', '.join(map(shown, names))}.")
        return asked
    for name in (*_NAMES, *(names if len(names) == 1 else ())):
        if name in names:
            return name
    found = ", ".join(map(shown, names)) or "none"
    raise DataError(f"{source}: expected an array named frames or X, found {found}; name it (array=).")
