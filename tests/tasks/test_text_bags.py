"""Bags of words: counts by hand, scikit-learn's own probabilities from arrays, and damaged forests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from text_cases import classifier_of, reviews

from seqloom.data import SparseRows, WordMatrix, WordTokenizer
from seqloom.errors import DataError, FormatError
from seqloom.tasks.text.bow import bag_tokenizer
from seqloom_runtime.text.forest import Forest


def words_kept(texts: list[str], **limits: Any) -> list[str]:
    tokenizer = bag_tokenizer(
        WordTokenizer(unknown=None), texts, **{"max_words": 100, "min_df": 1, "max_df": 1.0, **limits}
    )
    return list(tokenizer.vocabulary.words[1:])


def test_the_count_table_of_two_documents() -> None:
    """The eight-word table of the textbook, its columns by frequency."""
    texts = ["The cat sat on the hat", "The dog ate the cat and the hat"]
    tokenizer = bag_tokenizer(WordTokenizer(unknown=None), texts, max_words=100, min_df=1, max_df=1.0)
    words = tokenizer.vocabulary.words
    counts = WordMatrix("count").fit(tokenizer.encode(texts), len(words)).transform(tokenizer.encode(texts)).dense()
    table = {word: counts[:, place].tolist() for place, word in enumerate(words) if place}
    assert table == {
        "the": [2, 3], "cat": [1, 1], "hat": [1, 1], "sat": [1, 0], "on": [1, 0], "dog": [0, 1], "ate": [0, 1],
        "and": [0, 1],
    }  # fmt: skip


def test_words_are_kept_by_how_many_texts_hold_them() -> None:
    texts = ["a a b", "a c", "a b d", "e"]
    assert words_kept(texts) == ["a", "b", "c", "d", "e"]
    assert words_kept(texts, min_df=2) == ["a", "b"]
    assert words_kept(texts, max_df=0.7) == ["b", "c", "d", "e"]
    assert words_kept(texts, max_df=2) == ["b", "c", "d", "e"]
    assert words_kept(texts, min_df=0.5, max_df=0.5) == ["b"]
    assert words_kept(texts, max_words=2) == ["a", "b"]
    with pytest.raises(DataError, match=r"no word that stands in at least 5 and at most 1\.0 of them"):
        words_kept(texts, min_df=5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weight", [None, "balanced"])
def test_the_regression_gives_the_probabilities_of_scikit_learn(classes: int, weight: str | None) -> None:
    texts, labels = reviews(60, classes)
    others, _ = reviews(20, classes, seed=9)
    model = classifier_of("bow", calibrate=False, validation_fraction=0.0, class_weight=weight, strength=2.5)
    model.fit(texts, labels)
    sequences = model.tokenizer_.encode(texts)
    matrix = WordMatrix("tfidf").fit(sequences, len(model.tokenizer_.vocabulary))

    def dense(known: list[str]) -> np.ndarray:
        return matrix.transform(model.tokenizer_.encode(known)).dense().astype(np.float64)

    direct = LogisticRegression(C=2.5, max_iter=500, class_weight=weight, tol=1e-8).fit(dense(texts), labels)
    assert np.allclose(model.predict_proba(others), direct.predict_proba(dense(others)), atol=2e-3)
    assert model.predict(others).tolist() == direct.predict(dense(others)).tolist()
    assert model.n_parameters_ == direct.coef_.size + direct.intercept_.size


@given(rows=st.integers(5, 40), columns=st.integers(1, 6), classes=st.integers(2, 4), seed=st.integers(0, 50))
def test_a_forest_of_arrays_gives_the_probabilities_of_scikit_learn(
    rows: int, columns: int, classes: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    x = draw.poisson(0.7, (rows, columns)).astype(np.float32) * draw.choice([1.0, 0.37], columns).astype(np.float32)
    y = np.concatenate([np.arange(classes), draw.integers(0, classes, rows)])[:rows]
    model = RandomForestClassifier(5, random_state=seed, max_depth=4).fit(x, y)
    forest = Forest.of([tree.tree_ for tree in model.estimators_])
    new = draw.poisson(0.7, (300, columns)).astype(np.float32)
    found = forest.probabilities(sparse(new))
    assert np.allclose(found, model.predict_proba(new), atol=1e-12)
    again = Forest.from_arrays(forest.to_arrays(), columns, found.shape[1])
    assert np.array_equal(again.probabilities(sparse(new)), found)


def sparse(x: np.ndarray) -> SparseRows:
    matrix = csr_matrix(x)
    return SparseRows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data, x.shape[1])


def damaged(name: str, change: Callable[[np.ndarray], Any]) -> Any:
    return pytest.param(name, change, id=f"{name}-{change.__code__.co_firstlineno}")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        damaged("left", lambda a: np.zeros_like(a)),  # a circle
        damaged("right", lambda a: np.where(a >= 0, 10**6, a)),
        damaged("right", lambda a: a[:-1]),
        damaged("left", lambda a: a.astype(np.int64)),
        damaged("feature", lambda a: a + 99),
        damaged("threshold", lambda a: a * np.nan),
        damaged("share", lambda a: a * 2),
        damaged("share", lambda a: a[:, :1]),
        damaged("roots", lambda a: a - 1),
        damaged("roots", lambda a: a[:0]),
    ],
)
def test_a_damaged_forest_is_refused(name: str, change: Callable[[np.ndarray], Any]) -> None:
    x = np.random.default_rng(0).poisson(1.0, (40, 3)).astype(np.float32)
    model = RandomForestClassifier(3, random_state=0).fit(x, x[:, 0] > 0)
    arrays = Forest.of([tree.tree_ for tree in model.estimators_]).to_arrays()
    Forest.from_arrays(arrays, 3, 2)
    with pytest.raises(FormatError, match="forest"):
        Forest.from_arrays({**arrays, name: change(arrays[name])}, 3, 2)
