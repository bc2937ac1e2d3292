"""Texts that belong to classes: what predicts for a fitted classifier."""

from __future__ import annotations

from .predictor import TextPredictor, read

__all__ = ["TextPredictor", "read"]
