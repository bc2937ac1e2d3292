"""Folders and tables of picture files: read with Pillow, bounded before anything is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import lazy_names

if TYPE_CHECKING:
    from .decoding import SUFFIXES, Head, decode, head_of
    from .drawn import shown_picture
    from .reading import LabelledPictures, holds_pictures, read_pictures

# Lazy (PEP 562): what predicts reads none of the readers of files.
_HOME = {
    "Head": "decoding",
    "LabelledPictures": "reading",
    "SUFFIXES": "decoding",
    "decode": "decoding",
    "head_of": "decoding",
    "holds_pictures": "reading",
    "read_pictures": "reading",
    "shown_picture": "drawn",
}

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
