"""`seqloom classify`: whole runs, the same bytes again, resuming, predictions, and one sentence for bad input."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

import seqloom
from oracles.run_folders import contents

TINY = ("--epochs", 2, "--units", 6, "--embedding-size", 6, "--batch-size", 16, "--threads", 1)
SPAM = ["win a free prize now", "free cash call {} today", "claim your prize call {}", "urgent you won cash"]
HAM = ["see you at home tonight", "are you coming home", "call me when you are at work", "ok see you later"]


def messages(count: int) -> list[tuple[str, str]]:
    draw, rows = np.random.default_rng(2), []
    for number in range(count):
        text = (SPAM if number % 3 == 0 else HAM)[int(draw.integers(4))].format(draw.integers(10**7, 10**8))
        rows.append(
            ("spam" if number % 3 == 0 else "ham", f"{text} {draw.choice(['so', 'and', 'the', 'lol'])} {number}")
        )
    return rows


@pytest.fixture
def sms(tmp_path: Path) -> Path:
    path = tmp_path / "messages.gz"
    path.write_bytes(gzip.compress("".join(f"{label}\t{text}\n" for label, text in messages(150)).encode()))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("id,kind,body\n" + "".join(f'{n},{k},"{t}"\n' for n, (k, t) in enumerate(messages(90))))
    return path


def test_it_compares_reports_resumes_and_predicts(command: Command, sms: Path, tmp_path: Path) -> None:
    done = command("classify", sms, "--model", "gru,han", *TINY, "--out", tmp_path / "run")
    assert done.code == 0, done
    assert "150 texts, 100 'ham', 50 'spam'" in done.out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["models"]) == ["majority", "bow", "gru", "han"]
    assert [model["kind"] for model in metrics["models"].values()] == ["baseline", "baseline", "network", "network"]
    assert metrics["baseline"] == "bow"
    assert metrics["scores"][0] == "accuracy"
    assert metrics["examples"]["train"] + metrics["examples"]["valid"] + metrics["examples"]["test"] == 150
    details = json.loads((tmp_path / "run" / "details.json").read_text())["models"]
    assert details["gru"]["belief"][0]["tokens"]
    assert details["han"]["attention"][0]["sentences"]
    lines = gzip.decompress(sms.read_bytes()).splitlines()
    for row in (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]:
        _, line, actual, *_ = row.split(",")
        assert lines[int(line) - 1].split(b"\t")[0].decode() == actual, "examples are named by their lines"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Word embeddings" in page
    assert len(page) > 10_000
    # A run that was cut before its end goes on to the same bytes.
    shutil.copytree(tmp_path / "run", tmp_path / "cut")
    record = json.loads((tmp_path / "cut" / "run.json").read_text())
    (tmp_path / "cut" / "run.json").write_text(json.dumps({**record, "finished": None}))
    for name in ("metrics.json", "report.html", "predictions.csv"):
        (tmp_path / "cut" / name).unlink()
    shutil.rmtree(tmp_path / "cut" / "model")
    again = command("classify", "--resume", tmp_path / "cut")
    assert again.code == 0, again
    assert contents(tmp_path / "cut") == contents(tmp_path / "run")
    model = seqloom.load(tmp_path / "run")
    new = tmp_path / "new.csv"
    new.write_text('text\n"free prize, call 12345678"\n"see you"\n')
    predicted = command("predict", tmp_path / "run", new, "--json")
    assert predicted.code == 0, predicted
    rows = json.loads(predicted.out)["predictions"]
    p = model.predict_proba(["free prize, call 12345678", "see you"])
    assert [row["predicted"] for row in rows] == model.predict(["free prize, call 12345678", "see you"]).tolist()
    assert np.allclose([[row["p_ham"], row["p_spam"]] for row in rows], p)
    assert [row["line"] for row in rows] == [2, 3]


@pytest.mark.usefixtures("no_report")
def test_columns_files_and_weights(command: Command, table: Path, tmp_path: Path) -> None:
    flags = ("--text", "body", "--label", "kind", "--test", table, "--valid", 0.2, "--class-weight", "spam=2,ham=1")
    done = command("classify", table, *flags, "--model", "bow-forest", "--positive", "ham", "--out", tmp_path / "run")
    assert done.code == 0, done
    assert "72 different texts of the test set occur in the training set too, word for word" in done.out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["examples"] == {"train": 72, "valid": 18, "test": 90}
    assert metrics["target"] == "kind"
    assert metrics["models"]["bow-forest"]["kind"] == "baseline"
    details = json.loads((tmp_path / "run" / "details.json").read_text())["models"]
    assert details["bow"]["roc"][0]["class"] == "ham"


@pytest.mark.usefixtures("no_report")
def test_labels_only_in_the_test_file_are_told(command: Command, table: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text('kind,body\nham,"see you"\nnews,"the stock fell"\n')
    flags = ("--text", "body", "--label", "kind", "--test", tmp_path / "test.csv", "--model", "majority")
    done = command("classify", table, *flags, "--out", tmp_path / "run")
    assert done.code == 0, done
    facts = json.loads((tmp_path / "run" / "details.json").read_text())["models"]["majority"]["facts"]
    assert facts["labels that training never saw, all counted as mistakes"] == "'news' (1)"
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["models"]["majority"]["test"]["accuracy"] == 0.5


@pytest.mark.usefixtures("no_report")
def test_without_scikit_learn_the_bag_stays_out_and_it_is_said(
    command: Command, sms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqloom.app.classify.installed", lambda name: name != "sklearn")
    done = command("classify", sms, "--model", "pooled", *TINY)
    assert done.code == 0, done
    assert "bow takes no part: it needs scikit-learn, which is not installed; in the folder" in done.out
    assert "worse than majority" in done.out or "better than majority" in done.out or "same as majority" in done.out
    monkeypatch.setitem(sys.modules, "sklearn", None)
    refused = command("classify", sms, "--model", "bow-forest")
    assert refused.code == 2
    assert "pip install '.[text]'" in refused.err


def test_bad_files_and_flags_get_one_sentence(refused: Refused, sms: Path, table: Path, tmp_path: Path) -> None:
    assert "DATA: name the file" in refused("classify")
    assert "there is no file" in refused("classify", table, "--test", "no-such.csv")
    assert "'text'" in refused("classify", table)
    assert "did you mean 'body'" in refused("classify", table, "--text", "bdy", "--label", "kind").casefold()
    named = ("--text", "body", "--label", "kind")
    assert "--model: expected one of majority, bow" in refused("classify", table, *named, "--model", "grru")
    assert "--class-weight: expected balanced, or label=weight" in refused("classify", sms, "--class-weight", "spam")
    assert "--class-weight: 'spma' is none of the classes" in refused("classify", sms, "--class-weight", "spma=2")
    assert "--positive: expected one of the labels" in refused("classify", sms, "--positive", "spma")
    assert "leave" in refused("classify", sms, "--valid", "0.5", "--test", "0.5")
    assert "--freeze: only pretrained" in refused("classify", sms, "--freeze", "--model", "gru")
    assert "--max-length: expected" in refused("classify", sms, "--max-length", 0)
    assert "pool" in refused("classify", sms, "--pool", "sum", "--model", "gru")
    one = tmp_path / "one.csv"
    one.write_text("text,label\n" + "see you,ham\n" * 20 + "home,ham\n" * 20)
    assert "expected at least two classes to tell apart" in refused("classify", one)
    blank = tmp_path / "blank.csv"
    blank.write_text("text,label\nsee you,ham\nfree,\n")
    assert "blank.csv, line 3: the label in column 'label' is missing" in refused("classify", blank)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("text,label\nsee you,ham\ncaf\xe9,spam\n".encode("latin-1"))
    assert "latin.csv, line 3: byte 0xE9 at position 26 is not utf-8" in refused("classify", latin)
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "a", "label": "x"}\n{"text": "b"}\n')
    assert "lines.jsonl, line 2" in refused("classify", lines)


@pytest.mark.usefixtures("no_report")
def test_a_text_of_a_megabyte_is_read(command: Command, sms: Path, tmp_path: Path) -> None:
    with gzip.open(sms, "at") as file:
        file.write("ham\t" + "see you at home " * 65_000 + "\n")
    done = command("classify", sms, "--model", "gru", *TINY)
    assert done.code == 0, done


@pytest.mark.deep
@pytest.mark.usefixtures("no_report")
def test_spam_is_found(command: Command, data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "sms_spam" / "SMSSpamCollection.gz"
    done = command("classify", path, "--test", 0.2, "--valid", 0.1, "--model", "gru", "--out", tmp_path / "run")
    assert done.code == 0, done
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["models"]["gru"]["test"]["f1"] >= 0.94


def test_few_different_texts_are_told(command: Command, refused: Refused, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("text,label\n" + "good,a\nbad,b\n" * 30)
    said = refused("classify", few, "--model", "majority")
    assert "60 examples are only 2 different ones, and copies of one stay in one part" in said
    assert "a file for it (--valid)" in said
    few.write_text(few.read_text() + "ok,a\npoor,b\nokay,a\npoorer,b\n" * 6)
    told = command("classify", few, "--model", "majority", "--threads", 1)
    assert "instead of 15 %, as the 84 texts are only 6 different ones and duplicates stay in one part" in told.out
