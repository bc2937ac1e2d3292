"""Sounds as frames: log-mel features at one sample rate, each band less its mean; or the frames that were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.speech import Sound, log_mel
from ..errors import DataError
from ..limits import need_memory

__all__ = ["frames_of", "moments", "rate_of", "standardised"]

_SMALLEST = 1e-5  # a band that varies less is not divided


def rate_of(sounds: Sequence[Any], asked: int | None) -> int | None:
    """The sample rate that all sounds must have: the one asked for or that of the first; None where there are frames.

    Raises DataError for frames where a rate is asked for.
    """
    if isinstance(sounds[0], Sound):
        return sounds[0].rate if asked is None else int(asked)
    if asked is not None:
        raise DataError(f"sample_rate: frames have none, got {asked}; leave it out.")
    return None


def frames_of(
    sounds: Sequence[Any], rate: int | None, *, mels: int, shift: float, convert: bool, notes: list[str] | None = None
) -> list[np.ndarray]:
    """(T, F) float32 for each sound, and a note of how many were converted.

    rate: None for sounds that are frames themselves. Raises DataError, naming the sound, for one of another rate unless
    they are converted, one that is too short for a frame, and frames where sounds are expected or the other way round.
    """
    found, converted, others = [], 0, set()
    for number, sound in enumerate(sounds):
        if isinstance(sound, Sound) is (rate is None):
            got = "a sound" if rate is None else "frames"
            want = "frames (T, F), as in training" if rate is None else "a sound, as in training"
            raise DataError(f"sound {number}: expected {want}, got {got}.")
        if rate is None:
            found.append(sound)
            continue
        if sound.rate != rate:
            if not convert:
                raise DataError(
                    f"{sound.name or f'sound {number}'}: expected {rate:,} samples a second, got {sound.rate:,}; "
                    "convert the file, or let all be converted with convert_rate=True."
                )
            converted += 1
            others.add(sound.rate)
            sound = sound.resampled(rate)
        if not number:
            total = sum(one.seconds for one in sounds if isinstance(one, Sound))
            need_memory(4 * mels * total / shift, f"frames: {total:,.0f} seconds of sound", error=DataError)
        mel = log_mel(sound, mels, shift)
        found.append(mel - mel.mean(axis=0))
    if converted and notes is not None:
        rates = ", ".join(f"{one:,}" for one in sorted(others))
        notes.append(
            f"{converted:,} of {len(sounds):,} sounds were converted from {rates} to {rate:,} samples a second."
        )
    return found


def moments(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (F,) float32 over all frames."""
    count = sum(map(len, frames))
    mean = np.add.reduce([one.sum(axis=0, dtype=np.float64) for one in frames]) / count
    square = np.add.reduce([np.square(one - mean).sum(axis=0) for one in frames]) / count
    scale = np.sqrt(square)
    return mean.astype(np.float32), np.where(scale < _SMALLEST, 1.0, scale).astype(np.float32)


def standardised(frames: Sequence[np.ndarray], mean: np.ndarray, scale: np.ndarray) -> list[np.ndarray]:
    """Each less the mean, over the scale; raises DataError for frames of another width."""
    for number, one in enumerate(frames):
        if one.shape[1] != len(mean):
            raise DataError(
                f"sound {number}: expected frames of {len(mean)} numbers, as in training, got {one.shape[1]}."
            )
    return [(one - mean) / scale for one in frames]
