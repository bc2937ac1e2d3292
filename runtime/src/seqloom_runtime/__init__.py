"""Runs the models that seqloom trained, with NumPy and safetensors alone: no torch, no training.

Importing this package loads nothing heavy: each name below is imported when it is first used (PEP 562).
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
