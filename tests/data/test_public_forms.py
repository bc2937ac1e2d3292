"""The reduced public files: what each kind reads as, and what is said of it, where the folder of them is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from seqloom.data import Panel, read_table
from seqloom.errors import DataError
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged
from seqloom_runtime.data.text.corpus import split_running
from seqloom_runtime.data.text.scripts import unspaced_script

ROOT = Path(os.environ.get("SEQLOOM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")).parent / "cases"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason=f"the reduced public files are not at {ROOT}")

TABLES = {
    "21-footer": ({}, "kwh", [100.25, 99.08], 29, "Line 31 at the end ('Total, 2999.0') is no data"),
    "23-units-row": ({}, "temp", [100.25, 82.52], 28, "Line 2 holds units or remarks (degC)"),
    "25-preamble": ({}, "skiing: (Worldwide)", [51, 68], 3, "The table begins on line 3"),
    "26-comment-lines": ({}, "kwh", [100.25, 120.78], 3, "Lines 1 to 2 begin with #"),
    "29-pipe": ({}, "y", [100.25, 120.78], 3, "separated by |"),
    "30-spaces": ({}, "y", [100.25, 120.78], 3, "separated by spaces"),
    "31-no-header": ({}, "column_2", [100.25, 102.33], 120, "the table has no header"),
    "33-thousands": ({}, "sales", [10025, 10233], 120, "commas split thousands"),
    "34-thousands-advised": ({"decimal": ","}, "sales", [10025, 10233], 120, "decimal=',' was given"),
    "37-dash-missing": ({}, "kwh", [3, 4], 3, "'-' marks missing values among numbers"),
    "38-missing-flag-text": ({"missing": ["-"]}, "kwh", [3, 4], 3, ""),
    "39-text-column": ({}, "sales", [10, 14], 5, "Column 'day' holds texts"),
    "40-booleans": ({}, "promo", [1, 0], 5, "true is 1 and false is 0"),
    "60-wide": ({}, "south", [98.98, 121.46], 59, ""),
}


def found(case: str) -> Path:
    return next(path for path in sorted((ROOT / case).iterdir()) if path.name != "command.txt")


@pytest.mark.parametrize("case", TABLES)
def test_tables(case: str) -> None:
    how, column, ends, rows, sentence = TABLES[case]
    table = read_table(found(case), **how)
    panel = Panel.from_frame(table, time=table.names[0])
    assert len(panel) == rows
    np.testing.assert_array_equal(panel.column(column)[[0, -1]], ends)
    said = " ".join(decision.text for decision in table.decisions)
    assert sentence in said
    assert bool(said) is bool(sentence)


def test_refused() -> None:
    with pytest.raises(DataError, match=r"line 2: expected 2 cells as in the header, found 3 \(2 such lines\)"):
        read_table(found("32-ragged"))
    with pytest.raises(DataError, match=r"these encodings fit: 'cp949' \(Korean: '날짜'\), .*encoding='cp949'"):
        read_table(found("62-korean-encoding"))
    assert read_table(found("62-korean-encoding"), encoding="cp949").names == ["날짜", "확진"]


@pytest.mark.parametrize(
    ("case", "first", "label"),
    [
        ("63-classify-ok", 'slow and noisy 0\n"ok" 😀', "not good"),
        ("64-tsv-inch", 'slow and noisy 0 5" screen', "0"),
        ("66-json-array", "slow and noisy 0", "0"),
        ("68-chinese-words", "太差了不好用0", "0"),
    ],
)
def test_labelled(case: str, first: str, label: str) -> None:
    texts = read_labelled(found(case))
    assert texts.labels is not None
    assert (len(texts), texts.texts[0], texts.labels[0]) == (120, first, label)
    assert unspaced_script(texts.texts) == ("Chinese" if case.startswith("68") else None)


def test_tagged() -> None:
    words = read_tagged(found("69-conllu-comments"), word_column=1, tag_column=3)
    assert (words.words, words.tags) == ([["See", "it", "."], ["Go"]], [["VERB", "PRON", "PUNCT"], ["VERB"]])
    names = read_tagged(found("70-germeval"), word_column=1, tag_column=2)
    assert (len(names), names.labels, names.scheme) == (30, ["B-LOC", "B-PER", "O"], "IOB2")
    conll = read_tagged(found("72-conll-ok"))
    assert (len(conll), conll.scheme, conll.words[0][0]) == (60, "IOB2", "EU")


def test_running() -> None:
    one_line = read_corpus(found("74-one-line-text"))
    first, last, said = split_running(one_line.text, "word", 0.1)
    assert first + last == one_line.text
    assert 0.09 < len(last) / len(one_line.text) < 0.11
    assert "split off at a space" in said[0].text
    chinese = read_corpus(found("75-lm-no-spaces"))
    assert "each line is one token" in chinese.decisions[0].text
    assert read_corpus(found("76-lm-ok")).decisions == ()
