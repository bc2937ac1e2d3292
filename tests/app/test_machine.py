"""What the machine refuses ends in one sentence: full disks, limits on files and memory, closed streams."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command, Outcome

from seqloom.app.faults import interrupted, of_the_machine, shortened
from seqloom.app.progress import Progress

TRAIN = ("--target", "load (MW)", "--lookback", "12", "--horizon", "3", "--threads", "1", "--model", "linear,gru")
BRIEF = (*TRAIN, "--units", "4", "--epochs", "2", "--steps-per-epoch", "2")


def shell(text: str, folder: Path | None = None, variables: dict[str, str] | None = None) -> Outcome:
    """Run a line of bash, in which `seqloom` is this package's command."""
    line = text.replace("seqloom", f"{shlex.quote(sys.executable)} -m seqloom", 1)
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        cwd=folder,
        env=environment,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    out, err = (stream.decode("utf-8", errors="backslashreplace") for stream in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("arguments", ["--help", "--version", "reproduce"])
def test_a_full_standard_output(arguments: str) -> None:
    outcome = shell(f"seqloom {arguments} > /dev/full")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: standard output: no space is left on the device; ")
    assert outcome.err.count("\n") == 1


def test_a_full_standard_error() -> None:
    assert shell("seqloom --nonsense 2> /dev/full").code == 2


def test_a_closed_standard_output() -> None:
    outcome = shell("seqloom reproduce >&-")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: standard output is closed")
    assert outcome.err.count("\n") == 1


def test_complaints_don_t_go_to_the_standard_output() -> None:
    """With stderr closed Python prints what is meant for it on stdout, which may be a file of results."""
    outcome = shell("seqloom --nonsense 2>&-")
    assert (outcome.code, outcome.out) == (2, "")


def test_closed_streams_never_become_a_file_of_ours() -> None:
    """The number of a closed stream is given to the next file that is opened: what is printed would go into it."""
    ready = "from seqloom.app.streams import ready_streams; ready_streams()"
    code = f"import os; {ready}; print(os.open('/dev/zero', 0))"
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} <&- 2>&-"],
        capture_output=True,
        check=True,
    )
    assert int(done.stdout) > 2


