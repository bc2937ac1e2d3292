"""Parquet and Arrow files into a table, after a look at what they claim to hold."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any, cast

from ..errors import DataError, shown
from ..limits import need_memory, reading
from .arrow_headers import claims
from .delimited import require_polars
from .parquet_headers import most_values
from .table import Table

__all__ = ["is_columnar", "parse_columnar", "quiet_panics"]

_CELL = 8  # bytes that a cell takes at least once it is a number
_REMEDY = "Give fewer rows or columns, or Parquet files as a panel on disk (store_panel; --cache of a command)."
_ONE_AT_A_TIME = threading.Lock()  # a process has one stderr


def is_columnar(data: bytes) -> bool:
    """Whether the bytes begin as a Parquet or Arrow file does."""
    return data[:4] == b"PAR1" or data[:6] == b"ARROW1"


def parse_columnar(data: bytes, source: str) -> Table:
    """A table from the bytes of a file named `source` in messages; raises DataError where it is damaged, or claims more
    rows than there is memory for."""
    pl = require_polars(source)
    parquet = data[:4] == b"PAR1"
    with reading(source, "Parquet file" if parquet else "Arrow file"):
        try:
            with quiet_panics():
                frame = _parquet(pl, data, source) if parquet else _arrow(pl, data, source)
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise _damaged(source, shown(str(error).strip().partition("\n")[0], 160)[1:-1]) from None
        if not frame.columns:
            raise DataError(f"{source}: expected a table, the file has no columns.")
        need_memory(_text_size(pl, frame), f"{source}: its text", _REMEDY, error=DataError)
        table = Table.from_frame(frame)
    return Table(table.cells, source, table.rows)


def _parquet(pl: Any, data: bytes, source: str) -> Any:
    """The frame of a Parquet file; a column that repeats one value takes no room there, but does once it is read.

    polars ends the process where a list in a header claims more entries than there is memory for, so the headers are
    read here first.
    """
    try:
        values, page = most_values(data)
    except ValueError as error:
        raise _damaged(source, error) from None
    need_memory(8 * values, f"{source}: a column that claims {values:,} values", _REMEDY, error=DataError)
    need_memory(page, f"{source}: a page that claims {page:,} bytes", _REMEDY, error=DataError)
    lazy = pl.scan_parquet(io.BytesIO(data))
    rows = int(lazy.select(pl.len()).collect().item())
    columns = len(lazy.collect_schema())
    need_memory(rows * columns * _CELL, f"{source}: {rows:,} rows of {columns:,} columns", _REMEDY, error=DataError)
    return pl.read_parquet(io.BytesIO(data))


def _arrow(pl: Any, data: bytes, source: str) -> Any:
    """The frame of an Arrow file; polars allocates by the lengths that compressed buffers claim, whatever they are."""
    try:
        claimed = claims(data)
    except ValueError as error:
        raise _damaged(source, error) from None
    room = max(claimed.inflated, _CELL * claimed.values)
    need_memory(room, f"{source}: {claimed.rows:,} rows that claim {room:,} bytes", _REMEDY, error=DataError)
    frame = pl.read_ipc(io.BytesIO(data))
    cells = frame.height * frame.width
    need_memory(cells * _CELL, f"{source}: {frame.height:,} rows of {frame.width:,} columns", _REMEDY, error=DataError)
    return frame


def _damaged(source: str, reason: object) -> DataError:
    return DataError(f"{source}: the file starts as Parquet or Arrow but is damaged ({reason}).")


def _scratch() -> IO[bytes]:
    """A file that is gone once it is closed; in memory where the system has such files, so that no disk is needed."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("seqloom"), "w+b")
    return cast("IO[bytes]", tempfile.TemporaryFile())


@contextlib.contextmanager
def quiet_panics() -> Iterator[None]:
    """Keep from stderr what polars prints there, with a backtrace, before its PanicException; all else is passed on."""
    with _ONE_AT_A_TIME, _scratch() as kept:
        try:
            own = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        panicked = False
        try:
            os.dup2(kept.fileno(), 2)
            yield
        except BaseException as fault:  # a panic is no Exception; whatever it is goes on upwards
            panicked = type(fault).__name__ == "PanicException"
            raise
        finally:
            os.dup2(own, 2)
            os.close(own)
            kept.seek(0)
            if not panicked and (text := kept.read()):
                os.write(2, text)


def _text_size(pl: Any, frame: Any) -> int:
    """Bytes of all texts: polars shares the equal ones, Python's texts don't."""
    texts = [name for name, dtype in frame.schema.items() if dtype in (pl.String, pl.Binary)]
    if not texts:
        return 0
    sizes = frame.select(
        pl.col(name).str.len_bytes().sum() if frame.schema[name] == pl.String else pl.col(name).bin.size().sum()
        for name in texts
    )
    return sum(size or 0 for size in sizes.row(0))
