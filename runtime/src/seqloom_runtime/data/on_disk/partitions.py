"""The files of a table larger than memory, looked at by their heads and read a few rows at a time."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, SettingError, shown
from ...limits import LEAST_MEMORY, in_words
from ..columnar import quiet_panics
from ..delimited import require_polars
from ..parquet_headers import most_values
from ..several import parquet_files
from ..sources import source_name

__all__ = ["TAKEN", "Partition", "Partitions", "enough"]

TAKEN = 400 << 20  # bytes that the process holds before any data is read
_CELL = 16  # bytes that a cell takes at most while a row group is decoded


@dataclass(frozen=True)
class Partition:
    """One Parquet file: its path, rows, and the values of the columns that its folders name."""

    path: Path
    rows: int
    said: dict[str, str]


@dataclass(frozen=True, eq=False)
class Partitions:
    """The files of one table, in order of their names, all of one schema.

    names: the columns with their types of polars, those that the folders name last. fingerprint: SHA-256 over names,
    sizes and times of change of the files. paths: what was named, as absolute paths without links.
    """

    source: str
    files: tuple[Partition, ...]
    schema: dict[str, Any]
    fingerprint: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], memory: int) -> Partitions:
        """Look at a folder of Parquet files, one file, or several.

        Raises DataError for what is no Parquet file, for files of unlike columns, and for row groups that take more
        than the `memory` (bytes) allows; SettingError where there is no file.
        """
        several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        found: list[tuple[Path, dict[str, str]]] = []
        for path in map(Path, several):
            found += _listed(path)
        source = source_name(several[0]) + (f" and {len(several) - 1} more" if len(several) > 1 else "")
        pl = require_polars(source)
        schema: dict[str, Any] = {}
        files, seen, first = [], [], found[0][0]
        for path, said in found:
            own = _schema(pl, path, memory)
            if not schema:
                schema = own
            _check_alike(path, own, first, schema)
            if set(said) != set(found[0][1]):
                odd = sorted(set(said) ^ set(found[0][1]))[0]
                raise DataError(
                    f"{path}: the folders of {found[0][0]} name other columns ({shown(odd)}); put the files into "
                    "folders of the same names."
                )
            rows = int(_scan(pl, path).select(pl.len()).collect().item())
            files.append(Partition(path, rows, {name: value for name, value in said.items() if name not in own}))
            about = path.stat()
            seen.append([os.path.realpath(path), about.st_size, about.st_mtime_ns])
        for name in files[0].said:
            schema[name] = _kind_of(pl, [file.said[name] for file in files])
        if not sum(file.rows for file in files):
            raise DataError(f"{source}: expected rows of data, found none in {len(files):,} files.")
        print_ = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
        return cls(source, tuple(files), schema, print_, tuple(os.path.realpath(path) for path in map(Path, several)))

    @property
    def rows(self) -> int:
        """The rows of all files."""
        return sum(file.rows for file in self.files)

    def frames(self, columns: Sequence[str], most: int) -> Iterator[tuple[Partition, Any]]:
        """Frames of polars with these columns, of `most` rows each at most, in order; raises DataError for a file that
        turns out to be damaged."""
        pl = require_polars(self.source)
        for file in self.files:
            own = [name for name in columns if name not in file.said]
            for start in range(0, file.rows, most):
                count = min(most, file.rows - start)
                try:
                    with quiet_panics():
                        frame = _scan(pl, file.path).select(own).slice(start, count).collect()
                except (pl.exceptions.PolarsError, OSError, ValueError) as error:
                    raise _damaged(file.path, error) from None
                except BaseException as fault:
                    if type(fault).__name__ == "PanicException":
                        raise _damaged(file.path, fault) from None
                    raise
                if not own:
                    frame = pl.select(pl.zeros(count, dtype=pl.Int8).alias("\0"))
                if frame.height != count:
                    raise _damaged(file.path, "it holds fewer rows than its footer says")
                said = [pl.lit(file.said[name]).cast(self.schema[name]).alias(name) for name in file.said]
                yield file, frame.with_columns(said).select(columns)


def enough(size: int) -> int:
    """The `memory` that leaves so many bytes beside what the process takes by itself, in whole mebibytes.

    >>> enough(1) >> 20, enough(300 << 20) >> 20
    (600, 700)
    """
    return max(LEAST_MEMORY, (size + TAKEN + (1 << 20) - 1) >> 20 << 20)


def _listed(path: Path) -> list[tuple[Path, dict[str, str]]]:
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder; check its name.")
    if path.is_file():
        return [(path, {})]
    found = parquet_files(path)
    others = [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file() and each.suffix != ".parquet" and not each.name.startswith((".", "_"))
    ]
    if others:
        raise DataError(
            f"{others[0]}: expected Parquet files alone (.parquet) in {path}; move it elsewhere, or name the files to "
            "read."
        )
    if not found:
        raise SettingError(f"DATA: {path} holds no Parquet file (.parquet); name the folder that does.")
    return found


def _schema(pl: Any, path: Path, memory: int) -> dict[str, Any]:
    """The columns of a file; its headers are read first, as polars ends the process by some that are damaged."""
    with open(path, "rb") as file:
        head = file.read(4)
        if head != b"PAR1":
            raise DataError(
                f"{path}: a panel on disk is made of Parquet files, and this begins with "
                f"{shown(head.decode('latin-1'))}; a CSV file of any size becomes one by polars.scan_csv(FILE, "
                "try_parse_dates=True).sink_parquet(NEW_FILE)."
            )
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                values, page = most_values(data)  # pyright: ignore[reportArgumentType] - read as bytes are
        except ValueError as error:
            raise _damaged(path, error) from None
    try:
        with quiet_panics():
            schema = dict(_scan(pl, path).collect_schema())
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _damaged(path, error) from None
    room = max(values * len(schema) * _CELL, page)
    if room > memory / 2:
        raise DataError(
            f"{path}: a row group of {values:,} rows takes up to {in_words(room)} while it is read; write the file "
            f"with smaller ones (row_group_size), or allow more memory (memory={enough(2 * room)})."
        )
    return schema


def _check_alike(path: Path, own: dict[str, Any], first: Path, schema: dict[str, Any]) -> None:
    odd = sorted(set(own) ^ set(schema))
    if odd:
        where = "lacks" if odd[0] in schema else "has also"
        raise DataError(f"{path}: expected the columns of {first}, it {where} {shown(odd[0])}; give files of one kind.")
    for name, kind in own.items():
        if kind != schema[name]:
            raise DataError(
                f"{path}: column {shown(name)} is of type {_type_told(kind)}, in {first} of type "
                f"{_type_told(schema[name])}; write both alike."
            )


def _type_told(kind: Any) -> str:
    """A type of polars as people read it, whose own text of a time looks like Python."""
    unit = getattr(kind, "time_unit", None)
    if unit is None:
        return str(kind)
    zone = getattr(kind, "time_zone", None)
    return f"{type(kind).__name__} in {unit}, {f'time zone {zone}' if zone else 'without a time zone'}"


def _scan(pl: Any, path: Path) -> Any:
    """The one file of this name: its characters, such as * and [, are no pattern, nor do its folders name columns."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _kind_of(pl: Any, values: Sequence[str]) -> Any:
    """The type of a column whose values folders name: whole numbers where all are written as such, else text."""
    return pl.Int64 if all(map(_is_whole, values)) else pl.String


def _is_whole(text: str) -> bool:
    """Whether a text is a whole number as it is usually written: 007 is a name, as it would be another one than 7."""
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 16 and str(int(text)) == text


def _damaged(path: Path, reason: object) -> DataError:
    text = str(reason).strip().partition("\n")[0]
    return DataError(f"{path}: the file starts as Parquet but is damaged ({shown(text, 160)[1:-1]}).")
