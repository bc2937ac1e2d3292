"""Rows of Python values (from JSON, a database) as a table: a column is numbers, truth values, times or texts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from ..errors import DataError
from ..limits import need_memory
from .decisions import Decision
from .delimited import require_polars
from .table import Table

__all__ = ["table_of_columns", "table_of_records"]

_CELL = 64  # bytes of a Python value and its place in a list
_DEEPEST = 3


def table_of_records(
    records: Iterable[tuple[int, Mapping[str, Any]]], unit: str, source: str, said: Sequence[Decision] = ()
) -> Table:
    """A table of (number, object) with a column for each field, in order of appearance; a field of fields is a column
    for each of these, named a.b; a list is a text. Raises DataError where there is none."""
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {}
    nested = False
    for number, record in records:
        flat = _flat(record)
        nested = nested or len(flat) != len(record) or any("." in name and name not in record for name in flat)
        for name in flat:
            if name not in columns:
                columns[name] = [None] * len(numbers)
        numbers.append(number)
        for name, column in columns.items():
            column.append(flat.get(name))
        if not len(numbers) % 100_000:
            size = _CELL * len(columns) * 100_000
            need_memory(size, f"{source}: more than {len(numbers):,} records", "Give a part.", error=DataError)
    if not numbers:
        raise DataError(f"{source}: expected records, found none.")
    if not columns:
        raise DataError(f"{source}: expected fields in the records, found none.")
    decisions = list(said)
    if nested:
        name = next((name for name in columns if "." in name), next(iter(columns)))
        decisions.append(Decision("fields", f"Fields inside of fields are columns of their own, such as {name!r}."))
    table = table_of_columns(columns, source, decisions)
    return Table(table.cells, source, table.rows, np.array(numbers, np.int64), None, decisions, counted_in=unit)


def _flat(record: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            flat.update(_flat(value, f"{before}{name}.", depth + 1))
        else:
            flat[before + name] = value
    return flat


def table_of_columns(columns: Mapping[str, Sequence[Any]], source: str, said: Sequence[Decision] = ()) -> Table:
    """A table of columns of Python values, all as long."""
    import narwhals as nw

    pl = require_polars(source)
    cells = {name: nw.from_native(_column(pl, values), series_only=True) for name, values in columns.items()}
    return Table(cells, source, len(next(iter(columns.values()))), None, None, list(said))


def _column(pl: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {bool}:
        return pl.Series(values, dtype=pl.Boolean)
    if kinds and kinds <= {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(values, dtype=pl.Int64)
    if kinds and kinds <= {int, float, Decimal}:
        return pl.Series([None if value is None else _float(value) for value in values], dtype=pl.Float64)
    if kinds and kinds <= {dt.date} | {dt.datetime} and len(kinds) == 1:
        return pl.Series(values)
    return pl.Series([_text(value) for value in values], dtype=pl.String)


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # which reading it as a number refuses by its place


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return "(bytes)"
    return str(value)
