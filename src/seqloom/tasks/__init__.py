"""The estimators: what a user fits, saves and loads. Each task loads on first use (PEP 562), without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from .anomalies import AnomalyDetector
    from .captions import Captioner
    from .embedding import WordEmbedder
    from .forecast import Backtest, Forecaster, ForecastRun, ForecastTable, compare_forecasters
    from .frames import FramePredictor
    from .language import LanguageModel
    from .loading import load
    from .records import RecordModel
    from .sequences import FilmClassifier, FrameModel, PictureClassifier, SequenceClassifier, SequenceRegressor
    from .similarity import SequenceSimilarity
    from .tagging import SequenceTagger
    from .text import TextClassifier
    from .transcription import Transcriber
    from .translation import Seq2Seq

_HOME = {
    "AnomalyDetector": "anomalies",
    "Backtest": "forecast",
    "Captioner": "captions",
    "ForecastRun": "forecast",
    "ForecastTable": "forecast",
    "Forecaster": "forecast",
    "FrameModel": "sequences",
    "FramePredictor": "frames",
    "LanguageModel": "language",
    "FilmClassifier": "sequences",
    "PictureClassifier": "sequences",
    "RecordModel": "records",
    "Seq2Seq": "translation",
    "SequenceClassifier": "sequences",
    "SequenceRegressor": "sequences",
    "SequenceSimilarity": "similarity",
    "SequenceTagger": "tagging",
    "TextClassifier": "text",
    "Transcriber": "transcription",
    "WordEmbedder": "embedding",
    "compare_forecasters": "forecast",
    "load": "loading",
}

__all__ = [
    "AnomalyDetector",
    "Backtest",
    "Captioner",
    "FilmClassifier",
    "ForecastRun",
    "ForecastTable",
    "Forecaster",
    "FrameModel",
    "FramePredictor",
    "LanguageModel",
    "PictureClassifier",
    "RecordModel",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceSimilarity",
    "SequenceTagger",
    "TextClassifier",
    "Transcriber",
    "WordEmbedder",
    "compare_forecasters",
    "load",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
