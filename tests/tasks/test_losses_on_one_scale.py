"""The losses of training and of validation can be held side by side: on the same data and weights they are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqloom

STILL: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-12, "batch_size": 8, "units": 4}
"""So small a step that the weights stay where they are."""
SENTENCES = (
    [["fly", "to", "boston"], ["to", "denver", "please", "now"]] * 8,
    [["O", "O", "B-c"], ["O", "B-c", "O", "O"]] * 8,
)
TEXTS = (["free prize now", "see you home", "are you home"] * 8, ["s", "h", "h"] * 8)
DRAW = np.random.default_rng(0)
STEPS = [DRAW.normal(size=(6, 2)).astype(np.float32) for _ in range(16)]
VALUES = [steps.cumsum(axis=0)[:, :1] * 10 for steps in STEPS]
LABELS = ["a", "b", "b", "b"] * 4
NUMBERS = np.arange(16) * 3.0
BINARY = [(steps > 0).astype(int) for steps in STEPS]
TEXT = "the cat sat on the mat\n" * 32
DRY: dict[str, Any] = {"dropout": 0.0, "input_dropout": 0.0, "word_dropout": 0.0}
PLAIN: dict[str, Any] = {"input_dropout": 0.0, "recurrent_dropout": 0.0, "output_dropout": 0.0}


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (seqloom.SequenceClassifier(class_weight={"a": 1, "b": 5}, **{**STILL, "batch_size": 16}), (STEPS, LABELS)),
        (seqloom.SequenceRegressor(loss="huber", **STILL), (STEPS, NUMBERS)),
        (seqloom.FrameModel(**STILL), (STEPS, VALUES)),
        (seqloom.FrameModel(reduction="sum", score_last=3, **STILL), (STEPS, VALUES)),
        (seqloom.FrameModel(kind="binary", reduction="sum", **STILL), (STEPS, BINARY)),
        (seqloom.SequenceTagger(**STILL, **DRY), SENTENCES),
        (seqloom.SequenceTagger(crf=True, **STILL, **DRY), SENTENCES),
        (seqloom.TextClassifier(class_weight={"s": 1, "h": 5}, embedding_dropout=0.0, dropout=0.0, **STILL), TEXTS),
        (seqloom.LanguageModel(model="gru", layers=1, window=14, **STILL, **PLAIN), (TEXT,)),
    ],
    ids=lambda value: repr(value)[:40] if hasattr(value, "fit") else "",
)
def test_the_same_data_has_the_same_loss(model: Any, data: tuple[Any, ...]) -> None:
    model.fit(*data, valid=data if len(data) > 1 else TEXT)
    (row,) = model.history_.epochs
    assert row.valid["loss"] == pytest.approx(row.train_loss, rel=1e-3), row
