"""CSV files of a run folder. Numbers and texts are written so that they read back exactly; NaN is an empty cell."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from .extras import need
from .files import write_bytes, write_pieces, write_text

__all__ = [
    "ROWS_WRITTEN",
    "TimeUnit",
    "columns_csv",
    "csv_text",
    "is_parquet",
    "time_text",
    "time_unit",
    "write_columns",
    "write_csv",
    "write_parquet",
]

ROWS_WRITTEN = 200_000
TimeUnit = Literal["D", "s", "us"]
_MANY = 5_000  # rows from which on loading polars pays
_PIECE = 1 << 17  # rows of a large table that are text at once
_QUOTED = "\n\r;\t"
"""Beside the comma and the double quote: what a reader may take for the end of a line or for another separator."""


def write_csv(path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows of Python values as `csv_text` does, atomically."""
    write_text(path, csv_text(header, rows))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A header and rows of Python values as CSV.

    A missing value (None, NaN) is an empty cell, an empty text a pair of quotes; a name with blanks at its ends is
    quoted, so that a reader can tell them from padding. A text comes back as it was, line ends of any kind included;
    only a lone surrogate, which is no character, is written as its escape.

    >>> csv_text(["name", " x"], [["a,b", None], ["", 0.5], ["c\rd", float("nan")]])
    'name," x"\n"a,b",\n"",0.5\n"c\rd",\n'
    """
    lines = _Lines()
    # The writer quotes a cell that holds a character of its line end, so more than the line end is given as one.
    writer = csv.writer(lines, lineterminator=_QUOTED)
    lines.append(",".join(_quoted(name) if name != name.strip() or not name else _cell(name) for name in header) + "\n")
    for row in rows:
        cells = [None if isinstance(cell, float) and cell != cell else cell for cell in row]
        if "" in cells:
            lines.append(",".join(map(_cell, cells)) + "\n")
        else:
            writer.writerow(cells)
    return "".join(lines)


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, np.ndarray]) -> None:
    """Write columns by name, equally long (N,), as `write_csv` does their rows, to the same bytes, and fast where there
    are many."""
    write_pieces(path, columns_csv(columns))


def columns_csv(columns: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    r"""The pieces of a CSV file of columns (N,): `csv_text` of their rows in UTF-8, without a row of Python's where
    there are many and polars is installed.

    >>> b"".join(columns_csv({"id": np.array(["a,b", ""], dtype=object), "value": np.array([0.5, np.nan])}))
    b'id,value\n"a,b",0.5\n"",\n'
    """
    rows = len(next(iter(columns.values()), ()))
    yield csv_text(list(columns), ()).encode("utf-8", errors="backslashreplace")
    if rows < _MANY or len(columns) < 2 or importlib.util.find_spec("polars") is None:
        cells = zip(*(values.tolist() for values in columns.values()))
        yield csv_text((), cells).removeprefix("\n").encode("utf-8", errors="backslashreplace")
        return
    import polars as pl

    for at in range(0, rows, _PIECE):
        cells = [_cells(values[at : at + _PIECE]) for values in columns.values()]
        lines = pl.select(pl.concat_str([pl.lit(each) for each in cells], separator=",")).to_series()
        yield (lines.str.join("\n").item() + "\n").encode("utf-8")


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether a file of this name is to be Parquet."""
    return os.fspath(path).lower().endswith((".parquet", ".pq"))


def write_parquet(
    path: str | os.PathLike[str], columns: Mapping[str, Sequence[Any] | np.ndarray], zone: str | None = None
) -> None:
    """Write columns by name, equally long (N,), as a Parquet file, atomically: numbers, texts, and times as such, with
    the `zone` that instants belong to, dates alone where all are midnights. Missing values are null.

    Raises MissingDependencyError where polars is not installed.
    """
    pl = need("polars", "writing Parquet")
    frame = pl.DataFrame({name: _series(values, zone) for name, values in columns.items()})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())


def _series(values: Sequence[Any] | np.ndarray, zone: str | None) -> Any:
    """A column of numbers, texts or times as a Series of polars."""
    import polars as pl

    if not isinstance(values, np.ndarray) or values.dtype == object:
        cells = [str(v).encode(errors="backslashreplace").decode() if isinstance(v, str) else v for v in values]
        return pl.Series(cells, strict=False)
    if values.dtype.kind != "M":
        return pl.Series(values, nan_to_null=True) if values.dtype.kind == "f" else pl.Series(values)
    times = pl.Series(values.astype("datetime64[us]"))
    if zone is not None:
        return times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    whole = bool((values == values.astype("datetime64[D]")).all())
    return times.cast(pl.Date) if whole else times


def _cells(values: np.ndarray) -> Any:
    """The cells of a column as `csv_text` writes them: a Series of texts."""
    import polars as pl

    if values.dtype.kind == "f":
        numbers = pl.Series(values.astype(np.float64))
        size = np.abs(values)
        # Python writes these with an exponent, in another form than polars.
        odd = np.isfinite(values) & (size != 0) & ((size < 1e-3) | (size >= 1e15))
        texts = numbers.cast(pl.String)
        if odd.any():
            texts = texts.scatter(np.flatnonzero(odd), [repr(value) for value in values[odd].tolist()])
        return texts.set(pl.Series(np.isnan(values)), "")
    if values.dtype.kind in "iu":
        return pl.Series(values).cast(pl.String)
    known: dict[Any, str] = {}
    cells = values.tolist()
    for value in set(cells):
        text = "" if value is None or value != value else _cell(value)
        known[value] = text.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return pl.Series([known[value] for value in cells], dtype=pl.String)


def time_text(times: np.ndarray, zone: str | None, *, unit: TimeUnit | None = None) -> list[str]:
    """Times (N,) datetime64[us] as ISO 8601 text, or row numbers (N,) as text.

    With the offset from UTC where there is a zone; dates alone where all times are midnights. `unit`, where given, is
    that of more times, which these stand among (`time_unit`).
    """
    if times.dtype.kind != "M":
        return [str(int(t)) for t in times]
    if zone is not None:
        place, utc = ZoneInfo(zone), ZoneInfo("UTC")
        moments, of = np.unique(times.astype("datetime64[us]"), return_inverse=True)  # many series share them
        texts = [t.replace(tzinfo=utc).astimezone(place).isoformat() for t in moments.tolist()]
        return [texts[place] for place in of.tolist()]
    return np.datetime_as_string(times, unit=unit or time_unit(times)).tolist()


def time_unit(times: np.ndarray) -> TimeUnit:
    """The largest of "D", "s" and "us" in which all times (N,) datetime64[us] are whole."""
    if (times == times.astype("datetime64[D]")).all():
        return "D"
    return "s" if (times == times.astype("datetime64[s]")).all() else "us"


class _Lines(list[str]):
    """What the writer writes to: the line end it was given for its quoting becomes a plain one."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix(_QUOTED) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return _quoted(text) if text == "" or any(sign in text for sign in f',"{_QUOTED}') else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
