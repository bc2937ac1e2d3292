"""Workbooks, JSON tables and databases as fuzzers write them: cells, parts and pages that lie."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.workbooks import xlsx

from .binary_files import zipped
from .text_files import json_text, json_value
from .wild import COUNTS, NUMBERS, TEXTS, TIMES, Wild, damage_bytes

__all__ = ["BUILDERS"]

_TYPES = ("DATE", "DOUBLE", "TIMESTAMP", "VARCHAR", "BIGINT", "BOOLEAN", "BLOB", "DECIMAL(18,3)", "TIME", "HUGEINT")
_ODD_TYPES = ("INTERVAL", "INTEGER[]", "STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", "UUID", "BIT", "TIMESTAMPTZ")


def workbook(wild: Wild) -> bytes:
    """An .xlsx of one or two sheets; cells, XML and the archive's fields may lie."""
    sheets = {}
    for number in range(wild.of(wild.choice((1, 1, 1, 2)), (0, 3, 12))):
        rows: list[list[Any]] = [["time", "load", "note"][: wild.of(3, (0, 1))]]
        rows += [[_cell(wild, column, row) for column in range(3)] for row in range(wild.of(20, (0, 1, 400)))]
        sheets[wild.of(f"Sheet{number}", [text for text in TEXTS if text.isprintable()])] = rows
    held = io.BytesIO(xlsx(sheets))
    with zipfile.ZipFile(held) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in list(parts):
        if wild.strays:
            parts[name] = damage_bytes(wild, parts[name], 1)
        if wild.strays and wild.random() < 0.2:
            del parts[name]
    return zipped(wild, {name.removesuffix(".npy"): part for name, part in parts.items()})


def _cell(wild: Wild, column: int, row: int) -> Any:
    if wild.strays:
        return wild.choice(
            (None, True, 1e308, -1e-320, 2**53, dt.datetime(9999, 12, 31), *_clean(NUMBERS), *_clean(TEXTS))
        )
    if column == 0:
        return dt.datetime(2024, 1, 1) + dt.timedelta(hours=row)
    return round(wild.gauss(0, 50), 2) if column == 1 else wild.word()


def _clean(texts: tuple[str, ...]) -> list[str]:
    return [text for text in texts if text.isprintable()]  # XML has no others


def json_table(wild: Wild) -> bytes:
    """Records in an array or one a line, columns by name, or a table inside of an object; values may be of any kind."""
    count = wild.of(wild.randint(2, 30), (0, 1, 300))
    records = [{"time": wild.time(row), "load": round(wild.gauss(0, 9), 3), "id": wild.word(1)} for row in range(count)]
    records = [json_value(wild, record) for record in records]
    kind = wild.randrange(4)
    if kind == 0:
        lines = "\n".join(json_text(wild, record) for record in records)
        return (lines + wild.choice(("\n", "", "\n\n"))).encode("utf-8", "replace")
    columns = {"time": [wild.time(row) for row in range(count)], "load": [wild.gauss(0, 9) for _ in range(count)]}
    held = (records, columns, {"meta": wild.word(), "data": records})[kind - 1]
    return json_text(wild, json_value(wild, held)).encode("utf-8", "replace")


def sqlite(wild: Wild) -> bytes:
    """A SQLite database of a table or two, whose cells and pages may lie."""
    connection = sqlite3.connect(":memory:")
    with contextlib.closing(connection):
        for number in range(wild.of(1, (0, 2))):
            kinds = wild.of("t TEXT, load REAL, id INTEGER", ("t, load, id", "t BLOB, load TEXT, id BOOLEAN"))
            connection.execute(f"CREATE TABLE sales{number} ({kinds})")
            rows = [tuple(_value(wild, column, row) for column in range(3)) for row in range(wild.of(30, (0, 1, 500)))]
            connection.executemany(f"INSERT INTO sales{number} VALUES (?, ?, ?)", rows)
        if wild.strays:
            connection.execute("CREATE VIEW odd AS SELECT * FROM nowhere")
        connection.commit()
        connection.execute("PRAGMA user_version = 1")  # a database that holds nothing has no bytes
        data = connection.serialize()
    for _ in range(4):
        if wild.strays:
            at = wild.randrange(100) if wild.random() < 0.5 else wild.randrange(len(data) or 1)
            data = data[:at] + bytes([wild.randrange(256)]) + data[at + 1 :]
    return data


def _value(wild: Wild, column: int, row: int) -> Any:
    if wild.strays:
        whole = [number for number in COUNTS if -(2**63) <= number < 2**63]
        return wild.choice((None, b"\xff\x00", 1e308, float("inf"), *whole, *NUMBERS, *TEXTS, *TIMES))
    return (wild.time(row), round(wild.gauss(0, 50), 3), wild.randrange(3))[column]


def duckdb(wild: Wild) -> bytes:
    """A DuckDB database of a table of ordinary and odd types, whose pages may lie."""
    import duckdb as driver

    kinds = ["TIMESTAMP", "DOUBLE", *(wild.of(wild.choice(_TYPES), _ODD_TYPES) for _ in range(wild.randrange(3)))]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.duckdb"
        with driver.connect(str(path), config={"threads": 1}) as connection:
            for number in range(wild.of(1, (0, 2))):
                named = ", ".join(f"c{at} {kind}" for at, kind in enumerate(kinds))
                connection.execute(f"CREATE TABLE sales{number} ({named})")
                for row in range(wild.of(8, (0, 1, 40))):
                    cells = [wild.time(row), str(wild.gauss(0, 9)), *(wild.number() for _ in kinds[2:])]
                    asked = ", ".join(f"TRY_CAST(? AS {kind})" for kind in kinds)
                    with contextlib.suppress(driver.Error):  # some types take no text
                        connection.execute(f"INSERT INTO sales{number} SELECT {asked}", cells)
        data = path.read_bytes()
    return damage_bytes(wild, data, 2) if wild.strays else data


BUILDERS: dict[str, Callable[[Wild], bytes]] = {
    "workbook": workbook,
    "json_table": json_table,
    "sqlite": sqlite,
    "duckdb": duckdb,
}
