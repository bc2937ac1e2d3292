"""What is said in sounds: what predicts for a fitted transcriber."""

from __future__ import annotations

from .predictor import TranscriptionPredictor, read

__all__ = ["TranscriptionPredictor", "read"]
