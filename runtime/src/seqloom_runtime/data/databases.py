"""What one SELECT gives from a SQLite, DuckDB or PostgreSQL database, named by a URL; read-only, and no password is
ever in a message or a record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from ..errors import DataError, MissingDependencyError, SettingError, printable, shown
from ..extras import need
from ..limits import memory_left, need_memory
from .database_urls import safe_name, secrets_in
from .decisions import Decision
from .records import table_of_columns
from .table import Table

__all__ = ["read_database"]

_COMMENTS = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_BATCH = 10_000
_LEAST = 8  # bytes that a cell takes at least
_CELL = 100  # bytes of a value and its place in a list
_LIST = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'pg_catalog')"
)


def read_database(url: str, query: str | None) -> Table:
    """The table that `query`, one SELECT, gives; the one table of the database without. Raises DataError with what the
    database says, SettingError for a query that is no SELECT, MissingDependencyError with what to install."""
    kind = urlsplit(url).scheme.lower() if "://" in url else ""
    read = {"sqlite": _sqlite, "duckdb": _duckdb}.get(kind, _postgresql)
    name = safe_name(url)
    if query is not None:
        _check_select(query)
    with _told(url, name):
        return read(url, name, query)


def _check_select(query: str) -> None:
    """Raise SettingError where a query is not one statement that reads."""
    bare = query
    while (match := _COMMENTS.match(bare)) and match.end():
        bare = bare[match.end() :]
    word = re.match(r"[A-Za-z]*", bare)
    if word is None or word[0].upper() not in ("SELECT", "WITH", "VALUES", "TABLE", "FROM"):
        raise SettingError(f"query: expected one SELECT, got {shown(query, 60)}; a database is only read.")


@contextmanager
def _told(url: str, name: str) -> Iterator[None]:
    """What the driver raises as one sentence without the password."""
    try:
        yield
    except (DataError, SettingError, MissingDependencyError):
        raise
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - each driver has its own types
        text = " ".join(str(error).split())[:300]
        for secret in secrets_in(url):
            text = text.replace(secret, "…")
        raise DataError(f"{name}: the database can't be read: {printable(text).rstrip('.')}.") from None


def _path(url: str, name: str) -> Path:
    """The file of sqlite:///a.db (here) or sqlite:////data/a.db."""
    parts = urlsplit(url)
    path = Path(unquote(parts.netloc + parts.path if parts.netloc else parts.path.removeprefix("/")))
    if not path.is_file():
        raise DataError(
            f"{name}: there is no such file ({shown(str(path))}); write three slashes before a path from here."
        )
    return path


def _sqlite(url: str, name: str, query: str | None) -> Table:
    import sqlite3

    path = _path(url, name)
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        )
        query, said = _or_all(query, name, lambda: [row[0] for row in tables.fetchall()])
        try:
            cursor = connection.execute(query)
        except (sqlite3.ProgrammingError, sqlite3.Warning) as error:  # "You can only execute one statement at a time."
            raise SettingError(f"query: expected one SELECT, got {shown(query, 60)} ({error}).") from None
        return _fetched(cursor, name, said)
    finally:
        connection.close()


def _fetched(cursor: Any, name: str, said: list[Decision]) -> Table:
    """The rows of a cursor, in batches, as long as there is memory."""
    names = [column[0] for column in cursor.description or ()]
    _refuse_names(names, name)
    columns: list[list[Any]] = [[] for _ in names]
    while rows := cursor.fetchmany(_BATCH):
        need_memory(_CELL * len(names) * len(rows), f"{name}: the rows", "Select fewer.", error=DataError)
        for column, values in zip(columns, zip(*rows)):
            column.extend(values)
    if not columns[0]:
        raise DataError(f"{name}: expected rows, the query gives none.")
    return table_of_columns(dict(zip(names, columns)), name, said)


def _refuse_names(names: list[str], name: str) -> None:
    if not names:
        raise DataError(f"{name}: expected a table, the query gives no columns.")
    twice = next((column for at, column in enumerate(names) if column in names[:at]), None)
    if twice is not None:
        raise DataError(f"{name}: the query gives two columns named {shown(twice)}; name them apart with AS.")


