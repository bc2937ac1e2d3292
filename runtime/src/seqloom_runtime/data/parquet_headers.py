"""What a Parquet file's own headers count, before polars allocates by it.

polars ends the process where a page in a column of lists counts fewer than no values, or a list in a header claims
more entries than there is memory for, so these headers are read first: Thrift's compact protocol, fields as numbered
in the format's specification (apache/parquet-format, parquet.thrift).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["most_values"]

_ROW_GROUPS, _COLUMNS, _META_DATA, _NUM_VALUES = 4, 1, 3, 5
_TOTAL_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11  # of a chunk: bytes of its pages, where they begin
_INFLATED, _PAGE_SIZE, _PAGE_KINDS = 2, 3, (5, 7, 8)  # of a page: bytes inflated and as they are, header of its kind
_COUNTS = (1, 2, 3)  # in the header of a kind: values, nulls or an encoding, rows
_DEEPEST = 32


def most_values(data: bytes) -> tuple[int, int]:
    """The most values that a column chunk or page claims, and the most bytes that a page claims to take once inflated;
    raises ValueError where a header is damaged."""
    length = int.from_bytes(data[-8:-4], "little")
    if not 0 < length <= len(data) - 12:
        raise ValueError("the length of its footer is wrong")
    try:
        footer = _Reader(data[len(data) - 8 - length : -8]).struct(0)
        chunks = [chunk[_META_DATA] for group in footer.get(_ROW_GROUPS, ()) for chunk in group.get(_COLUMNS, ())]
        pages = [page for chunk in chunks for page in _pages(data, chunk)]
        counts = [chunk[_NUM_VALUES] for chunk in chunks]
        counts += [
            page[kind][n] for page in pages for kind in _PAGE_KINDS if kind in page for n in _COUNTS if n in page[kind]
        ]
        sizes = [page[_INFLATED] for page in pages]
    except (IndexError, KeyError, AttributeError, TypeError, ValueError):
        raise ValueError("a header in it can't be read") from None
    if min(counts + sizes, default=0) < 0:
        raise ValueError("a header in it counts fewer than no values")
    return max(counts, default=0), max(sizes, default=0)


def _pages(data: bytes, chunk: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """The headers of a chunk's pages."""
    at = min(chunk[_DATA_PAGE], chunk.get(_DICTIONARY_PAGE) or chunk[_DATA_PAGE])
    end = at + chunk[_TOTAL_SIZE]
    if not 0 <= at <= end <= len(data):
        raise ValueError
    while at < end:
        reader = _Reader(data, at)
        page = reader.struct(0)
        if page[_PAGE_SIZE] < 0:
            raise ValueError
        yield page
        at = reader.at + page[_PAGE_SIZE]


class _Reader:
    """A position in bytes of the compact protocol."""

    def __init__(self, data: bytes, at: int = 0):
        self._data, self.at = data, at

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError

    def _whole(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self, depth: int) -> dict[int, Any]:
        """The fields of a struct by number."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            kind = head & 15
            found[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth + 1)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._whole()
        if kind in (7, 8):
            return self._skip(8 if kind == 7 else self._varint())
        if kind in (9, 10):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._value(head & 15, depth + 1) for _ in range(size)]
        if kind == 11:
            size = self._varint()
            kinds = self._byte() if size else 0
            return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(size)]
        if kind == 12:
            return self.struct(depth)
        raise ValueError

    def _skip(self, size: int) -> None:
        if self.at + size > len(self._data):
            raise ValueError
        self.at += size
