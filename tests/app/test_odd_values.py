"""Whatever a flag is given, the command answers at once: it runs, or says in one sentence why it doesn't."""

from __future__ import annotations

import contextlib
import resource
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome, invoke
from odd_values import BASE, calls, make_files

_ROOM = 6 << 30  # bytes of address space above what the process has: an array of 10⁹ numbers shows
_AT_ONCE = 10.0  # seconds, on a machine that others use too


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Let the process ask for `_ROOM` more bytes, not for all that the machine has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def quick_runs(tmp_path_factory: pytest.TempPathFactory, hourly_text: str, trained: Path) -> Path:
    """A folder with what the quick runs read."""
    folder = tmp_path_factory.mktemp("odd")
    make_files(folder, hourly_text)
    (folder / "trained").symlink_to(trained)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("seqloom.report.build", lambda folder: folder)
        made = invoke("lm", *BASE["lm"][:-1], "gru", "--out", "language")
    assert made.code == 0, made
    return folder


def check(arguments: tuple[str, ...]) -> None:
    """Run it; exit code 0, or 2 with one sentence, and soon."""
    began = time.monotonic()
    with little_memory():
        outcome = invoke(*arguments)
    seconds = time.monotonic() - began
    told = (*arguments[:1], arguments[-1][:60], outcome.err[-300:])
    assert outcome.code in (0, 2), told
    assert seconds < _AT_ONCE, (seconds, *told)
    if outcome.code == 2:
        one_sentence(outcome, told)


def one_sentence(outcome: Outcome, told: object) -> None:
    assert outcome.err.startswith("error: "), told
    assert outcome.err.count("\n") == 1, told
    assert len(outcome.err) < 2000, (len(outcome.err), told)
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in outcome.err[:-1]), told
    assert outcome.out == "", told


@pytest.mark.parametrize("command", sorted(BASE))
def test_the_quick_run_runs(command: str, quick_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if command == "transcribe":
        pytest.importorskip("kaldi_native_fbank", reason="needs the extra speech")
    monkeypatch.chdir(quick_runs)
    assert invoke(command, *BASE[command]).code == 0


def test_odd_values_of_some_options(quick_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A selection that every machine makes alike; `make check-deep` runs them all."""
    monkeypatch.chdir(quick_runs)
    every = calls()
    for number in np.random.default_rng(9).permutation(len(every))[:80]:
        check(every[number])


SIZES = [
    *(("forecast", f"--{flag}") for flag in ("units", "layers", "lookback", "horizon", "every", "season")),
    *(("forecast", f"--{flag}") for flag in ("batch-size", "channels", "kernel-size", "max-fill")),
    *(("forecast", f"--{flag}") for flag in ("epochs", "steps-per-epoch")),
    *(("classify", f"--{flag}") for flag in ("units", "max-length", "embedding-size", "hidden", "batch-size")),
    *(("sequences", f"--{flag}") for flag in ("units", "layers", "epochs")),
    *(("tag", f"--{flag}") for flag in ("units", "context", "embedding-size", "min-count")),
    *(("lm", f"--{flag}") for flag in ("units", "kernel-size", "window", "batch-size", "layers")),
    ("backtest", "--windows"), ("backtest", "--step"), ("backtest", "--gap"),
    ("predict", "--horizon"), ("generate", "--length"), ("reproduce", "--length"), ("reproduce", "--epochs"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "flag"), SIZES, ids=[f"{name}{flag}" for name, flag in SIZES])
def test_sizes_beyond_any_machine(command: str, flag: str, quick_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(quick_runs)
    base = BASE[command]
    if flag in base:
        base = base[: base.index(flag)] + base[base.index(flag) + 2 :]
    for value in ("1000000000000", "9" * 5000, *(["999999999999d"] if flag in ("--lookback", "--horizon") else [])):
        check((command, *base, f"{flag}={value}"))


@pytest.mark.deep
@pytest.mark.parametrize("command", sorted(BASE))
def test_odd_values_of_every_option(command: str, quick_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(quick_runs)
    for arguments in calls():
        if arguments[0] == command:
            check(arguments)
