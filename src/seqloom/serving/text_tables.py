"""Tables of texts in the body of a request: which bodies are one, and which column holds the texts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from seqloom_runtime.data.columnar import is_columnar
from seqloom_runtime.data.dialect import Reading
from seqloom_runtime.data.excel import is_workbook, is_zip
from seqloom_runtime.data.reading import table_of
from seqloom_runtime.errors import shown

from .problem import Problem

__all__ = ["is_text_table", "texts_of_table"]

_TABLES = ("text/csv", "text/tab-separated-values")
_LONGEST_HEADER = 4096


def is_text_table(body: bytes, content: str, column: str) -> bool:
    """Whether a body is a table of texts: it is called CSV, or its first line is a header that names the column.

    What is called text/plain is one text, whatever stands in it; other names say nothing, for curl calls each file a
    form.

    >>> is_text_table(b"id,text\\n1,Win a prize\\n", "application/x-www-form-urlencoded", "text")
    True
    >>> is_text_table(b"id,text\\n1,Win a prize\\n", "text/plain", "text")
    False
    """
    kind = content.partition(";")[0].strip().lower()
    if kind in _TABLES:
        return True
    first, _, rest = body.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if kind == "text/plain" or not rest.strip() or len(first) > _LONGEST_HEADER:
        return False
    line = first.decode("utf-8", "replace").strip("\r")
    return any(column in _cells(line, mark) for mark in ",;\t")


def _cells(line: str, mark: str) -> list[str]:
    try:
        return [cell.strip() for cells in csv.reader([line], delimiter=mark) for cell in cells]
    except csv.Error:
        return []


def texts_of_table(body: bytes, content: str, column: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a table's rows: of the column of that name, or of the only one. Empty cells are empty texts.

    settings: those of the training, whose `separator` and `header` hold here too. Raises Problem where there are
    several columns of other names, or no rows; DataError for what can't be read.
    """
    if is_columnar(body) or is_zip(body) or is_workbook(body):
        raise Problem(400, "The body: texts are taken as CSV or JSON here; save the file as CSV.")
    header = settings.get("header")
    form = Reading(separator=settings.get("separator"), header=True if header is None else header, plain=True)
    table = table_of(body, "body", encoding=_charset(content), form=form)
    names = list(table.cells)
    if column not in names and len(names) != 1:
        listed = ", ".join(map(shown, names[:6])) + (", …" if len(names) > 6 else "")
        raise Problem(400, f"The body: expected a column {shown(column)}, or one column alone, got {listed}.")
    cells = table.cells[column if column in names else names[0]].to_list()
    if not cells:
        raise Problem(400, "The body: the table has a header and no rows; send at least one.")
    return tuple("" if cell is None else str(cell) for cell in cells)


def _charset(content: str) -> str:
    for part in content.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"
