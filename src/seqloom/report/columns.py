"""One CSV file of a run folder as text columns that turn into numbers and times, with the line and column of whatever
can't."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.times import parse_texts
from seqloom_runtime.errors import FormatError, brief, shown, suggest
from seqloom_runtime.extras import need
from seqloom_runtime.files import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars

__all__ = ["Columns", "read_columns"]


class Columns:
    """The cells of a CSV file as text; columns are asked for by name or by position."""

    def __init__(
        self, path: Path, names: tuple[str, ...], frame: polars.DataFrame, rows: np.ndarray | None = None
    ) -> None:
        """`rows`: which row of the file each of the frame is, where some are left out."""
        self.path = path
        self.names = names
        self._frame = frame
        self._rows = rows

    def of_first(self, column: str | int, most: int) -> Columns:
        """The rows whose cell is among the first `most` different ones of the column."""
        cells = self._cells(column).fill_null("")
        first = cells.unique(maintain_order=True)[:most]
        kept = cells.is_in(first.implode())
        return Columns(self.path, self.names, self._frame.filter(kept), np.flatnonzero(kept.to_numpy()))

    def require(self, names: Iterable[str]) -> None:
        """Raise FormatError where one of `names` is not a column."""
        for name in names:
            if name not in self.names:
                raise FormatError(
                    f"{self.path}: expected the column {shown(name)}, got {brief(', '.join(self.names), 300)}."
                    + suggest(name, self.names)
                )

    def text(self, column: str | int) -> np.ndarray:
        """The column's cells, (N,) str; an empty cell is an empty text."""
        return self._cells(column).fill_null("").to_numpy().astype(str)

    def number(self, column: str | int) -> np.ndarray:
        """The column as (N,) float64; empty cells are NaN. Raises FormatError at the first cell that is no number."""
        numbers = self._cast(column, "Float64", "a number", self._cells(column))
        return numbers.fill_null(float("nan")).to_numpy().astype(np.float64)

    def whole(self, column: str | int) -> np.ndarray:
        """The column as (N,) int64; raises FormatError at the first cell that is no whole number."""
        cells = self._cells(column).fill_null("")
        return self._cast(column, "Int64", "a whole number", cells).to_numpy().astype(np.int64)

    def times(self, column: str | int) -> tuple[np.ndarray, bool, bool]:
        """The column as (N,) float64 milliseconds since 1970 or tick numbers; whether it holds times; whether zoned."""
        import polars

        cells = self._cells(column).fill_null("")
        ticks = cells.cast(polars.Float64, strict=False)
        if not ticks.has_nulls():
            return ticks.to_numpy().astype(np.float64), False, False
        moments = parse_texts(cells.to_list())
        if len(moments.bad):
            raise self._refused(column, int(moments.bad[0]), "an ISO 8601 time or a number", cells)
        # Microseconds to the milliseconds that Vega counts in.
        return moments.values / 1000, True, moments.kind == "instants"

    def _cells(self, column: str | int) -> polars.Series:
        position = column if isinstance(column, int) else self.names.index(column)
        return self._frame.to_series(position)

    def _cast(self, column: str | int, kind: str, what: str, cells: polars.Series) -> polars.Series:
        """The cells as numbers of a polars type; missing ones stay missing."""
        import polars

        numbers = cells.cast(getattr(polars, kind), strict=False)
        bad = cells.is_not_null() & numbers.is_null()
        if bad.any():
            raise self._refused(column, int(bad.arg_max() or 0), what, cells)
        return numbers

    def _refused(self, column: str | int, row: int, what: str, cells: polars.Series) -> FormatError:
        name = shown(self.names[column] if isinstance(column, int) else column)
        # The header is line 1.
        line = 2 + (row if self._rows is None else int(self._rows[row]))
        return FormatError(f"{self.path}: line {line}, column {name}: expected {what}, got {shown(cells[row])}.")


def read_columns(path: Path, most: int | None = None) -> Columns:
    """Read a CSV file in UTF-8 with a header line, or the lines of its first `most` bytes; raises FormatError where it
    has none or is not such a file."""
    polars = need("polars", "the report")
    try:
        content = _lines_of(path, most)
        # The header by Python's reader: polars would rename a column that stands twice.
        names = tuple(next(csv.reader(io.StringIO(content.decode("utf-8"), newline="")), ()))
        if not names:
            raise FormatError(f"{path}: expected a header line, got an empty file.")
        # Every file is written whole, so it ends with a line; a copy that broke off may end in the middle of a
        # number.
        if not content.endswith(b"\n"):
            raise FormatError(f"{path}: the last line is cut off: the file is damaged.")
        # All as text, under names of our own: a guessed type would refuse a later cell without its line.
        schema: dict[str, Any] = {f"c{i}": polars.String for i in range(len(names))}
        frame = polars.read_csv(content, has_header=False, schema=schema, glob=False).slice(1)
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected UTF-8 text, got byte {error.start} that is not UTF-8.") from None
    except (polars.exceptions.PolarsError, csv.Error) as error:
        reason = brief(str(error).strip().split("\n", 1)[0], 160)
        raise FormatError(f"{path}: expected a CSV file with the columns of its header: {reason}") from None
    except OSError as error:
        raise FormatError(f"{path}: can't be read ({error.strerror}).") from None
    return Columns(path, names, frame)


def _lines_of(path: Path, most: int | None) -> bytes:
    """The bytes of a file; of more than `most` the lines that these hold whole, where the file itself ends with one."""
    if most is None or path.stat().st_size <= most:
        return read_whole(path, 4)
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            return b"cut off"
        file.seek(0)
        found = file.read(most)
    return found[: found.rfind(b"\n") + 1] or b"cut off"
