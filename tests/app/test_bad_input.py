"""Bad input gets one clear sentence and exit code 2; nothing is half-written."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seqloom.files import folder_lock

Refused = Callable[..., str]
SMALL = ("--target", "load (MW)", "--lookback", "24h", "--horizon", "6h", "--model", "naive,linear", "--epochs", "1")


def test_missing_file(refused: Refused, tmp_path: Path) -> None:
    assert "nowhere.csv" in refused("forecast", tmp_path / "nowhere.csv", *SMALL)


def test_directory(refused: Refused, tmp_path: Path) -> None:
    assert "folder" in refused("forecast", tmp_path, *SMALL)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"time,load (MW)\n", "no rows"),
        (bytes(range(256)) * 20, ""),
        ("time,load (MW)\n2024-01-01,50°\n".encode("latin-1"), "--encoding"),
    ],
    ids=["empty", "header only", "binary", "latin-1"],
)
def test_unreadable_files(refused: Refused, tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    message = refused("forecast", path, *SMALL)
    assert "odd.csv" in message
    assert word in message


def test_truncated_gz(refused: Refused, tmp_path: Path, hourly: Path) -> None:
    whole = gzip.compress(hourly.read_bytes())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    message = refused("forecast", path, *SMALL)
    assert "cut.csv.gz" in message


def test_unknown_column_suggests_the_nearest(refused: Refused, hourly: Path) -> None:
    message = refused("forecast", hourly, "--target", "Load (mw)", *SMALL[2:])
    assert "'load (MW)'" in message
    assert "Did you mean" in message


def test_duplicate_columns(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("a,b,a\n1,2,3\n4,5,6\n")
    assert "'a'" in refused("forecast", path, "--target", "b", *SMALL[2:])


def test_cell_that_is_no_number(refused: Refused, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    lines[10] = lines[10].rsplit(",", 1)[0] + ",calm"
    hourly.write_text("\n".join(lines))
    message = refused("forecast", hourly, *SMALL)
    assert "11" in message
    assert "wind" in message
    assert "'calm'" in message


def test_column_without_a_value(refused: Refused, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    hourly.write_text("\n".join([lines[0], *(line.rsplit(",", 1)[0] + "," for line in lines[1:])]))
    assert "wind" in refused("forecast", hourly, *SMALL)


def test_too_short_says_by_how_many_rows(refused: Refused, hourly: Path) -> None:
    hourly.write_text("\n".join(hourly.read_text().splitlines()[:20]))
    message = refused("forecast", hourly, *SMALL)
    assert "11" in message  # 19 rows, 24 + 6 needed


def test_split_without_a_window(refused: Refused, hourly: Path) -> None:
    assert "validation" in refused("forecast", hourly, *SMALL, "--split", "395,3")


@pytest.mark.parametrize("split", ["0.9", "0.8,0.3", "a,b", "-5,10", "350,100"])
def test_odd_split(refused: Refused, hourly: Path, split: str) -> None:
    assert "split" in refused("forecast", hourly, *SMALL, "--split", split)


def test_one_time_with_two_rows(refused: Refused, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    stamp = lines[5].split(",")[0]
    hourly.write_text("\n".join([*lines[:6], f"{stamp},1.0,2.0", *lines[6:]]))
    message = refused("forecast", hourly, *SMALL)
    assert "6" in message
    assert "7" in message


@pytest.mark.parametrize("flag", ["--lookback", "--horizon", "--every"])
@pytest.mark.parametrize("value", ["0", "-3", "0h", "-2h", "soon", "90min", "1.5"])
def test_odd_durations(refused: Refused, hourly: Path, flag: str, value: str) -> None:
    assert flag.strip("-") in refused("forecast", hourly, *SMALL, flag, value)


def test_horizon_that_every_does_not_divide(refused: Refused, hourly: Path) -> None:
    message = refused("forecast", hourly, *SMALL, "--every", "4")
    assert "horizon" in message
    assert "multiple" in message


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--model", "naive,gruu"], "Did you mean 'gru'"),
        (["--optimizer", "adma"], "Did you mean 'adam'"),
        (["--units", "0"], "units"),
        (["--input-dropout", "1.0"], "input_dropout"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--level", "80,high"], "--level"),
        (["--level", "100"], "levels"),
        (["--missing", "x"], "--missing"),
        (["--threads", "0"], "--threads"),
        (["--time-zone", "Europe/Berln"], "Europe/Berlin"),
        (["--time", "tme"], "'time'"),
        (["--anchor", "lost"], "Did you mean 'last'"),
        (["--future", "load (MW)"], "target"),
        (["--inputs", "wnd"], "'wind'"),
    ],
)
def test_odd_settings(refused: Refused, hourly: Path, flags: list[str], word: str) -> None:
    assert word in refused("forecast", hourly, *SMALL, *flags)


def test_out_that_is_not_empty(refused: Refused, hourly: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    assert "not empty" in refused("forecast", hourly, *SMALL, "--out", folder)
    assert [p.name for p in folder.iterdir()] == ["thesis.txt"]


def test_out_that_is_a_file(refused: Refused, hourly: Path) -> None:
    before = hourly.read_bytes()
    assert "is a file" in refused("forecast", hourly, *SMALL, "--out", hourly)
    assert hourly.read_bytes() == before


def test_out_that_can_not_be_written(refused: Refused, hourly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "may write" in refused("forecast", hourly, *SMALL, "--out", hourly / "run")
    monkeypatch.setattr(
        os, "access", lambda path, mode: False
    )  # what a user without rights meets; root may write anywhere
    assert "may write" in refused("forecast", hourly, *SMALL, "--out", hourly.parent / "run")
    assert not (hourly.parent / "run").exists()


def test_bad_data_leaves_no_folder(refused: Refused, hourly: Path, tmp_path: Path) -> None:
    refused("forecast", hourly, *SMALL, "--split", "395,3", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_runs_in_one_folder(refused: Refused, command: Callable, hourly: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert command("forecast", hourly, *SMALL, "--out", folder, "--quiet").code == 0
    with folder_lock(folder):
        assert "another" in refused("forecast", "--resume", folder)


def test_resume_of_what_is_no_run(refused: Refused, tmp_path: Path) -> None:
    assert "run.json" in refused("forecast", "--resume", tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"command": "classify"}))
    assert "seqloom forecast" in refused("forecast", "--resume", tmp_path)
    (tmp_path / "run.json").write_text("{")
    assert "line 1" in refused("forecast", "--resume", tmp_path)


def test_predict_with_a_damaged_model(refused: Refused, command: Callable, hourly: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert command("forecast", hourly, *SMALL, "--out", folder, "--quiet").code == 0
    weights = folder / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    assert "model.safetensors" in refused("predict", folder)
    assert "model.safetensors" in refused("inspect", folder)
    assert "model.json" in refused("predict", tmp_path)
