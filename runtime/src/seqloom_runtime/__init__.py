"""Runs the models that seqloom trained, with NumPy and safetensors alone: no torch, no training.

Importing this package loads nothing heavy: each name below is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:
    from .loading import load

__version__ = "0.1.0"

__all__ = ["__version__", "load"]

__getattr__, __dir__ = lazy_names(__name__, {"load": "loading"}, __all__)
