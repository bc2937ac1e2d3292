"""Where the forecasts of series begin, and what is said of those that begin early or have none."""

from __future__ import annotations

import numpy as np

from ..data import Panel
from ..errors import DataError, shown
from .known_rows import observed
from .roles import Roles
from .targets import named_target

__all__ = ["last_measured_rows", "later_notes", "refused_notes", "who"]

_MOST_TOLD = 6  # series with a note each


def last_measured_rows(panel: Panel, target: str) -> np.ndarray:
    """The row of the panel with the last measured target of each series (S,), −1 of one without."""
    measured, lengths = observed(panel, target), np.diff(panel.offsets)
    last = np.maximum.accumulate(np.where(measured, np.arange(len(measured)), -1))
    found = np.full(len(panel.ids), -1)
    there = lengths > 0
    found[there] = last[panel.offsets[1:][there] - 1]
    return np.where(found >= panel.offsets[:-1], found, -1)


def later_notes(roles: Roles, panel: Panel, origins: np.ndarray) -> list[str]:
    """What is said of series whose last rows hold no observed target, each, or of many together."""
    later = panel.offsets[1:] - 1 - origins
    behind = np.flatnonzero((origins >= 0) & (later > 0))
    if len(behind) > _MOST_TOLD:
        few = ", ".join(shown(panel.ids[series]) for series in behind[:_MOST_TOLD])
        return [
            f"{len(behind):,} series ({few}, …) end in rows that hold no observed target, at most "
            f"{later[behind].max():,} of them; their forecasts start before these."
        ]
    notes = []
    for series in behind.tolist():
        one = later[series] == 1
        rows, them = ("row holds", "it") if one else (f"{later[series]} rows hold", "them")
        notes.append(
            f"{who(panel.ids[series])}the last {rows} no observed {named_target(roles, panel.ids[series])!r}; "
            f"the forecast starts before {them}."
        )
    return notes


def refused_notes(refused: list[DataError]) -> list[str]:
    """Why series have no forecast: each reason, of many series the first few."""
    notes = [f"{error} It has no forecast." for error in refused[:_MOST_TOLD]]
    more = len(refused) - _MOST_TOLD
    return notes if more < 1 else [*notes, f"{more:,} more series have no forecast, for such reasons."]


def who(name: str) -> str:
    return f"Series {name!r}: " if name else ""
