"""Bad input gets one clear sentence and exit code 2; nothing is half-written."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Refused

from seqloom_runtime.files import folder_lock

SMALL = ("--target", "load (MW)", "--lookback", "24h", "--horizon", "6h", "--model", "naive,linear", "--epochs", "1")


def test_missing_file(refused: Refused, tmp_path: Path) -> None:
    assert "nowhere.csv" in refused("forecast", tmp_path / "nowhere.csv", *SMALL)


def test_directory(refused: Refused, tmp_path: Path) -> None:
    message = refused("forecast", tmp_path, *SMALL)
    assert message == f"error: {tmp_path} is a folder; expected a CSV or Parquet file.\n"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"time,load (MW)\n", "header"),
        (bytes(range(256)) * 20, "binary"),
        ("time,load (MW)\n2024-01-01,50°\n".encode("latin-1"), "--encoding"),
    ],
    ids=["empty", "header only", "binary", "latin-1"],
)
def test_unreadable_files(refused: Refused, tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    for name in ("forecast", "backtest"):
        message = refused(name, path, *SMALL)
        assert "odd.csv" in message
        assert word in message
    assert word in refused("data", path)


def test_truncated_gz(refused: Refused, tmp_path: Path, hourly: Path) -> None:
    whole = gzip.compress(hourly.read_bytes())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    message = refused("forecast", path, *SMALL)
    assert "cut.csv.gz" in message
    assert "cut short" in message


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
    assert "--inputs" in message


def test_column_without_a_value(refused: Refused, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    hourly.write_text("\n".join([lines[0], *(line.rsplit(",", 1)[0] + "," for line in lines[1:])]))
    # A column that nobody names is left out with a note.
    message = refused("forecast", hourly, "--inputs", "load (MW),wind", *SMALL)
    assert "'wind' holds no value at all" in message
    assert "--inputs" in message


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
        (["--units", "0"], "--units: "),
        (["--input-dropout", "1.0"], "--input-dropout: "),
        (["--learning-rate", "-1"], "--learning-rate: "),
        (["--level", "80,high"], "--level"),
        (["--level", "100"], "--level: "),
        (["--threads", "0"], "--threads"),
        (["--time-zone", "Europe/Berln"], "Europe/Berlin"),
        (["--time", "tme"], "'time'"),
        (["--anchor", "lost"], "Did you mean 'last'"),
        (["--future", "load (MW)"], "target"),
        (["--inputs", "wnd"], "'wind'"),
        (["--future", "wnd"], "'wind'"),
        (["--id", "station"], "'station'"),
        (["--loss", "mape"], "--loss: "),
        (["--at", "end"], "--at: "),
        (["--split", "0.7"], "--split: "),
        (["--season", "0"], "--season: "),
        (["--season", "nan"], "--season: "),
        (["--season", "often"], "--season: "),
        (["--epochs", "0"], "--epochs: "),
        (["--steps-per-epoch", "0"], "--steps-per-epoch: "),
        (["--batch-size", "-1"], "--batch-size: "),
        (["--layers", "0"], "--layers: "),
        (["--channels", "8,many"], "--channels: expected numbers separated by commas, got 'many'"),
        (["--channels", "8,0"], "--channels: "),
        (["--channels", ","], "--channels: "),
        (["--kernel-size", "0"], "--kernel-size: "),
        (["--pool-size", "0"], "--pool-size: "),
        (["--model", "conv"], "needs at least 61 input steps, got 24"),
        (["--patience", "0"], "--patience: "),
        (["--seed", "-1"], "--seed: "),
        (["--max-fill", "-1"], "--max-fill: "),
        (["--threads", "1000000"], "--threads: "),
        (["--encoding", "utf-9"], "Did you mean 'utf-8'"),
        (["--decimal", ";"], "--decimal: "),
        (["--missing", "nan"], "--missing: "),
        (["--learning-rate", "nan"], "--learning-rate: "),
    ],
)
def test_odd_settings(refused: Refused, hourly: Path, flags: list[str], word: str) -> None:
    assert word in refused("forecast", hourly, *SMALL, *flags, "--out", hourly.parent / "run")
    assert not (hourly.parent / "run").exists()


@pytest.mark.parametrize("flag", ["--time", "--id", "--time-zone"])
def test_bundled_series_takes_no_columns(refused: Refused, flag: str) -> None:
    assert flag in refused("forecast", flag, "Europe/Berlin")


def test_target_must_be_said_where_there_is_a_choice(refused: Refused, hourly: Path) -> None:
    message = refused("forecast", hourly, "--model", "naive")
    assert "--target" in message
    assert "'load (MW)', 'wind'" in message
    assert "holds the times" in refused("forecast", hourly, "--target", "time")
    assert "names of the series" in refused("forecast", hourly, "--target", "wind", "--id", "wind")


def test_nan_during_training(refused: Refused, hourly: Path) -> None:
    wild = ("--optimizer", "sgd", "--learning-rate", "1e30", "--loss", "mse", "--threads", 1)
    message = refused("forecast", hourly, *SMALL, *wild)
    assert "at epoch 1, step 2" in message
    assert "lower --learning-rate" in message


def test_out_that_is_not_empty(refused: Refused, hourly: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    assert "not empty" in refused("forecast", hourly, *SMALL, "--out", folder)
    assert "not empty" in refused("forecast", "nowhere.csv", *SMALL, "--out", folder)  # before anything is read
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


def test_two_runs_in_one_folder(refused: Refused, trained: Path, tmp_path: Path, hourly: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    with folder_lock(folder):
        assert "another run" in refused("forecast", "--resume", folder)
        assert "not empty" in refused("forecast", hourly, *SMALL, "--out", folder)


def test_resume_of_what_is_no_run(refused: Refused, tmp_path: Path) -> None:
    assert "run.json" in refused("forecast", "--resume", tmp_path / "nowhere")
    assert "run.json" in refused("forecast", "--resume", tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"command": "classify"}))
    assert "seqloom forecast" in refused("forecast", "--resume", tmp_path)
    (tmp_path / "run.json").write_text("[]")
    assert "seqloom forecast" in refused("forecast", "--resume", tmp_path)
    (tmp_path / "run.json").write_text("{")
    assert "line 1" in refused("forecast", "--resume", tmp_path)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "7"], ["--epochs: ", "began with 40", "7"]),
        (["--seed", "1"], ["--seed: ", "began with 0", "1"]),
        (["other.csv"], ["DATA: ", "other.csv"]),
        (["--out", "new"], ["--out"]),
    ],
)
def test_resume_with_other_settings(
    refused: Refused, trained: Path, tmp_path: Path, flags: list[str], words: list[str]
) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    message = refused("forecast", "--resume", folder, *flags)
    assert all(word in message for word in words), message
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def _change_record(folder: Path, change: Callable[[dict], None]) -> None:
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))


def test_resume_with_other_data(refused: Refused, trained: Path, tmp_path: Path, hourly: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    _change_record(folder, lambda record: record["settings"].update(data=str(hourly)))
    lines = hourly.read_text().splitlines()
    hourly.write_text("\n".join(lines[:-1]) + "\n")
    message = refused("forecast", "--resume", folder)
    assert "data" in message
    hourly.unlink()
    message = refused("forecast", "--resume", folder)
    assert "hourly.csv" in message
    assert "where it was started" in message


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda record: record.update(threads="two"), "'threads' is 'two'"),
        (lambda record: record.update(threads=-1), "--threads"),
        (lambda record: record["settings"].pop("units"), "'units' is missing"),
        (lambda record: record["settings"].update(layers=None), "'layers' is None"),
        (lambda record: record["settings"].update(units=7), "units"),
        (lambda record: record.update(seed=4), "seed"),
        (lambda record: record.update(schema=9), "schema 1"),
    ],
)
def test_resume_of_an_altered_run(
    refused: Refused, trained: Path, tmp_path: Path, change: Callable[[dict], None], word: str
) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    _change_record(folder, change)
    assert word in refused("forecast", "--resume", folder)


def test_damaged_model(refused: Refused, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    weights = folder / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    for name in ("predict", "inspect"):
        assert "model.safetensors" in refused(name, folder)
        assert "model.json" in refused(name, tmp_path)
        assert "nowhere" in refused(name, tmp_path / "nowhere")


def test_altered_and_foreign_models(refused: Refused, trained: Path, tmp_path: Path) -> None:
    model = shutil.copytree(trained / "model", tmp_path / "model")
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"anchor": "last"', '"anchor": "none"'))
    assert "checksum" in refused("predict", model)
    for content, word in (("{}", "not a seqloom model"), ("[1]", "not a seqloom model"), ("no JSON", "line 1")):
        (model / "model.json").write_text(content)
        assert word in refused("predict", model)
        assert word in refused("inspect", model)


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"schema": 1, "models": {}}'])
@pytest.mark.parametrize("name", ["metrics.json", "run.json"])
def test_inspect_damaged_records(refused: Refused, trained: Path, tmp_path: Path, name: str, content: str) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / name).write_text(content)
    assert name in refused("inspect", folder)
