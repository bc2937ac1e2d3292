"""The public names of `seqloom_runtime.data.pictures`: folders and tables of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from seqloom_runtime.data.pictures import (
        SUFFIXES,
        Head,
        LabelledPictures,
        decode,
        head_of,
        holds_pictures,
        read_pictures,
        shown_picture,
    )

__all__ = [
    "SUFFIXES",
    "Head",
    "LabelledPictures",
    "decode",
    "head_of",
    "holds_pictures",
    "read_pictures",
    "shown_picture",
]

__getattr__, __dir__ = lazy_names("seqloom_runtime.data", dict.fromkeys(__all__, "pictures"), __all__)
