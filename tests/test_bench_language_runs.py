"""Made corpora in the published layouts, and what is told of a run of some minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import made_corpora
from bench.language_runs import MARKS, line_of, power_law
from bench.made_corpora import LENGTHS, make_corpus

from seqloom.studies.texts import read_texts

PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies.md"


@pytest.mark.parametrize("name", list(LENGTHS))
def test_a_made_corpus_is_read_as_the_original(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(made_corpora._WORDS, name, 700)
    make_corpus(name, tmp_path, 3e-5)
    texts = read_texts(name, str(tmp_path))
    assert not texts.original
    train = texts.parts["train"]
    if name == "text8":
        assert set("".join(texts.parts.values())) == {*"abcdefghijklmnopqrstuvwxyz", " "}
        assert sum(map(len, texts.parts.values())) == 3000
    else:
        assert len(set(train.split())) == 700
        assert texts.parts["valid"].count("\n") >= 60
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    make_corpus(name, tmp_path, 3e-5)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_the_words_are_different_and_each_is_there() -> None:
    words = [made_corpora._spelled(n) for n in range(20_000)]
    assert len(set(words)) == 20_000
    assert words[:3] + words[25:29] == ["a", "b", "c", "z", "aa", "ab", "ac"]


def test_the_line_of_a_run() -> None:
    assert power_law([(10, 2.0), (20, 2.5)], 1.0) is None
    found = {
        "study": "ptb-chars",
        "row": "2×LSTM(600)",
        "key": "bits",
        "decimals": 4,
        "goal": 1.36,
        "parameters": 4_600_551,
        "memory": 1.5e9,
        "minutes": 3.0,
        "before": 2.4,
        "step": 0.5,
        "steps": 784,
        "epoch": 784,
        "curve": [[100, 4.0], [200, 2.0], [400, 1.0]],
        "epochs": 20,
        "tokens": 5_017_482,
        "kinds": 51,
    }
    line = line_of(found)
    assert "| 784 | 0.11 | 1.50 GB | 100: 5.7708; 200: 2.8854; 400: 1.4427 | ≤ 1.3600 | 0.5 of 20 |" in line
    flat = {**found, "curve": [[100, 2.0], [200, 1.9999], [400, 1.9998]]}
    assert line_of(flat).endswith("| ≤ 1.3600 | too early to tell |")
    assert line_of({**found, "goal": None}).endswith("| – | – |")
    assert line_of({**found, "study": "text8"}).endswith("| – | – | – |")
    page = PAGE.read_text()
    assert page.index(MARKS[0]) < page.index(MARKS[1])
