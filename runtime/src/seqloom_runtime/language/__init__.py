"""Running text: what predicts for a fitted language model."""

from __future__ import annotations

from .predictor import LanguagePredictor, read

__all__ = ["LanguagePredictor", "read"]
