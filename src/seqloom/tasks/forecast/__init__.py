"""Forecasting: the estimator, its comparison run, and its rolling-origin evaluation."""

from __future__ import annotations

from .backtest import Backtest
from .defaults import Lengths, lengths_for
from .forecaster import Forecaster
from .predicting import ForecastTable
from .run import ForecastRun, ModelFinished, ModelStarted, check_out, compare_forecasters

__all__ = [
    "Backtest",
    "ForecastRun",
    "ForecastTable",
    "Forecaster",
    "Lengths",
    "ModelFinished",
    "ModelStarted",
    "check_out",
    "compare_forecasters",
    "lengths_for",
]
