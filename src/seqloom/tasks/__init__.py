"""The estimators: what a user fits, saves and loads."""

from __future__ import annotations

from .forecast import Backtest, Forecaster, ForecastRun, ForecastTable, compare_forecasters
from .language import LanguageModel
from .loading import load
from .sequences import FrameModel, SequenceClassifier, SequenceRegressor
from .tagging import SequenceTagger
from .text import TextClassifier

__all__ = [
    "Backtest",
    "ForecastRun",
    "ForecastTable",
    "Forecaster",
    "FrameModel",
    "LanguageModel",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "TextClassifier",
    "compare_forecasters",
    "load",
]
