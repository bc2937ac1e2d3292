"""The public names of `seqloom_runtime.data.speech`: sounds and their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from seqloom_runtime.data.speech import (
        LOUDNESS,
        WINDOW,
        Recordings,
        Sound,
        find_sounds,
        frame_count,
        log_mel,
        mixed_down,
        read_recordings,
        read_wav,
    )

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

__getattr__, __dir__ = lazy_names("seqloom_runtime.data", dict.fromkeys(__all__, "speech"), __all__)
