"""Labelled, tagged and running texts in the forms that public files have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import (
    CharTokenizer,
    WordTokenizer,
    load_tokenizer,
    read_corpus,
    read_labelled,
    read_tagged,
)
from seqloom_runtime.data.text.corpus import split_running
from seqloom_runtime.data.text.scripts import unspaced_script
from seqloom_runtime.data.text.tag_schemes import tag_scheme


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def said(found) -> str:
    return " ".join(decision.text for decision in found.decisions)


# -- labelled -------------------------------------------------------------------------------------------------------

TEXTS, LABELS = ["good, very", 'a 5" screen', "bad", "worse", "fine"], ["pos", "neg", "neg", "neg", "pos"]
PAIRS = list(zip(TEXTS, LABELS))
LAYOUTS = {
    "tsv with lone quotes": ("label\ttext\n" + "".join(f"{label}\t{text}\n" for text, label in PAIRS), "a.tsv"),
    "json array": (json.dumps([{"text": text, "label": label} for text, label in PAIRS]), "a.json"),
    "json array over lines": (json.dumps([{"text": t, "label": label} for t, label in PAIRS], indent=1), "a.json"),
    "label first": ("".join(f"{label}\t{text}\n" for text, label in PAIRS), "a.txt"),
    "text first": ("".join(f"{text}\t{label}\n" for text, label in PAIRS), "a.txt"),
    "fasttext": ("".join(f"__label__{label} {text}\n" for text, label in PAIRS), "a.txt"),
    "utf-16": (("label\ttext\n" + "".join(f"{label}\t{text}\n" for text, label in PAIRS)).encode("utf-16"), "a.tsv"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labelled(tmp_path: Path, layout: str) -> None:
    content, name = LAYOUTS[layout]
    found = read_labelled(write(tmp_path / name, content))
    assert (found.texts, found.labels) == (TEXTS, LABELS)
    words = {
        "tsv with lone quotes": "quotes",
        "text first": "Each line is a text, a TAB and its label",
        "utf-16": "UTF-16",
    }
    assert words.get(layout, "") in said(found)
    assert found.take([1]).decisions == found.decisions


def test_labelled_layouts_that_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "x\ty\nx\tz\n")
    assert read_labelled(path).labels == ["x", "x"]
    assert read_labelled(path, layout="text-tab-label").labels == ["y", "z"]
    with pytest.raises(DataError, match="found 2 labels; a text has one label"):
        read_labelled(write(tmp_path / "b.txt", "__label__a __label__b text\n"))
    with pytest.raises(DataError, match="item 2: the field 'label' is missing"):
        read_labelled(write(tmp_path / "c.json", '[{"text": "a", "label": 1}, {"text": "b"}]'))
    with pytest.raises(SettingError, match="layout"):
        read_labelled(path, layout="csv")
    with pytest.raises(DataError, match="line 2: the label behind the TAB is missing"):
        read_labelled(write(tmp_path / "d.txt", "a\tx\nb\t\n"), layout="text-tab-label")


# -- tagged ---------------------------------------------------------------------------------------------------------

CONLLU = """# sent_id = 1
# text = Vámonos al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
2.1\tomitted\t_\tVERB\t_\t_\t_\t_\t_\t_
3\tal\tal\tADP\t_\t_\t1\tobl\t_\t_

# sent_id = 2
1\t#\t#\tSYM\t_\t_\t0\troot\t_\t_
"""


def test_conllu(tmp_path: Path) -> None:
    for columns in ((None, None), (1, 3)):
        path = write(tmp_path / "a.conllu", CONLLU)
        found = read_tagged(path, word_column=columns[0], tag_column=columns[1])
        assert found.words == [["Vamos", "nos", "al"], ["#"]]
        assert found.tags == [["VERB", "PRON", "ADP"], ["SYM"]]
        assert found.lines == [4, 10]
        assert "3 lines that begin with # are comments" in said(found)
        assert "2 lines such as 1-2 or 1.1" in said(found)
        assert ("(CoNLL-U)" in said(found)) is (columns[0] is None)


GERMEVAL = "#\thttp://x.example\t[2010-07-04]\t\n1\tAnna\tB-PER\tO\n2\tlebt\tO\tO\n\n#\thttp://y\t[2011-01-01]\t\n1\tKiel\tB-LOC\tO\n"


def test_germeval(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", GERMEVAL)
    found = read_tagged(path, word_column=1, tag_column=2)
    assert (found.words, found.tags) == ([["Anna", "lebt"], ["Kiel"]], [["B-PER", "O"], ["B-LOC"]])
    assert found.scheme == "IOB2"
    assert "IOB2: B- begins every name" in said(found)
    with pytest.raises(DataError, match=r"first of 4 columns counts the words.*word_column=1.*\(tag_column=\)"):
        read_tagged(path)


@pytest.mark.parametrize(
    ("text", "words", "tags"),
    [
        ("# O\n#tag B-X\n\n# sent_id = 2\na O\n", [["#", "#tag"], ["a"]], [["O", "B-X"], ["O"]]),
        ("# newdoc\na O\nb O\n", [["a", "b"]], [["O", "O"]]),
        ("#begin document (x); part 000\na O\n\n#end document\n", [["a"]], [["O"]]),
        ("a O\n# O\n", [["a", "#"]], [["O", "O"]]),
        ("1 U-PER\nb O\n", [["1", "b"]], [["U-PER", "O"]]),
    ],
)
def test_comments_and_words_that_begin_alike(tmp_path: Path, text: str, words: list, tags: list) -> None:
    found = read_tagged(write(tmp_path / "a.conll", text))
    assert (found.words, found.tags) == (words, tags)


def test_a_tag_that_is_missing_is_no_comment(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: expected 2 columns as on line 1, found 1"):
        read_tagged(write(tmp_path / "a.conll", "a O\n#tag\nb O\n"))


def test_tables_of_names(tmp_path: Path) -> None:
    text = "Sentence #,Word,POS,Tag\nSentence: 1,Thousands,NNS,O\n,of,IN,O\n,London,NNP,B-geo\n"
    text += 'Sentence: 2,"""",NN,O\n,null,NN,O\n'
    found = read_tagged(write(tmp_path / "a.csv", text))
    assert found.words == [["Thousands", "of", "London"], ['"', "null"]]
    assert found.tags == [["O", "O", "B-geo"], ["O", "O"]]
    assert found.lines == [2, 5]
    assert "sentences are those of column 'Sentence #', words of 'Word', tags of 'Tag'" in said(found)
    text = "sentence_id;token;ner\n1;a;O\n1;b;B-x\n2;c;O\n"
    assert read_tagged(write(tmp_path / "b.csv", text)).words == [["a", "b"], ["c"]]
    with pytest.raises(DataError, match="line 1: expected columns of sentences, words and tags, found no tags"):
        read_tagged(write(tmp_path / "c.csv", "sentence_id,token\n1,a\n"))
    with pytest.raises(DataError, match="line 3: the word or its tag is empty"):
        read_tagged(write(tmp_path / "d.csv", "sentence_id,token,tag\n1,a,O\n1,b,\n"))


