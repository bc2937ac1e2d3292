"""Log-mel features: how loud each of a few bands of a sound is, frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DataError, SettingError
from ...extras import need
from .sound import Sound

__all__ = ["LOUDNESS", "WINDOW", "frame_count", "log_mel"]

WINDOW = 0.025  # seconds that a frame looks at
LOUDNESS = 32768.0  # Kaldi's samples are those of 16 bits


def frame_count(samples: int, rate: int, shift: float) -> int:
    """How many frames a sound has: only where a whole window fits.

    >>> frame_count(16000, 16000, 0.01)
    98
    """
    window, step = int(rate * WINDOW), int(rate * shift)
    return 0 if samples < window else 1 + (samples - window) // step


def log_mel(sound: Sound, bands: int = 40, shift: float = 0.01) -> np.ndarray:
    """(T, bands) float32: ln of the energy in each mel band, in windows of 25 ms, one every `shift` seconds.

    By kaldi-native-fbank with Kaldi's defaults but no dither, so that the same sound gives the same numbers: samples
    of 16 bits, each frame without its mean, preemphasis 0.97, Povey's window, bands from 20 Hz to half the rate; no
    number is below 0. Raises DataError for a sound shorter than one window, SettingError for more bands than such a
    rate has room for, MissingDependencyError without the package.
    """
    if not frame_count(len(sound), sound.rate, shift):
        where = f"{sound.name}: " if sound.name else ""
        raise DataError(
            f"{where}the sound is too short, {1000 * sound.seconds:.0f} ms where a frame takes "
            f"{1000 * WINDOW:.0f} ms; leave it out."
        )
    fbank: Any = need("kaldi_native_fbank", "log-mel features")
    options = fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = sound.rate
    options.frame_opts.frame_length_ms, options.frame_opts.frame_shift_ms = 1000 * WINDOW, 1000 * shift
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = bands
    try:
        online = fbank.OnlineFbank(options)
    except ValueError:
        raise SettingError(
            f"mels: expected fewer bands for {sound.rate:,} samples a second, got {bands}; some would hold nothing of "
            f"a window of {1000 * WINDOW:.0f} ms."
        ) from None
    online.accept_waveform(sound.rate, sound.floats() * LOUDNESS)
    online.input_finished()
    mel = np.stack([online.get_frame(n) for n in range(online.num_frames_ready)]).astype(np.float32)
    # Less than the rounding of 16 bits is silence: the logarithm of nothing at all would outweigh every sound.
    return np.maximum(mel, 0.0)