@pytest.mark.parametrize("variables", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_lacks_our_signs(variables: dict[str, str]) -> None:
    outcome = shell("seqloom forecast --help", variables=variables)
    assert (outcome.code, outcome.err) == (0, "")
    assert "A,B,..." in outcome.out
    outcome = shell("seqloom forecast --nöthing", variables=variables)
    assert outcome.code == 2
    assert outcome.err.startswith("error: No such option: --n")


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    outcome = shell("mkdir gone; cd gone; rmdir ../gone; seqloom data ../x.csv", folder=tmp_path)
    assert outcome.code == 2
    assert outcome.err == (
        "error: the folder that you are in is gone or can't be read; change to another one and start again.\n"
    )


def test_too_little_address_space(hourly: Path) -> None:
    outcome = shell(f"ulimit -v 2000000; seqloom data {hourly}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: seqloom needs 2.8 GiB of address space, 1.9 GiB are allowed; raise that limit (ulimit -v unlimited).\n"
    )


def test_few_open_files_are_refused_before_a_library_panics(hourly):
    outcome = shell(f"ulimit -n 10; seqloom data {hourly}")
    assert outcome.code == 2
    assert outcome.err == "error: seqloom opens up to 32 files, 10 are allowed; raise that limit (ulimit -n).\n"
    assert shell(f"ulimit -S -n 12; seqloom data {hourly}").code == 0  # what may be raised is raised


def test_too_little_address_space_for_the_charts(
    command: Command, hourly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (8 << 30, resource.RLIM_INFINITY))
    outcome = command("forecast", hourly, *BRIEF, "--out", hourly.parent / "run")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(
        "error: --out: drawing the report needs 76.0 GiB of address space, 8.0 GiB are allowed"
    )
    assert not (hourly.parent / "run").exists()


@pytest.mark.deep
@pytest.mark.parametrize("limit", [8, 12, 24])
def test_a_limit_on_files_leaves_a_run_that_resumes(limit: int, hourly: Path, tmp_path: Path, command: Command) -> None:
    """`ulimit -f` stands for a disk that is full: writes fail half way."""
    names = " ".join(map(shlex.quote, BRIEF))
    outcome = shell(f"ulimit -f {limit}; seqloom forecast {hourly} {names} --quiet --out run", folder=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert "run/" in outcome.err
    assert "ulimit -f" in outcome.err
    assert "Then resume with: seqloom forecast --resume run" in outcome.err
    assert not [p for p in (tmp_path / "run").rglob("*") if p.name.endswith(".tmp") or p.name == ".lock"]
    assert command("forecast", "--resume", tmp_path / "run", "--quiet").code == 0
    assert command("forecast", hourly, *BRIEF, "--quiet", "--out", tmp_path / "whole").code == 0
    broken, whole = files_of(tmp_path / "run"), files_of(tmp_path / "whole")
    assert set(broken) == set(whole)
    assert [name for name in whole if broken[name] != whole[name] and name != "run.json"] == []


@pytest.mark.parametrize("fails", [errno.ENOSPC, pytest.param(errno.EIO, marks=pytest.mark.deep)])
@pytest.mark.usefixtures("no_report")
def test_a_disk_that_fails_at_any_write(
    fails: int, command: Command, hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = (*TRAIN[:-1], "linear", "--epochs", "1", "--quiet")
    assert command("forecast", hourly, *flags, "--out", tmp_path / "whole").code == 0
    whole = files_of(tmp_path / "whole")
    real, writes = os.fsync, [0]

    def fsync(descriptor: int) -> None:
        writes[0] += 1
        if writes[0] == failing:
            raise OSError(fails, os.strerror(fails))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    for failing in (1, 2, 3, 6, 10, 16, 21):
        run, writes[0] = tmp_path / f"run{failing}", 0
        outcome = command("forecast", hourly, *flags, "--out", run)
        assert outcome.code == 2, (failing, outcome)
        assert outcome.err.startswith(f"error: {run}/"), outcome.err
        assert outcome.err.count("\n") == 1
        if run.exists():
            assert not [p for p in run.rglob("*") if p.name.endswith(".tmp") or p.name == ".lock"]
        resumes = (run / "run.json").exists()
        assert ("--resume" in outcome.err) == resumes
        again = ("--resume", run, "--quiet") if resumes else (hourly, *flags, "--out", run)
        assert command("forecast", *again).code == 0
        assert {name: data for name, data in files_of(run).items() if name != "run.json"} == {
            name: data for name, data in whole.items() if name != "run.json"
        }


def test_an_empty_folder_of_the_user_s_stays(
    command: Command, hourly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr("seqloom.app.reading.require_report", lambda: None)
    (tmp_path / "mine").mkdir()
    for name, stays in (("mine", True), ("new", False)):
        assert command("forecast", hourly, *BRIEF, "--out", tmp_path / name).code == 2
        assert (tmp_path / name).exists() == stays


@pytest.mark.deep
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGKILL, signal.SIGXCPU])
def test_what_a_signal_leaves_resumes(kill: signal.Signals, hourly: Path, tmp_path: Path, command: Command) -> None:
    flags = (*TRAIN, "--units", "4", "--epochs", "30", "--steps-per-epoch", "3", "--quiet")
    run = tmp_path / "run"
    arguments = [sys.executable, "-m", "seqloom", "forecast", str(hourly), *flags, "--out", str(run)]

    def defaults() -> None:
        signal.signal(kill, signal.SIG_DFL) if kill not in (signal.SIGKILL,) else None

    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=defaults) as process:
        limit = time.monotonic() + 60
        while not any(run.glob("checkpoint/gru/*.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.005)
        process.send_signal(kill)
        process.communicate()
    assert command("forecast", "--resume", run, "--quiet").code == 0
    assert command("forecast", hourly, *flags, "--out", tmp_path / "whole").code == 0
    broken, whole = files_of(run), files_of(tmp_path / "whole")
    assert [name for name in whole if broken.get(name) != whole[name] and name != "run.json"] == []


@pytest.mark.deep
def test_ctrl_c_while_everything_is_imported(hourly: Path) -> None:
    for delay in np.linspace(0.25, 4.0, 40):
        arguments = [sys.executable, "-m", "seqloom", "forecast", str(hourly), *BRIEF, "--epochs", "3000"]
        obey: Callable[[], object] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=obey) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        # Python ends itself by the signal where Ctrl-C fell into a text that is executed; to a shell both are 130.
        assert process.returncode in (130, -signal.SIGINT), (delay, out, err)
        assert err.decode().startswith("Interrupted"), (delay, err)


def allocation() -> BaseException:
    """What torch raises where the machine has no such memory."""
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as fault:
        return fault
    raise AssertionError


def array() -> BaseException:
    """What NumPy raises."""
    try:
        np.empty(1 << 60, dtype=np.uint8)
    except MemoryError as fault:
        return fault
    raise AssertionError


class PanicException(BaseException):
    """Stands for the one that libraries in Rust raise."""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (allocation(), "not enough memory: 1,048,576 TiB more were asked for, "),
        (array(), "not enough memory: 1.00 EiB more were asked for, "),
        (MemoryError(), "not enough memory: "),
        (RuntimeError("std::bad_alloc"), "not enough memory: "),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough memory: "),
        (RecursionError("deep"), "the input is nested too deeply; "),
        (PanicException("index out of bounds\nbacktrace"), "a library gave up (index out of bounds); "),
        (ImportError("libtorch.so: failed to map segment"), "a library can't be loaded (libtorch.so: failed to map "),
        (RuntimeError("can't start new thread"), "no further thread can be started; raise the limit on processes"),
        (OSError(errno.EMFILE, "", "/a/b"), "/a/b: too many files are open; raise the limit (ulimit -n)."),
        (OSError(errno.EROFS, "", "/a/b"), "/a/b: the file system is read-only; choose another folder."),
        (OSError(errno.ENAMETOOLONG, "", "x" * 5000), "x" * 90),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host."),
        (
            UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"),
            "'\\udcff' can't be written as utf-8; ",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_faults_of_the_machine_have_a_sentence(fault: BaseException, words: str) -> None:
    text = of_the_machine(fault, ("batch_size", "units"))
    assert text is not None
    assert text.startswith(words)
    assert "\n" not in text
    assert len(text) < 400
    if words.startswith("not enough memory"):
        assert "lower --batch-size or --units, or give less data." in text
    fault.add_note("Then go on with: x")
    assert str(of_the_machine(fault)).endswith(" Then go on with: x")


@pytest.mark.parametrize(
    "fault", [ZeroDivisionError(), KeyError("x"), RuntimeError("ours"), OSError("without a number")]
)
def test_faults_of_ours_have_none(fault: BaseException) -> None:
    assert of_the_machine(fault) is None


def test_ctrl_c_that_an_import_turned_into_something_else() -> None:
    fault = ImportError("numpy.core.multiarray failed to import")
    fault.__context__ = SystemError("error return without exception set")
    assert not interrupted(fault)
    fault.__context__.__cause__ = KeyboardInterrupt()
    assert interrupted(fault)


def test_messages_are_made_fit_for_a_terminal() -> None:
    assert shortened("a\x1b[2Jb\nc") == "a\\x1b[2Jb\\nc"
    assert len(shortened("x" * 10**6)) < 200
    assert len(shortened("x y " * 10**5)) < 2000


def test_a_terminal_that_went_away_does_not_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    with Progress(bar=True, notices=True) as progress:
        progress(type("Notice", (), {"text": "resumed"})())


@pytest.mark.usefixtures("no_report")
def test_a_file_name_that_is_no_text(command: Command, hourly: Path, tmp_path: Path) -> None:
    odd = hourly.with_name("h\udcff.csv")
    hourly.rename(odd)
    done = command("forecast", odd, *TRAIN[:-1], "linear", "--epochs", "1", "--quiet", "--out", tmp_path / "run")
    assert done.code == 0, done
    assert command("forecast", "--resume", tmp_path / "run", "--quiet").code == 0
