"""The baselines that need nothing but NumPy, by name: rules, and what is fitted in a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .baselines import DampedNaive, Drift, Mean, Naive, SeasonalNaive, SeasonalWeek
from .intermittent import TSB, Croston
from .target_history import Baseline

__all__ = ["RULES", "SEASONAL_RULES"]

RULES: Mapping[str, Callable[[], Baseline]] = MappingProxyType(
    {"naive": Naive, "drift": Drift, "mean": Mean, "damped-persistence": DampedNaive, "croston": Croston, "tsb": TSB}
)
"""Those without a season."""

SEASONAL_RULES: Mapping[str, Callable[[float], Baseline]] = MappingProxyType(
    {"seasonal": SeasonalNaive, "seasonal-week": SeasonalWeek}
)
"""Those that are made with one, in rows."""
