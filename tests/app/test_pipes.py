"""Commands that read a pipe or standard input; what they say about devices, and about resuming what was piped in."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
import threading
from pathlib import Path

import pytest
from command_line import TINY, Command, Refused

from seqloom.app import running
from seqloom.errors import DataError, Interrupted
from seqloom_runtime.files import write_json


def test_standard_input_and_pipes_give_what_the_file_gives(
    command: Command, hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = (*TINY, "--model", "naive", "--json")
    wanted = json.loads(command("forecast", hourly, *flags).out)["forecast"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(hourly.read_bytes()))))
    assert json.loads(command("forecast", "-", *flags).out)["forecast"] == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(hourly.read_bytes())))
    about = command("data", "-")
    assert about.code == 0, about
    assert "standard input: 400 rows" in about.out
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(hourly.read_bytes(),), daemon=True)
    feeder.start()
    assert json.loads(command("forecast", tmp_path / "pipe", *flags).out)["forecast"] == wanted
    feeder.join()


def test_devices_and_codecs_are_refused(refused: Refused, hourly: Path) -> None:
    assert "/dev/zero is a device; expected a CSV or Parquet file" in refused("data", "/dev/zero")
    assert "--encoding: expected the name of a text encoding" in refused("data", hourly, "--encoding", "base64")


def test_a_pipe_cannot_be_resumed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for data in (str(tmp_path / "pipe"), "/dev/fd/63"):
        with pytest.raises(DataError, match=f"--resume: the run in run read {data}, a pipe, which can't be read again"):
            running._check_source(data, Path("run"))
    running._check_source("-", Path("run"))
    running._check_source(None, Path("run"))
    with pytest.raises(DataError, match="which is not here; resume it in the folder"):
        running._check_source("gone.csv", Path("run"))


def test_what_to_type_after_an_interrupted_run_that_read_a_pipe(tmp_path):
    for data, words in (("-", "piped in again: ... | seqloom forecast --resume"), ("/dev/null", "can't be resumed")):
        write_json(tmp_path / "run.json", {"command": "forecast", "settings": {"data": data}})
        with pytest.raises(Interrupted, match=re.escape(words)), running.how_to_go_on("forecast", tmp_path):
            raise KeyboardInterrupt