def test_tagged_json_array(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"tokens": ["a", "b"], "ner_tags": ["O", "B-x"]}]))
    found = read_tagged(path)
    assert (found.words, found.tags, found.place(0)) == ([["a", "b"]], [["O", "B-x"]], f"{path}, item 1")


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ([["I-A", "I-A", "O"], ["I-A", "B-A"]], "IOB1"),
        ([["B-A", "I-A"], ["O"]], "IOB2"),
        ([["B-A", "I-A"], ["I-A"]], "IOB"),
        ([["I-A", "O", "I-B"]], "IO"),
        ([["S-A"], ["B-A", "E-A"]], "BIOES"),
        ([["U-A"], ["B-A", "I-A", "L-A"]], "BILOU"),
        ([["B-A", "M-A", "E-A", "S-A"]], "BMES"),
        ([["VERB", "O"]], None),
        ([["O", "O"]], None),
    ],
)
def test_schemes(tags: list[list[str]], scheme: str | None) -> None:
    assert tag_scheme(tags) == scheme


# -- running --------------------------------------------------------------------------------------------------------


def test_scripts_without_spaces() -> None:
    assert unspaced_script(["太差了不好用", "很好用我喜欢1"]) == "Chinese"
    assert unspaced_script(["とても良いです、好きです"]) == "Japanese"
    assert unspaced_script(["ผมชอบอาหารไทยมาก"]) == "Thai"
    assert unspaced_script(["太 差 了", "很 好 用"]) is None
    assert unspaced_script(["good 好"]) is None
    assert unspaced_script(["한국어 문장입니다"]) is None
    assert unspaced_script([]) is None


def test_characters_as_words() -> None:
    tokenizer = WordTokenizer(characters=True)
    assert tokenizer.tokens("很好用 GPU卡, 2 台") == ["很", "好", "用", "gpu", "卡", "2", "台"]
    tokenizer.fit(["很好用", "不好"])
    again = load_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
    assert again.encode(["好用"]) == tokenizer.encode(["好用"])
    assert again.to_json() == tokenizer.to_json()
    assert "characters" not in WordTokenizer().fit(["a"]).to_json()
    assert CharTokenizer().tokens("很好") == ["很", "好"]


def test_levels_of_running_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "我们喜欢在公园里跑步\n因为天气很好\n" * 9)
    words = read_corpus(path)
    assert words.level == "word"
    assert "each line is one token; say level='char'" in said(words)
    characters = read_corpus(path, None)
    assert characters.level == "char"
    assert "so each character is a token" in said(characters)
    assert read_corpus(path, "char").decisions == ()
    assert read_corpus(write(tmp_path / "b.txt", "the cat\n"), None).level == "word"


@pytest.mark.parametrize(
    ("text", "first", "last", "noted"),
    [
        ("a b c d e f g h i j", "a b c d e f g h ", "i j", True),
        ("a b c d e\nf g h i j", "a b c d e\nf g h ", "i j", True),
        ("".join(f"{i}\n" for i in range(10)), "".join(f"{i}\n" for i in range(8)), "8\n9\n", False),
    ],
)
def test_splits(text: str, first: str, last: str, noted: bool) -> None:
    found = split_running(text, "word", 0.2)
    assert found[:2] == (first, last)
    assert bool(found[2]) is noted
    assert split_running("abcdefghij", "char", 0.2) == ("abcdefgh", "ij", ())
    with pytest.raises(DataError, match="at least two"):
        split_running("a", "word", 0.2)
