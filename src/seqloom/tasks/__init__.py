"""The estimators: what a user fits, saves and loads."""

from __future__ import annotations

from .forecast import Backtest, Forecaster, ForecastRun, ForecastTable, compare_forecasters
from .language import LanguageModel
from .loading import load
from .tagging import SequenceTagger

__all__ = [
    "Backtest",
    "ForecastRun",
    "ForecastTable",
    "Forecaster",
    "LanguageModel",
    "SequenceTagger",
    "compare_forecasters",
    "load",
]
