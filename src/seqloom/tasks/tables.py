"""CSV files of a run folder. Numbers are written so that they read back exactly; NaN is an empty cell."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ..files import write_text

__all__ = ["ROWS_WRITTEN", "write_csv"]

ROWS_WRITTEN = 200_000


def write_csv(path: str | os.PathLike[str], header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows of Python values, atomically."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if isinstance(cell, float) and cell != cell else cell for cell in row])
    write_text(path, buffer.getvalue())
