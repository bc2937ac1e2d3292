"""New sequences, pictures and films as a predictor reads them: of the channels and the size that `fit` saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.films import Films
from ..data.sequences.ragged import Sequences
from ..errors import DataError

__all__ = ["check_channels", "check_size", "films_of", "pictures_of", "pixels_of"]

_MOST_CHANNELS = 64


def check_channels(sequences: Sequences, expected: tuple[str, ...], what: str) -> None:
    """Raise DataError where sequences have other channels than those that a model was fitted on."""
    if sequences.width != len(expected):
        hint = ""
        if (sequences.lengths == len(expected)).all():
            turned = f"{what}.transpose(0, 2, 1)" if sequences.equal and len(sequences) > 1 else "the transposed arrays"
            hint = f" Every sequence has {len(expected)} steps: if channels stand first, pass {turned}."
        raise DataError(f"{what}: expected {len(expected)} channels, as in fit, got {sequences.width}.{hint}")
    plain = tuple(f"channel_{i}" for i in range(len(expected)))
    # Arrays have no names and get plain ones; only names that someone gave on both sides can contradict each other.
    if plain not in (sequences.channels, expected) and sequences.channels != expected:
        raise DataError(
            f"{what}: expected the channels {', '.join(expected)}, as in fit, got {', '.join(sequences.channels)}."
        )


def pictures_of(data: Any, what: str = "X") -> Sequences:
    """Pictures (N, H, W) or (N, H, W, C), or a list of (H, W) or (H, W, C), as their pixels one after the other."""
    return data if isinstance(data, Sequences) and data.picture is not None else pixels_of(data, what)


def pixels_of(data: Any, what: str = "X") -> Sequences:
    """Pictures as sequences of their pixels; raises DataError for arrays of other shapes, and unequal pictures.

    >>> pixels_of(np.zeros((2, 4, 3))).picture, pixels_of(np.zeros((2, 4, 3, 3))).width
    ((4, 3), 3)
    """
    if isinstance(data, (list, tuple)):
        shapes = {np.shape(one) for one in data}
        if len(shapes) > 1:
            raise DataError(f"{what}: expected pictures of one shape, got {', '.join(map(str, sorted(shapes)[:3]))}.")
    tensor: Any = data
    array = np.asarray(tensor.detach().cpu() if hasattr(data, "detach") else data)
    if array.ndim not in (3, 4) or not array.size:
        raise DataError(f"{what}: expected pictures (N, H, W) or (N, H, W, colours), got shape {array.shape}.")
    count, height, width = array.shape[:3]
    if array.ndim == 4 and array.shape[3] > _MOST_CHANNELS:
        hint = " If colours stand first, pass X.transpose(0, 2, 3, 1)." if array.shape[1] <= 4 else ""
        raise DataError(f"{what}: expected at most {_MOST_CHANNELS} colours, got shape {array.shape}.{hint}")
    found = Sequences.make(array.reshape(count, height * width, -1), what=what)
    return Sequences(found.values, found.offsets, found.channels, (height, width))


def films_of(data: Any, what: str = "X") -> Sequences:
    """Films as their pixels one after the other, frame by frame."""
    if isinstance(data, Sequences) and data.picture is not None:
        return data
    films = Films.make(data, what)
    height, width, channels = films.size
    offsets = films.offsets.astype(np.int64) * (height * width)
    return Sequences(films.frames.reshape(-1, channels), offsets, picture=(height, width))


def check_size(data: Any, found: Sequences, known: tuple[int, int], what: str, *, films: bool = False) -> None:
    """Raise DataError where pictures, or frames of films, are of another size than `known`, (height, width)."""
    if found.picture == known:
        return
    if films:
        size = " by ".join(map(str, found.picture or ()))
        raise DataError(f"{what}: expected frames of {known[0]} by {known[1]} pixels, as in fit, got {size}.")
    raise DataError(f"{what}: expected pictures of {known[0]} by {known[1]} pixels, as in fit, got {_size(data)}.")


def _size(data: Any) -> str:
    if isinstance(data, Sequences):
        return "sequences of another kind" if data.picture is None else f"{data.picture[0]} by {data.picture[1]}"
    shape = np.shape(data)
    return f"{shape[1]} by {shape[2]}"
