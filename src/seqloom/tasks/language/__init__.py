"""Language models: the probability of the next word or character, and text written with it."""

from __future__ import annotations

from .model import LanguageModel
from .sampling import Sampling

__all__ = ["LanguageModel", "Sampling"]
