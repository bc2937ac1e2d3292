"""Sequence to sequence: one text in, another out (translation, spelling dates another way, sums)."""

from __future__ import annotations

from .model import Seq2Seq

__all__ = ["Seq2Seq"]
