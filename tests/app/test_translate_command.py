"""`seqloom translate`: whole runs, predicting, the readers of pairs, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

from seqloom_runtime.data.text import read_pairs, read_sources

TINY = ("--units", "4", "--embedding-size", "4", "--epochs", "1", "--threads", "1")


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    path = tmp_path / "sums.csv"
    lines = [f"{a}+{b},{a + b}\n" for a, b in draw.integers(0, 30, (80, 2))]
    path.write_text("source,target\n" + "".join(lines))
    return path


def test_a_run_its_report_and_predicting(command: Command, refused: Refused, sums: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    outcome = command("translate", sums, *TINY, "--beams", "2", "--out", run)
    assert outcome.code == 0, outcome
    assert "pairs of one source never cross" in outcome.out
    assert "say --level word for the other" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["memory", "gru"]
    assert {"exact_match", "cer"} <= set(metrics["scores"])
    page = (run / "report.html").read_text()
    for said in (
        "Sequence to sequence: target",
        "Attention over the source",
        "Exact match",
        "Examples with the highest",
    ):
        assert said in page
    told = command("predict", run, "--text", "1+2", "--text", "3+4", "--json")
    rows = json.loads(told.out)["predictions"]
    assert [row["source"] for row in rows] == ["1+2", "3+4"]
    lines = tmp_path / "new.txt"
    lines.write_text("1+2\n\n3+4\n")
    again = json.loads(command("predict", run, lines, "--json").out)["predictions"]
    assert [row["line"] for row in again] == [1, 3]
    assert [row["target"] for row in again] == [row["target"] for row in rows]
    table = json.loads(command("predict", run, sums, "--json").out)["predictions"]
    assert len(table) == 80
    assert "expected a text, it is empty" in refused("predict", run, "--text", " ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source,target\na,b\nc,\n", "line 3: the target is empty; give it, or leave the pair out"),
        ("only\na\nb\n", "expected two columns, a source and its target, found one, 'only'"),
        ("", "empty"),
        ("a,b\nc\n", "line 2: expected 2 cells"),
        ("source,target\na,b\n", "too few"),
    ],
)
def test_one_sentence_for_bad_files(refused: Refused, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    assert said in refused("translate", path, *TINY)


def test_pairs_are_read_from_lines_and_tables(tmp_path: Path) -> None:
    def file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    tabs = read_pairs(file("a.tsv", 'Hi.\tSalut "toi" !\tnote\nGo.\tVa.\tnote\n'))
    assert (tabs.sources, tabs.targets) == (["Hi.", "Go."], ['Salut "toi" !', "Va."])
    named = read_pairs(file("b.tsv", "fr\ten\nun\tone\n"), source="en", target="fr")
    assert (named.sources, named.targets, named.lines.tolist()) == (["one"], ["un"], [2])
    table = read_pairs(file("c.csv", 'x,english,french\n1,"a, b",c\n'), source="english", target="french")
    assert (table.sources, table.targets) == (["a, b"], ["c"])
    guessed = read_pairs(file("d.csv", "english,french\nhi,salut\n"))
    assert guessed.sources == ["hi"]
    assert any("holds the sources" in decision.text for decision in guessed.decisions)
    bare = read_pairs(file("e.csv", "hi,salut\ngo,va\n"), header=False)
    assert bare.targets == ["salut", "va"]
    assert read_sources(file("f.txt", "a b\n\nc\n")).sources == ["a b", "c"]
    assert read_sources(tmp_path / "a.tsv").sources == ["Hi.", "Go."]


def test_predict_reads_the_columns_of_the_training(command: Command, refused: Refused, tmp_path: Path) -> None:
    pairs, turned, three = (tmp_path / f"{name}.csv" for name in ("pairs", "turned", "three"))
    rows = [(f"{n} {n + 1}", f"{n + 1} {n}") for n in range(40)]
    pairs.write_text("english,german\n" + "".join(f"{a},{b}\n" for a, b in rows))
    turned.write_text("german,english\n" + "".join(f"{b},{a}\n" for a, b in rows))
    three.write_text("id,english,german\n" + "".join(f"{n},{a},{b}\n" for n, (a, b) in enumerate(rows)))
    run = tmp_path / "run"
    assert command("translate", pairs, "--model", "memory", "--out", run, "--quiet").code == 0
    assert command("predict", run, pairs, "--quiet").out == command("predict", run, turned, "--quiet").out
    message = refused("translate", three, "--model", "memory")
    assert "nothing says which columns hold the sources and the targets; name them (--source), (--target)" in message
    assert "no column is named 'deutsch'" in refused("translate", pairs, "--target", "deutsch")
    named = command("translate", three, "--source", "english", "--target", "german", "--model", "memory", "--quiet")
    assert named.code == 0
