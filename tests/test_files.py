"""Files that are whole or not there, strict JSON, and a lock that exactly one process holds."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import resource
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import FormatError, RunLockedError
from seqloom_runtime import files
from seqloom_runtime.files import folder_lock, read_json, sha256_bytes, sha256_file, write_bytes, write_json, write_text


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    for data in (b"one", b"", bytes(range(256)) * 1000):
        write_bytes(tmp_path / "a", data)
        assert (tmp_path / "a").read_bytes() == data
        assert os.listdir(tmp_path) == ["a"]
    write_text(tmp_path / "a", "grün")
    assert (tmp_path / "a").read_bytes() == b"gr\xc3\xbcn"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mode_follows_the_umask(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("operation", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_file(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(tmp_path / "a", b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, operation, full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_bytes(tmp_path / "a", b"new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "a"), None)  # not the temporary one
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_data_is_on_the_disk_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda *a: (order.append("replace"), replace(*a)))
    monkeypatch.setattr(
        os, "fsync", lambda d: (order.append("folder" if stat.S_ISDIR(os.fstat(d).st_mode) else "file"), fsync(d))
    )
    write_bytes(tmp_path / "a", b"x")
    assert order == ["file", "replace", "folder"]


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_bytes(tmp_path / "none" / "a", b"")
    assert caught.value.filename == str(tmp_path / "none" / "a")


def test_what_failed_first_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def gone(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(Path, "unlink", gone)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "a", b"new")


def test_a_full_disk_locks_too(tmp_path: Path) -> None:
    """Where not a byte can be written the folder is locked, it only can't be said by whom."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with folder_lock(tmp_path), pytest.raises(RunLockedError, match="unknown"), folder_lock(tmp_path):
            raise AssertionError("locked twice")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_text_that_is_no_unicode_comes_back_from_json(tmp_path: Path) -> None:
    """The name of a file that is no UTF-8, as Python hands it over."""
    write_json(tmp_path / "a.json", {"data": "h\udcff.csv"})
    assert read_json(tmp_path / "a.json") == {"data": "h\udcff.csv"}


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_json_reads_back_as_it_was(value: Any) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        write_json(Path(folder) / "a.json", value)
        assert repr(read_json(Path(folder) / "a.json")) == repr(value)


def test_json_keeps_the_order_and_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": math.nan, "a": (1, -math.inf), 3: "ü"})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": null,\n  "a": [\n    1,\n    null\n  ],\n  "3": "ü"\n}\n'
    with pytest.raises(TypeError):
        write_json(tmp_path / "b.json", {"a": object()})
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": 1,\n  b}', "expected JSON, found something else at line 2, column 3"),
        (b"", "at line 1, column 1"),
        (b'"a\xff"', "expected UTF-8 text, found byte 2 that is not UTF-8"),
        (b"[" * 200_000, "brackets nested too deeply"),
    ],
)
def test_other_files_are_refused_with_the_place(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(FormatError, match=words) as caught:
        read_json(tmp_path / "a.json")
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


@given(st.binary(max_size=2000))
def test_checksums(data: bytes) -> None:
    from tempfile import TemporaryDirectory

    expected = hashlib.sha256(data).hexdigest()
    assert sha256_bytes(data) == expected
    with TemporaryDirectory() as folder:
        (Path(folder) / "a").write_bytes(data)
        assert sha256_file(Path(folder) / "a") == expected


def test_the_lock_names_its_holder_and_goes(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
        with (
            pytest.raises(
                RunLockedError, match=rf"{tmp_path} is being written by another run \(process {os.getpid()}\)"
            ),
            folder_lock(tmp_path),
        ):
            raise AssertionError("locked twice")
    assert os.listdir(tmp_path) == []
    with pytest.raises(KeyError), folder_lock(tmp_path):
        raise KeyError
    with folder_lock(tmp_path):
        pass


def test_a_lock_that_a_dead_process_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("99999999\n")
    with folder_lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_won_on_a_removed_file_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is opened, then its holder removes it and a third one locks a new file; only then the lock is tried."""
    real = files.fcntl.flock
    third: list[Any] = []

    def late(file: Any, operation: int) -> None:
        if not third:
            third.append(None)
            (tmp_path / ".lock").unlink()
            third[0] = open(tmp_path / ".lock", "a+")  # noqa: SIM115
            real(third[0], operation)
        real(file, operation)

    monkeypatch.setattr(files.fcntl, "flock", late)
    with pytest.raises(RunLockedError), folder_lock(tmp_path):
        raise AssertionError("two hold the lock")
    third[0].close()
    with folder_lock(tmp_path):
        pass


def test_letting_go_does_not_remove_the_file_of_another(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        (tmp_path / ".lock").unlink()
        (tmp_path / ".lock").write_text("of another")
    assert (tmp_path / ".lock").read_text() == "of another"


def _compete(folder: Path, rounds: int, held: Any, clashes: Any) -> None:
    done = 0
    while done < rounds:
        try:
            with folder_lock(folder):
                if not held.acquire(block=False):
                    clashes.value += 1
                    return
                held.release()
                done += 1
        except RunLockedError:
            time.sleep(0)


def test_processes_that_compete_never_hold_it_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    held, clashes = context.Lock(), context.Value("i", 0)
    processes = [context.Process(target=_compete, args=(tmp_path, 150, held, clashes)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert clashes.value == 0


def test_read_json_of_what_json_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([1, 2.5, None]))
    assert read_json(tmp_path / "a.json") == [1, 2.5, None]