def _or_all(query: str | None, name: str, tables: Any) -> tuple[str, list[Decision]]:
    """The query, or one for the only table there is."""
    if query is not None:
        return query, []
    found = tables()
    if len(found) == 1:
        table = found[0].replace('"', '""')
        return f'SELECT * FROM "{table}"', [
            Decision("query", f"The database has one table, {shown(found[0])}, which is read whole.", option="query")
        ]
    listed = ", ".join(shown(table) for table in found[:12]) or "none"
    raise DataError(f"{name}: say what to read with query='SELECT … FROM …'; the database has these tables: {listed}.")


def _duckdb(url: str, name: str, query: str | None) -> Table:
    duckdb = need("duckdb", f"{name}: reading DuckDB")
    path = _path(url, name)
    limits: dict[str, Any] = {
        "enable_external_access": "false",
        "lock_configuration": "true",
    }  # no other file, no address
    with duckdb.connect(str(path), read_only=True, config=limits) as connection:
        query, said = _or_all(query, name, lambda: [row[0] for row in connection.execute(_LIST).fetchall()])
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SettingError(f"query: expected one SELECT, got {shown(query, 60)}; a database is only read.")
        rows = connection.sql(query)
        _refuse_names(rows.columns, name)
        span = next((column for column, kind in zip(rows.columns, rows.types) if "INTERVAL" in str(kind)), None)
        if span is not None:  # which polars panics over
            raise DataError(
                f"{name}: column {shown(span)} is of type INTERVAL, which no table holds; name the other columns in "
                "query='SELECT …', or turn it into seconds there, as epoch(…) does."
            )
        # Counted first: what is fetched is held whole.
        ((count,),) = rows.aggregate("count(*)").fetchall()
        need_memory(_LEAST * count * len(rows.columns), f"{name}: {count:,} rows", "Select fewer.", error=DataError)
        return _arrow(rows, name, said)


def _arrow(stream: Any, name: str, said: list[Decision]) -> Table:
    """A table over what gives an Arrow stream."""
    import polars as pl

    frame = pl.DataFrame(stream)
    _refuse_names(frame.columns, name)
    need_memory(8 * frame.height * frame.width, f"{name}: {frame.height:,} rows", "Select fewer.", error=DataError)
    if not frame.height:
        raise DataError(f"{name}: expected rows, the query gives none.")
    table = Table.from_frame(frame)
    return Table(table.cells, name, table.rows, None, None, said)


def _postgresql(url: str, name: str, query: str | None) -> Table:
    dbapi = need("adbc_driver_postgresql.dbapi", f"{name}: reading PostgreSQL")
    with dbapi.connect(_read_only(url)) as connection, connection.cursor() as cursor:

        def tables() -> list[str]:
            cursor.execute(_LIST)
            return [row[0] for row in cursor.fetchall()]

        query, said = _or_all(query, name, tables)
        limit = memory_left() // 4
        # The driver puts it between brackets, where no semicolon may stand, and behind a comment no bracket.
        query = query.rstrip().rstrip(";") + "\n"
        cursor.adbc_statement.set_sql_query(query)
        cursor.adbc_statement.prepare()  # which blames a mistake in the query as it was written
        inner = f"FROM ({query}) AS counted"
        # Counted first: what is fetched is held whole.
        width = _answer(cursor, f"SELECT * {inner} LIMIT 0").width
        count = int(_answer(cursor, f"SELECT count(*) {inner}").item())
        need_memory(_LEAST * count * width, f"{name}: {count:,} rows", "Select fewer.", error=DataError)
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(min(1 << 24, limit))})
        cursor.execute(query)
        return _arrow(cursor.fetch_arrow(), name, said)


def _answer(cursor: Any, query: str) -> Any:
    """What a short query gives, as a frame of polars."""
    import polars as pl

    cursor.execute(query)
    return pl.DataFrame(cursor.fetch_arrow())


def _read_only(url: str) -> str:
    """The URL with a session that can't write, whatever a function in the query tries."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    options["options"] = f"{options.get('options', '')} -c default_transaction_read_only=on".strip()
    query = urlencode(options, quote_via=quote)
    return urlunsplit(("postgresql", parts.netloc, parts.path, query, ""))
