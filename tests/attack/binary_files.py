"""Binary files as fuzzers write them: NumPy arrays, zip, gzip, IDX, MATLAB, Parquet, Arrow; checksums always fit."""

from __future__ import annotations

import bz2
import contextlib
import datetime
import decimal
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .wild import TEXTS, Wild, damage_bytes

__all__ = ["BUILDERS", "gzipped", "npy", "zipped"]

_DTYPES = ("<f8", "<f4", "<i8", "|u1", "|b1", "<f2", "<i2", ">f8", "<U3", "|S4")
_ZONES = ("UTC", "Europe/Berlin", "Nowhere/Land", "+99:00")
_ODD_DTYPES = (
    "|O", "<M8[ns]", "<m8[D]", "<c16", "|V8", "<f16", "<U1000000000", "|S0", "", "x", "<f8,<i4", "<f3", "object",
    "(1000000,)f8",
)  # fmt: skip


def npy(wild: Wild, shape: tuple[int, ...] | None = None, kind: str | None = None) -> bytes:
    """A .npy file; header fields may lie."""
    shape = tuple(wild.randint(1, 5) for _ in range(wild.randint(1, 3))) if shape is None else shape
    kind = wild.choice(_DTYPES) if kind is None else kind
    body = _values(wild, shape, kind).tobytes()
    said = tuple(wild.count(size) for size in shape)
    if wild.strays:
        said = wild.choice((said[1:], (*said, 1), (10**12,), (2**63, 2), (-1,), (0, *said), (1,) * 70))
    fields = {"descr": wild.of(kind, _ODD_DTYPES), "fortran_order": wild.of(False, (True, 1, "x")), "shape": said}
    text = repr(fields)
    if wild.strays:
        text = wild.choice(
            (text[:-3], "[" * 3000, text * 2, "{}", "__import__('os')", text.replace("shape", "sh\0pe"), "9" * 5000)
        )
    version = wild.of((1, 0), ((2, 0), (3, 0), (9, 9), (0, 0)))
    head = text.encode("latin-1", "replace")
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", wild.count(len(head), 16 if version[0] == 1 else 32))
    cut = wild.of(len(body), (0, len(body) // 2, len(body) - 1)) if body else 0
    return b"\x93NUMPY" + bytes(version) + size + head + body[:cut]


def _values(wild: Wild, shape: tuple[int, ...], kind: str) -> np.ndarray:
    drawn = np.random.default_rng(wild.getrandbits(32))
    if kind[1] in "US":
        return drawn.integers(0, 9, shape).astype(kind)
    values = drawn.normal(0, 3, shape)
    if values.size and wild.strays:
        values.flat[wild.randrange(values.size)] = wild.choice((np.nan, np.inf, -np.inf, 1e308, 1e-320))
    with np.errstate(all="ignore"):
        return values.astype(kind)


def npz(wild: Wild) -> bytes:
    """Sequences and labels as `read_sequences` takes them, in a zip archive."""
    count, steps = wild.randint(1, 30), wild.randint(1, 5)
    if wild.random() < 0.5:
        members = {
            "X": npy(wild, (count, steps, 2), "<f8"),
            "y": npy(wild, (count,), wild.choice(("<i8", "<U3", "<f8"))),
        }
    else:
        lengths = np.array([wild.count(wild.randint(1, 4), 63) for _ in range(count)], "<i8")
        rows = int(lengths.sum()) if lengths.max() < 100 else 9
        plain = Wild(wild.getrandbits(32))
        members = {
            "values": npy(wild, (rows, 2), "<f8"),
            "lengths": npy(plain, (count,), "<i8")[: -8 * count] + lengths.tobytes(),
        }
        members["y"] = npy(wild, (wild.choice((count, rows)),), "<i8")
    return zipped(wild, {wild.of(name, TEXTS) + ".npy": data for name, data in members.items()})


def packed_music(wild: Wild) -> bytes:
    """Piano rolls as `load_music` takes them, in a zip archive."""
    rows, pieces = wild.randint(2, 9), 2
    lengths = struct.pack("<2q", wild.count(1, 63), wild.count(rows - 1, 63))
    head = npy(Wild(1), (pieces,), "<i8")[: -8 * pieces]
    members = {"train_roll.npy": npy(wild, (rows, wild.of(11, (0, 1, 12))), "|u1"), "train_len.npy": head + lengths}
    return zipped(wild, members)


def zipped(wild: Wild, members: dict[str, bytes]) -> bytes:
    """A zip archive, written field by field so that each may lie while the rest is right."""
    body, directory = b"", b""
    for name, data in members.items():
        method = wild.of(wild.choice((0, 8)), (12, 14, 1, 9, 93, 99, 65535))
        packed = _compressed(method, data)
        if wild.strays:
            packed = damage_bytes(wild, packed, 1)
        flags, crc = wild.of(0, (1, 8, 0x800, 0x41, 0xFFFF)), wild.of(zlib.crc32(data), (0, 0xFFFFFFFF))
        small, large = wild.count(len(packed), 32), wild.count(len(data), 32)
        label = name.encode("utf-8", "replace")[:60_000]
        version, extra = wild.of(20, (0, 45, 63, 255)), wild.of(b"", (b"\x01\x00\x10\x00" + b"\xff" * 16, b"\xff" * 7))
        fields = struct.pack("<HHHHHIIIHH", version, flags, method, 0, 33, crc, small, large, len(label), len(extra))
        at = wild.count(len(body), 32)
        directory += (
            b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, at) + label + extra
        )
        body += b"PK\x03\x04" + fields + label + extra + packed
    count = wild.count(len(members), 16)
    sizes = (count, count, wild.count(len(directory), 32), wild.count(len(body), 32), wild.of(0, (1, 65535)))
    return body + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", wild.of(0, (1, 9)), 0, *sizes)


def _compressed(method: int, data: bytes) -> bytes:
    if method == 8:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(data) + packer.flush()
    if method == 12:
        return bz2.compress(data)
    if method == 14:
        raw = lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1}])
        return b"\x09\x04\x05\x00]\x00\x00\x80\x00" + raw
    return data


