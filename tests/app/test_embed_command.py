"""`seqloom embed`: whole runs, the same bytes again, resuming, nearest words, and one sentence for bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

import seqloom
from oracles.run_folders import contents
from seqloom_runtime.data.text import read_vectors

TINY = ("--epochs", "2", "--embedding-size", "6", "--min-count", "1", "--threads", "1")


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    topics = (["Cat", "dog", "cow", "hen"], ["iron", "zinc", "gold", "lead"])
    path = tmp_path / "prose.txt"
    path.write_text("".join(" ".join(random.choice(topics[n % 2], 6)) + ".\n" for n in range(200)))
    return path


def test_embed_runs_tells_and_resumes(command: Command, prose: Path, tmp_path: Path) -> None:
    run, models = tmp_path / "run", ("--model", "skip-gram,glove")
    asked = ("--near", "Cat,gold", "--analogy", "cat:dog:iron")
    outcome = command("embed", prose, *models, *TINY, *asked, "--out", run)
    assert outcome.code == 0, outcome
    assert "Context AUC" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["random", "skip-gram", "glove"]
    best = metrics["best"]
    assert f"Nearest words by {best}: cat → " in outcome.out
    assert f"Analogies by {best}: cat : dog = iron : ? " in outcome.out
    page = (run / "report.html").read_text()
    for said in ("Word vectors: the words around a word", "Word embeddings", "Nearest words", "Validation context AUC"):
        assert said in page
    assert (run / "charts").is_dir()
    vectors = read_vectors(run / "vectors.txt")
    assert vectors.vectors.tobytes() == seqloom.load(run).vectors_.vectors.tobytes()
    others = {path.name for path in (run / "models").iterdir()}
    assert others == set(metrics["models"]) - {best}
    # A run that was cut before its end goes on to the same bytes.
    shutil.copytree(run, tmp_path / "cut")
    for name in ("metrics.json", "vectors.txt", "report.html"):
        (tmp_path / "cut" / name).unlink()
    record = json.loads((run / "run.json").read_text())
    (tmp_path / "cut" / "run.json").write_text(json.dumps(record | {"finished": None}))
    again = command("embed", "--resume", tmp_path / "cut")
    assert again.code == 0, again
    assert contents(tmp_path / "cut") == contents(run)


def test_predict_gives_nearest_words_and_analogies(command: Command, prose: Path, tmp_path: Path) -> None:
    assert command("embed", prose, *TINY, "--out", tmp_path / "run").code == 0
    told = command("predict", tmp_path / "run", "--text", "Cat", "--text", "cat dog iron", "--json")
    assert told.code == 0, told
    rows = json.loads(told.out)["predictions"]
    model = seqloom.load(tmp_path / "run")
    assert [row["nearest"] for row in rows if row["asked"] == "cat"] == [word for word, _ in model.nearest("cat")]
    assert [row["nearest"] for row in rows if row["asked"] == "cat dog iron"] == [
        word for word, _ in model.analogy("cat", "dog", "iron")
    ]
    (tmp_path / "words.txt").write_text("zinc\n\ngold\n")
    lines = command("predict", tmp_path / "run", tmp_path / "words.txt")
    assert lines.code == 0, lines
    assert "zinc" in lines.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "word2vec"), "--model: expected one of skip-gram, cbow, glove, random"),
        (("--analogy", "man,king"), "--analogy: expected three words such as man:woman:king, got 'man'"),
        (("--near", "horse"), "The word 'horse' has no vector among the 8"),
        (("--min-count", "5000"), "smaller --min-count"),
        (("--window", "0"), "--window: expected"),
        (("--valid", "0.6", "--test", "0.6"), "expected shares that leave some to train on"),
    ],
)
def test_one_sentence_for_what_can_not_be(refused: Refused, prose: Path, flags: tuple[str, ...], said: str) -> None:
    assert said in refused("embed", prose, *TINY, *flags)


def test_a_question_of_two_words_is_refused(command: Command, refused: Refused, prose: Path, tmp_path: Path) -> None:
    assert command("embed", prose, *TINY, "--out", tmp_path / "run").code == 0
    assert "expected a word, or the three words of an analogy" in refused("predict", tmp_path / "run", "--text", "a b")
