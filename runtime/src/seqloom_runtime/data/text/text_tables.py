"""Tables of texts: how one is written, and those that are no text files, such as a workbook or a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ...errors import SettingError
from ..database_urls import is_database
from ..delimited import parse_delimited
from ..dialect import Reading
from ..reading import read_table
from ..sources import source_name
from ..table import Table

__all__ = ["TableForm"]

_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")


@dataclass(frozen=True)
class TableForm:
    """What is said of a table's form, as for `read_table`; None (of `skip` 0) is found out."""

    separator: str | None = None
    header: bool | None = None
    skip: int = 0
    sheet: str | None = None
    query: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What is not left to be found out, by name."""
        return {
            name: value for name, value in vars(self).items() if (value is not None and value != 0) or value is False
        }

    def opened(self, path: str | os.PathLike[str], encoding: str) -> Table | None:
        """The table of a database or a workbook; None for a file of text, Parquet or Arrow."""
        if is_database(path) or self.query is not None or os.fspath(path).lower().endswith(_WORKBOOKS):
            return read_table(path, encoding=encoding, **self.said)
        if self.sheet is not None:
            raise SettingError(f"sheet: {source_name(path)} is no workbook, so it has no sheets; leave it out.")
        return None

    def parse(self, data: bytes, source: str) -> Table:
        """The table in the text of a file."""
        return parse_delimited(data, source, reading=Reading(self.separator, self.header, self.skip, plain=True))

    def check(self, layout: str, source: str) -> None:
        """Raise SettingError where something is said of a table and the file is none."""
        if layout != "table" and self.said:
            raise SettingError(
                f"{next(iter(self.said))}: {source} is read as {layout}, which is no table; leave it out, or say "
                "layout='table'."
            )
