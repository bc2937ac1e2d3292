"""The estimators: what a user fits, saves and loads. Each task loads on first use (PEP 562), without the others."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .forecast import Backtest, Forecaster, ForecastRun, ForecastTable, compare_forecasters
    from .language import LanguageModel
    from .loading import load
    from .sequences import FrameModel, SequenceClassifier, SequenceRegressor
    from .tagging import SequenceTagger
    from .text import TextClassifier

_HOME = {
    "Backtest": "forecast",
    "ForecastRun": "forecast",
    "ForecastTable": "forecast",
    "Forecaster": "forecast",
    "FrameModel": "sequences",
    "LanguageModel": "language",
    "SequenceClassifier": "sequences",
    "SequenceRegressor": "sequences",
    "SequenceTagger": "tagging",
    "TextClassifier": "text",
    "compare_forecasters": "forecast",
    "load": "loading",
}

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


def __getattr__(name: str) -> Any:
    """Load a public name from its task."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
