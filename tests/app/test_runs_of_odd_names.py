"""Names, ids, labels and texts that act on terminals, pages or drawing libraries: whole runs, and what comes back."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import polars as pl
import pytest
from command_line import Command
from odd_names import NAMES, table, texts, visible

from seqloom.data import read_table
from seqloom_runtime.tables import write_csv

FORECAST = ("--lookback", 6, "--horizon", 3, "--model", "linear", "--epochs", 1, "--steps-per-epoch", 2, "--threads", 1)
TASK = ("--epochs", 1, "--units", 4, "--batch-size", 8, "--threads", 1)
WORDS = [name for name in NAMES.values() if name.split() == [name]]  # those that are one word


def page_of(run: Path) -> str:
    """The page without the drawing library; nothing in it may be missing or act on the reader."""
    page = (run / "report.html").read_text(encoding="utf-8")
    page = re.sub("<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "could not be drawn" not in page
    assert visible(page)
    assert len(page) < 3_000_000
    return page


@pytest.mark.usefixtures("drawn")
def test_forecast_of_odd_names(command: Command, tmp_path: Path) -> None:
    target, time, id, other = NAMES["control"], NAMES["escape"], NAMES["quotes"], NAMES["return"]
    data = table(tmp_path / "data.csv", target=target, time=time, id=id, other=other, ids=list(NAMES.values()))
    flags = ("--target", target, "--time", time, "--id", id)
    run = tmp_path / "run"
    done = command("forecast", data, *flags, *FORECAST, "--out", run)
    assert done.code == 0, done
    assert visible(done.out + done.err)
    assert max(map(len, done.out.splitlines())) < 1_000
    assert "Forecast of a\\x01b by" in page_of(run) + done.out
    with open(run / "forecast.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["id", "time", target]
    assert {row[0] for row in rows} == set(NAMES.values())
    assert set(read_table(run / "forecast.csv").cells["id"].to_list()) == set(NAMES.values())
    assert set(pl.read_csv(run / "predictions.csv")["id"]) == set(NAMES.values())
    assert json.loads((run / "run.json").read_text())["settings"]["target"] == target
    for asked in (
        ("predict", run),
        ("predict", run, data),
        ("inspect", run),
        ("data", data, "--time", time, "--id", id),
    ):
        shown = command(*asked)
        assert shown.code == 0, shown
        assert visible(shown.out + shown.err), asked
    as_json = command("predict", run, "--json")
    assert visible(as_json.out)
    assert {row["id"] for row in json.loads(as_json.out)["forecast"]} == set(NAMES.values())


def test_labels_and_texts_of_a_classifier(command: Command, tmp_path: Path) -> None:
    labels, column = list(NAMES.values())[:6], NAMES["markup"]
    data = texts(tmp_path / "data.csv", labels, list(NAMES.values()), text=column, label="label")
    run = tmp_path / "run"
    flags = ("--text", column, "--label", "label", "--model", "pooled", "--embedding-size", 4, *TASK)
    done = command("classify", data, *flags, "--out", run)
    assert done.code == 0, done
    assert visible(done.out + done.err)
    page = page_of(run)
    assert "a\\x01b" in page
    with open(run / "predictions.csv", encoding="utf-8", newline="") as file:
        found = {row["actual"] for row in csv.DictReader(file)}
    assert found <= set(labels)
    assert len(found) > 2
    shown = command("predict", run, data)
    assert shown.code == 0, shown
    assert visible(shown.out)


def test_tags_and_words(command: Command, tmp_path: Path) -> None:
    data, run = tmp_path / "data.iob", tmp_path / "run"
    lines = [f"fly {word} to {word}\tO B-{word} O B-to" for word in WORDS if not set(word) & set("\x85\x1c")]
    data.write_text("\n".join(lines * 4) + "\n", encoding="utf-8")
    done = command("tag", data, "--model", "memoryless", *TASK, "--out", run)
    assert done.code == 0, done
    assert visible(done.out + done.err)
    page_of(run)
    shown = command("predict", run, data)
    assert shown.code == 0, shown
    assert visible(shown.out)


@pytest.mark.deep
def test_words_of_a_language_model(command: Command, tmp_path: Path) -> None:
    data, run = tmp_path / "data.txt", tmp_path / "run"
    data.write_text("\n".join(f"the {word} is {word} again" for word in WORDS * 12), encoding="utf-8")
    done = command("lm", data, "--model", "rnn", *TASK, "--out", run)
    assert done.code == 0, done
    assert visible(done.out + done.err)
    page_of(run)
    for flags in ((), ("--json",)):
        shown = command("generate", run, "--prompt", f"the {NAMES['control']}", "--length", 60, *flags)
        assert shown.code == 0, shown
        assert visible(shown.out)


@pytest.mark.deep
def test_labels_of_sequences(command: Command, tmp_path: Path) -> None:
    data, run, labels = tmp_path / "data.csv", tmp_path / "run", list(NAMES.values())[:4]
    name = NAMES["path"]
    rows = [[f"walk{n}", step, n % 4 + step, labels[n % 4]] for n in range(48) for step in range(4)]
    write_csv(data, ["id", "t", name, NAMES["method"]], rows)
    flags = ("--id", "id", "--time", "t", "--label", NAMES["method"], *TASK)
    done = command("sequences", data, *flags, "--out", run)
    assert done.code == 0, done
    assert visible(done.out + done.err)
    page_of(run)
    shown = command("predict", run, data)
    assert shown.code == 0, shown
    assert visible(shown.out)


@pytest.mark.deep
@pytest.mark.parametrize("kind", NAMES)
def test_forecast_of_each_odd_name(command: Command, tmp_path: Path, kind: str) -> None:
    name = NAMES[kind]
    data = table(tmp_path / "data.csv", target=name, other=f"{name}2", ids=["a", name])
    done = command("forecast", data, "--target", name, "--id", "series", *FORECAST, "--out", tmp_path / "run")
    assert done.code == 0, done
    assert visible(done.out + done.err)
    page_of(tmp_path / "run")
