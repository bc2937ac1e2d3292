"""Vocabularies: ids by frequency, exact round trips, sentences for what can't be."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, FormatError, SettingError
from seqloom_runtime.data.text import Vocabulary
from seqloom_runtime.data.text.vocabulary import count_words

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
SENTENCES = st.lists(st.lists(WORDS, max_size=8), max_size=8)


@given(SENTENCES, st.booleans(), st.sampled_from([None, "<unk>", "a"]), st.integers(1, 3), st.integers(1, 9))
def test_ids_follow_frequency_and_round_trip(
    sentences: list[list[str]], padding: bool, unknown: str | None, min_count: int, max_words: int
) -> None:
    made = Vocabulary.fit(sentences, padding=padding, unknown=unknown, min_count=min_count, max_words=max_words)
    seen = Counter(word for words in sentences for word in words)
    own = made.words[made.first :]
    assert made.first == padding + (unknown is not None)
    counts = [seen[word] for word in own]
    assert counts == sorted(counts, reverse=True)
    assert all(count >= min_count for count in counts)
    assert len(own) <= max_words
    assert made.counts == {word: seen[word] for word in own}
    left_out = [seen[word] for word in seen if word not in own and word != unknown]
    assert len(own) == max_words or all(count < min_count for count in left_out)
    assert not own or not left_out or max(left_out) <= min(counts) or max(left_out) < min_count
    assert made.ids(own) == list(range(made.first, len(made)))
    assert made.spell(range(len(made))) == list(made.words)
    again = Vocabulary.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made
    assert again.ids(own) == made.ids(own)


def test_equals_come_in_the_order_of_the_texts() -> None:
    made = Vocabulary.fit([["b", "a", "c"], ["c", "d"]], unknown=None)
    assert made.words == ("<pad>", "c", "b", "a", "d")


def test_padding_has_no_spelling_and_the_unknown_word_has_one() -> None:
    made = Vocabulary.fit([["<pad>", "<unk>", "x", "<unk>"]])
    assert made.ids(["<pad>", "<unk>", "x", "never"]) == [2, 1, 3, 1]
    assert (made.padding_id, made.unknown_id, made.id("x")) == (0, 1, 3)
    bare = Vocabulary.fit([["x"]], padding=False, unknown=None)
    assert (bare.padding_id, bare.unknown_id, bare.ids(["x"])) == (None, None, [0])
    assert "x" in bare
    assert "y" not in bare


def test_without_an_unknown_word_others_are_refused_or_skipped() -> None:
    made = Vocabulary(["flight", "fare"], unknown=None)
    assert made.ids(["fare", "fares", "flight"], skip=True) == [2, 1]
    with pytest.raises(DataError, match=r"'fares' is not among the 2 .* Did you mean 'fare'"):
        made.ids(["fare", "fares"])
    with pytest.raises(DataError, match="ids from 0 to 2, got 3"):
        made.spell([3])
    with pytest.raises(DataError, match="got -1"):
        made.spell([-1])


def test_refuses_words_that_no_vocabulary_can_hold() -> None:
    with pytest.raises(DataError, match="'a' comes twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(DataError, match="'<unk>' comes twice"):
        Vocabulary(["a", "<unk>"])
    with pytest.raises(DataError, match="word 1 is 3"):
        Vocabulary(["a", 3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="surrogate"):
        Vocabulary(["a", "b\ud800"])
    for wrong in ({"max_words": 0}, {"max_words": 2.0}, {"min_count": 0}, {"min_count": True}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            Vocabulary.fit([["a"]], **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"words": "abc"},
        {"words": ["a", "a"]},
        {"words": ["a", 1]},
        {"words": ["a", "<unk>"]},
        {"padding": 1},
        {"unknown": 5},
        {"extra": 1},
    ],
)
def test_refuses_damaged_json(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="vocabulary"):
        Vocabulary.from_json(Vocabulary(["a", "b"]).to_json() | change)
    for wrong in (None, [], {}, {"words": ["a"]}):
        with pytest.raises(FormatError, match="vocabulary"):
            Vocabulary.from_json(wrong)


def test_too_many_different_words_say_which_limit_to_set() -> None:
    sentences = [["the", "of", f"w{number}"] for number in range(50)]
    with pytest.raises(DataError, match=r"more than 20 different words.*max_words to 10 or less"):
        Vocabulary.fit(sentences, max_distinct=20)
    with pytest.raises(DataError, match="max_words to 10"):
        Vocabulary.fit(sentences, max_distinct=20, max_words=11)
    made = Vocabulary.fit(sentences, max_distinct=20, max_words=2)
    assert made.words[2:] == ("the", "of")
    assert made.counts == {"the": 50, "of": 50}
    assert len(count_words(sentences, max_words=2, max_distinct=20)) <= 20


def test_a_vocabulary_too_large_for_memory_says_which_limit_to_set() -> None:
    made = Vocabulary([f"w{number}" for number in range(1000)])
    made.refuse_if_too_large(100, available=1002 * 100)
    with pytest.raises(SettingError, match=r"1,002 words at 100 bytes.*set max_words to 498 or less"):
        made.refuse_if_too_large(100, available=50_000)
    made.refuse_if_too_large(1)
    with pytest.raises(SettingError, match="are free"):
        made.refuse_if_too_large(2**50)
