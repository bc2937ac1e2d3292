"""Bounds on memory and on what is unpacked; the boundary around readers."""

from __future__ import annotations

import io
import resource
import subprocess
import sys

import pytest

from seqloom.errors import DataError, FormatError, SettingError, printable, shown
from seqloom_runtime.limits import in_words, memory_left, need_memory, read_limit, read_stream, reading


class PanicException(BaseException):
    """Stands for the one of polars, which can't be raised at will."""


@pytest.mark.parametrize(
    "fault",
    [
        ValueError("bad"), KeyError("x"), IndexError("i"), OverflowError("o"), ZeroDivisionError(), EOFError(),
        RuntimeError("r"), MemoryError(), RecursionError(), AttributeError("a"), NotImplementedError("n"),
        OSError("no number"), AssertionError(), PanicException("panicked"),
    ],
    ids=lambda fault: type(fault).__name__,
)  # fmt: skip
def test_whatever_a_reader_meets_names_the_file(fault):
    with pytest.raises(DataError, match=r"^x\.csv: ") as caught, reading("x.csv", "table"):
        raise fault
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize(
    "fault", [FormatError("ours"), FileNotFoundError(2, "none"), KeyboardInterrupt(), SystemExit(3)]
)
def test_what_passes_the_boundary(fault):
    with pytest.raises(type(fault)) as caught, reading("x.csv"):
        raise fault
    assert caught.value is fault


def test_a_stream_ends_at_its_limit():
    assert read_stream(io.BytesIO(b"a" * 3_000_000), "f", 3_000_000) == b"a" * 3_000_000
    with pytest.raises(DataError, match=r"^f: holds more than 2\.9 MiB"):
        read_stream(io.BytesIO(b"a" * 3_000_001), "f", 3_000_000)
    with open("/dev/zero", "rb") as endless, pytest.raises(DataError, match="SEQLOOM_READ_LIMIT"):
        read_stream(endless, "/dev/zero", 1 << 22)


def test_the_limit_of_a_stream_is_a_setting(monkeypatch):
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "5m")
    assert read_limit() == 5 << 20
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1000t")
    assert read_limit() <= memory_left()
    for bad in ("much", "-1", "1e9", "²", "g"):
        monkeypatch.setenv("SEQLOOM_READ_LIMIT", bad)
        with pytest.raises(SettingError, match="SEQLOOM_READ_LIMIT"):
            read_limit()


def test_memory_that_is_not_there():
    need_memory(1000, "x")
    with pytest.raises(SettingError, match=r"^units: 10 needs .* TiB of memory, .* are free\. Ask for less\.$"):
        need_memory(1e15, "units: 10", "Ask for less.")


def test_a_limit_on_the_process_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from seqloom_runtime.limits import memory_left; print(memory_left())"
    )
    left = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert 0 < left < 1 << 30
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY or memory_left() > 0


def test_sizes_in_words():
    assert [in_words(n) for n in (0, 1023, 1024, 150 << 10, 5 << 40)] == [
        "0 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "150 KiB",
        "5.0 TiB",
    ]


def test_texts_are_shown_on_one_line_without_commands_to_the_terminal():
    assert printable("über 東京 🙂") == "über 東京 🙂"
    assert printable("a\x01b\x1b[2J\nc\x9b\u202e\ud800\u2028") == "a\\x01b\\x1b[2J\\nc\\x9b\\u202e\\ud800\\u2028"
    assert printable("a\nb\t", keep="\n\t") == "a\nb\t"


def test_values_are_shown_short():
    assert shown(0.5) == "0.5"
    assert len(shown("a" * 10**7)) <= 80
    assert len(shown(list(range(10**5)), 40)) <= 40
    assert "too long" in shown(10**10000)
    assert shown("\x1b[31m") == "'\\x1b[31m'"
