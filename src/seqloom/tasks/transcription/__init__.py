"""Frames to symbols: sounds in, what is said in them out (connectionist temporal classification)."""

from __future__ import annotations

from .model import Transcriber

__all__ = ["Transcriber"]
