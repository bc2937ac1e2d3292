"""Hostile and damaged tables: bombs, pipes, devices, odd encodings, odd column types, files with bytes changed, claims
that no memory holds. Each is read, or refused in one sentence."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seqloom.data import Panel, guess_time_column, read_panel, read_table
from seqloom.errors import DataError, SettingError
from seqloom_runtime import limits
from seqloom_runtime.data.table import Table

PLAIN = "time,x\n2020-01-01,1\n2020-01-02,2\n2020-01-03,4\n"
START = dt.datetime(2020, 1, 1)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: 1 << 20)


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """No timing: a guard, so that quadratic work fails instead of taking minutes."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def sentence(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 1000
    return text


# -- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "base64", "rot13", "hex", "zip", "bz2", "uu", "quopri", "punycode", "idna", "undefined", "unicode_escape",
        "raw_unicode_escape", "mbcs", "oem", "utf\0-8", "x" * 100_000, "",
    ],
    ids=lambda name: name[:12].replace("\0", "0"),
)  # fmt: skip
def test_codecs_that_are_no_encoding_of_text(write, name):
    with pytest.raises(SettingError, match="encoding: expected the name of a text encoding") as error:
        read_table(write(PLAIN), encoding=name)
    sentence(error)


def test_text_that_decodes_to_what_utf8_cannot_hold(write):
    assert read_panel(write(PLAIN.encode("utf-7")), time="time", encoding="utf-7").columns == ("x",)
    with pytest.raises(DataError, match="not in utf-7"):
        read_table(write(b"a,b\n+2AA-,1\n"), encoding="utf-7")  # half of a surrogate pair


def test_a_fault_behind_the_first_piece_keeps_its_place(write, monkeypatch):
    monkeypatch.setattr("seqloom_runtime.data.encodings._PIECE", 64)
    text = ("a,b\n" + "ä,1\n" * 100).encode()
    assert read_table(write(text)).rows == 100
    with pytest.raises(DataError, match=f"line 102: byte 0xFF at position {len(text)} "):
        read_table(write(text + b"\xff,1\n"))


# -- bombs ----------------------------------------------------------------------------------------------------------


def test_unpacking_ends_at_a_bound(write, monkeypatch):
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1m")
    bomb = gzip.compress(b"x\n" + b"1\n" * 5_000_000)
    lying = bomb[:-4] + (100).to_bytes(4, "little")
    many = gzip.compress(b"x\n" + b"1\n" * 400_000) * 3
    for content in (bomb, lying, many):
        with pytest.raises(DataError, match=r"holds more than 1\.0 MiB once it is unpacked.*SEQLOOM_READ_LIMIT"):
            read_table(write(content, "bomb.csv.gz"))
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "16m")
    assert read_table(write(bomb, "bomb.csv.gz")).rows == 5_000_000


def test_many_small_members_take_linear_time(write):
    members = gzip.compress(b"x\n") + gzip.compress(b"1\n") * 150_000
    with within(60):
        assert read_table(write(members, "many.csv.gz")).rows == 150_000


def test_what_follows_a_gzip_member(write):
    packed = gzip.compress(PLAIN.encode())
    assert read_table(write(packed + b"\0" * 100)).rows == 3
    assert read_table(write(packed + gzip.compress(b"2020-01-04,5\n"))).rows == 4
    with pytest.raises(DataError, match="gzip file is damaged"):
        read_table(write(packed + b"rest"))
    with pytest.raises(DataError, match="cut short"):
        read_table(write(packed + packed[:-3]))


# -- what is no file ------------------------------------------------------------------------------------------------


