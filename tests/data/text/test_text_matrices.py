"""Word matrices against scikit-learn and a loop over words; what each kind refuses."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, FormatError, NotFittedError, SettingError
from seqloom_runtime.data.text import WordMatrix, WordTokenizer, one_hot
from seqloom_runtime.data.text.matrices import MODES

ROWS = st.lists(st.lists(st.integers(1, 8), max_size=9), min_size=1, max_size=6)


def by_hand(mode: str, training: list[list[int]], rows: list[list[int]], width: int) -> np.ndarray:
    out = np.zeros((len(rows), width))
    texts = len(training)
    for i, row in enumerate(rows):
        for word, c in Counter(row).items():
            df = sum(word in other for other in training)
            out[i, word] = {
                "binary": 1.0,
                "count": c,
                "frequency": c / len(row),
                "tfidf": c * (math.log((1 + texts) / (1 + df)) + 1),
                "tfidf-log": (1 + math.log(c)) * math.log(1 + texts / (1 + df)),
            }[mode]
        if mode == "tfidf" and row:
            out[i] /= math.sqrt((out[i] ** 2).sum())
    return out


@pytest.mark.parametrize("mode", MODES)
@given(training=ROWS, rows=ROWS)
def test_against_a_loop_over_words(mode: str, training: list[list[int]], rows: list[list[int]]) -> None:
    matrix = WordMatrix(mode).fit(training, 9)
    found = matrix.transform(rows)
    assert found.dense().dtype == np.float32
    assert np.abs(found.dense() - by_hand(mode, training, rows, 9)).max() < 1e-6
    assert (np.diff(found.indices)[np.diff(found.rows) == 0] > 0).all()
    again = WordMatrix.from_arrays(mode, matrix.to_arrays())
    assert np.array_equal(again.transform(rows).dense(), found.dense())


def test_tfidf_is_that_of_scikit_learn() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text", reason="scikit-learn is an oracle of this test")
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(60)])
    draw = rng.dirichlet(np.ones(60) * 0.3)
    texts = [" ".join(rng.choice(words, rng.integers(1, 40), p=draw)) for _ in range(80)]
    training, test = texts[:50], texts[50:]
    tokenizer = WordTokenizer(unknown=None).fit(training)
    columns = {word: place for place, word in enumerate(tokenizer.vocabulary.words[1:])}
    for mode, oracle in (
        ("count", text.CountVectorizer(vocabulary=columns)),
        ("binary", text.CountVectorizer(vocabulary=columns, binary=True)),
        ("tfidf", text.TfidfVectorizer(vocabulary=columns)),
    ):
        expected = oracle.fit(training).transform(test).toarray()
        matrix = WordMatrix(mode).fit(tokenizer.encode(training), len(tokenizer.vocabulary))
        found = matrix.transform(tokenizer.encode(test)).dense()
        assert (found[:, 0] == 0).all()
        assert np.abs(found[:, 1:] - expected).max() < 1e-6


def test_two_documents_give_the_table_of_eight_words() -> None:
    texts = ["The cat sat on the hat", "The dog ate the cat and the hat"]
    tokenizer = WordTokenizer(unknown=None).fit(texts)
    found = WordMatrix("count").fit(tokenizer.encode(texts), 9).transform(tokenizer.encode(texts)).dense()
    table = {word: found[:, tokenizer.vocabulary.id(word)].tolist() for word in tokenizer.vocabulary.words[1:]}
    assert table == {
        "the": [2, 3], "cat": [1, 1], "sat": [1, 0], "on": [1, 0],
        "hat": [1, 1], "dog": [0, 1], "ate": [0, 1], "and": [0, 1],
    }  # fmt: skip


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_one_hot(batch: int, steps: int, width: int, masked: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, width, (batch, steps))
    mask = rng.random((batch, steps)) < 0.6
    expected = np.eye(width, dtype=np.float32)[ids]
    found = one_hot(ids, width, mask if masked else None)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected * mask[..., None] if masked else expected)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"mode: expected one of binary.*Did you mean 'tfidf'"):
        WordMatrix("tf-idf")
    for call in (lambda m: m.transform([[1]]), lambda m: m.to_arrays()):
        with pytest.raises(NotFittedError, match="call fit"):
            call(WordMatrix())
    matrix = WordMatrix().fit([[1, 2]], 3)
    for wrong in (3, -1):
        with pytest.raises(DataError, match=f"ids from 0 to 2, got {wrong}"):
            matrix.transform([[0], [wrong]])
        with pytest.raises(DataError, match=f"ids from 0 to 2, got {wrong}"):
            one_hot(np.array([[wrong]]), 3)
    for width in (0, 2.0, True):
        with pytest.raises(SettingError, match="width"):
            WordMatrix().fit([[0]], width)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"got \(1, 2\) of int64 and \(2, 1\)"):
        one_hot(np.array([[0, 1]]), 3, np.ones((2, 1), dtype=bool))
    good = matrix.to_arrays()["weights"]
    cases: list[tuple[Any, dict[str, np.ndarray]]] = [
        ("other", {"weights": good}),
        ("binary", {}),
        ("binary", {"weights": good, "more": good}),
        ("binary", {"weights": good.astype(np.float32)}),
        ("binary", {"weights": good * np.nan}),
        ("binary", {"weights": good[:0]}),
    ]
    for mode, arrays in cases:
        with pytest.raises(FormatError, match="word matrix"):
            WordMatrix.from_arrays(mode, arrays)
    monkeypatch.setattr("seqloom_runtime.data.text.matrices.memory_left", lambda: 20)
    with pytest.raises(DataError, match=r"2 texts by 3 words .* set max_words to 2 or less"):
        matrix.transform([[0], [1]]).dense()
