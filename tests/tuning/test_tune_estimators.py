"""`tune` of estimators that are given no data to choose by: parts drawn from theirs, tables cut in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom import AnomalyDetector, LanguageModel, SequenceClassifier, TextClassifier
from seqloom.errors import DataError, SettingError
from seqloom.tuning import tune
from seqloom.tuning.drawn_parts import drawn_parts

pytest.importorskip("optuna")
DRAW = np.random.default_rng(2)


def test_parts_are_drawn_by_label_and_equal_texts_stay_together() -> None:
    texts = [f"word{n % 45} and more" for n in range(60)]
    labels = ["ab"[n % 3 == 0] for n in range(60)]
    model = TextClassifier(validation_fraction=0.2, seed=4)
    parts = drawn_parts(model, (texts, labels), None, None)
    assert list(parts) == ["train", "valid", "test"]
    assert sum(len(part[0]) for part in parts.values()) == 60
    assert [len(part[0]) for part in parts.values()] == pytest.approx([38, 10, 12], abs=3)
    seen = [set(part[0]) for part in parts.values()]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 45
    for some_texts, some_labels in parts.values():
        assert set(some_labels) == {"a", "b"}
        assert [labels[texts.index(text)] for text in some_texts] == some_labels
    assert drawn_parts(model, (texts, labels), None, None) == parts
    assert drawn_parts(model, (texts, labels), None, (["x"], ["a"]))["test"] == (["x"], ["a"])


def test_a_running_text_is_cut_in_order() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    parts = drawn_parts(LanguageModel(level="word", validation_fraction=0.1), (text,), None, None)
    assert "".join(part[0] for part in parts.values()) == text
    assert [part[0].count("\n") for part in parts.values()] == [81, 9, 10]


def test_what_no_part_can_be_drawn_of_is_refused() -> None:
    with pytest.raises(DataError, match=r"^data: expected as many of each, got 3 and 2\."):
        drawn_parts(SequenceClassifier(), (np.zeros((3, 4, 1)), ["a", "b"]), None, None)
    with pytest.raises(DataError, match="too few"):
        drawn_parts(SequenceClassifier(), (np.zeros((1, 4, 1)), ["a"]), None, None)
    with pytest.raises(SettingError, match=r"^valid, test: of a 'int' no part can be drawn; give data for them\."):
        drawn_parts(SequenceClassifier(), (3, 4), None, None)


def test_a_classifier_is_tuned_by_parts_of_its_data() -> None:
    labels = np.array(["up", "down"] * 40)
    x = DRAW.normal(np.where(labels == "up", 0.5, -0.5)[:, None, None], 1, (80, 6, 2))
    model = SequenceClassifier(model="gru", units=3, epochs=1, batch_size=16)
    found = tune(model, (x, labels), trials=2, round=2, space={"units": [2, 4]}, workers=1)
    assert len(found.trials) == 2
    assert found.comparison.metrics["models"]["gru"]["test"]["accuracy"] >= 0


@pytest.mark.parametrize("labels", [None, "odd"])
def test_a_detector_is_tuned_by_a_table_that_is_cut_in_time(labels: str | None) -> None:
    table: dict[str, Any] = {
        "load": np.sin(np.arange(480) / 3) + DRAW.normal(0, 0.1, 480),
        "other": DRAW.normal(0, 1, 480),
    }
    table["odd"] = (np.arange(480) == 440).astype(float)
    table["load"][440] = 9.0
    model = AnomalyDetector(model="gru-autoencoder", window=6, units=3, epochs=1, steps_per_epoch=2, batch_size=16)
    found = tune(
        model, table, target=labels, inputs=["load", "other"], trials=2, round=2, space={"units": [2, 4]}, workers=1
    )
    assert len(found.trials) == 2
    assert list(found.best.columns_) == ["load", "other"]
    assert found.best.detect({"load": table["load"], "other": table["other"]}).flagged.shape == (480,)


def test_a_detector_has_one_column_of_labels() -> None:
    with pytest.raises(SettingError, match=r"^target: of a detector it is the one column"):
        tune(AnomalyDetector(), np.zeros(50), target=["a", "b"])
