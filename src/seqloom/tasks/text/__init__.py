"""Texts: the classifier, its networks and its bags of words."""

from __future__ import annotations

from seqloom_runtime.text.looking import Belief, Sentence

from .classifier import TextClassifier
from .settings import MODELS

__all__ = ["MODELS", "Belief", "Sentence", "TextClassifier"]
