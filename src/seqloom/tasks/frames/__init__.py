"""Frames ahead: what a film shows next, from the frames before (moving pictures, radar images of rain)."""

from __future__ import annotations

from .model import FramePredictor

__all__ = ["FramePredictor"]