def through_a_pipe(path: Path, content: bytes) -> threading.Thread:
    os.mkfifo(path)

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), open(path, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    return thread


class Input(io.TextIOWrapper):
    """Stands for standard input."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def parquet_bytes() -> bytes:
    file = io.BytesIO()
    pl.read_csv(PLAIN.encode(), try_parse_dates=True).write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("form", ["plain", "gzip", "parquet"])
def test_pipes_and_standard_input(tmp_path, monkeypatch, form):
    content = {"plain": PLAIN.encode(), "gzip": gzip.compress(PLAIN.encode()), "parquet": parquet_bytes()}[form]
    feeder = through_a_pipe(tmp_path / "pipe", content)
    table = read_table(tmp_path / "pipe")
    feeder.join()
    assert guess_time_column(table) == "time"
    monkeypatch.setattr(sys, "stdin", Input(content))
    panel = read_panel("-", time="time")
    assert panel.quality is not None
    assert panel.quality.source == "standard input"
    np.testing.assert_array_equal(panel.values[:, 0], [1, 2, 4])
    with pytest.raises(DataError, match="standard input: expected a table, the file is empty"):
        read_table("-")


def test_a_pipe_ends_at_a_bound(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1m")
    through_a_pipe(tmp_path / "pipe", b"x\n" * 5_000_000)
    with pytest.raises(DataError, match=r"pipe: holds more than 1\.0 MiB"):
        read_table(tmp_path / "pipe")
    monkeypatch.setattr(sys, "stdin", Input(b"x\n" * 5_000_000))
    with pytest.raises(DataError, match=r"standard input: holds more than 1\.0 MiB"):
        read_table("-")


def test_devices_sockets_and_a_closed_input(tmp_path, monkeypatch):
    with within(20):
        for device in ("/dev/zero", "/dev/random", "/dev/full", "/dev/null"):
            with pytest.raises(DataError, match="is a device; expected a CSV or Parquet file"):
                read_table(device)
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(tmp_path / "socket"))
            with pytest.raises(DataError, match="is a socket; expected"):
                read_table(tmp_path / "socket")
        with pytest.raises(DataError, match="can't be read"):
            read_table("x" * 5000)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input: it is closed"):
        read_table("-")


def test_a_file_larger_than_the_memory(write, little_memory):
    with pytest.raises(DataError, match=r"data\.csv needs 2\.9 MiB of memory"):
        read_table(write("x\n" + "1\n" * 1_500_000))


# -- column types ---------------------------------------------------------------------------------------------------

ROWS = 3
COLUMNS: dict[str, pl.Series] = {
    "when": pl.datetime_range(START, START + dt.timedelta(days=2), "1d", eager=True),
    "wide": pl.Series([1, 2, 4], dtype=pl.Int128),
    "decimal": pl.Series([Decimal("1"), Decimal("2.0"), Decimal("4")]),
    "category": pl.Series(["1", "2", "4"], dtype=pl.Categorical),
    "enum": pl.Series(["1", "2", "4"], dtype=pl.Enum(["1", "2", "4"])),
    "truth": pl.Series([True, False, True]),
    "nothing": pl.Series([None, None, None]),
    "list": pl.Series([[1], [2], [4]]),
    "array": pl.Series([[1, 2]] * 3, dtype=pl.Array(pl.Int64, 2)),
    "record": pl.Series([{"a": 1}] * 3),
    "bytes": pl.Series([b"1", b"2", b"4"]),
    "duration": pl.Series([dt.timedelta(days=n) for n in (1, 2, 4)]),
    "clock": pl.Series([dt.time(n) for n in (1, 2, 4)]),
}
NUMBERS = ("wide", "decimal", "category", "enum")
ODD = ("list", "array", "record", "bytes", "duration", "clock")


@pytest.fixture(scope="module", params=["parquet", "arrow file", "polars", "arrow"])
def typed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Panel]:
    """A function that makes a panel of COLUMNS, however they arrive."""
    frame = pl.DataFrame(COLUMNS)
    path = tmp_path_factory.mktemp("typed") / "types"
    if request.param == "parquet":
        frame.write_parquet(path)
    elif request.param == "arrow file":
        frame.write_ipc(path)
    if request.param == "arrow":
        frame = frame.with_columns(pl.col("wide").cast(pl.Decimal(38, 0)))  # arrow has no integer of 128 bits
        return lambda **how: Panel.from_frame(frame.to_arrow(), **how)
    return lambda **how: Panel.from_frame(frame if request.param == "polars" else read_table(path), **how)


def test_types_that_are_numbers(typed):
    for name in NUMBERS:
        np.testing.assert_array_equal(typed(time="when", columns=[name]).values[:, 0], [1, 2, 4], err_msg=name)
    np.testing.assert_array_equal(typed(columns=["truth"]).values[:, 0], [1, 0, 1])


@pytest.mark.parametrize("name", ODD)
def test_types_that_are_none(typed, name):
    for how in ({"columns": [name]}, {"time": name, "columns": ["wide"]}, {"id": name, "columns": ["wide"]}):
        with pytest.raises(
            DataError, match=rf"column '{name}' is of type .*, which holds .*, not .*leave the"
        ) as error:
            typed(**how)
        sentence(error)


def test_types_of_times_and_ids(typed):
    for name in ("wide", "decimal", "category", "truth"):
        ids = typed(id=name, columns=["enum"]).ids
        assert ids in (("1", "2", "4"), ("1", "2.0", "4"), ("1.0", "2.0", "4.0"), ("False", "True")), name
    assert len(typed(time="category", columns=["wide"])) == 4  # a count with a gap
    for how in ({"time": "nothing"}, {"time": "truth"}, {"id": "nothing"}):
        with pytest.raises(DataError, match=r"column '(truth|nothing)'") as error:
            typed(columns=["wide"], **how)
        sentence(error)
    with pytest.raises(DataError, match="column 'nothing' holds no value at all"):
        typed(columns=["nothing"])


PANDAS: dict[str, tuple[Any, str | None]] = {
    "nullable": (pd.array([1, None, 4], dtype="Int64"), None),
    "category": (pd.Categorical(["1", "2", "4"]), None),
    "decimals": ([Decimal("1"), Decimal("2"), None], None),
    "arrow decimal": (pd.array([Decimal("1")] * 3, dtype=pd.ArrowDtype(pa.decimal128(5, 2))), None),
    "sparse": (pd.arrays.SparseArray([1.0, 2.0, 4.0]), None),
    "mixed": ([1, "2", 4.0], None),
    "period": (pd.period_range("2020-01", periods=3, freq="M"), "'period' holds times, but no time is named"),
    "interval": (pd.interval_range(0, 3), "expected a number"),
    "timedelta": (pd.to_timedelta([1, 2, 3], "s"), "which holds durations"),
    "complex": ([1 + 2j, 1j, 0j], "expected a number"),
    "lists": ([[1], [2], [3]], r"expected a number, got '\[1\]'"),
    "arrays": ([np.arange(3)] * 3, "expected a number"),
    "objects": ([object()] * 3, "expected a number"),
    "bytes": ([b"1", b"2", b"3"], "expected a number"),
    "dates": ([dt.date(2020, 1, n) for n in (1, 2, 3)], "'dates' holds times, but no time is named"),
}


@pytest.mark.parametrize("name", PANDAS)
def test_types_of_pandas(name):
    cells, words = PANDAS[name]
    frame = pd.DataFrame({name: pd.Series(cells)})
    if words is None:
        values = Panel.from_frame(frame, max_fill=0).values[:, 0]
        assert values[0] == 1
        assert values.dtype == np.float64
        return
    with pytest.raises(DataError, match=words) as error:
        Panel.from_frame(frame)
    sentence(error)
    for how in ({"id": name, "columns": ["y"]}, {"time": name, "columns": ["y"]}):
        with contextlib.suppress(DataError):
            Panel.from_frame(frame.assign(y=[1, 2, 3]), **how)


def test_whole_numbers_that_float64_rounds():
    big = pa.table(
        {"x": pa.array([2**53 + 1, 2**63 - 1, None], pa.int64()), "y": pa.array([2**64 - 1, 0, 1], pa.uint64())}
    )
    panel = Panel.from_frame(big, max_fill=0)
    np.testing.assert_array_equal(panel.values[:, 1], [float(2**64 - 1), 0, 1])
    np.testing.assert_array_equal(panel.values[:2, 0], [float(2**53 + 1), float(2**63 - 1)])


def test_names_of_frames_that_are_no_texts():
    frame = pd.DataFrame({0: [1.0, 2.0], 1: [3.0, 4.0]})
    np.testing.assert_array_equal(Panel.from_frame(frame).column("1"), [3, 4])
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=pd.Index([1, "1"], dtype=object))
    with pytest.raises(DataError, match="two columns named '1'"):
        Panel.from_frame(frame)


# -- damaged and lying files ----------------------------------------------------------------------------------------


def binary_tables() -> dict[str, bytes]:
    frame = pl.DataFrame({name: column for name, column in COLUMNS.items() if name not in ("nothing", "enum")})
    made = {}
    for packing in ("zstd", "snappy", "uncompressed"):
        file = io.BytesIO()
        frame.write_parquet(file, compression=packing)
        made[f"parquet {packing}"] = file.getvalue()
    for packing in ("uncompressed", "lz4", "zstd"):
        file = io.BytesIO()
        frame.write_ipc(file, compression=packing)
        made[f"arrow {packing}"] = file.getvalue()
    return made


def damaged(content: bytes, rng: random.Random) -> bytes:
    data, at = bytearray(content), rng.randrange(len(content))
    kind = rng.randrange(5)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        word = rng.choice(
            (b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 8, b"\0\0\0\x40", (1 << 40).to_bytes(8, "little"))
        )
        data[at : at + len(word)] = word
    elif kind == 3:
        data[-rng.randrange(1, 400)] = rng.randrange(256)
    else:
        data[at:at] = data[at : at + rng.randrange(1, 300)]
    return bytes(data)


def test_damaged_parquet_and_arrow_files(write, capfd):
    rng = random.Random(9)
    for content in binary_tables().values():
        for _ in range(60):
            path = write(damaged(content, rng), "damaged.bin")
            with contextlib.suppress(DataError):
                read_panel(path, time="when", columns=["wide", "decimal", "category"])
    assert capfd.readouterr() == ("", "")  # nor what polars prints where it panics


def test_a_parquet_file_that_repeats_one_value_a_billion_times(write, little_memory):
    file = io.BytesIO()
    pl.select(x=pl.repeat(1.5, 2_000_000)).write_parquet(file)
    assert len(file.getvalue()) < 100_000
    with pytest.raises(DataError, match=r"2,000,000 rows of 1 columns needs 15.3 MiB of memory"):
        read_table(write(file.getvalue(), "long.parquet"))
    file = io.BytesIO()
    pl.select(x=pl.repeat("y" * 5000, 1000)).write_parquet(file)
    with pytest.raises(DataError, match=r"its text needs 4.8 MiB of memory"):
        read_table(write(file.getvalue(), "long.parquet"))


def test_text_whose_places_need_more_than_the_memory(write, monkeypatch):
    lines, cells = write("x\n" + "1\n" * 200_000, "lines.csv"), write("a" + ",b" * 400_000, "cells.csv")
    monkeypatch.setattr(limits, "memory_left", lambda: 3 << 20)
    with pytest.raises(DataError, match=r"lines\.csv: 200,001 lines needs"):
        read_table(lines)
    with pytest.raises(DataError, match=r"cells\.csv"):
        read_table(cells)


def test_gaps_that_no_memory_can_hold(write):
    path = write("t,x\n0001-01-01 00:00:00,1\n0001-01-01 00:00:01,2\n9999-12-31 23:59:59,3\n")
    assert len(read_panel(path, time="t")) == 3
    with pytest.raises(DataError, match=r"filling gaps of up to 1,000,000,000,000 rows needs .* of memory"):
        read_panel(path, time="t", max_fill=10**12)


# -- many columns, many rows ----------------------------------------------------------------------------------------


class Counted(str):
    """A name that counts how often it is compared."""

    times = 0

    def __eq__(self, other: object) -> bool:
        Counted.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_the_last_of_many_names_comes_twice(write):
    names = ",".join(f"c{i}" for i in range(100_000))
    with within(60), pytest.raises(DataError, match="columns 1 and 100001 are both named 'c0'"):
        read_table(write(f"{names},c0\n1\n"))


def test_names_are_not_compared_each_with_each():
    count = 400
    names = [Counted(f"c{i}") for i in range(count)]
    panel = Panel.from_numpy(np.zeros((3, count)))
    object.__setattr__(panel, "columns", tuple(Counted(name) for name in names))
    Counted.times = 0
    assert panel.select(names).values.shape == (3, count)
    assert Counted.times < 20 * count
    table = Table({name: np.arange(3.0) for name in names}, "x", 3)
    Counted.times = 0
    assert Panel.from_frame(table, columns=names).values.shape == (3, count)
    assert Counted.times < 20 * count


def test_long_lines_cells_and_names(write):
    with within(60):
        with pytest.raises(DataError, match=r"line 3: expected 2 cells as in the header, found 2000001\."):
            read_table(write("a,b\n1,2\n" + "1," * 2_000_000 + "1\n"))
        with pytest.raises(DataError, match="expected a number, got 'xxx") as error:
            read_panel(write("a,b\n1,2\n3," + "x" * 5_000_000 + "\n"))
        sentence(error)
        with pytest.raises(DataError, match=r"line 1: .*the name of column 1 has 100,000 characters") as error:
            read_panel(write("x" * 100_000 + ",b\n1,2\n"))
        sentence(error)
        with pytest.raises(DataError, match="no column is named 'yyy") as error:
            read_panel(write(PLAIN), columns=["y" * 5_000_000])
        sentence(error)


# -- odd values -----------------------------------------------------------------------------------------------------

VALUES = {
    "1e400": "expected a finite number",
    "1_000": "expected a number, got '1_000'",
    "０１": "expected a number, got '０１'",
    "1e-400": None,
    "0x10": "expected a number",
    "9" * 400: "expected a finite number",
    "١": "expected a number",
    "-nan": "expected a number",
    "−1": None,  # a typographic minus has one reading, which is said
    "+1": None,
}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:8])
def test_odd_numbers(write, value):
    words = VALUES[value]
    for make in (
        lambda: read_panel(write(f"x,y\n1,2\n{value},3\n")),
        lambda: Panel.from_frame(pl.DataFrame({"x": ["1", value]})),
        lambda: Panel.from_frame(pd.DataFrame({"x": ["1", value]})),
    ):
        if words is None:
            assert np.isfinite(make().values).all()
        else:
            with pytest.raises(DataError, match=words) as error:
                make()
            sentence(error)


TIMES = {
    "0000-01-01": "is not a time",
    "10000-01-01": "is not a time",
    "9999-12-31 24:00": "outside the years 1 to 9999",
    "0001-01-01 00:00+02:00": "UTC offset|outside the years",
    "2020-01-02\0": "binary file",
    "２０２０-01-02": "is not a time",
}


@pytest.mark.parametrize("value", TIMES, ids=lambda value: value[:12].replace("\0", "0"))
def test_odd_times(write, value):
    with pytest.raises(DataError, match=TIMES[value]) as error:
        read_panel(write(f"t,x\n2020-01-01,1\n{value},2\n"), time="t")
    sentence(error)


@pytest.mark.parametrize(
    "numbers", [[1e18, 2e19], [2**64 - 1, 1], [-(2**63), 1], [1e300, 1], [-9e10, 0], [-(2.0**63), 1]]
)
def test_numbers_that_no_time_can_be(numbers):
    frame = pl.DataFrame({"t": pl.Series(numbers, strict=False), "x": [1, 2]})
    with pytest.raises(DataError, match=r"row 1|row 2") as error:
        Panel.from_frame(frame, time="t")
    sentence(error)
    assert guess_time_column(frame) in (None, "x")


def test_times_of_frames_outside_the_years(tmp_path):
    for times in (
        pl.Series([100_000_000, 1], dtype=pl.Int32).cast(pl.Date),
        pl.Series([2**62, 1]).cast(pl.Datetime("us")),
        pl.Series([2**62, 1]).cast(pl.Datetime("ms")),
    ):
        frame = pl.DataFrame({"t": times, "x": [1, 2]})
        frame.write_parquet(tmp_path / "far.parquet")
        for source in (frame, read_table(tmp_path / "far.parquet"), frame.to_arrow()):
            with pytest.raises(DataError, match=r"row 1, column 't': .*outside the years 1 to 9999") as error:
                Panel.from_frame(source, time="t")
            sentence(error)
            assert guess_time_column(source) is None
    far = pd.DataFrame({"t": np.array(["300000-01-01", "2020-01-01"], "M8[s]"), "x": [1, 2]})
    with pytest.raises(DataError, match=r"300000-01-01.*outside the years"):
        Panel.from_frame(far, time="t")
    with pytest.raises(DataError, match="outside the years"):
        Panel.from_numpy(np.zeros(2), time=np.array(["300000-01-01", "2020-01-01"], "M8[s]"))


def test_nothing_bytes_in_text_and_in_ids(write):
    with pytest.raises(DataError, match="line 30003: holds a NUL byte"):
        read_table(write("a,b\n" + "1,2\n" * 30_001 + "3\0,4\n"))
    with pytest.raises(DataError, match="line 2: holds a NUL byte"):
        read_table(write("a,b\n1\0,2\n".encode("utf-16")), encoding="utf-16")
    frame = pl.DataFrame({"i": ["a\0", "a", "a\0"], "x": [1, 2, 3]})
    assert Panel.from_frame(frame, id="i").ids == ("a", "a\0")


def test_a_million_series_one_row_each(write):
    lines = "".join(f"k{n},{n % 7}\n" for n in range(100_000))
    begun = time.process_time()
    with within(60):
        assert len(read_panel(write("id,x\n" + lines), id="id").ids) == 100_000
    assert time.process_time() - begun < 60
