"""Taggers: a label for every word of a sentence."""

from __future__ import annotations

from .tagger import SequenceTagger

__all__ = ["SequenceTagger"]
