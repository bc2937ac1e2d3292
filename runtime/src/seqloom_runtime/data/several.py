"""Several files as one table: a list of files, or a folder of Parquet files with the columns that its folders name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, shown
from .decisions import Decision
from .table import Table

__all__ = ["joined", "parquet_files"]

_MOST_FILES = 100_000
_FOLDER = re.compile(r"([^=/]+)=([^/]*)")


def parquet_files(folder: Path) -> list[tuple[Path, dict[str, str]]]:
    """The Parquet files in a folder and its folders, sorted, each with what folders such as year=2020 say; none where
    there are none."""
    found: list[tuple[Path, dict[str, str]]] = []
    for path in sorted(folder.rglob("*.parquet")):
        inner = path.relative_to(folder)
        if any(part.startswith((".", "_")) for part in inner.parts) or not path.is_file():
            continue
        said = {m[1]: m[2] for part in inner.parts[:-1] if (m := _FOLDER.fullmatch(part))}
        found.append((path, said))
        if len(found) > _MOST_FILES:
            raise DataError(f"{folder}: expected at most {_MOST_FILES:,} files, found more; name those to read.")
    return found


def joined(
    tables: Sequence[Table], source: str, extra: Sequence[dict[str, str]] = (), file_column: str | None = None
) -> Table:
    """The rows of all tables one after the other; raises DataError where one has other columns than the first.

    `extra` are further columns, one value for each table; `file_column` names one that holds each table's file.
    """
    import narwhals as nw
    import polars as pl

    first = tables[0]
    for table in tables[1:]:
        if set(table.names) != set(first.names):
            odd = sorted(set(table.names) ^ set(first.names))
            where = "lacks" if odd[0] in first.names else "has also"
            raise DataError(
                f"{table.source}: expected the columns of {first.source}, it {where} {shown(odd[0])}; read files of "
                "the same "
                "columns together."
            )
    cells: dict[str, Any] = {name: _concatenated(pl, tables, name) for name in first.names}

    def written(name: str) -> Any:
        texts = pl.concat([table.texts(name).to_native().cast(pl.String) for table in tables])
        return nw.from_native(texts, series_only=True)

    for name in dict.fromkeys(name for said in extra for name in said):
        if name not in cells:
            values = [value for table, said in zip(tables, extra) for value in [said.get(name)] * table.rows]
            cells[name] = pl.Series(values, dtype=pl.String)
    if file_column is not None:
        first.require_new(file_column)
        stems = [_stem(table.source) for table in tables]
        cells[file_column] = pl.Series([stem for stem, table in zip(stems, tables) for _ in range(table.rows)])
    starts = np.cumsum([0, *(table.rows for table in tables)])
    said = [
        Decision("files", f"{len(tables):,} files are read as one table, one behind the other.", option="file_column")
    ]
    for table in tables:
        said += [decision for decision in table.decisions if decision not in said]
    return Table(
        {name: nw.from_native(column, series_only=True) for name, column in cells.items()},
        source,
        int(starts[-1]),
        np.concatenate([table.numbers_of(np.arange(table.rows)) for table in tables]),
        first.decimal,
        said,
        counted_in=first.unit,
        thousands=first.thousands,
        missing=first.missing,
        english=all(table.english for table in tables),
        written=written if any(table.written is not None for table in tables) else None,
        files=tuple((_name(table.source), int(start)) for table, start in zip(tables, starts)),
    )


def _concatenated(pl: Any, tables: Sequence[Table], name: str) -> Any:
    """One column of several; numbers where all are numbers, else texts as they are written."""
    parts = [table.cells[name].to_native() for table in tables]
    kinds = {part.dtype for part in parts}
    if len(kinds) == 1:
        return pl.concat(parts)
    if all(kind.is_numeric() for kind in kinds):
        return pl.concat([part.cast(pl.Float64) for part in parts])
    return pl.concat([table.texts(name).to_native().cast(pl.String) for table in tables])


def _name(source: str) -> str:
    return source.rsplit("/", 1)[-1]


def _stem(source: str) -> str:
    return _name(source).split(".")[0]
