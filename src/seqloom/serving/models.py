"""Model folders as the server asks them: the one place that knows which library reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.files import read_json

from .served import Served

__all__ = ["files_of", "load_model"]


def files_of(path: Path) -> list[Path]:
    """The files that a loaded model comes from: those of the model folder, or of the run folder that holds it."""
    folder = path / "model" if not (path / "model.json").is_file() and (path / "model").is_dir() else path
    return [folder / "model.json", folder / "model.safetensors"]


def load_model(path: Path) -> Served:
    """The model of a run folder or model folder; raises FormatError for a damaged one, SettingError for one that can't
    be served."""
    from .. import load

    estimator = load(path)
    return _adapter(estimator)(estimator, _settings_beside(path))


def _adapter(estimator: Any) -> Callable[[Any, Mapping[str, Any]], Served]:
    kind = type(estimator).__name__
    if kind == "Forecaster":
        from .forecasts import ServedForecaster

        return ServedForecaster
    if kind in ("TextClassifier", "SequenceTagger", "Seq2Seq", "LanguageModel"):
        from .texts import served_text_model

        return served_text_model
    if kind in ("SequenceClassifier", "SequenceRegressor"):
        from .sequences import ServedSequences

        return ServedSequences
    raise SettingError(
        f"RUN: a {kind} can't be served yet; forecasters, models of texts, and classifiers and regressors of sequences "
        "can."
    )


def _settings_beside(path: Path) -> Mapping[str, Any]:
    """The settings of the run that holds the model; none where the model folder stands alone."""
    for folder in (path, path.resolve().parent):
        if (folder / "run.json").is_file():
            record = read_json(folder / "run.json")
            settings = record.get("settings") if isinstance(record, dict) else None
            if not isinstance(settings, dict):
                raise SettingError(f"{shown(str(folder / 'run.json'))}: expected the record of a run; it is damaged.")
            return settings
    return {}
