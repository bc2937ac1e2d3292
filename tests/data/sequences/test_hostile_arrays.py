"""Hostile and damaged NumPy, IDX and music files: read, or refused in one sentence before anything is allocated."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import sys
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqloom.errors import DataError
from seqloom_runtime import limits
from seqloom_runtime.data.sequences import read_idx, read_sequences
from seqloom_runtime.data.sequences.music import original_rolls, packed_rolls

X, Y = np.arange(24.0).reshape(4, 3, 2), np.array([0, 1, 1, 0])


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def header(text: str, body: bytes = b"\0" * 64, version: int = 1, length: int | None = None) -> bytes:
    """An .npy with a header of one's own; it may lie about its length."""
    packed = text.encode("latin-1")
    size = struct.pack("<H" if version == 1 else "<I", len(packed) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + packed + body


def described(shape: str, dtype: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def archive(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as writer:
        for name, content in members.items():
            writer.writestr(name, content)
    return file.getvalue()


def refused(path: Path, content: bytes, words: str, **how: Any) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_sequences(path, **how)
    text = str(error.value)
    assert path.name in text
    assert "\n" not in text
    assert len(text) < 800


# -- .npy -----------------------------------------------------------------------------------------------------------

ARRAYS = {
    "a shape of 10^12": (header(described("(1000000000000,)")), r"shape \(1000000000000,\).*takes 7\.3 TiB, 64 bytes"),
    "a shape of 2^64": (header(described("(18446744073709551616, 1)")), "takes .* TiB, 64 bytes follow"),
    "axes that overflow": (header(described("(4294967296, 4294967296, 4294967296)")), "TiB, 64 bytes follow"),
    "a negative axis": (header(described("(-1, 3)")), "expected a shape of whole numbers from 0"),
    "many axes": (header(described("(" + "1," * 60 + ")")), "expected a shape"),
    "an axis of truth": (header(described("('a',)")), "expected a NumPy file"),
    "text of no width": (header(described("(1000000000000,)", "'<U0'")), "expected an array of numbers or texts"),
    "objects": (header(described("(2,)", "'|O'")), "it holds Python objects, which could run code"),
    "fields": (npy(np.zeros(3, dtype=[("a", "f4"), ("b", "i8")])), "save each field as an array of its own"),
    "raw bytes": (npy(np.zeros(3, dtype="V5")), "expected an array of numbers or texts"),
    "nested too deeply": (header("(" * 5000 + ")" * 5000), "expected a NumPy file|nested"),
    "a header that runs": (header("__import__('os').getcwd()"), "expected a NumPy file of numbers"),
    "no header": (b"\x93NUMPY\1\0", "expected a NumPy file of numbers"),
    "another version": (b"\x93NUMPY\x09\0" + bytes(80), r"expected a \.npy array"),
    "a header of 2 GB": (header("{}", version=2, length=2**31), "at most 10,000 bytes, it says 2,147,483,648"),
    "a header cut short": (header("{'descr': ", b"", length=200), "expected a NumPy file of numbers"),
    "cut short": (npy(X)[:-1], r"takes 192 bytes, 191 bytes follow its header; the file is cut short"),
    "no Unicode": (npy(np.array(["ab"]))[:-4] + b"\xff\xff\xff\x7f", "texts that are not Unicode"),
    "a surrogate": (npy(np.array(["ab"]))[:-4] + b"\0\xd8\0\0", "texts that are not Unicode"),
    "empty": (b"", "expected .*, the file is empty|begins with nothing"),
    "times": (npy(np.zeros((3, 4), "M8[s]")), "expected an array of numbers"),
    "one number": (npy(np.array(3.0)), "expected an array"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_refused(tmp_path, kind):
    content, words = ARRAYS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(tmp_path / "x.npy", content, words)


def test_arrays_of_every_version_order_and_type(tmp_path):
    path = tmp_path / "x.npy"
    for array in (X, np.asfortranarray(X), X.astype(">f4"), X.astype(np.int8), X > 3, X.astype(np.float16)):
        for version in ((1, 0), (2, 0), (3, 0)):
            path.write_bytes(npy(array, version))
            np.testing.assert_array_equal(read_sequences(path).sequences[2], array[2])
    path.write_bytes(npy(X > 3)[:-1] + b"\7")  # a truth value that is neither 0 nor 1
    assert set(np.unique(read_sequences(path).sequences.values)) == {0, 1}


def test_memory_is_asked_for_first(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "memory_left", lambda: 1 << 20)
    refused(tmp_path / "x.npy", npy(np.zeros((200, 1000))), r"shape \(200, 1000\) needs 1\.5 MiB of memory")


# -- .npz -----------------------------------------------------------------------------------------------------------


def changed(content: bytes, flag: int = 0, way: int | None = None, size: int | None = None) -> bytes:
    """An archive whose headers say something else about its first member."""
    data = bytearray(content)
    for begin, at_flag, at_way, at_size in ((data.find(b"PK\3\4"), 6, 8, 22), (data.find(b"PK\1\2"), 8, 10, 24)):
        data[begin + at_flag] |= flag
        if way is not None:
            data[begin + at_way] = way
        if size is not None:
            data[begin + at_size : begin + at_size + 4] = struct.pack("<I", size)
    return bytes(data)


PLAIN = archive({"X.npy": npy(X), "y.npy": npy(Y)})


def twice() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as writer:
            for _ in range(2):
                writer.writestr("X.npy", npy(X))
        return file.getvalue()


def damaged_inside(packing: int) -> bytes:
    content = bytearray(archive({"X.npy": npy(np.random.default_rng(1).normal(size=(9, 9, 9)))}, packing))
    for at in range(200, 260):
        content[at] ^= 0x55
    return bytes(content)


ARCHIVES = {
    "encrypted": (changed(PLAIN, flag=1), "X: is encrypted; save it without a password"),
    "compressed in a strange way": (changed(PLAIN, way=99), "X: is compressed in way 99, which can't be read"),
    "damaged deflate": (damaged_inside(zipfile.ZIP_DEFLATED), r"X: expected a \.npy array, it is damaged"),
    "damaged bzip2": (damaged_inside(zipfile.ZIP_BZIP2), r"X: expected a \.npy array, it is damaged"),
    "damaged lzma": (damaged_inside(zipfile.ZIP_LZMA), r"X: expected a \.npy array, it is damaged"),
    "wrong checksum": (damaged_inside(zipfile.ZIP_STORED), r"X: expected a \.npy array, it is damaged"),
    "no array inside": (archive({"X.npy": b"hello"}), r"X: expected a \.npy array, it begins with"),
    "a note alone": (archive({"X.txt": npy(X)}), "expected an array named X"),
    "a claim of 10^12": (archive({"X.npy": header(described("(1000000000000,)"))}), r"X: an array of shape .* TiB"),
    "a member of 4 GB": (changed(PLAIN, size=2**32 - 2), "X: (holds more than|ends after|an array|expected)"),
    "two of one name": (twice(), "holds two arrays named 'X'"),
    "objects": (archive({"X.npy": header(described("(2,)", "'|O'"))}), "X: .*which could run code"),
    "cut short": (PLAIN[:-30], "expected a NumPy file of numbers"),
    "a directory before its beginning": (PLAIN[40:], "expected a NumPy|no such|CSV"),
    "lengths that overflow": (
        archive({"values.npy": npy(np.zeros((4, 2))), "lengths.npy": npy(np.array([2**63, 2**63 + 4], np.uint64))}),
        "above 0 that add up to the rows",
    ),
    "lengths that are none": (
        archive({"values.npy": npy(np.zeros((4, 2))), "lengths.npy": npy(np.array(["a"]))}),
        "add up to the rows",
    ),
    "a label without axes": (archive({"X.npy": npy(X), "y.npy": npy(np.array(3))}), r"array of shape \(\)"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_that_are_refused(tmp_path, kind):
    content, words = ARCHIVES[kind]
    refused(tmp_path / "a.npz", content, words)


def test_archives_of_every_packing_and_odd_names(tmp_path):
    path = tmp_path / "a.npz"
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        members = {"X.npy": npy(X), "y.npy": npy(Y), "../../etc/z.npy": b"never read", "notes.txt": b"hello"}
        path.write_bytes(archive(members, packing))
        found = read_sequences(path)
        np.testing.assert_array_equal(found.sequences[1], X[1])
        assert found.y().tolist() == Y.tolist()
    refused(path, path.read_bytes(), r"\.\./\.\./etc/z: expected a \.npy array", label="../../etc/z")
    assert not (tmp_path.parent.parent / "etc").exists()


def test_what_an_archive_unpacks_to_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1m")
    zeros = archive({"X.npy": npy(np.zeros((4, 1000, 100)))})
    assert len(zeros) < 10_000
    refused(tmp_path / "a.npz", zeros, r"X: holds more than 1\.0 MiB once it is unpacked")


def test_only_what_is_needed_is_read(tmp_path):
    (tmp_path / "a.npz").write_bytes(archive({"X.npy": npy(X), "other.npy": header(described("(1000000000000,)"))}))
    assert len(read_sequences(tmp_path / "a.npz").sequences) == 4


# -- pipes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["npy", "npz", "csv"])
def test_pipes_and_standard_input(tmp_path, monkeypatch, form):
    long = pl.DataFrame({"who": [0] * 3 + [1] * 3, "a": np.arange(6.0)})
    content = {"npy": npy(X), "npz": PLAIN, "csv": long.write_csv().encode()}[form]
    how: dict[str, Any] = {"id": "who"} if form == "csv" else {}
    (tmp_path / "file").write_bytes(content)
    wanted = read_sequences(tmp_path / "file", **how)
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,), daemon=True)
    feeder.start()
    found = read_sequences(tmp_path / "pipe", **how)
    feeder.join()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    for other in (found, read_sequences("-", **how)):
        np.testing.assert_array_equal(other.sequences.values, wanted.sequences.values)
    with pytest.raises(DataError, match="/dev/zero is a device; expected a NumPy, CSV, Parquet or Arrow file"):
        read_sequences("/dev/zero")


# -- labels of tables -----------------------------------------------------------------------------------------------


def test_labels_of_every_type(tmp_path):
    base = pl.DataFrame({"who": ["a", "b"], "x": [1.0, 2.0]})
    for cells, wanted in (
        (["1_000", "2_000"], ["1_000", "2_000"]),
        (["１", "２"], ["１", "２"]),
        (pl.Series(["u", "d"], dtype=pl.Categorical), ["u", "d"]),
        (pl.Series([1, 2], dtype=pl.Int128), [1, 2]),
        (pl.Series(["1.5", "2"]).cast(pl.Decimal(5, 2)), [1.5, 2.0]),
        ([True, False], [True, False]),
        ([2**64 - 1, 1], [2.0**64, 1.0]),
    ):
        base.with_columns(y=pl.Series(cells)).write_parquet(tmp_path / "t.parquet")
        assert read_sequences(tmp_path / "t.parquet", id="who", label="y").y().tolist() == wanted
    for cells, words in (
        ([[1], [2]], "column 'y' is of type List.*which holds lists, not labels"),
        ([b"1", b"2"], "which holds bytes, not labels; decode them to text"),
        (["1e400", "2"], "row 1, column 'y': expected a label, the number is not finite"),
        (["a\0", "a"], r"row 1, column 'y': expected a label, 'a\\x00' holds a NUL character"),
        ([None, None], "row 1, column 'y': expected a label, the cell is empty"),
    ):
        base.with_columns(y=pl.Series(cells)).write_parquet(tmp_path / "t.parquet")
        with pytest.raises(DataError, match=words):
            read_sequences(tmp_path / "t.parquet", id="who", label="y")


# -- IDX ------------------------------------------------------------------------------------------------------------


def idx(kind: int, axes: tuple[int, ...], body: bytes = b"", count: int | None = None) -> bytes:
    return bytes([0, 0, kind, len(axes) if count is None else count]) + struct.pack(f">{len(axes)}I", *axes) + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(8, (2**32 - 1,) * 3, b"abc"), r"expected 79,228,162,458,924,105,385,300,197,375 bytes for shape"),
        (idx(8, (0, 2**32 - 1, 2**32 - 1, 2**32 - 1)), "expected an IDX file"),
        (idx(8, (1,) * 200, b"a"), "1 to 32 axes, it says 200"),
        (idx(8, (), b"a"), "1 to 32 axes, it says 0"),
        (idx(0x0A, (1,), b"a"), "expected an IDX file, its first bytes are 00 00 0a 01"),
        (idx(8, (4,), b"abc"), "expected 4 bytes for shape .* found 3"),
        (idx(8, (4, 4), b"", 200), "expected an IDX file"),
        (gzip.compress(idx(8, (4,), b"abcd"), mtime=0)[:-9], "cut short"),
        (b"PK\x03\x04", "this is a zip archive"),
    ],
)
def test_idx_files_that_are_refused(tmp_path, content, words):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_idx(tmp_path / "x")
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "none")


def test_an_idx_file_that_unpacks_without_end(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQLOOM_READ_LIMIT", "1m")
    (tmp_path / "x").write_bytes(gzip.compress(idx(8, (3_000_000,), bytes(3_000_000))))
    with pytest.raises(DataError, match=r"holds more than 1\.0 MiB"):
        read_idx(tmp_path / "x")


# -- music ----------------------------------------------------------------------------------------------------------

ROLLS = {"train_roll": np.zeros((6, 11), np.uint8), "train_len": np.array([4, 2])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_len": np.array([2**62, 2**62, 2**62, 2**62 + 6])}, "expected train_roll"),
        ({"train_len": np.array([7, -1])}, "expected train_roll"),
        ({"train_len": np.array([4, 3])}, "expected 7 frames in part 'train', found 6"),
        ({"train_roll": np.zeros((6, 3), np.uint8)}, r"expected train_roll \(frames, 11\)"),
        ({"train_roll": np.zeros((6, 11))}, "got .* of float64"),
        ({"train_roll": None}, "expected the piano rolls of part 'train'"),
    ],
)
def test_piano_rolls_that_are_refused(tmp_path, change, words):
    arrays = {name: array for name, array in {**ROLLS, **change}.items() if array is not None}
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(DataError, match=words):
        packed_rolls(tmp_path / "m.npz", "train")


def test_matlab_files_that_are_refused(tmp_path):
    io_module = pytest.importorskip("scipy.io")
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = np.zeros((3, 88)), np.ones((2, 88))
    path = tmp_path / "m.mat"
    for packed in (True, False):
        io_module.savemat(path, {"traindata": cells}, do_compression=packed)
        assert [piece.shape for piece in original_rolls(path, "train")] == [(3, 88), (2, 88)]
        content, rng = path.read_bytes(), random.Random(4)
        for _ in range(100):
            data = bytearray(content)
            at = rng.randrange(len(data))
            data[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", bytes([rng.randrange(256)])))
            path.write_bytes(data if rng.random() < 0.8 else data[:at])
            try:
                original_rolls(path, "train")
            except DataError as error:
                assert path.name in str(error)  # noqa: PT017 - it may be read, too
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected the cells 'testdata'"):
        original_rolls(path, "test")
    io_module.savemat(path, {"traindata": np.zeros((2, 3))})
    with pytest.raises(DataError, match=r"expected pieces of \(frames, 88\)"):
        original_rolls(path, "train")


# -- bytes changed --------------------------------------------------------------------------------------------------


def test_changed_bytes_are_read_or_refused(tmp_path):
    rng = random.Random(5)
    seeds = {
        "x.npy": [npy(X), npy(X, (2, 0)), npy(np.array(["ab", "c"]))],
        "a.npz": [PLAIN, archive({"X.npy": npy(X)}, zipfile.ZIP_LZMA), archive({"X.npy": npy(X)}, zipfile.ZIP_STORED)],
    }
    words = (b"\xff" * 4, b"\0" * 4, b"-1", b"9" * 20, b"(", b"'|O'", b"\xff\xff\xff\x7f")
    for name, contents in seeds.items():
        for _ in range(300):
            data = bytearray(rng.choice(contents))
            at = rng.randrange(len(data))
            word = rng.choice((*words, bytes([rng.randrange(256)])))
            data[at : at + rng.choice((0, len(word)))] = word
            (tmp_path / name).write_bytes(data if rng.random() < 0.85 else data[:at])
            try:
                read_sequences(tmp_path / name)
            except DataError as error:
                assert "\n" not in str(error)  # noqa: PT017 - it may be read, too
