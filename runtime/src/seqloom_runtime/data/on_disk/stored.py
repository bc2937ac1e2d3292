"""A panel on disk: plain arrays with a header, mapped into memory, read row range by row range."""

from __future__ import annotations

import bisect
import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, FormatError, shown
from ...files import read_json
from ...limits import reading
from ..frequency import Frequency
from ..panel import Panel
from ..quality import Quality
from ..saved_panels import saved_fill
from ..splits import Split, counts_of
from .ticks import TickRanges

__all__ = ["ARRAYS", "BLOCK", "HEADER", "SCHEMA", "StoredPanel", "block_digest", "header_digest", "text_digest"]

HEADER, SCHEMA = "stored-panel.json", 1
ARRAYS = {"values": "<f8", "tick": "<i8", "filled": "|b1", "offsets": "<i8"}
"""File NAME.bin → the type of its numbers; `filled` is left out where no value was filled in."""
BLOCK = 1 << 24  # bytes under one checksum
_LOOKED_AT = 32  # blocks of a large panel that are checked when it is opened; all of a small one


@dataclass(frozen=True, eq=False)
class StoredPanel:
    """A panel whose arrays stay on disk; `rows` gives any of its rows as a `Panel` over the map.

    values: (R, F) float64, tick: (R,) int64 and filled: (R, F) bool or None, mapped read-only; offsets: (S + 1,) int64.
    The other fields are those of `Panel`. fingerprint: SHA-256 of the checksums of all blocks and the header.
    notes: what was decided when it was made or opened, in sentences.
    """

    folder: Path
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    offsets: np.ndarray
    values: np.ndarray
    tick: np.ndarray
    filled: np.ndarray | None
    frequency: Frequency
    zone: str | None
    timed: bool
    time_format: str | None
    fill: str
    static: tuple[str, ...]
    quality: Quality | None
    fingerprint: str
    about: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tick)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> StoredPanel:
        """Open what `store_panel` made; raises FormatError where it is damaged or of another version.

        Sizes are checked, and the checksums of all blocks of a small panel, of 32 evenly taken ones of a large panel;
        `verify` checks all.
        """
        path = Path(folder)
        if not (path / HEADER).is_file():
            raise FormatError(f"{path}: expected a panel on disk, found no {HEADER} there.")
        with reading(str(path), "panel on disk", error=FormatError):
            about = read_json(path / HEADER)
            if not isinstance(about, dict) or about.get("schema") != SCHEMA:
                schema = about.get("schema") if isinstance(about, dict) else None
                raise FormatError(f"{path / HEADER}: expected schema {SCHEMA}, found {shown(schema)}.")
            if about.get("checksum") != header_digest(about):
                raise FormatError(f"{path / HEADER}: the header is not as it was written.")
            found = cls._opened(path, about)
        found.verify(_LOOKED_AT)
        return found

    @classmethod
    def _opened(cls, path: Path, about: dict[str, Any]) -> StoredPanel:
        rows, columns = int(about["rows"]), tuple(about["columns"])
        if not (path / "ids.json").is_file():
            raise FormatError(f"{path / 'ids.json'}: the names of the series are not there.")
        ids = read_json(path / "ids.json")
        if not isinstance(ids, list) or text_digest(ids) != about["ids"]:
            raise FormatError(f"{path / 'ids.json'}: the names of the series are not those that were written.")
        shapes = {
            "values": (rows, len(columns)),
            "tick": (rows,),
            "filled": (rows, len(columns)),
            "offsets": (len(ids) + 1,),
        }
        arrays: dict[str, np.ndarray | None] = {"filled": None}
        for name in about["blocks"]:
            arrays[name] = _mapped(path / f"{name}.bin", ARRAYS[name], shapes[name])
        offsets, values, tick = arrays["offsets"], arrays["values"], arrays["tick"]
        if offsets is None or values is None or tick is None:
            raise FormatError(f"{path / HEADER}: expected the arrays values, tick and offsets.")
        offsets = np.array(offsets)
        if offsets[0] != 0 or offsets[-1] != rows or (np.diff(offsets) < 0).any():
            raise FormatError(f"{path / 'offsets.bin'}: offsets must rise from 0 to {rows:,}.")
        return cls(
            folder=path,
            columns=columns,
            ids=tuple(map(str, ids)),
            offsets=offsets,
            values=values,
            tick=tick,
            filled=arrays["filled"],
            frequency=Frequency.from_json(about["frequency"]),
            zone=about["zone"],
            timed=bool(about["timed"]),
            time_format=about["time_format"],
            fill=saved_fill(path, about["fill"]),
            static=tuple(about["static"]),
            quality=None if about["quality"] is None else Quality.from_json(about["quality"]),
            fingerprint=text_digest([about["blocks"], about["frequency"], about["columns"], about["ids"]]),
            about=about,
        )

    def verify(self, most: int | None = None) -> None:
        """Check the blocks against their checksums, all of them or `most` evenly taken; raises FormatError."""
        for name, digests in self.about["blocks"].items():
            path = self.folder / f"{name}.bin"
            step = 1 if most is None else max(1, len(digests) // most)
            with open(path, "rb") as file:
                for block in range(0, len(digests), step):
                    file.seek(block * BLOCK)
                    if block_digest(file.read(BLOCK)) != digests[block]:
                        raise FormatError(f"{path}: block {block} was altered after it was written.")

    def rows(self, first: int, end: int) -> Panel:
        """Rows first:end as a panel over the map, with the series that they belong to."""
        low = bisect.bisect_right(self.offsets, first) - 1
        high = max(low + 1, bisect.bisect_left(self.offsets, end))
        tick = self.tick[first:end]
        none = np.broadcast_to(np.zeros(1, dtype=bool), (end - first, len(self.columns)))
        return Panel(
            values=self.values[first:end],
            columns=self.columns,
            time=self.frequency.times(np.asarray(tick)) if self.timed else None,
            tick=tick,
            frequency=self.frequency,
            ids=self.ids[low:high],
            offsets=np.clip(self.offsets[low : high + 1], first, end) - first,
            filled=none if self.filled is None else self.filled[first:end],
            zone=self.zone,
            time_format=self.time_format,
            fill=self.fill,
            static=self.static,
        )

    def pieces(self, most: int, before: int = 0, after: int = 0) -> Iterator[tuple[int, int, int, int]]:
        """Row ranges (start, first, end, stop) in order: first:end are `most` rows at most, of whole series where
        those are shorter; start:stop holds beside them up to `before` and `after` rows of the same series."""
        series, count = 0, len(self.ids)
        while series < count:
            low = int(self.offsets[series])
            last = bisect.bisect_right(self.offsets, low + most) - 1
            if last > series:
                high = int(self.offsets[last])
                if high > low:
                    yield low, low, high, high
                series = last
                continue
            high = int(self.offsets[series + 1])
            for first in range(low, high, most):
                end = min(high, first + most)
                yield max(low, first - before), first, end, min(high, end + after)
            series += 1

    def ticks(self) -> TickRanges:
        """The distinct ticks of all series, as ranges."""
        found = TickRanges()
        for _, first, end, _ in self.pieces(1 << 22):
            found.add(np.asarray(self.tick[first:end]))
        return found

    def split(self, split: str | Sequence[str | float] | Split, ticks: TickRanges | None = None) -> Split:
        """As `Split.make` of a panel of all rows."""
        if isinstance(split, Split):
            return split
        ranges = self.ticks() if ticks is None else ticks
        train, valid = counts_of(split, len(ranges))
        end = ranges.last + 1
        return Split(ranges.nth(train), ranges.nth(train + valid) if train + valid < len(ranges) else end)

    def forget(self) -> None:
        """Let the system take back the pages that were read; they are read again where they are needed."""
        for array in (self.values, self.tick, self.filled):
            held = None if array is None else getattr(array, "_mmap", None)
            if held is not None:
                held.madvise(mmap.MADV_DONTNEED)


def block_digest(data: bytes | memoryview) -> str:
    """The checksum of a block of an array's bytes: SHA-256, its first 16 of 32 bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def header_digest(about: dict[str, Any]) -> str:
    """The checksum of a header, without the one that it holds itself."""
    return text_digest({name: value for name, value in about.items() if name != "checksum"})


def text_digest(value: Any) -> str:
    """SHA-256 of a value as JSON."""
    import json

    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()


def _mapped(path: Path, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if not path.is_file() or path.stat().st_size != size:
        raise FormatError(f"{path}: expected a file of {size:,} bytes, as the header says.")
    if not size:
        raise DataError(f"{path}: expected rows of data, found none.")
    return np.memmap(path, dtype=kind, mode="r", shape=shape)
