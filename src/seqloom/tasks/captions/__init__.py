"""Captions: a text for a picture, from convolutions and a decoder that looks at its places."""

from __future__ import annotations

from .model import Captioner

__all__ = ["Captioner"]
