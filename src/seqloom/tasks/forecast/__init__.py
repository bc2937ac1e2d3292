"""Forecasting: the estimator, its comparison run, and its rolling-origin evaluation."""

from __future__ import annotations

from seqloom_runtime.forecast.forecast_table import ForecastTable

from ..comparison import ModelFinished, ModelStarted, check_out
from .backtest import Backtest
from .comparison import ForecastRun, candidate, compare_forecasters
from .defaults import Lengths, lengths_for
from .explanation import Explanation
from .forecaster import Forecaster

__all__ = [
    "Backtest",
    "Explanation",
    "ForecastRun",
    "ForecastTable",
    "Forecaster",
    "Lengths",
    "ModelFinished",
    "ModelStarted",
    "candidate",
    "check_out",
    "compare_forecasters",
    "lengths_for",
]
