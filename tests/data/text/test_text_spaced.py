"""Characters written with spaces between them: recognised, joined, counted, in files and estimators."""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqloom
from seqloom_runtime.data.text import read_corpus
from seqloom_runtime.data.text.spaced import characters_apart, join_characters

PTB = Path(os.environ.get("SEQLOOM_DATA", "../shared/data")) / "ptb"
PLAIN = "the cat sat on the mat\nthe dog ran\n" * 12
SPACED = "".join(" " + " ".join(line.replace(" ", "_")) + " \n" for line in PLAIN.splitlines())


def test_plain_text_is_left_alone() -> None:
    assert characters_apart(SPACED)
    for text in (PLAIN, "", "a b c", "I am a cat and a dog and a b c d", "1 2 3 4 5 6 7 8 10\n"):
        assert not characters_apart(text)


@given(st.lists(st.text(st.sampled_from("abc xyz"), min_size=1).map(str.strip), min_size=1, max_size=9))
def test_joined_is_what_was_spaced(lines: list[str]) -> None:
    spaced = "\n".join(" ".join(line.replace(" ", "_")) for line in lines)
    assert join_characters(spaced) == "\n".join(lines)


@pytest.mark.parametrize("level", ["char", None])
def test_a_file_says_so(level: str | None, tmp_path: Path) -> None:
    (tmp_path / "spaced.txt").write_text(SPACED)
    corpus = read_corpus(tmp_path / "spaced.txt", level)
    assert (corpus.text, corpus.level) == (PLAIN, "char")
    assert "join_spaced=False" in corpus.decisions[-1].text
    kept = read_corpus(tmp_path / "spaced.txt", "char", join_spaced=False)
    assert kept.text == SPACED
    assert "level='char'" in read_corpus(tmp_path / "spaced.txt").decisions[-1].text


@pytest.mark.skipif(not PTB.is_dir(), reason="needs the Penn Treebank in SEQLOOM_DATA")
@pytest.mark.parametrize(("part", "tokens"), [("valid", 393_042), ("test", 442_423)])
def test_the_penn_treebank_has_its_published_count(part: str, tokens: int) -> None:
    corpus = read_corpus(PTB / f"ptb.char.{part}.txt.gz", "char")
    words = gzip.decompress((PTB / f"ptb.{part}.txt.gz").read_bytes()).decode()
    assert len(corpus.tokens()) == tokens
    assert corpus.text == "".join(line.strip() + "\n" for line in words.splitlines())
    assert len(set(corpus.text)) == 50 if part == "valid" else len(set(corpus.text)) <= 50


def test_bits_are_those_of_the_plain_text(tmp_path: Path) -> None:
    """Bits per character of spaced and of plain text are equal, and those of counting by hand."""
    plain = seqloom.LanguageModel(model="unigram", level="char").fit(PLAIN, valid=PLAIN)
    spaced = seqloom.LanguageModel(model="unigram", level="char").fit(SPACED, valid=SPACED)
    counts = np.array([PLAIN.count(letter) for letter in sorted(set(PLAIN))], dtype=float)
    share = (counts + 1) / (counts.sum() + len(counts) + 1)  # add-one, <unk> among the words
    wanted = float(-(counts * np.log(share)).sum() / counts.sum() / math.log(2))
    for model, text in ((plain, PLAIN), (spaced, SPACED), (plain, SPACED)):
        assert model.evaluate(text).scores["bits"] == pytest.approx(wanted)
    assert not plain.notes_
    assert "spaces between them" in spaced.notes_[0]
    kept = seqloom.LanguageModel(model="unigram", level="char", join_spaced=False).fit(SPACED, valid=SPACED)
    assert " " in kept.vocabulary_.words
    assert len(kept.score(SPACED)) == len(SPACED)
    for name, model in (("kept", kept), ("spaced", spaced)):
        model.save(tmp_path / name)
        saved = json.loads((tmp_path / name / "model.json").read_text())["parameters"]
        assert saved.get("join_spaced") is (False if name == "kept" else None)
        assert seqloom.load(tmp_path / name).score(SPACED) == model.score(SPACED)
