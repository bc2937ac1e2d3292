"""`Sound`: the samples of one recording, read from a WAV file or given as an array."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from ...errors import DataError, shown
from ...extras import need
from ...limits import need_memory, reading
from ..decisions import Decision

__all__ = ["Sound", "mixed_down", "read_wav"]

_LOUDEST = 32768.0
_RATES = (1_000, 384_000)


@dataclass(frozen=True, eq=False)
class Sound:
    """samples: (N,) int16 or float from −1 to 1, one channel. rate: samples a second. name: for messages. channels: of
    the file that it was read from; the samples are the mean of several.

    Raises DataError for what is no sound, an empty one among them.

    >>> Sound(np.zeros(8000), 8000).seconds
    1.0
    """

    samples: np.ndarray
    rate: int
    name: str = ""
    channels: int = 1

    def __post_init__(self) -> None:
        samples, where = np.asarray(self.samples), f"{self.name}: " if self.name else ""
        if samples.ndim != 1 or (samples.dtype != np.int16 and samples.dtype.kind != "f"):
            raise DataError(
                f"{where}expected the samples of one channel, (N,) int16 or float, got shape {samples.shape} of "
                f"{samples.dtype}; of stereo take one channel or their mean."
            )
        if not len(samples):
            raise DataError(f"{where}the sound is empty; leave it out.")
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, np.integer)):
            raise DataError(f"{where}rate: expected a whole number of samples a second, got {shown(self.rate)}.")
        if not _RATES[0] <= self.rate <= _RATES[1]:
            raise DataError(f"{where}expected {_RATES[0]:,} to {_RATES[1]:,} samples a second, got {self.rate:,}.")
        if samples.dtype.kind == "f":
            if not np.isfinite(samples).all():
                raise DataError(f"{where}expected finite samples, found NaN or infinity; repair the recording.")
            samples = samples.astype(np.float32)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "rate", int(self.rate))

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    def floats(self) -> np.ndarray:
        """The samples (N,) float32, from −1 to 1."""
        return self.samples if self.samples.dtype != np.int16 else self.samples.astype(np.float32) / _LOUDEST

    def resampled(self, rate: int) -> Sound:
        """The same at another rate, by a polyphase filter; raises MissingDependencyError without SciPy."""
        if rate == self.rate:
            return self
        signal, common = need("scipy.signal", "changing the sample rate"), gcd(rate, self.rate)
        samples = signal.resample_poly(self.floats().astype(np.float64), rate // common, self.rate // common)
        return Sound(samples.astype(np.float32), rate, self.name, self.channels)

    def fingerprint(self) -> str:
        """SHA-256 of samples and rate; the name doesn't count."""
        digest = hashlib.sha256(f"{self.rate} {self.samples.dtype.str} ".encode())
        digest.update(np.ascontiguousarray(self.samples).data)
        return digest.hexdigest()


def read_wav(path: str | os.PathLike[str], name: str | None = None) -> Sound:
    """The sound of a WAV file: 16-bit samples of one channel as they are, others as float, several channels as their
    mean (`mixed_down` says of which files).

    name: in messages, the path by default. Raises DataError, naming it, for a file that is missing, no WAV file,
    truncated, empty, or larger than the memory.
    """
    path, name = os.fspath(path), os.fspath(path) if name is None else name
    if not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "no such file"
        raise DataError(f"{name}: expected a WAV file, found {what}.")
    _check_header(path, name)
    sound: Any = need("soundfile", "reading WAV files")
    with reading(name, "WAV file"), sound.SoundFile(path) as file:
        channels = file.channels
        need_memory(8 * file.frames * channels, f"{name}: a sound of {file.frames:,} samples", error=DataError)
        kind = "int16" if file.subtype == "PCM_16" and channels == 1 else "float32"
        samples, rate = file.read(dtype=kind), file.samplerate
    if channels > 1:
        samples = samples.mean(axis=1, dtype=np.float32)
    return Sound(samples, rate, name, channels)


def mixed_down(sounds: Sequence[Sound]) -> tuple[Decision, ...]:
    """What is said of sounds that were read from files of several channels; nothing where there is none."""
    several = [sound for sound in sounds if sound.channels > 1]
    if not several:
        return ()
    first, count = several[0], len(several)
    text = (
        f"{'1 WAV file has' if count == 1 else f'{count:,} WAV files have'} several channels, and their mean is read "
        f"(first: {first.name}, {first.channels} channels); write a file of one channel where one of them is meant, "
        "such as with sox in.wav out.wav remix 1."
    )
    return (Decision("channels", text),)


def _check_header(path: str, name: str) -> None:
    """Raise DataError where the file is no WAV file, or says that it holds other than it does: the library that reads
    it takes what is there, and a recording that was cut off would be learned as if it were whole."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            raise DataError(
                f"{name}: expected a WAV file (RIFF … WAVE), found {'nothing' if not size else 'something else'}; "
                "other sounds are converted with ffmpeg -i in.mp3 -ac 1 out.wav."
            )
        at = 12
        while at + 8 <= size:
            file.seek(at)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                held = size - at - 8
                if length > held and head[:4] == b"RIFF":
                    raise DataError(
                        f"{name}: truncated, as its header says {length:,} bytes of samples and {held:,} are there; "
                        "copy it again, or let ffmpeg -i in.wav out.wav write the header anew."
                    )
                return
            at += 8 + length + length % 2
    raise DataError(f"{name}: truncated, as no samples (no data chunk) are in the file; copy it again.")
