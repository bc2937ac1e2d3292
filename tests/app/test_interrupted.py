"""Ctrl-C during training: what is said, and that the resumed run ends with the bytes of an undisturbed one."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from command_line import Command

from seqloom.__main__ import run

TRAIN = ("--target", "load (MW)", "--lookback", "12", "--horizon", "3", "--model", "linear,gru", "--units", "4")
LONG = (
    *TRAIN,
    "--recurrent-dropout",
    ".2",
    "--epochs",
    "20",
    "--steps-per-epoch",
    "3",
    "--threads",
    "1",
    "--seed",
    "2",
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def start(hourly: Path, *flags: object) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "seqloom", "forecast", str(hourly), *LONG, *map(str, flags)]
    # A job that a shell started in the background ignores SIGINT, and would hand that down.
    obey = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=obey)


def wait_for(found: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 60
    while not any(found.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "no checkpoint was written"
        time.sleep(0.005)


def test_while_the_command_is_being_loaded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Pressed:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "seqloom.app.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "seqloom.app.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed, *sys.meta_path])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert (stopped.value.code, capsys.readouterr().err) == (130, "Interrupted.\n")


def test_while_a_text_is_executed_during_loading(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("""
import sys
class Pressed:
    @staticmethod
    def find_spec(name, *_):
        if name == "seqloom.app.main":
            exec("raise KeyboardInterrupt")
sys.meta_path.insert(0, Pressed)
""")
    command, environment = [sys.executable, "-m", "seqloom", "data"], {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


@pytest.mark.slow
def test_interrupted_and_resumed_run_equals_an_undisturbed_one(command: Command, hourly: Path, tmp_path: Path) -> None:
    broken, whole = tmp_path / "a run", tmp_path / "whole"
    with start(hourly, "--out", broken) as process:
        wait_for(broken, "checkpoint/gru/*.json", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert err == f"Interrupted. Resume with: seqloom forecast --resume {shlex.quote(str(broken))}\n"
    assert "Traceback" not in out
    assert not (broken / "metrics.json").exists()

    shown = command("inspect", broken)
    assert shown.code == 0
    assert "An unfinished run, started 20" in shown.out
    assert "networks with a checkpoint: gru, linear." in shown.out
    assert f"Resume with: seqloom forecast --resume '{broken}'" in shown.out
    about = json.loads(command("inspect", broken, "--json").out)
    assert (about["finished"], about["begun"]) == (False, ["gru", "linear"])

    words = shlex.split(err.split("Resume with: seqloom ")[1])
    assert command(*words).code == 0
    assert command("forecast", hourly, *LONG, "--out", whole).code == 0
    resumed, undisturbed = files_of(broken), files_of(whole)
    assert set(resumed) == set(undisturbed)
    assert {"report.html", "metrics.json", "forecast.csv", "model/model.safetensors"} <= set(resumed)
    different = [name for name in resumed if resumed[name] != undisturbed[name]]
    assert different == ["run.json"]


def test_interrupted_without_out_says_that_nothing_was_kept(
    command: Command, hourly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqloom.tasks.forecast.compare_forecasters", stop)
    outcome = command("forecast", hourly, *TRAIN)
    assert (outcome.code, outcome.err) == (130, "Interrupted; nothing was kept, because no --out folder was given.\n")
    outcome = command("forecast", hourly, *TRAIN, "--out", hourly.parent / "run")
    assert (outcome.code, outcome.err) == (130, "Interrupted before anything was written.\n")
    monkeypatch.setattr("seqloom.tasks.Forecaster.cross_validate", stop)
    outcome = command("backtest", hourly, *TRAIN)
    assert (outcome.code, outcome.err) == (130, "Interrupted; a backtest keeps nothing.\n")
    monkeypatch.setattr("seqloom.app.reading.read_table", stop)
    outcome = command("data", hourly)
    assert (outcome.code, outcome.err) == (130, "Interrupted.\n")
