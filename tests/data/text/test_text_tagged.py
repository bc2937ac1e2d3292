"""Readers of tagged sentences: three layouts, one content, and the line of everything refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import read_tagged

WORDS = [["fly", "to", "boston"], ["fares"], ["from", "denver"]]
TAGS = [["O", "O", "B-to"], ["O"], ["O", "B-from"]]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def layouts(words: list[list[str]], tags: list[list[str]]) -> dict[str, str]:
    return {
        "conll": "\n\n".join("\n".join(f"{w} {t}" for w, t in zip(*pair)) for pair in zip(words, tags)),
        "iob-lines": "\n".join(f"{' '.join(w)}\t{' '.join(t)}" for w, t in zip(words, tags)),
        "json-lines": "\n".join(json.dumps({"tokens": w, "tags": t}) for w, t in zip(words, tags)),
    }


@pytest.mark.parametrize("layout", ["conll", "iob-lines", "json-lines"])
@pytest.mark.parametrize("given", [True, False], ids=["named", "found out"])
def test_layouts(tmp_path: Path, layout: str, given: bool) -> None:
    path = write(tmp_path / "t.gz", gzip.compress(layouts(WORDS, TAGS)[layout].encode()))
    found = read_tagged(path, layout=layout if given else "auto")
    assert found.words == WORDS
    assert found.tags == TAGS
    assert found.lines == ([1, 5, 7] if layout == "conll" else [1, 2, 3])
    assert found.labels == ["B-from", "B-to", "O"]
    assert found.place(1) == f"{path}, line {found.lines[1]}"
    part = found.take([2, 0])
    assert (part.words, part.tags, part.lines) == ([WORDS[2], WORDS[0]], [TAGS[2], TAGS[0]], [found.lines[2], 1])
    words = read_tagged(path, layout=layout, tagged=False)
    assert words.words == WORDS
    assert words.tags is None
    assert words.take([0]).tags is None
    assert words.labels == []


TOKEN = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=4).filter(
    lambda s: s.split() == [s]
)
SENTENCE = st.lists(st.tuples(TOKEN, st.sampled_from(["O", "B-x", "I-x"])), min_size=1, max_size=5)


@given(st.lists(SENTENCE, min_size=1, max_size=5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]) -> None:
    folder = tmp_path_factory.mktemp("tagged", numbered=True)
    words, tags = [[w for w, _ in s] for s in sentences], [[t for _, t in s] for s in sentences]
    for layout, content in layouts(words, tags).items():
        if layout == "conll" and any(w[0].startswith("-DOCSTART-") for w in words):
            continue
        found = read_tagged(write(folder / "t", content), layout=layout, keep_markers=True)
        assert (found.words, found.tags) == (words, tags)


def test_markers_and_intents(tmp_path: Path) -> None:
    text = "BOS fly to boston EOS\tO O O B-to atis_flight\nBOS fares EOS\t O O fare#flight\n"
    path = write(tmp_path / "t.iob", text)
    found = read_tagged(path)
    assert found.words == [["fly", "to", "boston"], ["fares"]]
    assert found.tags == [["O", "O", "B-to"], ["O"]]
    assert found.intents == ["atis_flight", "fare#flight"]
    assert found.take([1]).intents == ["fare#flight"]
    kept = read_tagged(path, keep_markers=True)
    assert kept.words[1] == ["BOS", "fares", "EOS"]
    assert kept.intents is None
    assert read_tagged(path, tagged=False).words == found.words
    plain = read_tagged(write(tmp_path / "u", "BOS a EOS\tO O O\nBOS EOS\tO O\n"))
    assert (plain.words, plain.tags, plain.intents) == ([["a"], []], [["O"], []], None)
    other = read_tagged(write(tmp_path / "v", "BOS a EOS\tO O O\na b\tO O\n"))
    assert other.words == [["BOS", "a", "EOS"], ["a", "b"]]


def test_columns_document_starts_and_blank_lines(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n \nPeter NNP B-NP B-PER\n\n\n"
    path = write(tmp_path / "t.txt", text.replace("\n", "\r\n"))
    found = read_tagged(path)
    assert found.words == [["EU", "rejects"], ["Peter"]]
    assert found.tags == [["B-ORG", "O"], ["B-PER"]]
    assert found.lines == [4, 7]
    assert read_tagged(path, tag_column=1).tags == [["NNP", "VBZ"], ["NNP"]]
    tabs = write(tmp_path / "u.txt", "New York\tB-LOC\nis\tO\n")
    assert read_tagged(tabs, layout="conll").words == [["New York", "is"]]


def test_json_fields_by_their_usual_names(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"words": ["a", "b"], "ner_tags": ["O", "B-x"], "id": 1}\n')
    found = read_tagged(path)
    assert (found.words, found.tags) == ([["a", "b"]], [["O", "B-x"]])


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "fewer tags": ("a b\tO O\na b c\tO O\n", "line 2: expected a tag for each of the 3 words, found 2 tags"),
    "more tags": ("a b\tO O\na b\tO O O\n", "line 2: expected a tag for each of the 2 words, found 3"),
    "no TAB": ("a b\tO O\n\nabc\n", "line 3: expected words, a TAB and their tags, found no TAB"),
    "fewer columns": ("a O\nb O\n\nc\n", "line 4: expected 2 columns as on line 1, found 1"),
    "more columns": ("a O\nb x O\n", "line 2: expected 2 columns as on line 1, found 3"),
    "one column": ("a\nb\n", "line 1: expected a word and its tag in two columns, found 1 column and"),
    "empty cell": ("a\tO\n\tO\n", "line 2: the word or its tag is empty"),
    "fewer tags in JSON": ('{"tokens": ["a", "b"], "tags": ["O"]}', "line 1: expected a tag for each of the 2 words"),
    "no tags in JSON": ('{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a"]}', "line 2: the field 'tags' is missing"),
    "no tokens in JSON": ('{"text": "a", "tags": ["O"]}', "line 1: the field 'tokens' is missing; there are 'text'"),
    "a text for a list": ('{"tokens": "a b", "tags": ["O"]}', "line 1: expected a list of texts in field 'tokens'"),
    "numbers for tags": ('{"tokens": ["a"], "tags": [0]}', "line 1: expected a list of texts in field 'tags'"),
    "invalid UTF-8": (b"a O\nb O\ncaf\xe9 O\n", "line 3: byte 0xE9 at position 11"),
    "nothing": ("\n\n", "expected sentences, the file holds none"),
    "an empty file": (b"", "expected text, the file is empty"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refusals_name_the_line(tmp_path: Path, name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(DataError, match=f"sentences.*{message}") as caught:
        read_tagged(write(tmp_path / "sentences", data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("columns", [{"word_column": 2}, {"tag_column": 5}, {"tag_column": 0}, {"tag_column": -2}])
def test_refuses_settings(tmp_path: Path, columns: dict[str, Any]) -> None:
    path = write(tmp_path / "t", "a O\n")
    with pytest.raises(DataError, match="line 1"):
        read_tagged(path, **columns)
    with pytest.raises(SettingError, match="layout"):
        read_tagged(path, layout="xml")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("BOS fly to boston EOS\n", [["fly", "to", "boston"]]),
        ("fly to boston\nfares\n", [["fly", "to", "boston"], ["fares"]]),
        ("fly\nto\n\nboston\n", [["fly", "to"], ["boston"]]),
        ("fly VB\nto IN\n", [["fly", "to"]]),
    ],
)
def test_words_alone_are_sentences_by_line_where_they_are_no_columns(
    tmp_path: Path, data: str, words: list[list[str]]
) -> None:
    assert read_tagged(write(tmp_path / "new", data), tagged=False).words == words
