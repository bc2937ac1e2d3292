"""Texts in files that are read a piece at a time: tokens, vocabulary and models are those of the text in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seqloom
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import Corpus, TextFile, stored
from seqloom_runtime.data.text.spaced import join_characters
from seqloom_runtime.data.text.streams import TokenStreams, TokenWindows
from seqloom_runtime.language.ngrams import Bigram, Unigram

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "it", "ran"]
RNG = np.random.default_rng(0)
TEXT = "".join(" ".join(RNG.choice(WORDS, 9)) + "\n" for _ in range(60))
SMALL = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.text(st.sampled_from("ab \nщ\t語"), max_size=60), st.integers(1, 9))
@SMALL
def test_tokens_are_those_of_the_corpus(tmp_path: Path, text: str, piece: int) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "_PIECE", piece)
        for level in ("word", "char"):
            found = TextFile(path, level)
            assert found.read() == text
            assert [token for line in found.lines() for token in line] == Corpus(text, level).tokens()
            assert found.count() == len(Corpus(text, level).tokens())
        spaced = TextFile(path, "char", join=True)
        assert "".join(token for line in spaced.lines() for token in line) == join_characters(text)


@given(st.integers(1, 30), st.floats(0.05, 0.9), st.sampled_from(["word", "char"]))
@SMALL
def test_a_split_loses_nothing(tmp_path: Path, piece: int, fraction: float, level: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "_PIECE", piece)
        first, last, said = TextFile(path, level).split(fraction)
    assert not said
    assert first.read() + last.read() == TEXT
    if level == "word":
        assert last.read().count("\n") == 60 - max(1, min(59, round(60 * (1 - fraction))))
    else:
        assert len(last.read()) == pytest.approx(fraction * len(TEXT), abs=1)


def test_one_long_line_is_split_at_a_space(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("ab cd " * 50)
    first, last, (said,) = TextFile(path).split(0.2)
    assert first.read() + last.read() == "ab cd " * 50
    assert first.read().endswith(" ")
    assert "at a space" in said.text
    path.write_text("a" * 50)
    with pytest.raises(DataError, match="no place to split"):
        TextFile(path).split(0.2)


def test_batches_and_counts_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    file, corpus = TextFile(path), Corpus(TEXT)
    vocabulary = file.vocabulary(max_words=None, min_count=1)
    assert vocabulary == corpus.vocabulary()
    ids, plain = file.encode(vocabulary), corpus.encode(vocabulary)
    assert isinstance(ids, np.memmap)
    assert ids.tolist() == plain.tolist()
    assert file.encode(vocabulary) is ids  # made once
    for make in (
        lambda ids: TokenStreams(ids, 4, 7),
        lambda ids: TokenWindows(ids, 9, 3, 5, seed=2),
    ):
        one, two = make(ids), make(plain)
        assert one.state() == two.state()
        for _ in range(9):
            a, b = next(one), next(two)
            assert a.inputs.dtype == np.int64
            assert a.inputs.tolist() == b.inputs.tolist()
            assert a.targets.tolist() == b.targets.tolist()
    whole = Bigram.fit(plain, len(vocabulary)).arrays()
    monkeypatch.setattr("seqloom_runtime.language.ngrams._PIECE", 13)
    for name, array in Bigram.fit(ids, len(vocabulary)).arrays().items():
        assert array.tobytes() == whole[name].tobytes(), name
    assert (
        Unigram.fit(ids, len(vocabulary)).probability.tolist()
        == Unigram.fit(plain, len(vocabulary)).probability.tolist()
    )


@pytest.mark.parametrize("level", ["word", "char"])
def test_a_model_is_the_one_of_the_text_in_memory(tmp_path: Path, level: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    options: dict[str, Any] = {"level": level, "units": 8, "layers": 1, "epochs": 1, "batch_size": 16, "window": 20}
    one = seqloom.LanguageModel(model="gru", **options).fit(TextFile(path, level), valid=TextFile(path, level))
    two = seqloom.LanguageModel(model="gru", **options).fit(TEXT, valid=TEXT)
    for a, b in zip(one.model_.parameters(), two.model_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.history_ == two.history_
    own = seqloom.LanguageModel(model="bigram", level=level).fit(TextFile(path, level))
    assert own.model_.arrays().keys() == {"keys", "weights", "back", "lower"}
    with pytest.raises(SettingError, match=r"^level: the text's file"):
        seqloom.LanguageModel(level="word" if level == "char" else "char").fit(TextFile(path, level))


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"the cat\nsat \xff on\n")
    with pytest.raises(DataError, match="byte 13: expected UTF-8"):
        TextFile(path).read()
    path.write_bytes(b"  \n")
    with pytest.raises(DataError, match=r"found no token|expected text"):
        TextFile(path).vocabulary(max_words=None, min_count=9)


def test_large_files_are_plain_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    assert not stored.large_text(path)
    monkeypatch.setattr(stored, "LARGE", 100)
    assert stored.large_text(path)
    assert not stored.large_text(path, "latin-1")
    assert not stored.large_text(tmp_path / "nothing")
    path.write_bytes(b"\x1f\x8b" + bytes(200))
    assert not stored.large_text(path)
    path.write_text(" ".join("the cat sat on the mat".replace(" ", "_")) + "\n")
    file, said = TextFile.open(path, "char")
    assert file.join
    assert [decision.option for decision in said][-1] == "join_spaced"
    assert "piece at a time" in next(iter(said)).text
    assert json.dumps(file.read()) == '"the cat sat on the mat\\n"'
