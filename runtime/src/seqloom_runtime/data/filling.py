"""What stands in a short hole of a column: the value before it, a line across it, the value a season ago, or nothing.

Only a line knows what came after a row. No window has its origin inside one (`interpolated`), and a panel that is cut
off inside one carries the last value there (`carried_ends`), so that nothing from after an origin reaches a model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SettingError
from .repair import carry_forward, stretch_starts
from .seasons import usual_season

if TYPE_CHECKING:
    from .frequency import Frequency
    from .panel import Panel

__all__ = ["FILLS", "carried_ends", "fill_holes", "fill_season", "interpolated"]

FILLS = ("carry", "interpolate", "season", "none")
"""How missing values are filled; "none" leaves them missing."""

_SEASONS = 10  # that are looked back on for a measured value


def fill_season(fill: str, season: int | float | str | None, frequency: Frequency) -> int:
    """The season in whole rows for `fill="season"`, 0 for the others; that of the frequency where none is given.

    Raises SettingError where the frequency has none either.
    """
    if fill != "season":
        return 0
    if season is None:
        season = usual_season(frequency) or 0
        if round(season) < 2:
            raise SettingError(
                "fill: 'season' takes the value one season before, and no season is given, nor is one usual for rows "
                f"of {frequency.label}; give it as well, such as season=24, or use 'carry'."
            )
    rows = frequency.rows(season, "season") if isinstance(season, str) else round(season)
    if rows < 1:
        raise SettingError(f"season: expected at least 1 row, got {season!r}.")
    return rows


def fill_holes(
    values: np.ndarray, start: np.ndarray, max_fill: int, fill: str = "carry", season: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """`values` (R, F) with holes filled, and (R, F) bool: the cells that were.

    Each hole is filled up to `max_fill` rows after the last value of its stretch (`start` (R,) its first row): with
    that value (carry); on the line to the next value where the whole hole is no longer than that, else carried
    (interpolate); with the value `season` rows before, or of up to ten seasons before where that was not measured, else
    carried (season); not at all (none).

    >>> holed = np.array([[1.0], [np.nan], [3.0], [np.nan]])
    >>> fill_holes(holed, np.zeros(4, dtype=np.int64), 24, "interpolate")[0].ravel()
    array([1., 2., 3., 3.])
    """
    if fill == "none":
        return values, np.zeros(values.shape, dtype=bool)
    result, filled = carry_forward(values, start, max_fill)
    for column in np.flatnonzero(filled.any(axis=0)):
        if fill == "interpolate":
            _draw_lines(result[:, column], filled[:, column], start)
        elif fill == "season":
            _look_back(result[:, column], filled[:, column], np.isfinite(values[:, column]), start, season)
    return result, filled


def interpolated(panel: Panel, columns: list[int]) -> np.ndarray:
    """Rows (R,) bool where a value of one of `columns` (positions) lies on a line to a later one."""
    rows = np.zeros(len(panel.tick), dtype=bool)
    if panel.fill == "interpolate":
        start = stretch_starts(panel.tick, panel.series_index)
        for column in columns:
            rows |= _on_a_line(panel.values[:, column], panel.filled[:, column], start)[0]
    return rows


def carried_ends(panel: Panel) -> Panel:
    """The panel with its holes at the end of each stretch carried forward, as no later value is there to draw a line
    to; the same panel where none was."""
    if panel.fill != "interpolate" or not panel.filled.any():
        return panel
    start = stretch_starts(panel.tick, panel.series_index)
    values = panel.values.copy()
    rows = np.arange(len(values))
    for column in np.flatnonzero(panel.filled.any(axis=0)):
        soft = panel.filled[:, column] & np.isfinite(values[:, column])
        at_end = soft & ~_on_a_line(values[:, column], panel.filled[:, column], start)[0]
        last = np.maximum.accumulate(np.where(panel.filled[:, column] | np.isnan(values[:, column]), -1, rows))
        at_end &= last >= start
        values[at_end, column] = values[last[at_end], column]
    return replace(panel, values=values)


def _on_a_line(values: np.ndarray, filled: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (R,) bool in runs of filled cells with a measured value behind, and for each row the first behind its run.

    A hole that is longer than the limit ends in cells without a value, so what was carried into it is not meant.
    """
    rows = np.arange(len(values))
    soft = filled & np.isfinite(values)
    after = np.minimum.accumulate(np.where(soft, len(values), rows)[::-1])[::-1]
    there = np.minimum(after, len(values) - 1)
    ends_well = (after < len(values)) & np.isfinite(values[there]) & ~filled[there] & (start[there] == start)
    return soft & ends_well, there


def _draw_lines(values: np.ndarray, filled: np.ndarray, start: np.ndarray) -> None:
    """Put the holes that end in a value onto the line between their neighbours, in place."""
    inside, after = _on_a_line(values, filled, start)
    hit = np.flatnonzero(inside)
    before = np.maximum.accumulate(np.where(filled, -1, np.arange(len(values))))[hit]
    after = after[hit]
    share = (hit - before) / (after - before)
    # Not before + share · difference, whose difference of two huge values no float holds.
    values[hit] = values[before] * (1 - share) + values[after] * share


def _look_back(values: np.ndarray, filled: np.ndarray, measured: np.ndarray, start: np.ndarray, season: int) -> None:
    """Put the value of the last season that was measured into each filled cell, in place."""
    holes = np.flatnonzero(filled)
    source = holes - season
    for _ in range(_SEASONS - 1):
        again = (source >= start[holes]) & ~measured[np.maximum(source, 0)]
        source = np.where(again, source - season, source)
    found = (source >= start[holes]) & measured[np.maximum(source, 0)]
    values[holes[found]] = values[source[found]]
