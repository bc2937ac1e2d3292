"""Words, ids, matrices and padding against Keras (one file: the import takes seconds)."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom_runtime.data.text import WordMatrix, WordTokenizer, pad_sequences

TEXTS = st.lists(st.text(st.sampled_from("abC,.'- \n\tÉß_<br />"), max_size=40), min_size=1, max_size=6)
MATRICES = {"binary": "binary", "count": "count", "frequency": "freq", "tfidf-log": "tfidf"}


@pytest.fixture(scope="module")
def keras_text() -> Any:
    os.environ["KERAS_BACKEND"] = "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", reason="Keras is an oracle of these tests: pip install '.[dev]'")
        return importlib.import_module("keras.src.legacy.preprocessing.text")


@given(texts=TEXTS)
def test_words(keras_text: Any, texts: list[str]) -> None:
    for text in texts:
        assert WordTokenizer().tokens(text) == keras_text.text_to_word_sequence(text)
        other = WordTokenizer(lower=False, filters=",\n\t").tokens(text)
        assert other == keras_text.text_to_word_sequence(text, filters=",\n\t", lower=False)


@given(training=TEXTS.filter(lambda texts: any("a" in text for text in texts)), texts=TEXTS, most=st.integers(1, 6))
def test_ids_and_matrices(keras_text: Any, training: list[str], texts: list[str], most: int) -> None:
    for unknown in (None, "<unk>"):
        theirs = keras_text.Tokenizer(num_words=most + 1 + (unknown is not None), oov_token=unknown)
        theirs.fit_on_texts(training)
        ours = WordTokenizer(max_words=most, unknown=unknown).fit(training)
        ids = ours.encode(texts)
        assert ids == theirs.texts_to_sequences(texts)
        if unknown is not None:
            continue  # its tf-idf knows no documents of the unknown word
        width = len(ours.vocabulary)
        for mode, name in MATRICES.items():
            matrix = WordMatrix(mode).fit(ours.encode(training), width)
            expected = theirs.texts_to_matrix(texts, mode=name)[:, :width]
            assert np.abs(matrix.transform(ids).dense() - expected).max() < 1e-6


@given(
    rows=st.lists(st.lists(st.integers(1, 99), max_size=6), min_size=1, max_size=5),
    length=st.one_of(st.none(), st.integers(1, 8)),
    before=st.tuples(st.booleans(), st.booleans()),
)
def test_padding(keras_text: Any, rows: list[list[int]], length: int | None, before: tuple[bool, bool]) -> None:
    keras = importlib.import_module("keras")
    pad, cut = ("pre" if side else "post" for side in before)
    expected = keras.utils.pad_sequences(rows, length, dtype="int64", padding=pad, truncating=cut)
    ours, _ = pad_sequences(
        rows,
        length,
        padding="before" if before[0] else "after",
        truncation="before" if before[1] else "after",
    )
    if not expected.size:
        assert not ours.any()
    else:
        assert np.array_equal(ours, expected)
