"""Several targets of a wide table: which they are, the long panel that one model reads, and what each is told of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..data.wide import Wide, lengthen
from ..errors import DataError, shown

if TYPE_CHECKING:
    from .roles import Roles
    from .rows import WindowRows

__all__ = [
    "check_series",
    "columns_of_table",
    "listed",
    "long_again",
    "named_target",
    "of_target",
    "own_series",
    "owner_of",
    "radius_of",
    "table_rows",
    "unit_of",
]

_LISTED = 6


def columns_of_table(columns: Sequence[str], wide: Wide | None) -> tuple[str, ...]:
    """The columns of the user's table that stand for those of a panel which a forecaster reads."""
    if wide is None:
        return tuple(columns)
    return (*wide.targets, *(name for name in columns if name != wide.value))


def long_again(panel: Panel, wide: Wide | None) -> Panel:
    """A panel of new rows of the table in the form that the forecaster was fitted on."""
    if wide is None or panel.wide is not None:
        return panel
    if (panel.ids != ("",)) != wide.joined:
        was = "several series, named by an id column" if wide.joined else "one series per target"
        raise DataError(f"The model was fitted on a table with {was}; give data of that form.")
    long = lengthen(panel, wide.targets)
    return replace(long, columns=(wide.value, *long.columns[1:]), wide=wide)


def listed(names: Iterable[str]) -> str:
    """Names with commas between, the first few of many.

    >>> listed("abcdefgh")
    "'a', 'b', 'c', 'd', 'e', 'f' and 2 more"
    """
    names = list(names)
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(map(shown, names[:_LISTED])) + more


def named_target(roles: Roles, series: str = "") -> str:
    """What the target of a series is called: its column in the user's table."""
    return roles.target if roles.wide is None else roles.wide.parts(series)[1]


def owner_of(roles: Roles, series: str) -> str:
    """What a table of predictions calls a series: as the table's id column does, or after its target without one."""
    return (series if roles.wide is None else roles.wide.parts(series)[0] or series) or roles.target


def of_target(data: WindowRows, origins: np.ndarray) -> np.ndarray:
    """The position (N,) of each origin's target among several; all 0 of one."""
    wide = data.features.roles.wide
    return np.zeros(len(origins), np.int64) if wide is None else wide.places(data.panel)[origins]


def radius_of(radii: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Radii (K,), or (T, K) of several targets, for windows of the targets `at` (N,): (K,) or (N, K)."""
    return radii if radii.ndim == 1 else radii[at]


def own_series(panel: Panel) -> list[str]:
    """The table's own name of each series (S,): the same for all targets of the same rows."""
    wide = panel.wide
    return list(panel.ids) if wide is None else [wide.parts(name)[0] for name in panel.ids]


def table_rows(panel: Panel) -> int:
    """Rows of the user's table: those of several targets count once, up to the last known one of any."""
    longest: dict[str, int] = {}
    for name, rows in zip(own_series(panel), np.diff(panel.offsets).tolist()):
        longest[name] = max(rows, longest.get(name, 0))
    return sum(longest.values())


def unit_of(name: str) -> str | None:
    """The text in a column name's last brackets, as in "T (degC)", or None."""
    opened, closed = name.rfind("("), name.rfind(")")
    if 0 < opened < closed == len(name.rstrip()) - 1 and name[opened + 1 : closed].strip():
        return name[opened + 1 : closed].strip()
    return None


def check_series(wide: Wide, ids: Iterable[str]) -> None:
    """Raise DataError where a series belongs to none of the targets."""
    for name in ids:
        wide.place(name)
