"""Databases by URL: one SELECT, read-only, and never a password in what is said."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seqloom.data import read_table
from seqloom.errors import DataError, MissingDependencyError, SettingError
from seqloom_runtime.data import databases
from seqloom_runtime.data.database_urls import safe_name, secrets_in

ROWS = [("2020-01-01", 1.5, 7), ("2020-01-02", None, 8)]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sales (t TEXT, x REAL, n INTEGER)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", ROWS)
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def duckdb(tmp_path: Path) -> str:
    module = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    with module.connect(str(path)) as connection:
        connection.execute("CREATE TABLE sales (t DATE, x DOUBLE, n INTEGER)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", ROWS)
    return f"duckdb:///{path}"


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_query(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    table = read_table(url, query="-- all\nSELECT t, x * 2 AS twice FROM sales ORDER BY n DESC")
    assert table.names == ["t", "twice"]
    np.testing.assert_array_equal(table.numbers("twice"), [np.nan, 3])
    assert table.moments("t").values.view("M8[us]")[0] == np.datetime64("2020-01-02")
    assert table.decisions == []
    whole = read_table(url)
    assert whole.names == ["t", "x", "n"]
    assert (
        whole.decisions[0].text
        == "The database has one table, 'sales', which is read whole; a SELECT can be named instead (query=)."
    )


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM sales",
        "DROP TABLE sales",
        "INSERT INTO sales VALUES ('2020-01-03', 1, 1)",
        "SELECT 1; DELETE FROM sales",
        "/* SELECT */ DELETE FROM sales",
        "WITH a AS (SELECT 1) DELETE FROM sales",
        "ATTACH 'other.db' AS other",
        "PRAGMA writable_schema = 1",
        "",
    ],
)
def test_nothing_but_one_select(kind: str, query: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    with pytest.raises((SettingError, DataError), match=r"query: expected one SELECT|read|syntax"):
        read_table(url, query=query)
    assert read_table(url, query="SELECT count(*) AS n FROM sales").numbers("n").tolist() == [2]


def test_what_can_not_be_read(sqlite: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the database can't be read: no such column: nope"):
        read_table(sqlite, query="SELECT nope FROM sales")
    with pytest.raises(DataError, match="two columns named 't'; name them apart with AS"):
        read_table(sqlite, query="SELECT t, t FROM sales")
    with pytest.raises(DataError, match="the query gives none"):
        read_table(sqlite, query="SELECT * FROM sales WHERE x > 100")
    with pytest.raises(DataError, match="there is no such file"):
        read_table("sqlite:///nowhere.db", query="SELECT 1")
    path = sqlite.removeprefix("sqlite:///")
    with pytest.raises(DataError, match=r"a SQLite database; name it as sqlite:///FILE, with what to read"):
        read_table(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    with pytest.raises(DataError, match=r"say what to read with query=.*tables: 'sales', 'other'"):
        read_table(sqlite)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(SettingError, match="is no database; a query needs a URL"):
        read_table(tmp_path / "a.csv", query="SELECT 1")
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(DataError, match=r"b.db: the database can't be read"):
        read_table(f"sqlite:///{tmp_path}/b.db", query="SELECT 1")


def test_a_length_of_time_is_refused_by_its_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    driver = pytest.importorskip("duckdb")
    with driver.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE a AS SELECT i AS n, i * INTERVAL 1 HOUR AS span FROM range(3) r(i)")
    url = f"duckdb:///{tmp_path}/a.duckdb"
    with pytest.raises(DataError, match=r"column 'span' is of type INTERVAL, .*as epoch\(…\) does"):
        read_table(url)
    assert capfd.readouterr().err == ""  # as a panic of polars would print
    assert read_table(url, query="SELECT n, epoch(span) AS span FROM a").numbers("span").tolist() == [0, 3600, 7200]


def test_a_database_reads_no_other_file(duckdb: str) -> None:
    with pytest.raises(DataError, match="can't be read"):
        read_table(duckdb, query="SELECT * FROM read_csv('/etc/passwd')")


URLS = [
    "postgresql://ann:s3cr%40t%3A@127.0.0.1:1/shop?sslmode=disable",
    "postgres://ann:s3cr%40t%3A@127.0.0.1:1/shop",
    "postgresql://127.0.0.1:1/shop?user=ann&password=s3cr%40t%3A",
]


@pytest.mark.parametrize("url", URLS)
def test_no_password_is_ever_said(url: str) -> None:
    assert "s3cr" not in safe_name(url)
    assert {"s3cr%40t%3A", "s3cr@t:"} <= {*secrets_in(url)}
    try:
        read_table(url, query="SELECT 1")
        pytest.fail("nothing listens there")
    except (DataError, MissingDependencyError) as error:
        texts = [str(error), repr(error)]
        while (error := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
            texts.append(str(error))
    assert not any("s3cr" in text for text in texts)
    assert "127.0.0.1:1/shop" in texts[0] or "pip install" in texts[0]


# -- a real server --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of PostgreSQL of its own, on a socket, run by a user without privileges."""
    pytest.importorskip("adbc_driver_postgresql")
    missing = [name for name in ("initdb", "pg_ctl", "psql", "su") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no server of PostgreSQL is installed ({', '.join(missing)})")
    folder = Path(tempfile.gettempdir()) / f"seqloom-postgresql-{os.getpid()}"  # short: a socket path has 107 bytes
    folder.mkdir(mode=0o755)
    as_root = os.getuid() == 0
    if as_root:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def run(command: str) -> None:
        words = ["su", "-s", "/bin/sh", "nobody", "-c", command] if as_root else ["sh", "-c", command]
        subprocess.run(words, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=120)

    run(f"initdb -D {folder}/data -U ann --auth=trust")
    run(f"pg_ctl -D {folder}/data -o '-k {folder} -c listen_addresses=' -w -l {folder}/log start")
    try:
        setup = (
            "CREATE TABLE sales AS SELECT date '2020-01-01' + i AS t, i * 1.5::float8 AS x, i::numeric(10,2) AS n, i "
            "% 2 = 0 AS "
            "even, timestamptz '2020-01-01 00:00+00' + i * interval '1 hour' AS at FROM generate_series(0, 4999) i"
        )
        subprocess.run(
            ["psql", "-q", "-h", str(folder), "-U", "ann", "-d", "postgres", "-c", setup], check=True, timeout=60
        )
        yield f"postgresql://ann:s3cret@/postgres?host={folder}"
    finally:
        run(f"pg_ctl -D {folder}/data -m fast stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.deep
def test_postgresql(postgresql: str) -> None:
    table = read_table(postgresql, query="SELECT t, x, n, even, at FROM sales ORDER BY t")
    assert (table.rows, table.names) == (5000, ["t", "x", "n", "even", "at"])
    np.testing.assert_array_equal(table.numbers("x"), np.arange(5000) * 1.5)
    np.testing.assert_array_equal(table.numbers("n"), np.arange(5000))
    np.testing.assert_array_equal(table.numbers("even")[:3], [1, 0, 1])
    assert table.moments("t").values.view("M8[us]")[-1] == np.datetime64("2020-01-01") + 4999
    assert table.moments("at").kind == "instants"
    assert read_table(postgresql).rows == 5000
    assert read_table(postgresql, query="VALUES (1, 2), (3, 4); ").rows == 2
    assert read_table(postgresql, query="SELECT x FROM sales -- all of them").rows == 5000


@pytest.mark.deep
def test_postgresql_is_counted_before_it_is_fetched(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # which the driver can do without
    asked = []

    def refuse(size: float, what: str, *_: str, error: type[Exception]) -> None:
        asked.append((size, what))
        raise error("too large")

    assert read_table(postgresql, query="SELECT x FROM sales").rows == 5000
    monkeypatch.setattr(databases, "need_memory", refuse)
    with pytest.raises(DataError, match="too large"):
        read_table(postgresql, query="SELECT 1 AS a, 2 AS b FROM generate_series(1, 1000000)")
    assert asked[0][0] == 16_000_000
    assert "1,000,000 rows" in asked[0][1]


@pytest.mark.deep
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM sales",
        "SELECT 1; DELETE FROM sales",
        "WITH a AS (DELETE FROM sales RETURNING *) SELECT * FROM a",
        "SELECT nope FROM sales",
        "SELECT pg_read_file('/nowhere')",
    ],
)
def test_postgresql_is_only_read(postgresql: str, query: str) -> None:
    with pytest.raises((SettingError, DataError)) as caught:
        read_table(postgresql, query=query)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read_table(postgresql, query="SELECT count(*) AS n FROM sales").numbers("n").tolist() == [5000]
