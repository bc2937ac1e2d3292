"""What `load` returns is no estimator: it says so in one sentence, and names itself in one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
import seqloom_runtime


def folders() -> dict[str, Any]:
    """Models of a few kinds, barely trained, by how the runtime's predictor of each names itself."""
    texts = ["good film", "bad film", "good play", "bad play"] * 6
    table = {"time": np.datetime64("2024-01-01", "D") + np.arange(60), "y": np.sin(np.arange(60.0))}
    return {
        "TextPredictor(model='bow', task='classify')": seqloom.TextClassifier(model="bow").fit(texts, ["p", "n"] * 12),
        "ForecastPredictor(model='naive', task='forecast')": seqloom.Forecaster(
            model="naive", lookback=7, horizon=2
        ).fit(table, target="y", time="time"),
        "LanguagePredictor(model='bigram', task='language')": seqloom.LanguageModel(model="bigram").fit("a b c\n" * 30),
    }


def test_it_trains_nothing_and_its_name_is_short(tmp_path: Path) -> None:
    for number, (name, model) in enumerate(folders().items()):
        model.save(tmp_path / str(number))
        loaded = seqloom_runtime.load(tmp_path / str(number))
        assert repr(loaded) == name
        for asked in ("fit", "save", "update"):
            with pytest.raises(AttributeError, match=f"has no {asked}: the runtime trains nothing.*use seqloom"):
                getattr(loaded, asked)
            assert not hasattr(loaded, asked)
        with pytest.raises(AttributeError, match="object has no attribute 'predictt'"):
            _ = loaded.predictt
        assert repr(copy.copy(loaded)) == repr(copy.deepcopy(loaded)) == name
        assert len(repr(getattr(loaded, "predicts", None))) < 200
