"""Sounds as a transcriber takes them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..data.speech import Sound
from ..errors import DataError, shown

__all__ = ["checked_sounds"]


def checked_sounds(sounds: Any, name: str) -> list[Any]:
    """Each a `Sound` or frames (T, F) float32; raises DataError, saying which, for anything else."""
    from ..data.speech import read_wav

    if isinstance(sounds, (str, Sound)) or not hasattr(sounds, "__iter__"):
        raise DataError(f"{name}: expected a list of sounds, got {type(sounds).__name__}.")
    found: list[Any] = []
    for number, sound in enumerate(sounds):
        if isinstance(sound, Sound):
            found.append(sound)
        elif isinstance(sound, (str, os.PathLike)):
            found.append(read_wav(sound))
        else:
            found.append(_frames(sound, f"{name}, sound {number}"))
    if found and any(isinstance(sound, Sound) is not isinstance(found[0], Sound) for sound in found):
        raise DataError(f"{name}: expected sounds alone, or frames alone, got both.")
    if found and len({one.shape[1] for one in found if isinstance(one, np.ndarray)}) > 1:
        raise DataError(f"{name}: expected frames of one width, got several.")
    return found


def _frames(value: Any, where: str) -> np.ndarray:
    try:
        frames = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        frames = np.zeros(0)
    if frames.ndim != 2 or not frames.size:
        raise DataError(
            f"{where}: expected a Sound, the path of a WAV file, or frames (T, F), got {shown(np.shape(value))}; "
            "samples need their rate: Sound(samples, rate)."
        )
    if not np.isfinite(frames).all():
        raise DataError(f"{where}: expected finite frames, found NaN or infinity.")
    return frames
