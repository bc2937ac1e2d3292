"""Texts written for texts: what predicts for a fitted model of sequence to sequence."""

from __future__ import annotations

from .predictor import TranslationPredictor, read

__all__ = ["TranslationPredictor", "read"]
