"""Tags for words: what predicts for a fitted tagger."""

from __future__ import annotations

from .predictor import TagPredictor, read

__all__ = ["TagPredictor", "read"]
