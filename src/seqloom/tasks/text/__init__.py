"""Texts: the classifier, its networks and its bags of words."""

from __future__ import annotations

from .classifier import TextClassifier
from .looking import Belief, Sentence
from .settings import MODELS

__all__ = ["MODELS", "Belief", "Sentence", "TextClassifier"]
