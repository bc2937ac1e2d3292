"""What every tokenizer keeps (one battery), and what each kind does."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, FormatError, MissingDependencyError, NotFittedError, SettingError
from seqloom_runtime.data.text import CharTokenizer, SubwordTokenizer, Tokenizer, WordTokenizer, load_tokenizer
from seqloom_runtime.data.text.words import MARKS

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=6)
SOLID = ["The cat sat on the mat.", "The dog ate my homework."]


def kinds() -> dict[str, Tokenizer]:
    return {
        "words": WordTokenizer(),
        "words, all characters": WordTokenizer(lower=False, filters="", strip_tags=True, max_words=3, min_count=2),
        "words, no unknown": WordTokenizer(unknown=None),
        "characters": CharTokenizer(),
        "subwords": SubwordTokenizer(size=270),
        "characters, no padding": CharTokenizer(padding=False, lower=True, max_characters=5),
    }


every_kind = pytest.mark.parametrize("name", list(kinds()))


@every_kind
def test_not_fitted(name: str) -> None:
    for call in (lambda t: t.encode(["x"]), lambda t: t.decode([1]), lambda t: t.to_json()):
        with pytest.raises(NotFittedError, match="call fit"):
            call(kinds()[name])


@every_kind
@given(texts=TEXTS)
def test_saved_tokenizers_encode_alike(name: str, texts: list[str]) -> None:
    tokenizer = kinds()[name].fit([*SOLID, *texts])
    again = load_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
    ids = tokenizer.encode(texts)
    assert again.encode(texts) == ids
    assert [again.tokens(text) for text in texts] == [tokenizer.tokens(text) for text in texts]
    assert [again.decode(row) for row in ids] == [tokenizer.decode(row) for row in ids]
    assert all(0 <= number < len(tokenizer.vocabulary) for row in ids for number in row)
    padding = tokenizer.vocabulary.padding_id
    assert padding is None or all(padding not in row for row in ids)


@every_kind
def test_texts_it_never_saw_and_empty_texts(name: str) -> None:
    tokenizer = kinds()[name].fit(SOLID)
    unknown = tokenizer.vocabulary.unknown_id
    if name == "subwords":
        assert [tokenizer.decode(row) for row in tokenizer.encode(["", "щщщ"])] == ["", "щщщ"]
        return
    assert tokenizer.encode(["", "щщщ"]) in ([[], [unknown]], [[], [unknown] * 3], [[], []])
    assert tokenizer.encode([]) == []
    assert tokenizer.decode([]) == ""


@every_kind
def test_a_text_of_a_megabyte(name: str) -> None:
    tokenizer = kinds()[name].fit(SOLID)
    assert len(tokenizer.encode(["the cat " * 131_072])[0]) >= 262_144


@every_kind
def test_refuses_what_is_no_list_of_texts(name: str) -> None:
    tokenizer = kinds()[name].fit(SOLID)
    for call in (tokenizer.encode, kinds()[name].fit):
        with pytest.raises(SettingError, match="put it in a list"):
            call("the cat")
        with pytest.raises(DataError, match=r"text 1 \(counted from 0\) is nan"):
            call(["the", float("nan")])  # type: ignore[list-item]
    for texts in ([], ["", ""]):
        with pytest.raises(DataError, match="The texts hold no"):
            kinds()[name].fit(texts)


@every_kind
def test_refuses_damaged_json(name: str) -> None:
    good = kinds()[name].fit(SOLID).to_json()
    wrong: list[Any] = [None, {}, {"kind": "nothing"}, {"kind": good["kind"]}, good | {"more": 1}, good | {"lower": 1}]
    if name == "subwords":
        tokens = good["tokens"]
        wrong += [good | {"tokens": other} for other in ([], tokens[1:], [*tokens, "the"], [*tokens[:-1], 5], "abc")]
        wrong += [good | {"merges": [pair]} for pair in ([0], [0, 1.0], [0, len(tokens)], [-1, 0], [0, 1], "ab")]
    else:
        empty = good["vocabulary"] | {"words": []}
        wrong += [good | {"vocabulary": None}, good | {"vocabulary": empty}]
    for value in wrong:
        with pytest.raises(FormatError):
            load_tokenizer(value)


# -- words ----------------------------------------------------------------------------------------------------------


def test_two_sentences_hold_nine_words() -> None:
    tokenizer = WordTokenizer(unknown=None).fit(SOLID)
    assert tokenizer.vocabulary.words[1:] == ("the", "cat", "sat", "on", "mat", "dog", "ate", "my", "homework")
    assert tokenizer.encode(SOLID) == [[1, 2, 3, 4, 1, 5], [1, 6, 7, 8, 9]]
    with_unknown = WordTokenizer(max_words=2).fit(SOLID)
    assert with_unknown.encode(SOLID) == [[2, 3, 1, 1, 2, 1], [2, 1, 1, 1, 1]]
    assert with_unknown.decode([0, 2, 1, 0]) == "the <unk>"


def test_filters_case_and_tags() -> None:
    assert WordTokenizer().tokens("Don't STOP--now,\tplease!\n(ok)") == ["don't", "stop", "now", "please", "ok"]
    assert WordTokenizer(lower=False, filters="!").tokens("A-b! C") == ["A-b", "C"]
    assert WordTokenizer().tokens("ends.<br /><br />Next") == ["ends", "br", "br", "next"]
    assert WordTokenizer(strip_tags=True).tokens("ends.<br /><br />Next 1 < 2 > 0 <b>x</b>") == [
        "ends",
        "next",
        "1",
        "2",
        "0",
        "x",
    ]
    with pytest.raises(SettingError, match="filters"):
        WordTokenizer(filters=None)  # type: ignore[arg-type]


def test_fitting_sees_the_training_texts_alone() -> None:
    tokenizer = WordTokenizer().fit(SOLID)
    before = json.dumps(tokenizer.to_json())
    tokenizer.encode(["entirely other words other words"])
    assert json.dumps(tokenizer.to_json()) == before


# -- characters -----------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.sampled_from("ab\nщ𝄞"), max_size=40))
def test_characters_as_lists_and_as_an_array(training: str, text: str) -> None:
    for unknown in ("\ufffd", "<unk>"):
        tokenizer = CharTokenizer(unknown=unknown).fit([training])
        assert tokenizer.encode_array(text).tolist() == tokenizer.encode([text])[0]
        assert tokenizer.decode(tokenizer.encode([training])[0]) == training.replace("\ufffd", unknown)


def test_an_unknown_character_is_named_with_its_place() -> None:
    tokenizer = CharTokenizer(unknown=None).fit(["abc"])
    with pytest.raises(DataError, match=r"text 1, character 3: 'é' is not among the 3 characters .*'abc'"):
        tokenizer.encode(["ab", "abé"])
    with pytest.raises(DataError, match="character 3: 'é'"):
        tokenizer.encode_array("abé")


def test_long_arrays_are_made_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom_runtime.data.text.characters._PIECE", 7)
    tokenizer = CharTokenizer().fit(["abc𝄞"])
    text = "ab𝄞cx" * 9
    assert np.array_equal(tokenizer.encode_array(text), tokenizer.encode([text])[0])


# -- subwords -------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_subwords_alter_no_text(text: str) -> None:
    tokenizer = SubwordTokenizer(size=300).fit([*SOLID, "<pad> the <unk>"])
    (ids,) = tokenizer.encode([text + "<pad>"])
    assert 0 not in ids
    assert tokenizer.decode([0, *ids, 0]) == text + "<pad>"
    assert tokenizer.vocabulary.spell(ids) == tokenizer.tokens(text + "<pad>")


def test_subwords_are_frequent_pieces() -> None:
    tokenizer = SubwordTokenizer(size=262).fit(["low lower lowest newer wider"] * 3)
    found = tokenizer.vocabulary.words[257:]
    assert len(found) == 6
    assert {"lo", "low"} <= set(found)
    assert tokenizer.encode(["low"]) == [[tokenizer.vocabulary.id("low")]]
    lower = SubwordTokenizer(size=262, lower=True).fit(["low lower lowest newer wider"] * 3)
    assert lower.encode(["LOW"]) == tokenizer.encode(["low"])
    again = SubwordTokenizer(size=262).fit(["low lower lowest newer wider"] * 3)
    assert json.dumps(again.to_json()) == json.dumps(tokenizer.to_json())


def test_subwords_refuse_settings_ids_and_half_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"size": 255}, {"size": 300.0}, {"min_count": 0}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            SubwordTokenizer(**wrong)  # type: ignore[arg-type]
    tokenizer = SubwordTokenizer(size=260).fit(SOLID)
    for number in (-1, 10_000):
        with pytest.raises(DataError, match=f"got {number}"):
            tokenizer.decode([number])
    with pytest.raises(DataError, match=r"text 1 \(counted from 0\): character 2 is half of a surrogate pair"):
        tokenizer.encode(["a", "b\ud800"])
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tokenizers", None)
        with pytest.raises(MissingDependencyError, match=r"pip install '.\[text\]'"):
            SubwordTokenizer().fit(SOLID)


def test_marks_are_words_of_their_own():
    """Punctuation that is kept stands alone, in a vocabulary and after loading; the other marks go."""
    tokenizer = WordTokenizer(marks=MARKS).fit(["Win £100 now! Call: www.x.com, ok"])
    expected = ["win", "£", "100", "now", "!", "call", ":", "www", ".", "x", ".", "com", "ok"]
    assert tokenizer.tokens("Win £100 now! Call: www.x.com, ok") == expected
    again = load_tokenizer(tokenizer.to_json())
    assert again.encode(["win £5!"]) == tokenizer.encode(["win £5!"])
    assert len(again.encode(["win £5!"])[0]) == 4
    with pytest.raises(SettingError, match="marks: expected characters as one text, got 3"):
        WordTokenizer(marks=3)  # pyright: ignore[reportArgumentType]
