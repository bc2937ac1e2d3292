"""The map of words against scikit-learn's principal components, and what the text models put on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from seqloom.tasks.language import LanguageModel
from seqloom.tasks.tagging import SequenceTagger
from seqloom.tasks.text import TextClassifier
from seqloom.tasks.word_map import MAPPED, word_map

TEXTS = ["a good film", "a bad film", "so good", "so bad , so long", "the good one", "the bad one"] * 4
LABELS = ["up", "down", "up", "down", "up", "down"] * 4


def test_places_equal_scikit_learn_up_to_sign() -> None:
    rows = np.random.default_rng(0).normal(0, [1, 3, 2, 0.5], (40, 4))
    found = word_map([f"w{i}" for i in range(40)], rows.astype(np.float32))
    oracle = PCA(2).fit(rows)
    places: Any = oracle.transform(rows)
    for axis, key in enumerate("xy"):
        ours = np.array(found[key])
        np.testing.assert_allclose(np.abs(ours), np.abs(places[:, axis]), atol=1e-5)
        assert ours[np.abs(ours).argmax()] > 0
    assert found["explained"] == pytest.approx(oracle.explained_variance_ratio_.tolist(), rel=1e-5)


def test_few_words_few_dimensions_and_equal_vectors() -> None:
    one = word_map(["a", "b"], [[1.0], [3.0]])
    assert one["x"] == pytest.approx([-1.0, 1.0])
    assert (one["y"], one["explained"]) == ([0.0, 0.0], [1.0, 0.0])
    same = word_map(["a", "b"], np.ones((2, 3)))
    assert (same["x"], same["explained"]) == ([0.0, 0.0], [0.0, 0.0])
    many = word_map([str(i) for i in range(500)], np.random.default_rng(0).normal(size=(500, 3)))
    assert len(many["words"]) == len(many["x"]) == MAPPED


def test_text_models_map_their_most_frequent_words() -> None:
    quick: dict[str, Any] = {"epochs": 1, "embedding_size": 5}
    classifier = TextClassifier(model="gru", units=4, **quick).fit(TEXTS, LABELS)
    found = classifier.evaluate(TEXTS, LABELS).details["embedding"]
    own = classifier.tokenizer_.vocabulary
    assert found["words"] == list(own.words[own.first :])
    assert "film" in found["words"]
    sentences = [text.split() for text in TEXTS]
    tags = [["O"] * len(sentence) for sentence in sentences]
    tags[0][0] = "B-x"
    tagger = SequenceTagger(model="memoryless", units=4, **quick).fit(sentences, tags)
    mapped = tagger.evaluate(sentences, tags).details["embedding"]
    assert "good" in mapped["words"]
    text = "\n".join(TEXTS * 10)
    language = LanguageModel(model="gru", level="word", units=4, epochs=1).fit(text)
    assert "bad" in language.evaluate(text).details["embedding"]["words"]
    baseline = TextClassifier(model="majority").fit(TEXTS, LABELS).evaluate(TEXTS, LABELS)
    assert "embedding" not in baseline.details
