"""Which files of sequences are tables, and how those are read: by the same options as a table of measurements."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import SettingError
from ..database_urls import is_database
from ..dialect import Reading
from ..reading import read_table, table_of
from ..several import joined, parquet_files
from ..sources import STDIN, source_name
from ..table import Table

__all__ = ["is_table", "piped", "said", "table_from"]

_USUAL = {"encoding": "utf-8", "skip": 0}
"""What `read_table` takes where nothing is said, beside None."""
# They begin as an .npz does.
_PACKED = (".xlsx", ".xlsm", ".ods", ".zip")


def said(form: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `read_table` that say something else than usual."""
    return {name: value for name, value in form.items() if value is not None and value != _USUAL.get(name)}


def is_table(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], form: Mapping[str, Any]) -> bool:
    """Whether a path can only be that of a table: a database, a folder, or a packed file that is called no .npz; or
    several. Raises SettingError where one of several is called .npy or .npz."""
    if not isinstance(path, (str, os.PathLike)):
        arrays = next((source_name(one) for one in path if os.fspath(one).endswith((".npy", ".npz"))), None)
        if arrays is not None:
            raise SettingError(f"path: {arrays} holds NumPy arrays, which are read one file at a time; name it alone.")
        return True
    name = os.fspath(path)
    if is_database(path) or "query" in form:
        return True
    if name == STDIN:
        return False
    return bool(parquet_files(Path(name))) if os.path.isdir(name) else name.lower().endswith(_PACKED)


def table_from(path: Any, form: Mapping[str, Any], named: Sequence[str | None]) -> Table:
    """The table of a file or several; the column of the files' names is no channel, left out unless it is `named`."""
    return _without(read_table(path, unfold=False, **form), form, named)


def piped(data: bytes, source: str, form: Mapping[str, Any], named: Sequence[str | None]) -> Table:
    """The table in the bytes of a pipe, which can be read only once; the rest as for `table_from`."""
    rest = dict(form)
    encoding, sheet, column = rest.pop("encoding", "utf-8"), rest.pop("sheet", None), rest.pop("file_column", None)
    table = table_of(data, source, encoding, None, Reading(typed=True, **rest), sheet)
    return _without(table if column is None else joined([table], source, file_column=column), form, named)


def _without(table: Table, form: Mapping[str, Any], named: Sequence[str | None]) -> Table:
    own = form.get("file_column")
    if own is None or own in named:
        return table
    return replace(table, cells={name: cells for name, cells in table.cells.items() if name != own})
