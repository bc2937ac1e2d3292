"""Words as vectors: what a fitted embedder is asked."""

from __future__ import annotations

from .predictor import EmbeddingPredictor, read

__all__ = ["EmbeddingPredictor", "read"]
