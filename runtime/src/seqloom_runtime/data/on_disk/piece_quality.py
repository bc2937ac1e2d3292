"""The reports on the pieces of a table as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..quality import ColumnSummary, Quality

__all__ = ["joined_quality"]


def joined_quality(
    pieces: Sequence[Quality | None], rows_read: int, columns: Sequence[str], decisions: Sequence[Any]
) -> Quality | None:
    """One report of the reports on groups of series; None where there is none.

    Counts add up; a sentence stands for its kind, with the count of all groups where several have it.
    """
    known = [piece for piece in pieces if piece is not None]
    if not known:
        return None
    told = list(decisions)
    for piece in known:
        told += [each for each in piece.decisions if each not in told and each.what not in {one.what for one in told}]
    return replace(
        known[0],
        rows_read=rows_read,
        rows=sum(piece.rows for piece in known),
        series=sum(piece.series for piece in known),
        first=min(piece.first for piece in known),
        last=max(piece.last for piece in known),
        columns=tuple(_summary(known, name) for name in columns),
        findings=tuple(_of_kinds([piece.findings for piece in known])),
        repairs=tuple(_of_kinds([piece.repairs for piece in known])),
        decisions=tuple(told),
    )


def _of_kinds(found: Sequence[Sequence[Any]]) -> list[Any]:
    """One finding or repair for each kind, of all pieces."""
    kinds: dict[str, list[Any]] = {}
    for each in (one for piece in found for one in piece):
        kinds.setdefault(each.kind, []).append(each)
    joined = []
    for same in kinds.values():
        count = sum(each.count for each in same)
        text = same[0].text
        if len(same) > 1:
            text = f"{count:,} in all ({same[0].kind}), in {len(same):,} groups of series; in the first of them: {text}"
        joined.append(replace(same[0], count=count, text=text))
    return joined


def _summary(pieces: Sequence[Quality], name: str) -> ColumnSummary:
    held = [(piece.rows, column) for piece in pieces for column in piece.columns if column.name == name]
    absent = sum(piece.rows for piece in pieces) - sum(rows for rows, _ in held)
    valued = [(rows - column.missing, column) for rows, column in held if column.mean is not None]
    lows = [column.min for _, column in valued if column.min is not None]
    highs = [column.max for _, column in valued if column.max is not None]
    weight = sum(max(1, count) for count, _ in valued)
    mean = math.fsum(max(1, count) * (column.mean or 0.0) for count, column in valued) / weight if valued else None
    low, high = min(lows, default=None), max(highs, default=None)
    return ColumnSummary(
        name,
        absent + sum(column.missing for _, column in held),
        sum(column.filled for _, column in held),
        low is not None and low == high,
        low,
        high,
        mean,
    )
