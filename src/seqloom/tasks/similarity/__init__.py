"""Which sequences are alike: a Siamese recurrent network that puts them near each other."""

from __future__ import annotations

from .model import SequenceSimilarity

__all__ = ["SequenceSimilarity"]
