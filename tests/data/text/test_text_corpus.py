"""Running text for language models: tokens beside the plainest way of splitting it."""

from __future__ import annotations

import gzip
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import Corpus, read_corpus

TEXT = st.text(st.sampled_from("ab \nщ\r\t"), max_size=60)


@given(TEXT)
def test_words_with_an_end_per_line(text: str) -> None:
    body, newline, last = text.rpartition("\n")
    expected = (body + newline).replace("\n", " <eos> ").split()
    if last.split():
        expected += [*last.split(), "<eos>"]
    found = Corpus(text)
    assert found.tokens() == expected
    assert found.tokens() == list(chain.from_iterable(found.lines()))


@given(TEXT.filter(bool), st.integers(1, 3))
def test_encoding_gives_the_text_back(text: str, min_count: int) -> None:
    for level in ("word", "char"):
        corpus = Corpus(text, level)
        if not corpus.tokens():
            continue
        vocabulary = corpus.vocabulary(unknown=None)
        ids = corpus.encode(vocabulary)
        assert ids.dtype == np.int64
        assert vocabulary.spell(ids.tolist()) == corpus.tokens()
        assert len(vocabulary) == len(set(corpus.tokens()))
        assert ids.min() == 0


def test_spaces_after_the_last_line_end_are_no_line() -> None:
    assert Corpus("a _ b\n c\n ").tokens() == ["a", "_", "b", "<eos>", "c", "<eos>"]
    assert Corpus("a\n\nb").tokens() == ["a", "<eos>", "<eos>", "b", "<eos>"]


def test_unknown_words_of_a_file(tmp_path: Path) -> None:
    training = Corpus("the cat sat\nthe dog\n")
    vocabulary = training.vocabulary()
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(b"the fish sat\r\n"))
    corpus = read_corpus(path)
    assert vocabulary.spell(corpus.encode(vocabulary).tolist()) == ["the", "<unk>", "sat", "<eos>"]
    with pytest.raises(DataError, match=r"t\.txt\.gz, line 1: The word 'fish' is not among the 5"):
        corpus.encode(training.vocabulary(unknown=None))
    chars = read_corpus(path, "char")
    assert chars.tokens() == list("the fish sat\r\n")
    with pytest.raises(DataError, match=r"t\.txt\.gz, character 5: 'f' is not among"):
        chars.encode(Corpus("the cat sat\n", "char").vocabulary(unknown=None))


def test_a_text_of_only_unknown_words_and_of_none() -> None:
    vocabulary = Corpus("the cat\n").vocabulary()
    assert Corpus("щ щ щ").encode(vocabulary).tolist() == [0, 0, 0, vocabulary.id("<eos>")]
    assert Corpus("").encode(vocabulary).tolist() == []
    for text in ("", "  "):
        with pytest.raises(DataError, match="expected text, found no token"):
            Corpus(text).vocabulary()


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="level: expected one of word, char, got 'words'"):
        Corpus("a", "words")
    path = tmp_path / "t.txt"
    path.write_bytes(b"fine\nca\xff\n")
    with pytest.raises(DataError, match=r"t\.txt, line 2: byte 0xFF at position 7"):
        read_corpus(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="expected text, the file is empty"):
        read_corpus(path)
