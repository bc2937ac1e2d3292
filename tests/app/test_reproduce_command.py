"""`seqloom reproduce`: the list, a quick run, resuming, Ctrl-C, and what it refuses."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from command_line import Command, Refused, Terminal

from seqloom.studies import STUDIES

QUICK = ("reproduce", "sine", "--quick", "--threads", 1)


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The charts of a study take seconds; the tests of the studies draw them."""
    monkeypatch.setattr("seqloom.studies.writing.svg", lambda picture, themed=False: "<svg></svg>")
    monkeypatch.setattr("seqloom.studies.writing.png", lambda picture: b"")


def test_without_a_name_the_studies_are_listed(command: Command) -> None:
    shown = command("reproduce")
    assert shown.code == 0
    assert all(name in shown.out for name in STUDIES)
    assert set(json.loads(command("reproduce", "--json").out)) == set(STUDIES)


@pytest.mark.usefixtures("no_charts")
def test_a_quick_run(command: Command, tmp_path: Path) -> None:
    # Every row of every study is run in tests/studies.
    shown = command(*QUICK, "--rows", "naive,rnn,gru", "--out", tmp_path / "run")
    assert shown.code == 0, shown
    assert "SimpleRNN(10)" in shown.out
    assert f"Report: {tmp_path / 'run'}/report.html" in shown.out
    assert "figures mean nothing" in shown.out
    assert shown.err.count("\n") == 3
    assert shown.err.startswith("1/3 last value: MSE 0.004913")
    looked = command("inspect", tmp_path / "run")
    assert looked.code == 0
    assert looked.out.startswith("# A sine wave, one step ahead\n")
    assert "Unfinished" not in looked.out
    assert json.loads(command("inspect", tmp_path / "run", "--json").out)["results"]["study"] == "sine"
    again = command("reproduce", "--resume", tmp_path / "run", "--quiet")
    assert again.code == 0
    assert not again.err
    assert again.out.splitlines()[1].startswith("last value")
    about = json.loads(command("reproduce", "sine", "--resume", tmp_path / "run", "--json", "--quiet").out)
    assert about["rows"][0]["name"] == "naive"
    assert about["out"] == str(tmp_path / "run")


@pytest.mark.usefixtures("no_charts")
def test_workers_find_the_same(command: Command, tmp_path: Path) -> None:
    asked = ("reproduce", "sine", "--quick", "--rows", "naive,rnn", "--seeds", "3,4", "--threads", 1)
    one = command(*asked, "--out", tmp_path / "one")
    two = command(*asked, "--out", tmp_path / "two", "--engine", "local", "--workers", 2)
    assert (one.code, two.code) == (0, 0), two.err
    assert two.err.count("\n") == 3
    for name in ("results.json", "rows/rnn.seed4.json"):
        first, second = (json.loads((tmp_path / run / name).read_text()) for run in ("one", "two"))
        for each in (first, second):
            for timing in ("timings", "seconds", "epoch_seconds"):
                each.pop(timing, None)
        assert first == second
    assert not (tmp_path / "two" / "checkpoint").exists()


def test_without_a_folder_nothing_is_kept(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = command(*QUICK, "--rows", "naive,rnn", "--seeds", "3,4")
    assert shown.code == 0
    assert "Nothing was kept" in shown.out
    assert "SimpleRNN(10), seed 4: " in shown.err
    assert not list(tmp_path.iterdir())


def test_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    shown = terminal(*QUICK, "--rows", "naive,rnn", columns=70)
    assert shown.code == 0
    assert "2/2 SimpleRNN(10): MSE" in shown.text
    last = shown.text[shown.text.index("A sine wave") :]
    assert max(map(len, last.splitlines())) <= 70


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["sin"], "Did you mean 'sine'?"),
        (
            ["sine", "--rows", "rnm"],
            "got 'rnm'. Did you mean 'rnn'?",
        ),
        (["sine", "--seeds", "1,x"], "--seeds: expected numbers"),
        (["sine", "--seeds", "-1"], "--seeds: "),
        (["sine", "--epochs", "0"], "--epochs: "),
        (["sine", "--length", "5"], "--length: the study 'sine' has no such setting"),
        (["sine", "--time-limit", "3"], "--time-limit: the study 'sine' has no such setting"),
        (["compare-cells", "--time-limit", "0"], "--time-limit: expected a number of minutes above 0"),
        (["sine", "--threads", "0"], "--threads: "),
        (["sine", "--resume", "nowhere"], "--resume: expected a run folder"),
        (["sine", "--resume", "nowhere", "--out", "other"], "--out can't be given"),
    ],
)
def test_bad_flags(refused: Refused, flags: list[str], words: str, tmp_path: Path) -> None:
    out = [] if "--resume" in flags else ["--out", tmp_path / "run"]
    assert words in refused("reproduce", *flags, *out)
    assert not (tmp_path / "run").exists()


def test_resume_of_another_run(refused: Refused, command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert command(*QUICK, "--rows", "naive", "--out", folder).code == 0
    assert "is of the study 'sine', not 'compare-cells'" in refused("reproduce", "compare-cells", "--resume", folder)
    assert "--epochs: the run in" in refused("reproduce", "--resume", folder, "--epochs", 7)
    assert "not empty" in refused(*QUICK, "--out", folder)
    record = json.loads((folder / "run.json").read_text())
    for change, words in (
        ({"study": "sinus"}, "names no study"),
        ({"settings": {}}, "expected the settings"),
        ({"settings": {**record["settings"], "epochs": "many"}}, "expected a whole number, found 'many'"),
        ({"command": "forecast"}, "another file"),
    ):
        (folder / "run.json").write_text(json.dumps({**record, **change}))
        assert words in refused("reproduce", "--resume", folder)


@pytest.mark.slow
@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize("kind", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.deep)])
def test_stopped_from_outside(kind: signal.Signals, command: Command, tmp_path: Path) -> None:
    broken, whole = tmp_path / "a run", tmp_path / "whole"
    flags = ("sine", "--epochs", "12", "--rows", "naive,rnn,gru", "--threads", "1")
    obey = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    words = [sys.executable, "-m", "seqloom", "reproduce", *flags, "--quiet", "--out", str(broken)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=obey) as process:
        limit = time.monotonic() + 60
        while not any(broken.glob("checkpoint/gru.seed0/training/*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.005)
        process.send_signal(kind)
        _, err = process.communicate()
    assert not (broken / "rows" / "gru.seed0.json").exists()
    if kind == signal.SIGINT:
        assert process.returncode == 130
        assert err == f"Interrupted. Resume with: seqloom reproduce --resume {shlex.quote(str(broken))}\n"
        shown = command("inspect", broken).out
        assert "| last value |" in shown
        assert f"Unfinished. Resume with: seqloom reproduce --resume {shlex.quote(str(broken))}" in shown
    assert command("reproduce", "--resume", broken, "--quiet").code == 0
    assert command("reproduce", *flags, "--out", whole, "--quiet").code == 0
    found = [json.loads((folder / "results.json").read_text()) for folder in (broken, whole)]
    assert found[0].pop("timings").keys() == found[1].pop("timings").keys()
    assert found[0] == found[1]
