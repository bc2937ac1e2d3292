"""The forecast models by name, in one place: networks, and the baselines and statistical methods to beat."""

from __future__ import annotations

from ...diagnostics import BASELINES
from ..networks import names_for

__all__ = ["MODELS"]

MODELS = names_for("forecast", after=BASELINES)
"""What `model=` may name. The constraint, the comparison, saved models and `--help` follow it."""
