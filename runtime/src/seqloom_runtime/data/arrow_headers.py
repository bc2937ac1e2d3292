"""What an Arrow file's own headers claim, before polars allocates by it.

polars ends the process where a compressed buffer claims to hold more bytes than there is memory for, so these
headers are read first: flatbuffers, fields as numbered in the format's specification (apache/arrow, format/File.fbs,
Message.fbs), and the length that stands before each compressed buffer.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Claims", "claims"]

_FOOTER = (2, 3)  # of the footer: blocks of dictionaries, blocks of record batches
_HEADER_KIND, _HEADER = 1, 2  # of a message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # kinds of a message's header
_DICTIONARY_DATA = 1
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3  # of a record batch
_BLOCK, _PAIR = 24, 16  # bytes of a block (offset, length of metadata, length of body) and of a node or a buffer
_CONTINUES = 0xFFFFFFFF


class Claims(NamedTuple):
    """What a file claims: rows over its record batches, the most values of a column or list, bytes once inflated."""

    rows: int
    values: int
    inflated: int


def claims(data: bytes) -> Claims:
    """The counts of an Arrow file's headers; raises ValueError where one can't be read or is negative."""
    try:
        return _claims(_Bytes(data))
    except (IndexError, RecursionError):
        raise ValueError("a header in it can't be read") from None


def _claims(data: _Bytes) -> Claims:
    size = data.number(len(data) - 10, 4)
    start = len(data) - 10 - size
    if size < 8 or start < 8:
        raise ValueError("the length of its footer is wrong")
    footer = data.table(data.at(start))
    rows = values = inflated = 0
    for field in _FOOTER:
        for block in footer.vector(field, _BLOCK):
            batch, body = _batch(data, block)
            if batch is None:
                continue
            nodes = [data.number(node, 8) for node in batch.vector(_NODES, _PAIR)]
            length = batch.number(_LENGTH, 8)
            if min(nodes, default=0) < 0 or length < 0:
                raise ValueError("a header in it counts fewer than no values")
            rows += length if field == _FOOTER[1] else 0
            values = max(values, length, *nodes)
            inflated += _inflated(data, batch, body)
    return Claims(rows, values, inflated)


def _batch(data: _Bytes, block: int) -> tuple[_Table | None, range]:
    """The record batch of a block, None where its message is another, and where its buffers lie."""
    offset, metadata, body = data.number(block, 8), data.number(block + 8, 4), data.number(block + 16, 8)
    start = offset + metadata
    if min(offset, metadata, body) < 0 or start + body > len(data):
        raise ValueError("a block of it lies outside of the file")
    at = offset + (8 if data.number(offset, 4, signed=False) == _CONTINUES else 4)
    message = data.table(data.at(at))
    kind, header = message.number(_HEADER_KIND, 1), message.child(_HEADER)
    if header is not None and kind == _DICTIONARY_BATCH:
        header = header.child(_DICTIONARY_DATA)
    elif kind != _RECORD_BATCH:
        header = None
    return header, range(start, start + body)


def _inflated(data: _Bytes, batch: _Table, body: range) -> int:
    """Bytes that the compressed buffers of a batch claim to take; those that aren't compressed lie in the file."""
    total = 0
    compressed = batch.child(_COMPRESSION) is not None
    for buffer in batch.vector(_BUFFERS, _PAIR):
        offset, length = data.number(buffer, 8), data.number(buffer + 8, 8)
        if min(offset, length) < 0 or offset + length > len(body):
            raise ValueError("a buffer of it lies outside of its record batch")
        if compressed and length:
            claimed = data.number(body.start + offset, 8)
            if length < 8 or claimed < -1:  # -1: kept as it is
                raise ValueError("the length of a compressed buffer is impossible")
            total += max(claimed, 0)
    return total


class _Bytes:
    """Bytes that are read by place, never outside."""

    def __init__(self, data: bytes):
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def number(self, place: int, size: int, *, signed: bool = True) -> int:
        """The little-endian number of `size` bytes at `place`."""
        if not 0 <= place <= len(self._data) - size:
            raise IndexError
        return int.from_bytes(self._data[place : place + size], "little", signed=signed)

    def at(self, place: int) -> int:
        """Where the offset that stands at `place` leads."""
        return place + self.number(place, 4, signed=False)

    def table(self, place: int) -> _Table:
        """The table at `place`."""
        return _Table(self, place)


class _Table:
    """A table of flatbuffers: fields by number, absent ones 0, None or empty."""

    def __init__(self, data: _Bytes, place: int):
        self._data, self._place = data, place
        self._fields = place - data.number(place, 4)
        self._size = data.number(self._fields, 2, signed=False)

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        offset = self._data.number(self._fields + entry, 2, signed=False) if entry + 2 <= self._size else 0
        return self._place + offset if offset else None

    def number(self, number: int, size: int) -> int:
        """A number of `size` bytes."""
        place = self._field(number)
        return 0 if place is None else self._data.number(place, size)

    def child(self, number: int) -> _Table | None:
        """A table within this one."""
        place = self._field(number)
        return None if place is None else self._data.table(self._data.at(place))

    def vector(self, number: int, size: int) -> range:
        """The places of a vector's elements of `size` bytes."""
        place = self._field(number)
        if place is None:
            return range(0)
        start = self._data.at(place)
        count = self._data.number(start, 4, signed=False)
        if start + 4 + count * size > len(self._data):
            raise IndexError
        return range(start + 4, start + 4 + count * size, size)