def gzipped(wild: Wild, data: bytes) -> bytes:
    """gzip of `data`, in one or more members whose fields may lie; now and then with 64 MiB of one letter more."""
    if wild.strays and wild.random() < 0.2:
        data += b"a" * (64 << 20)
    at = wild.randrange(len(data) + 1) if wild.random() < 0.2 else len(data)
    return b"".join(_gzip_member(wild, piece) for piece in (data[:at], data[at:]) if piece or at == len(data) == 0)


def _gzip_member(wild: Wild, data: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(data) + packer.flush()
    if wild.strays:
        packed = damage_bytes(wild, packed, 1)
    flags = wild.of(0, (4, 8, 16, 2, 255))
    extra = b"\x05\x00hello" * bool(flags & 4) + b"name\0" * bool(flags & 8) + b"note\0" * bool(flags & 16)
    head = b"\x1f\x8b" + bytes([wild.of(8, (0, 7, 255)), flags, 0, 0, 0, 0, 0, 255])
    tail = struct.pack("<II", wild.count(zlib.crc32(data), 32), wild.count(len(data) & 0xFFFFFFFF, 32))
    return head + extra + packed + wild.of(tail, (b"", tail[:3], tail + b"\0" * 9, tail + b"x"))


def idx(wild: Wild) -> bytes:
    """An IDX file."""
    shape = [wild.randint(1, 4) for _ in range(wild.randint(1, 3))]
    kind = wild.choice((0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E))
    size = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}[kind]
    body = wild.randbytes(int(np.prod(shape)) * size)
    axes = wild.of(len(shape), (0, 1, 33, 65, 255))
    sizes = [wild.count(value, 32) for value in shape]
    if axes > len(shape):
        sizes, body = [wild.choice((1, 1, 1, 2**31)) for _ in range(axes)], wild.of(b"\0" * size, (b"",))
    elif wild.strays:
        sizes[0], body = 0, b""
    return (
        bytes([0, wild.of(0, (1,)), wild.of(kind, (0, 7, 255)), axes]) + struct.pack(f">{len(sizes)}I", *sizes) + body
    )


