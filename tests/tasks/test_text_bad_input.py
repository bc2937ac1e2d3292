"""Texts and labels that can't be used, each refused in a sentence, and odd ones that can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from text_cases import MODELS, classifier_of, reviews

from seqloom import TextClassifier, load
from seqloom.errors import DataError, FormatError, SettingError
from seqloom.tasks.class_weights import class_weights
from seqloom.tasks.text.labels import class_names, classes_of
from seqloom_runtime.model_folder import read_model, write_model

TEXTS, LABELS = reviews(60)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b"], ["x", "x"], "expected at least two classes to tell apart, all 2 texts have the label 'x'"),
        ([], [], "expected at least one text, got an empty list"),
        ("one text", ["x"], "expected a list of texts, got a single one"),
        (7, ["x"], "expected a list of texts, got int"),
        (["a", None], ["x", "y"], r"text 1 \(counted from 0\) is None of type NoneType"),
        (["a", float("nan")], ["x", "y"], r"text 1 \(counted from 0\) is nan of type float"),
        (["a", b"b"], ["x", "y"], "is b'b' of type bytes"),
        (["a", "b"], ["x"], "expected one for each of the 2 texts, got 1"),
        (["a", "b"], "xy", "expected a list with a label for each text, got str"),
        (["a", "b"], ["x", None], r"the label of text 1 \(counted from 0\) is missing"),
        (["a", "b"], ["x", float("nan")], "is missing"),
        (["a", "b"], ["x", ["y"]], r"expected one label for each text, text 1 \(counted from 0\) has \['y'\]"),
        (["", " ", "---", ","], ["x", "y", "x", "y"], "hold no word"),
        (["a \ud800"] * 4, ["x", "y", "x", "y"], "half of a surrogate pair"),
    ],
)
def test_what_can_not_be_learned_from_is_refused(texts: Any, labels: Any, message: str) -> None:
    for model in ("gru", "bow"):
        classifier = classifier_of(model)
        with pytest.raises(DataError, match=message):
            classifier.fit(texts, labels)
        assert not [name for name in vars(classifier) if name.endswith("_")]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"class_weight": "balance"}, "class_weight: expected None, 'balanced' or a weight for each label"),
        ({"class_weight": {"sprot": 2.0}}, "class_weight: 'sprot' is none of the classes 'food', 'sport'"),
        ({"class_weight": {"sport": -1.0}}, "class_weight: expected numbers of at least 0"),
        ({"class_weight": {"sport": 0, "food": 0}}, "class_weight: expected numbers of at least 0"),
        ({"positive": "spam"}, "positive: expected one of the labels 'food', 'sport', got 'spam'"),
        ({"freeze": True}, "freeze: only pretrained embeddings can be kept"),
        ({"model": "bow", "embeddings": "vectors.txt"}, "embeddings: 'bow' has no word vectors"),
    ],
)
def test_parameters_that_do_not_suit_the_texts_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        classifier_of(**{"model": "pooled", **parameters}).fit(TEXTS, LABELS)


@pytest.mark.parametrize("model", MODELS)
def test_texts_without_known_words_and_very_long_ones_are_classified(model: str) -> None:
    classifier = classifier_of(model).fit([*TEXTS, ""], [*LABELS, "food"])
    assert classifier.notes_[0].startswith("1 of 61 training texts is empty")
    long = "goal team " * 8_000 + "soup. " * 16_000  # 176 KB
    odd = ["", "   ", "zzz qqq", "\u0000\ufffe", "😀 " * 3, long]
    p = classifier.predict_proba(odd)
    assert np.isfinite(p).all()
    assert np.allclose(p.sum(axis=1), 1)
    alone = np.concatenate([classifier.predict_proba([text]) for text in odd])
    assert np.allclose(alone, p, atol=1e-5), "a text's neighbours change nothing"


def test_labels_that_training_never_saw_count_as_mistakes_and_are_told() -> None:
    classifier = classifier_of("bow").fit(TEXTS, LABELS, valid=(TEXTS[:9], [*LABELS[:7], "money", "money"]))
    assert "2 validation texts have labels that training never saw ('money')" in classifier.notes_[0]
    texts, labels = [*TEXTS[:8], "the bank", "a price"], [*LABELS[:8], "money", "money"]
    evaluation = classifier.evaluate(texts, labels)
    assert evaluation.scores["accuracy"] == pytest.approx(np.mean(classifier.predict(texts[:8]) == labels[:8]) * 0.8)
    assert evaluation.details["confusion"]["classes"] == ["food", "sport", "money"]
    told = evaluation.details["facts"]["labels that training never saw, all counted as mistakes"]
    assert told == "'money' (2)"
    assert classifier.score(texts, labels) == evaluation.scores["accuracy"]


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [True, False], [2.5, 1.5], ["1", "2"], [("a", 1), ("b", 2)], [1, "1"], [frozenset("a"), None.__class__]],
)
def test_labels_of_any_hashable_kind(labels: list[Any], tmp_path: Path) -> None:
    given = [labels[name == "sport"] for name in LABELS]
    classifier = classifier_of("bow").fit(TEXTS, given)
    predicted = classifier.predict(TEXTS).tolist()
    assert {type(label) for label in predicted} == {type(label) for label in given}
    assert np.mean([a == b for a, b in zip(predicted, given)]) > 0.9
    assert classifier.evaluate(TEXTS, given).scores["accuracy"] > 0.9
    if all(isinstance(label, (str, int, float, bool)) for label in labels):
        classifier.save(tmp_path / "model")
        assert load(tmp_path / "model").predict(TEXTS).tolist() == predicted
    else:
        with pytest.raises(SettingError, match="labels that are text, numbers or truth values"):
            classifier.save(tmp_path / "model")


def test_numpy_and_pandas_columns_are_lists_of_texts() -> None:
    import pandas as pd

    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    plain = classifier_of("pooled").fit(TEXTS, LABELS).predict_proba(TEXTS)
    for texts, labels in ((frame["text"], frame["label"]), (np.array(TEXTS), np.array(LABELS)), (tuple(TEXTS), LABELS)):
        assert np.array_equal(classifier_of("pooled").fit(texts, labels).predict_proba(texts), plain)


def test_few_texts_and_classes_of_one_text_are_learned_from() -> None:
    one = classifier_of("pooled").fit([*TEXTS, "bank"], [*LABELS, "money"])
    assert one.predict_proba(["bank"]).shape == (1, 3)
    two = classifier_of("pooled").fit(["soup", "goal"], ["food", "sport"])
    assert two.temperature_ == 1.0, "nothing is left to calibrate on"


def test_weights_of_classes_average_to_one_over_the_texts() -> None:
    numbers = np.array([0, 0, 0, 1])
    assert class_weights(None, numbers, ["a", "b"]).tolist() == [1, 1]
    balanced = class_weights("balanced", numbers, ["a", "b"])
    assert balanced[numbers].mean() == pytest.approx(1)
    assert balanced[0] * 3 == pytest.approx(balanced[1])
    own = class_weights({"b": 5.0}, numbers, ["a", "b"])
    assert own[1] / own[0] == pytest.approx(5)
    assert own[numbers].mean() == pytest.approx(1)


def test_classes_are_sorted_where_they_can_be_and_have_different_names() -> None:
    assert classes_of([3, 1, 2, 1]) == [1, 2, 3]
    assert classes_of(["b", 1, "b"]) == ["b", 1]
    assert class_names([1, "1", "a"]) == ["1", "'1'", "a"]


def altered(change: Callable[[dict[str, Any], dict[str, np.ndarray]], Any]) -> Any:
    return pytest.param(change, id=str(change.__code__.co_firstlineno))


@pytest.mark.parametrize(
    "change",
    [
        altered(lambda h, a: h.pop("classes")),
        altered(lambda h, a: h.update(classes=["food"])),
        altered(lambda h, a: h.update(classes=["food", "food"])),
        altered(lambda h, a: h.update(classes=["food", "sport", "money"])),
        altered(lambda h, a: h.update(temperature=0)),
        altered(lambda h, a: h.update(temperature=-2.0)),
        altered(lambda h, a: h.update(tokenizer={"kind": "words"})),
        altered(lambda h, a: h["tokenizer"].update(lower=False)),
        altered(lambda h, a: h["tokenizer"].update(marks="?")),
        altered(lambda h, a: h["parameters"].update(punctuation=False)),
        altered(lambda h, a: h["tokenizer"]["vocabulary"]["words"].append("more")),
        altered(lambda h, a: h["network"].update(units=5)),
        altered(lambda h, a: h["network"].update(name="lstm")),
        altered(lambda h, a: h["network"].pop("units")),
        altered(lambda h, a: h["parameters"].update(units=5)),
        altered(lambda h, a: h["parameters"].update(model="no-such")),
        altered(lambda h, a: h["parameters"].update(more=1)),
        altered(lambda h, a: h["parameters"].update(class_weight=[["food"]])),
        altered(lambda h, a: h.update(n_parameters=1)),
        altered(lambda h, a: h.update(notes=[1])),
        altered(lambda h, a: a.update(stray=np.zeros(2))),
        altered(lambda h, a: a.pop("shares")),
        altered(lambda h, a: a.update(shares=np.array([2.0, -1.0]))),
        altered(lambda h, a: a.pop("network.output.weight")),
        altered(lambda h, a: a.update({"network.output.bias": np.array([np.nan], dtype=np.float32)})),
    ],
)
def test_an_altered_folder_is_refused(change: Callable[[Any, Any], Any], tmp_path: Path) -> None:
    classifier_of("gru").fit(TEXTS, LABELS).save(tmp_path / "model")
    header, arrays = read_model(tmp_path / "model")
    change(header, arrays)
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "other", "classify", json.loads(json.dumps(body)), arrays)
    with pytest.raises(FormatError, match="other: "):
        load(tmp_path / "other")


@pytest.mark.parametrize("name", ["words.weights", "bag.weights", "bag.bias"])
def test_an_altered_bag_is_refused(name: str, tmp_path: Path) -> None:
    classifier_of("bow").fit(TEXTS, LABELS).save(tmp_path / "model")
    header, arrays = read_model(tmp_path / "model")
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    for change in (lambda a: a[:-1], lambda a: a * np.nan, lambda a: a.astype(np.float32), None):
        others = {key: array for key, array in arrays.items() if key != name}
        if change is not None:
            others[name] = change(arrays[name])
        write_model(tmp_path / "other", "classify", body, others)
        with pytest.raises(FormatError):
            load(tmp_path / "other")


def test_a_vocabulary_larger_than_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom_runtime.data.text import vocabulary

    monkeypatch.setattr(vocabulary, "memory_left", lambda: 1000)
    with pytest.raises(SettingError, match=r"set max_words to \d+ or less"):
        classifier_of("gru").fit(TEXTS, LABELS)


def test_without_scikit_learn_bags_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from seqloom.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[text\]'"):
        TextClassifier(model="bow").fit(TEXTS, LABELS)
