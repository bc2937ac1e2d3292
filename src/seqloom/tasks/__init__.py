"""The estimators: what a user fits, saves and loads."""

from __future__ import annotations

from .forecast import Backtest, Forecaster, ForecastRun, ForecastTable, compare_forecasters
from .language import LanguageModel
from .loading import load

__all__ = ["Backtest", "ForecastRun", "ForecastTable", "Forecaster", "LanguageModel", "compare_forecasters", "load"]
