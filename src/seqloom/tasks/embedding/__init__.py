"""Word vectors trained from text: word2vec (skip-gram, CBOW) and GloVe."""

from __future__ import annotations

from .model import WordEmbedder

__all__ = ["WordEmbedder"]
