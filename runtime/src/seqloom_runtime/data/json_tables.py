"""Tables in JSON: objects line by line or in an array, and columns as lists, wherever in an object these stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import DataError, shown
from .decisions import Decision
from .encodings import utf8_text
from .json_records import is_json_array, json_lines, parsed
from .records import table_of_columns, table_of_records
from .table import Table

__all__ = ["is_json", "parse_json"]

_DEEPEST = 3


def is_json(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object or an array of them does, and not as a line of a CSV."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"{":
        return head[1:].lstrip()[:1] in (b'"', b"}", b"")
    return is_json_array(head)


def parse_json(data: bytes, source: str, encoding: str = "utf-8") -> Table:
    """A table from the bytes of a JSON file named `source` in messages; raises DataError where it holds none or
    several."""
    said: list[Decision] = []
    text = utf8_text(data, source, encoding, "JSON", said).decode()
    head = text.lstrip()
    if head.startswith("{") and _one_a_line(text):
        return table_of_records(json_lines(text, source), "line", source, said)
    value = parsed(text, source)
    tables = _tables(value)
    if not tables and isinstance(value, dict) and "\n" not in text.strip():
        return table_of_records([(1, value)], "line", source, said)
    if len(tables) != 1:
        found = "none" if not tables else f"several ({', '.join(shown(name) for name, _ in tables[:6])})"
        raise DataError(
            f"{source}: expected a table (an array of objects, one object a line, or lists as long as each other by "
            "name), "
            f"found {found}; write the one to read as an array of objects."
        )
    name, held = tables[0]
    if name:
        said.append(Decision("table", f"The table is what stands under {shown(name)}."))
    if isinstance(held, list):
        return table_of_records(enumerate(_objects(held, source), 1), "item", source, said)
    return table_of_columns(held, source, said)


def _one_a_line(text: str) -> bool:
    """Whether the first line that holds something is a whole object and others are behind it."""
    lines = (line.strip() for line in text.split("\n"))
    first = next((line for line in lines if line), "")
    return first.endswith("}") and next((line for line in lines if line), "").startswith("{")


def _objects(items: list[Any], source: str) -> list[Mapping[str, Any]]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise DataError(f"{source}, item {number}: expected a JSON object, found {shown(item, 60)}.")
    return items


def _tables(value: Any, name: str = "", depth: int = 0) -> list[tuple[str, Any]]:
    """(name, records or columns) of each table in a JSON value."""
    if isinstance(value, list):
        return [(name, value)] if value and isinstance(value[0], dict) else []
    if not isinstance(value, dict):
        return []
    if {"columns", "data"} <= set(value) and _rows_of(value["columns"], value["data"]):
        names = [str(column) for column in value["columns"]]
        return [(name, {column: [row[at] for row in value["data"]] for at, column in enumerate(names)})]
    lists = {key: held for key, held in value.items() if isinstance(held, list) and not any(map(_holds, held[:5]))}
    if len(lists) > 1 and len({len(held) for held in lists.values()}) == 1 and any(lists.values()):
        return [(name, lists)]
    if depth == _DEEPEST:
        return []
    inner = (_tables(held, f"{name}.{key}" if name else key, depth + 1) for key, held in value.items())
    return [table for found in inner for table in found]


def _holds(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _rows_of(columns: Any, rows: Any) -> bool:
    return (
        isinstance(columns, list)
        and isinstance(rows, list)
        and len(rows) > 0
        and all(isinstance(row, list) and len(row) == len(columns) for row in rows)
    )
