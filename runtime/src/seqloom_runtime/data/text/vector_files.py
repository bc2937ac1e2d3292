"""Files of word vectors: GloVe text, word2vec text and binary; plain or gzip, read as a stream."""

from __future__ import annotations

import array
import gzip
import io
import os
import stat
import zlib
from collections.abc import Collection, Iterator
from typing import BinaryIO, cast

import numpy as np

from ...errors import DataError, SettingError, shown
from ...limits import memory_left, need_memory, reading
from ..sources import MOST_PACKED, file_bytes, source_name
from .embeddings import WordVectors
from .vocabulary import Vocabulary

__all__ = ["read_vectors"]

LAYOUTS = ("auto", "glove", "word2vec-text", "word2vec-binary")
_LONGEST_WORD = 10_000
_BLOCK = 1 << 22
_LONGEST_LINE = 1 << 26  # bytes: a million numbers and more


def read_vectors(
    path: str | os.PathLike[str],
    *,
    words: Collection[str] | Vocabulary | None = None,
    limit: int | None = None,
    layout: str = "auto",
    keep_first: bool = False,
) -> WordVectors:
    """The vectors of a file (plain or gzip), a pipe, or standard input ("-").

    `layout` is "glove" (`word v1 … vD` lines), "word2vec-text" (the same after a line `N D`), "word2vec-binary" (after
    that line the word, a space and D float32, little-endian), or "auto", which looks. Only vectors of `words` are kept
    in memory, and only the first `limit` of the file are read. A word that comes twice is refused, unless `keep_first`.
    Raises DataError with the line (text) or byte (binary) where the file is broken.
    """
    if layout not in LAYOUTS:
        raise SettingError(f"layout: expected one of {', '.join(LAYOUTS)}, got {shown(layout)}.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise SettingError(f"limit: expected a positive whole number or None, got {shown(limit)}.")
    wanted = words.words if isinstance(words, Vocabulary) else words
    source = source_name(path)
    store = _Store(source, None if wanted is None else frozenset(wanted), keep_first)
    with reading(source, "file of word vectors"):
        _fill(store, path, source, layout, limit)
        return store.vectors()


def _fill(store: _Store, path: str | os.PathLike[str], source: str, layout: str, limit: int | None) -> None:
    try:
        file, most = _opened(path)
        with file:
            head = file.read(65536)
            if layout == "auto":
                layout = _layout(head, source)
            file.seek(0)
            if layout == "word2vec-binary":
                _read_binary(file, most, store, limit)
            else:
                _read_lines(file, store, limit, layout == "word2vec-text")
    except EOFError:
        raise DataError(f"{source}: the gzip file is cut short, its end is missing; fetch it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{source}: the gzip file is damaged ({error}); fetch it again.") from None
    except OSError as error:
        raise DataError(f"{source}: the file can't be read: {error.strerror or error}.") from None


class _Store:
    """Collects the wanted vectors, and knows where each came from."""

    def __init__(self, source: str, wanted: frozenset[str] | None, keep_first: bool) -> None:
        self.source, self.wanted, self.keep_first = source, wanted, keep_first
        self.places: dict[str, int] = {}
        self.numbers = array.array("f")
        self.width = 0
        self.read, self.unit = 0, "line"
        self._free = memory_left()

    def takes(self, word: str, place: int, unit: str) -> bool:
        """Whether the vector of `word` at `place` is to be kept; raises DataError where the word came before."""
        self.read, self.unit = self.read + 1, unit
        if self.wanted is not None and word not in self.wanted:
            return False
        if word in self.places:
            if self.keep_first:
                return False
            raise DataError(
                f"{self.source}, {unit} {place:,}: the word {shown(word)} came before, at {unit} "
                f"{self.places[word]:,}; give keep_first=True to take the first of each."
            )
        if not len(self.places) % 65536 and len(self.numbers) * 4 > self._free // 2:
            raise DataError(
                f"{self.source}: more vectors than memory allows after {len(self.places):,} words of {self.width} "
                f"numbers; set limit to {len(self.places) // 2:,} or name the words to keep."
            )
        self.places[word] = place
        return True

    def vectors(self) -> WordVectors:
        if not self.read:
            raise DataError(f"{self.source}: expected word vectors, the file holds none.")
        if not self.places:
            raise DataError(
                f"{self.source}: none of the {len(self.wanted or ()):,} words has a vector among the {self.read:,} "
                "that were read; check language and lower-casing."
            )
        found = np.frombuffer(self.numbers, dtype=np.float32).reshape(len(self.places), self.width)
        wrong = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(wrong):
            word, place = list(self.places.items())[wrong[0]]
            raise DataError(
                f"{self.source}, {self.unit} {place:,}: the vector of {shown(word)} holds a number that is not "
                "finite, or that float32 can't hold."
            )
        return WordVectors(list(self.places), found)


def _opened(path: str | os.PathLike[str]) -> tuple[BinaryIO, int]:
    """The file, unpacked as it is read, and the bytes that it can hold at most."""
    about = os.stat(path) if os.path.isfile(path) else None
    if about is None or not stat.S_ISREG(about.st_mode):
        data = file_bytes(path, "word vectors", "word vectors")  # a pipe, or nothing to read, which it says
        return io.BytesIO(data), len(data)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return cast(BinaryIO, gzip.open(path, "rb")), about.st_size * MOST_PACKED
    return open(path, "rb"), about.st_size


def _header(line: bytes) -> tuple[int, int] | None:
    """(N, D) of a line of two whole numbers, None for any other line."""
    cells = line.split()
    if len(cells) == 2 and all(cell.isdigit() and len(cell) < 16 for cell in cells):
        return int(cells[0]), int(cells[1])
    return None


def _layout(head: bytes, source: str) -> str:
    """By the first line, and for word2vec by whether numbers in text follow the first word."""
    if not head.strip():
        raise DataError(f"{source}: expected word vectors, the file holds none.")
    first, _, rest = head.partition(b"\n")
    shape = _header(first)
    if shape is None:
        return "glove"
    cells = rest.split(b"\n", 1)[0].split()[1:]
    texts = len(cells) >= min(shape[1], 100) and all(_number(cell) is not None for cell in cells[:100])
    return "word2vec-text" if texts else "word2vec-binary"


def _number(cell: bytes) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


# -- text -----------------------------------------------------------------------------------------------------------


def _lines(file: BinaryIO, source: str) -> Iterator[tuple[int, bytes]]:
    """(number, line); raises DataError for one that is longer than any vector, before the memory is full of it."""
    number = 1
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise DataError(f"{source}, line {number}: expected a word and its vector, the line is too long for any.")
        yield number, line
        number += 1


def _read_lines(file: BinaryIO, store: _Store, limit: int | None, headed: bool) -> None:
    lines = _lines(file, store.source)
    total, empty = None, 0
    if headed:
        shape = _header(next(lines, (1, b""))[1])
        if shape is None or not shape[1]:
            raise DataError(
                f"{store.source}, line 1: expected the numbers of words and of columns, such as '400000 50'."
            )
        total, store.width = shape
    for number, line in lines:
        line = line.rstrip(b"\r\n ")
        if not line.strip():
            empty = empty or number
            continue
        if empty:
            raise DataError(f"{store.source}, line {empty}: expected a word and its vector, the line is empty.")
        if limit is not None and store.read == limit:
            return
        if not store.width:
            store.width = len(line.split(b" ")) - 1
            if not store.width:
                raise DataError(f"{store.source}, line {number}: expected a word and its vector, found one cell.")
        word, cells = _cells(line, store, number)
        if store.takes(word, number, "line"):
            store.numbers.extend(_numbers(cells, store, number))
    if total is not None and limit is None and store.read != total:
        raise DataError(
            f"{store.source}: the first line says {total:,} words, the file holds {store.read:,}; it is cut short or "
            "altered."
        )


def _cells(line: bytes, store: _Store, number: int) -> tuple[str, list[bytes]]:
    """The word of a line (it may hold spaces) and its `store.width` numbers, as text."""
    cells = line.rsplit(b" ", store.width)
    spaced = b" " in cells[0] and any(_number(cell) is not None for cell in cells[0].split()[1:])
    if len(cells) <= store.width or spaced:
        raise DataError(
            f"{store.source}, line {number}: expected a word and {store.width} numbers as on line 1, found "
            f"{len(line.split())} cells."
        )
    try:
        word = cells[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{store.source}, line {number}: byte 0x{cells[0][error.start]:02X}, at position {error.start} of the "
            "line, is not UTF-8 text."
        ) from None
    if not word or b" " in (cells[0][:1], cells[0][-1:]):
        raise DataError(f"{store.source}, line {number}: the word is missing, or two spaces follow one another.")
    return word, cells[1:]


def _numbers(cells: list[bytes], store: _Store, number: int) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        place = next(place for place, cell in enumerate(cells) if _number(cell) is None)
        found = cells[place].decode("utf-8", "replace")
        raise DataError(
            f"{store.source}, line {number}: number {place + 1} of the vector is {shown(found, 40)}."
        ) from None


# -- binary ---------------------------------------------------------------------------------------------------------


def _read_binary(file: BinaryIO, most: int, store: _Store, limit: int | None) -> None:
    head = file.readline(100)
    shape = _header(head)
    if shape is None or not shape[0] or not shape[1] or not head.endswith(b"\n"):
        raise DataError(f"{store.source}: expected a first line with the numbers of words and of columns, then binary.")
    total, store.width = shape
    step = 4 * store.width
    if total * (step + 2) > most:
        raise DataError(
            f"{store.source}: the first line says {total:,} vectors of {store.width:,} numbers, at least "
            f"{total * (step + 2):,} bytes; the file holds {most:,} at most, so it is cut short or no word2vec file."
        )
    need_memory(4 * step, f"{store.source}: a vector of {store.width:,} numbers", "It is damaged.", error=DataError)
    buffer, at, base = b"", 0, len(head)  # base: where in the file the buffer starts
    for record in range(min(total, limit or total)):
        if len(buffer) - at < _LONGEST_WORD + 2 + step:
            buffer, base, at = buffer[at:] + file.read(max(_BLOCK, 2 * step)), base + at, 0
        if buffer[at : at + 1] == b"\n":  # some writers end each record so
            at += 1
        gap = buffer.find(b" ", at, at + _LONGEST_WORD)
        where = f"{store.source}, byte {base + at:,}: record {record + 1:,} of {total:,}"
        if gap < 0 or gap + 1 + step > len(buffer):
            raise DataError(f"{where} is cut short or broken.")
        try:
            word = buffer[at:gap].decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where} has a word that is not UTF-8 text at its byte {error.start}.") from None
        if not word:
            raise DataError(f"{where} has no word.")
        if store.takes(word, base + at, "byte"):
            store.numbers.frombytes(np.frombuffer(buffer, "<f4", store.width, gap + 1).astype(np.float32).tobytes())
        at = gap + 1 + step
    rest = buffer[at:] + file.read(2)
    if limit is None and rest.strip(b"\n"):
        raise DataError(
            f"{store.source}, byte {base + at:,}: more follows after the last of {total:,} records; the file is "
            "altered or no word2vec file."
        )