def png(wild: Wild) -> bytes:
    """A PNG; its size, depth, colours and rows may lie, and the checksum of each chunk fits."""
    high, wide, kind = wild.randint(1, 9), wild.randint(1, 9), wild.choice((0, 2, 3, 4, 6))
    depth, bands = wild.of(8, (1, 2, 4, 16, 0, 255)), {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    rows = b"".join(
        bytes([wild.of(0, (1, 2, 3, 4, 200))]) + bytes(wild.randrange(256) for _ in range(wide * bands))
        for _ in range(wild.of(high, (0, high - 1, high + 1)))
    )
    head = struct.pack(">II", wild.count(wide, 32) & 0xFFFFFFFF, wild.count(high, 32) & 0xFFFFFFFF)
    head += bytes((depth, wild.of(kind, (1, 5, 7, 255)), 0, wild.of(0, (1,)), wild.of(0, (1, 9))))
    packed = zlib.compress(wild.of(rows, (b"", rows * 50, b"\0" * 10**6)))
    chunks = [(b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")]
    if kind == 3:
        chunks.insert(1, (b"PLTE", bytes(range(256)) * wild.of(3, (0, 1, 4))))
    for _ in range(2 if wild.strays else 0):
        odd = wild.choice((b"tRNS", b"acTL", b"eXIf", b"zTXt", b"iCCP", b"gAMA", b"PLTE", b"IHDR", b"\0\1\2\3"))
        body = bytes(wild.randrange(256) for _ in range(wild.randint(0, 40)))
        chunks.insert(wild.randrange(len(chunks) + 1), (odd, body))
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        size = wild.of(len(body), (0, 2**31, 2**32 - 1))
        made += struct.pack(">I", size) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return made


def matlab(wild: Wild) -> bytes:
    """A .mat file of version 5 with cells of piano rolls; a compressed element may hold a damaged one."""
    from scipy.io import savemat

    cells = np.empty((1, wild.randint(1, 3)), object)
    for place in range(cells.size):
        cells.flat[place] = (np.random.default_rng(place).random((3, 88)) < 0.1).astype("f8")
    held: dict[str, Any] = {"traindata": cells}
    if wild.strays:
        held = {"traindata": wild.choice(({"a": 1}, "text", np.eye(3), np.array([], object), 1 + 2j, [["a"]]))}
    file = io.BytesIO()
    savemat(file, held)
    data = file.getvalue()
    if wild.random() < 0.6 and wild.wildness:
        inner = damage_bytes(wild, data[128:], 1)
        if wild.random() < 0.5:
            inner = zlib.compress(inner)
            inner = struct.pack("<II", 15, wild.count(len(inner), 32)) + inner
        data = data[:128] + inner
    return data


def wav(wild: Wild) -> bytes:
    """A WAV file of one channel, mostly of 16 bits; any field of it may lie."""
    bits = wild.of(16, (8, 24, 32, 64, 0, 12))
    tag = wild.of(3 if bits == 64 else 1, (1, 3, 6, 7, 0x11, 0xFFFE, 0, 85))
    channels, rate, frames = wild.of(1, (2, 0, 600)), wild.choice((8_000, 11_025, 16_000)), wild.randint(1, 2_000)
    rate = wild.count(rate, 32)
    body = np.random.default_rng(wild.getrandbits(32)).bytes(frames * max(1, bits // 8) * min(channels, 2))
    align = wild.count(channels * bits // 8, 16)
    facts = struct.pack("<HHIIHH", tag, channels, rate, wild.count(2 * rate % 2**32, 32), align, bits)
    facts += wild.of(b"", (b"\0\0", b"\x16\0" + bytes(22), bytes(600)))

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", wild.count(len(data), 32)) + data + bytes(len(data) % 2)

    pieces = [chunk(b"fmt ", facts), *([chunk(b"LIST", b"INFO" + bytes(9))] if wild.random() < 0.2 else [])]
    pieces += [chunk(b"data", body)]
    if wild.strays:
        pieces = wild.choice((pieces[::-1], pieces[1:], pieces[:-1], [*pieces, *pieces], [b"junk", *pieces]))
    inner = wild.of(b"WAVE", (b"AVI ", b"", b"WAVE" * 3)) + b"".join(pieces)
    return wild.of(b"RIFF", (b"RF64", b"RIFX", b"FORM")) + struct.pack("<I", wild.count(len(inner), 32)) + inner


def _frame(wild: Wild) -> Any:
    """A table of pyarrow with columns of ordinary and odd types."""
    import pyarrow as pa

    rows = wild.of(wild.randint(2, 60), (0, 1))
    names = ["time", "id", "x", "label", "text", "ys", "tags"]
    arrays: list[Any] = [
        pa.array([datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=row) for row in range(rows)]),
        pa.array([f"s{row // 3}" for row in range(rows)]),
        pa.array([float(row) for row in range(rows)]),
        pa.array([wild.of("ab"[row // 3 % 2], TEXTS) for row in range(rows)]),
        pa.array([wild.word() for _ in range(rows)]),
        pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float64())),
        pa.array([["O", "B"]] * rows, pa.list_(pa.string())),
    ]
    for place in range(len(arrays)):
        if wild.strays:
            with contextlib.suppress(pa.ArrowException, TypeError, ValueError, OverflowError):
                arrays[place] = _odd_column(wild, rows)
    names = [wild.of(name, TEXTS) for name in names]
    keep = sorted(wild.sample(range(len(names)), wild.randint(3, len(names))))
    return pa.table([arrays[n] for n in keep], names=[names[n] for n in keep])


def _odd_column(wild: Wild, rows: int) -> Any:
    import pyarrow as pa

    made: Sequence[Callable[[], Any]] = (
        lambda: pa.array([None] * rows, pa.null()),
        lambda: pa.array([b"\xff\0"] * rows, pa.binary()),
        lambda: pa.array([b"abcd"] * rows, pa.binary(4)),
        lambda: pa.array([decimal.Decimal("1.50")] * rows, pa.decimal128(38, 10)),
        lambda: pa.array([decimal.Decimal("1.50")] * rows, pa.decimal256(60, 10)),
        lambda: pa.array([datetime.timedelta(days=row) for row in range(rows)]),
        lambda: pa.array([datetime.time(1, 2)] * rows),
        lambda: pa.array([datetime.date(1, 1, 1)] * rows),
        lambda: pa.array([wild.count(0, 63, signed=True)] * rows, pa.timestamp(wild.choice(("s", "ms", "us", "ns")))),
        lambda: pa.array([0] * rows, pa.timestamp("us", wild.choice(_ZONES))),
        lambda: pa.array([{"a": 1, "b": "x"}] * rows),
        lambda: pa.array([[[1.0], []]] * rows, pa.list_(pa.list_(pa.float64()))),
        lambda: pa.array([[1.0] * (row % 3) for row in range(rows)], pa.list_(pa.float64())),
        lambda: pa.array([None if row % 2 else [row] for row in range(rows)], pa.list_(pa.int64())),
        lambda: pa.array([[1, 2]] * rows, pa.list_(pa.int8(), 2)),
        lambda: pa.array([wild.word() for _ in range(rows)]).dictionary_encode(),
        lambda: pa.array([True] * rows),
        lambda: pa.array([wild.choice((0, 2**63, 2**64 - 1)) for _ in range(rows)], pa.uint64()),
        lambda: pa.array([float(wild.number() or 0) for _ in range(rows)], pa.float32()),
        lambda: pa.array([np.float16(1)] * rows, pa.float16()),
        lambda: pa.array([[("k", 1)]] * rows, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array(["x" * 100_000] * rows, pa.large_string()),
    )  # fmt: skip
    return wild.choice(made)()


def parquet(wild: Wild) -> bytes:
    """A Parquet file; the length of its footer may lie."""
    import pyarrow.parquet

    file = io.BytesIO()
    options = {"compression": wild.choice(("none", "snappy", "gzip", "zstd")), "use_dictionary": wild.random() < 0.5}
    held, version = _frame(wild), wild.choice(("1.0", "2.0"))
    try:
        pyarrow.parquet.write_table(held, file, data_page_version=version, **options)
    except (pyarrow.ArrowException, pyarrow.ArrowNotImplementedError):  # a column that Parquet can't hold
        return arrow(wild)
    data = file.getvalue()
    if wild.strays:
        data = data[:-8] + struct.pack("<I", wild.count(len(data), 32)) + data[-4:]
    footer = int.from_bytes(data[-8:-4], "little")
    if wild.strays and 0 < footer < len(data):  # what stands in the footer leads to the deepest code
        data = data[: -8 - footer] + damage_bytes(wild, data[-8 - footer : -8], 1) + data[-8:]
    if wild.strays:  # a number of many bytes where a header or a page has a short one
        at = wild.randint(4, len(data) - 8)
        data = (
            data[:at]
            + wild.choice((b"\xfc\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\x81\x80\x80\x80\x10"))
            + data[at + 5 :]
        )
    return data


def arrow(wild: Wild) -> bytes:
    """An Arrow IPC file."""
    import pyarrow as pa

    held, file = _frame(wild), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=wild.choice((None, None, "lz4", "zstd")))
    with pa.ipc.new_file(file, held.schema, options=options) as writer:
        writer.write_table(held)
    data = file.getvalue()
    if wild.strays:  # lengths and offsets stand at multiples of 8 bytes
        at = 8 * wild.randint(1, len(data) // 8 - 2)
        data = data[:at] + struct.pack("<q", wild.count(64, 63, signed=True)) + data[at + 8 :]
    return data


BUILDERS: dict[str, Callable[[Wild], bytes]] = {
    "npy": npy,
    "npz": npz,
    "packed_music": packed_music,
    "idx": idx,
    "matlab": matlab,
    "png": png,
    "parquet": parquet,
    "wav": wav,
    "arrow": arrow,
}
