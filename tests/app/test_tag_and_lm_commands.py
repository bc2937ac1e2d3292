"""`seqloom tag`, `lm` and `generate`: whole runs, the same bytes again, resuming, and one sentence for bad input."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from pathlib import Path

import pytest
from command_line import Command, Refused

import seqloom
from oracles.run_folders import contents

TINY = ("--epochs", "2", "--units", "8", "--batch-size", "8", "--threads", "1")
SENTENCES = [
    ("BOS fly from boston to denver EOS", "O O O B-from O B-to O"),
    ("BOS to dallas city from oakland EOS", "O O B-to I-to O B-from O"),
    ("BOS show flights to boston on monday EOS", "O O O O B-to O B-day O"),
]


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    path = tmp_path / "train.iob"
    path.write_text("".join(f"{words}\t{tags}\n" for words, tags in SENTENCES * 20))
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat\nthe dog ran to the cat\n" * 60)
    return path


def test_tag_runs_predicts_and_resumes(command: Command, tagged: Path, tmp_path: Path) -> None:
    outcome = command("tag", tagged, "--model", "elman", *TINY, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome
    assert "frequent" in outcome.out
    assert "Traceback" not in outcome.err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["models"]) == ["frequent", "elman"]
    assert metrics["scores"][0] == "f1"
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    new = tmp_path / "new.iob"
    new.write_text("BOS fly to boston EOS\n")
    predicted = command("predict", tmp_path / "run", new, "--json")
    assert predicted.code == 0, predicted
    rows = json.loads(predicted.out)["predictions"]
    assert [row["word"] for row in rows] == ["fly", "to", "boston"]
    assert [row["tag"] for row in rows] == seqloom.load(tmp_path / "run").predict([["fly", "to", "boston"]])[0]
    # A run that was cut before its end goes on to the same bytes.
    shutil.copytree(tmp_path / "run", tmp_path / "cut")
    for name in ("metrics.json", "predictions.csv", "report.html"):
        (tmp_path / "cut" / name).unlink()
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    (tmp_path / "cut" / "run.json").write_text(json.dumps(record | {"finished": None}))
    again = command("tag", "--resume", tmp_path / "cut")
    assert again.code == 0, again
    assert contents(tmp_path / "cut") == contents(tmp_path / "run")


def test_tag_reads_parts_from_files_and_columns(command: Command, tmp_path: Path) -> None:
    columns = "".join(
        "".join(f"{w} X {t}\n" for w, t in zip(words.split(), tags.split())) + "\n" for words, tags in SENTENCES * 8
    )
    with gzip.open(tmp_path / "train.gz", "wt") as file:
        file.write(columns)
    (tmp_path / "test.conll").write_text(columns)
    outcome = command(
        "tag", tmp_path / "train.gz", "--test", tmp_path / "test.conll", "--model", "memoryless", *TINY, "--json"
    )
    assert outcome.code == 0, outcome
    found = json.loads(outcome.out)
    assert found["examples"] == {"train": 22, "valid": 2, "test": 24}
    assert found["out"] is None


def test_lm_runs_generates_and_scores(command: Command, text: Path, tmp_path: Path) -> None:
    outcome = command("lm", text, "--model", "gru", *TINY, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["models"]) == ["unigram", "bigram", "gru"]
    assert metrics["unit"] == "word"
    assert metrics["examples"] == {"train": 96 * 7, "valid": 12 * 7, "test": 12 * 7}  # six words and the line's end
    assert "Test (84 words)" in outcome.out
    written = [
        command("generate", tmp_path / "run", "--prompt", "the", "--length", "6", "--seed", seed) for seed in (1, 1)
    ]
    assert written[0].code == 0, written[0]
    assert written[0].out == written[1].out
    assert written[0].out.startswith("the ")
    best = metrics["best"]
    others = [name for name in ("unigram", "bigram", "gru") if name != best]
    told = f"Written by {best}, the best on validation; --model has another one write ({', '.join(sorted(others))}).\n"
    assert written[0].err == told
    greedy = [
        command("generate", tmp_path / "run", "--model", others[0], "--temperature", "0", "--seed", seed, "--json")
        for seed in (1, 2)
    ]
    assert greedy[0].out == greedy[1].out
    assert json.loads(greedy[0].out)["model"] == others[0]
    other = seqloom.load(tmp_path / "run" / "models" / others[0])
    assert json.loads(greedy[0].out)["text"] == other.generate("", 100, temperature=0)
    assert f"not the best on validation, which is {best}" in command("generate", tmp_path / "run", "--model", "gru").err
    assert command("generate", tmp_path / "run", "--quiet").err == ""
    wrong = command("generate", tmp_path / "run", "--model", "grue")
    assert wrong.err.startswith(f"error: --model: expected one of {best}, ")
    assert "Did you mean 'gru'?" in wrong.err
    scored = command("predict", tmp_path / "run", text, "--out", tmp_path / "lines.csv")
    assert scored.code == 0, scored
    with open(tmp_path / "lines.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    assert rows[0]["tokens"] == "7"
    model = seqloom.load(tmp_path / "run")
    assert float(rows[0]["loss"]) == pytest.approx(-sum(p for _, p in model.score("the cat sat on the mat\n")) / 7)


def test_lm_of_characters_takes_files(command: Command, text: Path, tmp_path: Path) -> None:
    arguments = ("--valid", text, "--test", text, "--level", "char", "--model", "rnn", *TINY)
    outcome = command("lm", text, *arguments, "--json")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["scores"][0] == "bits"


def test_bad_input_gets_a_sentence(refused: Refused, tagged: Path, text: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "never")
    broken = tmp_path / "broken.iob"
    broken.write_text(f"{SENTENCES[0][0]}\t{SENTENCES[0][1]}\nBOS one two EOS\tO O\n")
    assert "line 2" in refused("tag", broken, *out)
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"the cat\nsat \xff on\n")
    assert "byte" in refused("lm", bad, *out)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for arguments in (
        ("tag", empty),
        ("lm", empty),
        ("tag", tmp_path / "nowhere"),
        ("tag",),
        ("lm",),
        ("tag", tagged, "--model", "bilstmm"),
        ("tag", tagged, "--valid", "0.6", "--test", "0.6"),
        ("tag", tagged, "--context", "-1"),
        ("tag", tagged, "--layout", "xml"),
        ("lm", text, "--model", "gpt"),
        ("lm", text, "--level", "byte"),
        ("lm", text, "--test", "2"),
        ("lm", text, "--embedding-size", "7", "--units", "8", "--layers", "1", "--model", "gru"),
    ):
        assert refused(*arguments, *out)
    assert not (tmp_path / "never").exists()


def test_generate_refuses_what_it_cannot_do(command: Command, refused: Refused, tagged: Path, tmp_path: Path) -> None:
    assert command("tag", tagged, "--model", "frequent", "--out", tmp_path / "run").code == 0
    assert "language model" in refused("generate", tmp_path / "run")
    assert refused("generate", tmp_path / "nothing")
    assert "DATA" in refused("predict", tmp_path / "run")
    seqloom.LanguageModel(model="unigram").fit("a b c\n" * 20).save(tmp_path / "alone")
    assert "holds one model alone" in refused("generate", tmp_path / "alone", "--model", "gru")
    assert command("generate", tmp_path / "alone").err == "Written by unigram.\n"


def test_lm_scores_last_words(command: Command, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "passages.txt"
    path.write_text("anna saw the dog of anna\nben went home and ate with ben\n" * 40)
    outcome = command("lm", path, "--score", "last-word", "--model", "gru", *TINY, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["scores"] == ["perplexity", "accuracy", "loss"]
    assert metrics["target"] == "the last word of a passage"
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    predicted = command("predict", tmp_path / "run", path, "--json")
    rows = json.loads(predicted.out)["predictions"]
    assert [row["word"] for row in rows[:2]] == ["anna", "ben"]
    assert "--level word" in refused("lm", path, "--score", "last-word", "--level", "char")


def test_lm_takes_a_recipe(command: Command, refused: Refused, text: Path, tmp_path: Path) -> None:
    sizes = ("--layers", "2", "--embedding-size", "4", "--window", "10", *TINY)
    outcome = command("lm", text, "--recipe", "awd", *sizes, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome
    assert "Recipe awd: --units 8 --layers 2 --embedding-size 4" in outcome.out
    saved = seqloom.load(tmp_path / "run" / "model").get_params()
    record = json.loads((tmp_path / "run" / "run.json").read_text())["parameters"]["lstm"]
    assert (record["weight_dropout"], record["vary_window"], record["optimizer"]) == (0.5, True, "nt-asgd")
    assert record["units"] == 8 == saved["units"]
    assert "--recipe" in refused("lm", text, "--recipe", "abc")


@pytest.mark.parametrize("level", ["word", "char"])
def test_lm_of_a_large_file_is_that_of_one_in_memory(
    command: Command, text: Path, tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("lm", text, "--model", "gru", "--level", level, *TINY)
    plain = command(*arguments, "--out", tmp_path / "plain")
    monkeypatch.setattr("seqloom_runtime.data.text.stored.LARGE", 100)
    monkeypatch.setattr("seqloom_runtime.data.text.stored._PIECE", 64)
    large = command(*arguments, "--out", tmp_path / "large")
    assert large.code == plain.code == 0, large
    assert "read a piece at a time" in large.out
    one, two = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("plain", "large"))
    assert one == two
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "plain" / "model" / name).read_bytes() == (tmp_path / "large" / "model" / name).read_bytes()
