"""Speech: sounds, their log-mel features, and tables of recordings and what is said in them."""

from __future__ import annotations

from .log_mel import LOUDNESS, WINDOW, frame_count, log_mel
from .recordings import Recordings, find_sounds, read_recordings
from .sound import Sound, mixed_down, read_wav

__all__ = [
    "LOUDNESS",
    "WINDOW",
    "Recordings",
    "Sound",
    "find_sounds",
    "frame_count",
    "log_mel",
    "mixed_down",
    "read_recordings",
    "read_wav",
]
