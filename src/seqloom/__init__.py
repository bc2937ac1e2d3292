"""seqloom: sequences in, a trained, checked and deployable model out.

Importing this package loads nothing heavy: each name below is imported when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

try:
    from seqloom_runtime import __version__ as _runtime
except ModuleNotFoundError as error:
    if error.name != "seqloom_runtime":
        raise
    raise ImportError(
        "seqloom needs seqloom-runtime, which is not installed: in the folder of seqloom's source run "
        "pip install ./runtime"
    ) from None
if _runtime != __version__:
    raise ImportError(
        f"seqloom {__version__} needs seqloom-runtime {__version__}, found {_runtime}: in the folder of seqloom's "
        "source run pip install ./runtime"
    )

if TYPE_CHECKING:
    from seqloom_runtime.data import Panel, WordVectors, read_table

    from .nn.accelerating import accelerate
    from .tasks import (
        AnomalyDetector,
        Captioner,
        FilmClassifier,
        Forecaster,
        FrameModel,
        FramePredictor,
        LanguageModel,
        PictureClassifier,
        RecordModel,
        Seq2Seq,
        SequenceClassifier,
        SequenceRegressor,
        SequenceSimilarity,
        SequenceTagger,
        TextClassifier,
        Transcriber,
        WordEmbedder,
        compare_forecasters,
        load,
    )
    from .tuning import tune

__all__ = [
    "AnomalyDetector",
    "Captioner",
    "FilmClassifier",
    "Forecaster",
    "FrameModel",
    "FramePredictor",
    "LanguageModel",
    "Panel",
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
    "WordVectors",
    "__version__",
    "accelerate",
    "compare_forecasters",
    "load",
    "read_table",
    "tune",
]

_HOMES = {
    "AnomalyDetector": ".tasks",
    "Captioner": ".tasks",
    "FilmClassifier": ".tasks",
    "Forecaster": ".tasks",
    "FrameModel": ".tasks",
    "FramePredictor": ".tasks",
    "LanguageModel": ".tasks",
    "Panel": ".data",
    "PictureClassifier": ".tasks",
    "RecordModel": ".tasks",
    "Seq2Seq": ".tasks",
    "SequenceClassifier": ".tasks",
    "SequenceRegressor": ".tasks",
    "SequenceSimilarity": ".tasks",
    "SequenceTagger": ".tasks",
    "TextClassifier": ".tasks",
    "Transcriber": ".tasks",
    "WordEmbedder": ".tasks",
    "WordVectors": ".data",
    "accelerate": ".nn.accelerating",
    "compare_forecasters": ".tasks",
    "load": ".tasks",
    "read_table": ".data",
    "tune": ".tuning",
}
_PACKAGES = (
    "app",
    "data",
    "diagnostics",
    "engines",
    "errors",
    "files",
    "nn",
    "ops",
    "report",
    "studies",
    "tasks",
    "training",
    "tuning",
    "zoo",
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
