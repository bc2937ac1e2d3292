"""NumPy files, .npy and .npz: nothing is unpacked or allocated before its size is held against the file and the memory.

`numpy.load` believes what a header says; here a shape must fit into the bytes that follow it.
"""

from __future__ import annotations

import io
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import DataError, printable, shown
from ...limits import in_words, need_memory, over_limit, read_limit, reading
from ..sources import packed_bytes, source_name

__all__ = ["Archive", "is_numpy", "opened_arrays"]

_MAGIC = b"\x93NUMPY"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_LONGEST_HEADER = 10_000  # bytes, as NumPy's own reader allows
_PIECE = 1 << 20
_KINDS = "biufUSMmc"
_WAYS = {
    zipfile.ZIP_STORED: "stored",
    zipfile.ZIP_DEFLATED: "deflate",
    zipfile.ZIP_BZIP2: "bzip2",
    zipfile.ZIP_LZMA: "lzma",
}
_MOST_AXES = 32


class Archive(Mapping[str, np.ndarray]):
    """The arrays of an .npz by name, each read when it is asked for; raises DataError where one can't be."""

    def __init__(self, file: IO[bytes], source: str) -> None:
        self._source = source
        self._zip = zipfile.ZipFile(file)
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                continue  # a note beside the arrays
            if name in self._members:
                raise DataError(f"{source}: holds two arrays named {shown(name)}; save it again with one of them.")
            self._members[name] = member

    def __getitem__(self, name: str) -> np.ndarray:
        member, source = self._members[name], f"{self._source}, {printable(name)[:80]}"
        if member.flag_bits & 1:
            raise DataError(f"{source}: is encrypted; save it without a password (numpy.savez).")
        if member.compress_type not in _WAYS:
            raise DataError(
                f"{source}: is compressed in way {member.compress_type}, which can't be read; save it with "
                "numpy.savez or numpy.savez_compressed."
            )
        limit = read_limit()
        if member.compress_type != zipfile.ZIP_STORED and member.file_size > limit:
            raise over_limit(source, limit)
        with reading(source, ".npy array"), self._zip.open(member) as file:
            return _array(file, member.file_size, source)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def is_numpy(path: str | os.PathLike[str], head: bytes) -> bool:
    """Whether a file that begins with `head` is one of NumPy's, or is named as if it were."""
    return head.startswith((_MAGIC, *_ZIP)) or Path(path).suffix in (".npy", ".npz")


@contextmanager
def opened_arrays(path: str | os.PathLike[str], data: bytes | None = None) -> Iterator[np.ndarray | Archive]:
    """The array of an .npy, or those of an .npz, which stays open inside the block; `data` are its bytes where they are
    known. Raises DataError for what can't be read."""
    source = source_name(path)
    with reading(source, "NumPy file of numbers"), _opened(path, data) as file:
        head = file.read(len(_MAGIC))
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if head.startswith(_ZIP):
            found: np.ndarray | Archive = Archive(file, source)
        elif head.startswith(_MAGIC):
            found = _array(file, size, source)
        else:
            raise DataError(f"{source}: expected a NumPy file of numbers, it begins with {head.hex(' ') or 'nothing'}.")
        yield found


@contextmanager
def _opened(path: str | os.PathLike[str], data: bytes | None) -> Iterator[IO[bytes]]:
    try:
        regular = data is None and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        regular = False
    if regular:
        with open(path, "rb") as file:
            yield file
    else:  # a pipe, or something that `packed_bytes` says a sentence about
        yield io.BytesIO(packed_bytes(path, "an array", "NumPy") if data is None else data)


def _array(file: IO[bytes], size: int, source: str) -> np.ndarray:
    """The array of an .npy of `size` bytes, in the byte order of this machine."""
    shape, fortran, dtype, begin = _header(file, source)
    if dtype.hasobject:
        raise DataError(
            f"{source}: expected a NumPy file of numbers; it holds Python objects, which could run code. Save "
            "sequences of unequal length as arrays `values` (rows, channels) and `lengths` (N,)."
        )
    if dtype.names is not None or dtype.kind not in _KINDS or not dtype.itemsize:
        raise DataError(
            f"{source}: expected an array of numbers or texts, got one of type {shown(str(dtype))}; save each field as "
            "an array of its own."
        )
    if len(shape) > _MOST_AXES or any(axis < 0 for axis in shape):
        raise DataError(f"{source}: expected a shape of whole numbers from 0, got {shown(shape)}; the file is damaged.")
    count = math.prod(shape)
    claimed, left = count * dtype.itemsize, size - begin
    if claimed > left:
        raise DataError(
            f"{source}: an array of shape {shown(shape)} and type {dtype} takes {in_words(claimed)}, {in_words(left)} "
            "follow its header; the file is cut short or damaged."
        )
    need_memory(claimed, f"{source}: its array of shape {shown(shape)}", "Save a part of it.", error=DataError)
    flat = _content(file, claimed, source).view(dtype)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return _checked(array, source)


def _header(file: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns are stored one after the other, type, and where the content begins."""
    start = file.read(8)
    wide = start[6:7] in (b"\2", b"\3")
    if not start.startswith(_MAGIC) or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise DataError(f"{source}: expected a .npy array, it begins with {start.hex(' ') or 'nothing'}.")
    said = file.read(4 if wide else 2)
    length = int.from_bytes(said, "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{source}: expected a header of at most {_LONGEST_HEADER:,} bytes, it says {length:,}.")
    head = io.BytesIO(said + file.read(length))
    read = np.lib.format.read_array_header_2_0 if wide else np.lib.format.read_array_header_1_0
    shape, fortran, dtype = read(head, max_header_size=_LONGEST_HEADER)
    return shape, fortran, dtype, 8 + len(said) + length


def _content(file: IO[bytes], size: int, source: str) -> np.ndarray:
    """`size` bytes (size,) uint8; what follows an archive's member is its checksum, which zipfile looks at there."""
    content, done = np.empty(size, dtype=np.uint8), 0
    while done < size:
        piece = file.read(min(_PIECE, size - done))
        if not piece:
            raise DataError(f"{source}: ends after {done:,} of {size:,} bytes; the file is cut short.")
        content[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)
    if isinstance(file, zipfile.ZipExtFile):
        file.read(1)
    return content


def _checked(array: np.ndarray, source: str) -> np.ndarray:
    """The array in native byte order; raises DataError for texts that are none."""
    if array.dtype.kind == "b":
        return array.view(np.uint8) != 0  # a damaged file holds other bytes than 0 and 1
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).view(np.uint32)
        if (codes > 0x10FFFF).any() or ((codes >= 0xD800) & (codes <= 0xDFFF)).any():
            raise DataError(f"{source}: holds texts that are not Unicode; the file is damaged.")
    return array
