"""The forecast models by name, in one place: networks, the baselines and statistical methods, and their average."""

from __future__ import annotations

from ...diagnostics import BASELINES
from ..networks import names_for

__all__ = ["ENSEMBLE", "MODELS", "is_network"]

ENSEMBLE = "ensemble"
"""The weighted average of the best few of several models."""

MODELS = names_for("forecast", before=(ENSEMBLE,), after=BASELINES)
"""What `model=` may name. The constraint, the comparison, saved models and `--help` follow it."""


def is_network(name: str) -> bool:
    """Whether a model of that name is a network."""
    return name not in BASELINES and name != ENSEMBLE
