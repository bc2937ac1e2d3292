"""Known facts of the real text data sets, read by our readers; skipped where the data is absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqloom_runtime.data.text import (
    CharTokenizer,
    TokenStreams,
    WordTokenizer,
    read_corpus,
    read_labelled,
    read_tagged,
    read_vectors,
)


@pytest.mark.slow
def test_imdb(data_dir: Path) -> None:
    for part, longest in (("train", 13_704), ("test", 12_988)):
        found = read_labelled(data_dir / "imdb" / f"imdb_{part}.csv.gz", text="review", others=["rating"])
        assert found.counts == {"neg": 12_500, "pos": 12_500}
        assert max(map(len, found.texts)) == longest
        for rating, label in zip(found.others["rating"], found.labels or ()):
            assert (int(rating) > 5) == (label == "pos")
        if part == "train":
            tokenizer = WordTokenizer(max_words=10_000, strip_tags=True).fit(found.texts[:2000])
            assert tokenizer.vocabulary.words[2:7] == ("the", "and", "a", "of", "to")
            assert "br" not in tokenizer.vocabulary
            assert "br" in WordTokenizer().fit(found.texts[:100]).vocabulary


def test_sms_spam(data_dir: Path) -> None:
    found = read_labelled(data_dir / "sms_spam" / "SMSSpamCollection.gz")
    assert found.counts == {"ham": 4_827, "spam": 747}
    assert len(found) - len(set(zip(found.labels or (), found.texts))) == 403
    assert found.lines.tolist() == list(range(1, 5_575))


def test_atis(data_dir: Path) -> None:
    train, test = (read_tagged(data_dir / "atis" / f"atis.{part}.iob.gz") for part in ("train", "test"))
    assert (len(train), len(test)) == (4_978, 893)
    assert len(set(train.labels) | set(test.labels)) == 127
    assert len(set(test.labels) - set(train.labels)) == 6
    assert (len(train.labels), len(test.labels)) == (121, 101)
    assert len({word for words in train.words for word in words}) == 898  # 900 with BOS and EOS
    assert train.intents is None
    kept = read_tagged(data_dir / "atis" / "atis.test.iob.gz", keep_markers=True)
    assert len({word for words in kept.words for word in words}) == 450
    for part, kinds, joined in (("train", 22, 26), ("test", 20, 15)):
        found = read_tagged(data_dir / "atis" / f"atis.{part}.w-intent.iob.gz")
        assert found.intents is not None
        assert len(set(found.intents)) == kinds
        assert sum("#" in intent for intent in found.intents) == joined
        assert found.tags == (train if part == "train" else test).tags


def test_penn_treebank_words(data_dir: Path) -> None:
    train = read_corpus(data_dir / "ptb" / "ptb.train.txt.gz")
    vocabulary = train.vocabulary()
    assert len(vocabulary) == 10_000
    ids = train.encode(vocabulary)
    assert len(ids) == 929_589
    assert (ids == vocabulary.id("<eos>")).sum() == 42_068
    for part, tokens in (("valid", 73_760), ("test", 82_430)):
        other = read_corpus(data_dir / "ptb" / f"ptb.{part}.txt.gz")
        assert len(other.encode(vocabulary)) == tokens
        assert all(word in vocabulary for word in other.tokens())
    batches = TokenStreams(ids, 20, 35)
    assert len(batches) == 1_328
    first, second = next(batches), next(batches)
    assert np.array_equal(first.targets[:, -1], second.inputs[:, 0])
    assert np.array_equal(second.inputs[1], ids[46_480 + 35 : 46_480 + 70])


@pytest.mark.slow
def test_penn_treebank_characters(data_dir: Path) -> None:
    train = read_corpus(data_dir / "ptb" / "ptb.char.train.txt.gz")
    vocabulary = train.vocabulary(unknown=None)
    assert len(vocabulary) == 50
    assert len(train.encode(vocabulary)) == 5_017_482
    for part, symbols in (("valid", 393_042), ("test", 442_423)):
        assert len(read_corpus(data_dir / "ptb" / f"ptb.char.{part}.txt.gz").encode(vocabulary)) == symbols


def test_tiny_shakespeare(data_dir: Path) -> None:
    corpus = read_corpus(data_dir / "tinyshakespeare" / "input.txt.gz", "char")
    tokenizer = CharTokenizer(unknown=None, padding=False).fit([corpus.text])
    assert len(tokenizer.vocabulary) == 65
    ids = tokenizer.encode_array(corpus.text)
    assert len(ids) == 1_115_394
    assert tokenizer.decode(ids[:14].tolist()) == "First Citizen:"
    assert np.array_equal(corpus.encode(corpus.vocabulary(unknown=None)), ids)


def test_vectors(data_dir: Path) -> None:
    folder = data_dir / "embeddings"
    glove = read_vectors(folder / "glove.6B.50d.subset256.txt")
    assert glove.vectors.shape == (256, 50)
    expected = np.loadtxt(folder / "glove.6B.50d.subset256.txt", usecols=range(1, 51), comments=None, dtype=np.float32)
    assert np.array_equal(glove.vectors, expected)
    assert read_vectors(folder / "gensim_test_glove.txt").vectors.shape == (76, 50)
    assert read_vectors(folder / "gensim_word2vec_pre_kv_c_1750x10.w2v.txt").vectors.shape == (1750, 10)
    binary = read_vectors(folder / "gensim_euclidean_vectors_2747x10.w2v.bin")
    assert (binary.vectors.shape, binary.words[:2]) == ((2747, 10), ("the", "to"))
    news = read_vectors(folder / "google-news-word2vec.subset256x300.bin")
    assert (news.vectors.shape, news.words[:4]) == ((256, 300), ("</s>", "in", "for", "that"))
    assert news["in"][:2].tolist() == [0.0703125, 0.0869140625]
