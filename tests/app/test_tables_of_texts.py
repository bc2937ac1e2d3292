"""classify and tag read tables of texts by the reading flags of the other commands; predict reads new ones alike."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from command_line import Command, Refused

from seqloom.errors import SettingError
from seqloom_runtime.data.text import read_labelled, read_tagged

WORDS = ("good", "nice", "bad", "poor")
ROWS = [(f"{WORDS[i % 4]} film {i}", "p" if i % 4 < 2 else "n") for i in range(60)]
QUICK = ("--model", "pooled", "--epochs", 1)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("made by a shop\ntext|label\n" + "".join(f"{text}|{label}\n" for text, label in ROWS))
    return path


def test_classify_and_predict_with_the_same_form(
    command: Command, texts: Path, tmp_path: Path, no_report: None
) -> None:
    found = command("classify", texts, *QUICK, "--skip", 1, "--separator", "|", "--out", tmp_path / "run", "--json")
    assert found.code == 0, found.err
    assert found.out.count("60 texts, 30 'n', 30 'p'") == 1
    again = command("predict", tmp_path / "run", texts, "--skip", 1, "--json")
    rows = json.loads(again.out)["predictions"]
    assert [row["text"] for row in rows] == [text for text, _ in ROWS]


def test_a_database_of_texts(texts: Path, tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "texts.db")
    base.execute("create table reviews (text text, label text)")
    base.executemany("insert into reviews values (?, ?)", ROWS)
    base.commit()
    base.close()
    found = read_labelled(f"sqlite:///{tmp_path}/texts.db", query="select * from reviews")
    plain = read_labelled(texts, skip=1, separator="|")
    assert (found.texts, found.labels) == (plain.texts, plain.labels)


def test_tagged_words_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("title\nsentence;word;tag\n1;a;X\n1;b;Y\n2;c;X\n")
    found = read_tagged(path, skip=1, separator=";")
    assert (found.words, found.tags) == ([["a", "b"], ["c"]], [["X", "Y"], ["X"]])


def test_what_is_said_of_a_table_that_is_none(refused: Refused, texts: Path) -> None:
    assert "--skip: texts.csv is read as json-lines, which is no table" in refused(
        "classify", texts, "--layout", "json-lines", "--skip", 1
    ).replace(f"{texts.parent}/", "")
    assert "is no workbook, so it has no sheets" in refused("classify", texts, "--sheet", "x")
    with pytest.raises(SettingError, match=r"separator: .* is read as conll, which is no table"):
        read_tagged(texts, layout="conll", separator="|")
