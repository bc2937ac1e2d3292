"""Language models: the probability of the next word or character, and text written with it."""

from __future__ import annotations

from seqloom_runtime.language.sampling import Sampling

from .model import LanguageModel

__all__ = ["LanguageModel", "Sampling"]
