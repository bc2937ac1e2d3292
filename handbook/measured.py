"""What was measured: rows of the tables of docs/studies.md, which commands write."""

from __future__ import annotations

import math
from pathlib import Path

__all__ = ["figure", "measured", "table"]

STUDIES = Path(__file__).resolve().parents[1] / "docs" / "studies.md"


def table(first: str) -> list[dict[str, str]]:
    """The rows of the first table behind a heading or a text that begins with `first`, a cell by column."""
    lines = STUDIES.read_text(encoding="utf-8").split(first, 1)[1].splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("| "))
    found = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return [dict(zip(found[0], cells)) for cells in found[2:]]


def figure(cell: str) -> float:
    """A cell as a number, NaN where there is none."""
    text = cell.replace("−", "-").replace(",", "").removesuffix("%").strip(" ≥≤✓✗†*")
    try:
        return float(text)
    except ValueError:
        return math.nan


def measured(study: str) -> dict[str, float]:
    """Our score of each row of a study that was run, and the published one beside it."""
    found: dict[str, float] = {}
    for row in table("sequence-modelling table: first line"):
        if row["study"] == study:
            for column, said in (("ours", ""), ("published", ", published")):
                value = figure(row[column])
                if math.isfinite(value):
                    found[row["row"] + said] = value
    return found
