"""Folders and tables of picture files: read with Pillow, bounded before anything is decoded."""

from __future__ import annotations

from .decoding import SUFFIXES, Head, decode, head_of
from .drawn import shown_picture
from .reading import LabelledPictures, holds_pictures, read_pictures

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
