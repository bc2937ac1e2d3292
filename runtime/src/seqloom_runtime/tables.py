"""CSV files of a run folder. Numbers and texts are written so that they read back exactly; NaN is an empty cell."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from .files import write_text

__all__ = ["ROWS_WRITTEN", "csv_text", "time_text", "write_csv"]

ROWS_WRITTEN = 200_000
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


def time_text(times: np.ndarray, zone: str | None) -> list[str]:
    """Times (N,) datetime64[us] as ISO 8601 text, or row numbers (N,) as text.

    With the offset from UTC where there is a zone; dates alone where all times are midnights.
    """
    if times.dtype.kind != "M":
        return [str(int(t)) for t in times]
    if zone is not None:
        place, utc = ZoneInfo(zone), ZoneInfo("UTC")
        return [t.replace(tzinfo=utc).astimezone(place).isoformat() for t in times.astype("datetime64[us]").tolist()]
    if (times == times.astype("datetime64[D]")).all():
        return np.datetime_as_string(times, unit="D").tolist()
    whole = (times == times.astype("datetime64[s]")).all()
    return np.datetime_as_string(times, unit="s" if whole else "us").tolist()


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
