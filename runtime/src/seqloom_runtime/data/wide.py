"""Wide tables, with one series in each of several columns: reshaped so that these columns become series of one panel.

A model of several targets is one model over all of them: every target column is a series of its own, and the other
columns, which stand beside it in the table, are shared by the series that came from the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, SettingError, shown
from ..limits import need_memory
from .series_names import join_parts, split_parts
from .table import repeated

if TYPE_CHECKING:
    from .panel import Panel

__all__ = ["Wide", "lengthen"]

_ROOM = 34  # bytes for a cell while the panel is made, as in `assembly`


@dataclass(frozen=True)
class Wide:
    """What a long panel came from: the T target columns in order, and whether the table named series of its own (id).

    value: the panel's column that holds the values of every target.
    """

    targets: tuple[str, ...]
    value: str
    joined: bool

    def parts(self, series: str) -> tuple[str, str]:
        """The table's own name ("" where it has none) and the target of a series of the long panel."""
        if not self.joined:
            return "", series
        name, target = split_parts(series, 2)
        return name, target

    def place(self, series: str) -> int:
        """The position of a series' target in `targets`; raises DataError for a series of no such target."""
        target = self.parts(series)[1]
        if target not in self.targets:
            raise DataError(f"Series {shown(series)} belongs to none of the targets {shown(self.targets)}.")
        return self.targets.index(target)

    def places(self, panel: Panel) -> np.ndarray:
        """The position (R,) int64 in `targets` of the target of each row of a long panel."""
        return np.array([self.place(name) for name in panel.ids], dtype=np.int64)[panel.series_index]


def lengthen(panel: Panel, targets: Sequence[str]) -> Panel:
    """The long panel of a wide one: a series for each target, in the order of the table's series, then of the targets.

    Its first column, `wide.value` ("target", or "target_" where another column is called so), holds the values of the
    targets; the columns that are no targets follow, the same in all series of the same rows. Raises SettingError for
    targets that can't be, DataError for a name that the panel lacks.
    """
    if isinstance(targets, str) or not targets:
        raise SettingError(f"target: expected the names of columns, got {shown(targets)}.")
    if panel.wide is not None:
        raise SettingError("target: this panel is long already; name its one column of values.")
    if (twice := repeated(targets)) is not None:
        raise SettingError(f"target: {shown(twice)} is named twice; name each column once.")
    at = panel.positions(targets)
    others = [name for name in panel.columns if name not in targets]
    value = "target"
    while value in others:
        value += "_"
    rows, count = len(panel), len(targets)
    cells = rows * count * (len(others) + 1)
    need_memory(cells * _ROOM, f"{count:,} targets of {rows:,} rows", "Name fewer targets or inputs.", error=DataError)
    joined = panel.ids != ("",)
    order = np.concatenate(
        [np.tile(np.arange(first, end), count) for first, end in zip(panel.offsets[:-1], panel.offsets[1:])]
    )
    lengths = np.diff(panel.offsets)
    column = np.concatenate([np.repeat(at, length) for length in lengths])
    rest = panel.positions(others)
    values = np.concatenate([panel.values[order, column][:, None], panel.values[order][:, rest]], axis=1)
    filled = np.concatenate([panel.filled[order, column][:, None], panel.filled[order][:, rest]], axis=1)
    return replace(
        panel,
        values=values,
        filled=filled,
        columns=(value, *others),
        time=None if panel.time is None else panel.time[order],
        tick=panel.tick[order],
        ids=tuple(join_parts((name, target)) if joined else target for name in panel.ids for target in targets),
        offsets=np.concatenate([[0], np.cumsum(np.repeat(lengths, count))]),
        wide=Wide(tuple(targets), value, joined),
    )
